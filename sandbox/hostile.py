"""Text that is harmless here and dangerous in a careless program: markup, formulas, invisible and broken characters.

And values that no document mentions but real tenants have sent. Both go into a few incidents of every larger tenant.
"""

import random

from sandbox.casebook import Raw

NAMES = (
    "<img src=x onerror=alert(1)> Ransomware <b>activity</b>",
    '=HYPERLINK("https://trap.example.net","open")',
    "+cmd|' /C calc'!A0",
    "Ran\u200bsom\u200bware act\u200bivity",
    "Invoice \u202egpj.exe",
    "'; DROP TABLE incidents;--",
    "{{ 7*7 }} ${7*7} {% now 'Y' %}",
    "\ufeffFW: \ufffd\ufffd Statement",
    "\x1b[31mred\x1b[0m line\r\nSet-Cookie: a=b",
    "Δοκιμή 試験 اختبار \U0001f510 " + "x" * 900,
    "null",
)
# A NUL cannot be stored by PostgreSQL and half a surrogate pair is no text at all; JSON can carry both.
BROKEN = ("Payload with NUL \x00 byte", "Half a pair \ud800 here")
SUBJECTS = ("<script>alert('subject')</script>", "\u202eFW: tnemyap", "=1+1", "\ufeffRe: your order")


def sprinkle(rng: random.Random, raws: list[Raw]) -> None:
    """Make a few incidents hostile or odd. Shells are left alone; tenants with few incidents get few."""
    open_for_it = [raw for raw in raws if raw["alerts"]]
    chosen = rng.sample(open_for_it, min(len(open_for_it), max(2, len(raws) // 25)))
    for raw in chosen:
        rng.choice((_name, _name, _mail, _odd_values, _odd_people, _broken))(rng, raw)


def _name(rng: random.Random, raw: Raw) -> None:
    raw["incidentName"] = rng.choice(NAMES)
    raw["tags"].append(rng.choice(NAMES)[:60])


def _broken(rng: random.Random, raw: Raw) -> None:
    raw["incidentName"] = rng.choice(BROKEN)
    raw["alerts"][0]["description"] += "\n" + rng.choice(BROKEN) + ' <a href="https://trap.example.net">more</a>'


def _mail(rng: random.Random, raw: Raw) -> None:
    for alert in raw["alerts"]:
        alert["title"] = rng.choice(NAMES)
        for entity in alert["entities"]:
            if "subject" in entity:
                entity["subject"] = rng.choice(SUBJECTS)


def _odd_values(rng: random.Random, raw: Raw) -> None:
    raw["severity"] = rng.choice(("UnSpecified", "Critical"))
    raw["determination"] = rng.choice(("Apt", "SecurityPersonnel", "NotAvailable"))
    raw["status"] = rng.choice(("New", "AwaitingAction"))
    alert = raw["alerts"][0]
    alert |= {"category": "None", "investigationState": "PendingWeather", "firstActivity": None, "threatFamilyName": ""}
    alert["entities"] = [*alert["entities"], {"entityType": "Gadget", "gadgetId": 7, "verdict": "5"}]
    raw["priorityScore"] = rng.randrange(101)


def _odd_people(rng: random.Random, raw: Raw) -> None:
    raw["assignedTo"] = rng.choice(("Microsoft (to remove duplicates)", "5f2b4c1e-0000-4000-8000-00000000abcd"))
    raw["classification"] = "Informational, expected activity"
    raw["alerts"][0]["entities"] = None
