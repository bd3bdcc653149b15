"""M5: wherever an answer points to, the bearer token goes to the cloud's own hosts and nowhere else.

A trap listens on loopback; whatever the link says, nobody connects to it, and the pass goes on or ends in good order.
"""

import contextlib
import json
from typing import Any

import pytest

from defender.errors import DefenderError
from defender.transport import Transport
from tests.defender.loopback import Answer, Asked, Loopback, answer, serving
from tests.defender.microsoft import Microsoft, client

SINCE = "2026-03-01T00:00:00.0000000Z"
API = "https://api.security.microsoft.com"
# {trap} is the trap's host and port.
LINKS = [
    "http://{trap}/api/incidents?$skip=100",
    "https://{trap}/api/incidents?$skip=100",
    "//{trap}/api/incidents?$skip=100",
    "\\\\{trap}\\api?$skip=100",
    "http:{trap}/?$skip=100",
    "http:\\\\{trap}/?$skip=100",
    "ftp://{trap}/?$skip=100",
    "gopher://{trap}/_GET?$skip=100",
    "file://{trap}/etc/passwd?$skip=100",
    "ws://{trap}/?$skip=100",
    "javascript:fetch('http://{trap}')//?$skip=100",
    "data:text/html,http://{trap}?$skip=100",
    API + "@{trap}/?$skip=100",
    API + ":443@{trap}/?$skip=100",
    API + "\\@{trap}/?$skip=100",
    API + "%40{trap}/?$skip=100",
    API + ".{trap}/?$skip=100",
    API + "#@{trap}/?$skip=100",
    API + "?@{trap}/&$skip=100",
    API + "/../../{trap}/?$skip=100",
    API + "/api/incidents\r\nHost: {trap}\r\n?$skip=100",
    API + "/api/incidents?$skip=100\t@{trap}",
    API + "/api/incidents?$skip=http://{trap}/",
    API + "/redirect?url=http://{trap}/&$skip=100",
    "http://user:password@{trap}/?$skip=100",
    "http://{trap}\u3002example?$skip=100",
    "https://graph.microsoft.com/v1.0/{trap}?$skip=100",
    "https://login.microsoftonline.com/{trap}?$skip=100",
    "https://api.security.microsoft.us/{trap}?$skip=100",
    "http://169.254.169.254/latest/meta-data/{trap}?$skip=100",
    " http://{trap}/?$skip=100",
    "\u202ehttp://{trap}/?$skip=100",
    "HTTP://{trap}/?$SKIP=100",
]
ODD: list[Any] = [{"url": "http://{trap}/"}, ["http://{trap}/"], 7, True, "", "http://[::1", "x" * 100_000]
# Every field of an incident that may hold an address.
CONTENT = ("incidentUri", "incidentWebUrl", "alertWebUrl", "url", "link", "@odata.nextLink", "@odata.context")


def page(first: int, n: int, **more: Any) -> Answer:
    rows = [
        {"incidentId": number, "lastUpdateTime": f"2026-03-01T00:00:{number % 60:02}.0000000Z", "alerts": []}
        for number in range(first, first + n)
    ]
    return answer({"value": rows, **more})


def read_all(ms: Microsoft, transport: Transport, link: object) -> None:
    """A pass whose first page carries the link; however it ends, it ends in good order."""

    def bend(asked: Asked) -> Answer:
        return page(1, 100, **{"@odata.nextLink": link}) if asked.query.get("$skip") == "0" else page(101, 2)

    ms.on_api = bend
    with contextlib.suppress(DefenderError):
        list(client(ms, transport).incident_pages(since=SINCE))


def assert_nobody_came(ms: Microsoft, trap: Loopback) -> None:
    """Neither to the trap, nor to another path of the cloud's with the token."""
    assert trap.connections == 0
    with_token = [asked for asked in ms.server.asked if "authorization" in asked.headers]
    assert with_token
    assert {asked.path for asked in with_token} == {"/api/incidents"}
    assert all(asked.query.keys() <= {"$skip", "$top", "$filter"} for asked in with_token)


@pytest.mark.parametrize("link", LINKS)
def test_m5_no_next_link_whatever_leads_the_token_away(ms: Microsoft, transport: Transport, link: str) -> None:
    with serving() as trap:
        read_all(ms, transport, link.replace("{trap}", trap.url.removeprefix("http://")))
        assert_nobody_came(ms, trap)


@pytest.mark.parametrize("link", ODD, ids=lambda link: str(link)[:20])
def test_m5_a_next_link_that_is_no_text_is_no_way_out_either(ms: Microsoft, transport: Transport, link: object) -> None:
    with serving() as trap:
        put = json.loads(json.dumps(link).replace("{trap}", trap.url.removeprefix("http://")))
        read_all(ms, transport, put)
        assert_nobody_came(ms, trap)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("header", ["Location", "Refresh", "Content-Location", "Link"])
def test_m5_no_redirect_is_followed(ms: Microsoft, transport: Transport, status: int, header: str) -> None:
    with serving() as trap:
        ms.on_api = lambda asked: Answer(status, b"x", {header: f"{trap.url}/api/incidents"})
        with pytest.raises(DefenderError):
            client(ms, transport).probe()
        assert_nobody_came(ms, trap)


def test_m5_addresses_inside_incidents_are_never_fetched(ms: Microsoft, transport: Transport) -> None:
    with serving() as trap:
        lure = dict.fromkeys(CONTENT, f"{trap.url}/x")
        entity = {"entityType": "Url", "url": f"{trap.url}/y", **lure}
        row = {"incidentId": 1, "lastUpdateTime": SINCE, "incidentName": trap.url, **lure}
        row["alerts"] = [{"alertId": "a", "title": trap.url, **lure, "entities": [entity]}]
        ms.on_api = lambda asked: answer({"value": [row]})
        pages = list(client(ms, transport).incident_pages(since=SINCE))
        assert sum(len(page.items) for page in pages) == 1
        assert_nobody_came(ms, trap)


def test_m5_the_trap_sees_who_comes_so_that_the_tests_above_say_something() -> None:
    import requests

    with serving() as trap:
        requests.get(trap.url, timeout=5)
        assert trap.connections == 1
