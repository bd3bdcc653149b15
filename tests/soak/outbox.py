"""``python -m tests.soak.outbox``: thousands of decisions carried to the sandbox while workers are killed.

Analysts decide twice about each of many incidents of many tenants, a comment with each decision; one write in ten is
applied and its answer lost; in some incidents another hand changes the status meanwhile; a worker is killed after every
few writes. When nothing is on its way any more, every change has arrived exactly once or stands in a conflict that has
both values, no comment stands anywhere twice, and each incident has what was decided last, or what the other hand put.

Ends with status 0 only if all of it held, and by itself after ``--limit`` seconds; figures are in
``.local/outbox-soak.json``.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REPORT = Path(".local/outbox-soak.json")
PER_INCIDENT = 4  # two decisions, each of a status and a comment
KILL_EVERY = 30  # writes, so that workers get somewhere on a slow machine too
LOST, OTHER_HAND = 0.1, 0.03
WORKERS = 2


def work() -> None:
    """A worker process: carries and reads whatever is due until it is killed."""
    import django

    django.setup()
    from incidents import outbox, shard

    while True:
        if not outbox.work() and not shard.work(shard.QUICK):
            time.sleep(0.1)


def start(database: str, sandbox: str) -> subprocess.Popen[bytes]:
    """One more worker."""
    names = ("PATH", "HOME", "LANG", "REDIS_URL", "REDIS_KEY_PREFIX")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    environment |= {f"SANDBOX_{part}_URL": sandbox for part in ("LOGIN", "XDR", "MDE", "GRAPH")}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings", "PORTAL_ENV": "test", "PORTAL_PROCESS": "worker",
        "DATABASE_URL": database, "MICROSOFT_CLOUD": "sandbox", "SYNC_LEASE_SECONDS": "3", "SYNC_POLL_SECONDS": "5",
        "SYNC_FIRST_WAIT_SECONDS": "0.2", "SYNC_LONGEST_WAIT_SECONDS": "2", "TRIAGE_LOOK_SECONDS": "0.5",
        "TRIAGE_CONFIRM_MINUTES": "0.2", "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.soak.outbox", "worker"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


def soak(actions: int, tenants: int, seed: int, limit: float) -> dict[str, Any]:
    """Decide, carry, kill, compare. Returns the figures, with ``wrong`` as a list of sentences."""
    from sandbox.server import running
    from sandbox.world import World
    from tests.crash.rounds import portal_at

    names = [f"Customer{number:03d}" for number in range(tenants)]
    each = -(-actions // PER_INCIDENT // tenants)
    world = World(seed=seed, tenants=names, incidents=(3 * each + 10, 3 * each + 10), quotas=False)
    with running(world) as server, portal_at(server.url):
        return _soak(world, server.url, each, seed, time.monotonic() + limit)


def _soak(world: Any, url: str, each: int, seed: int, until: float) -> dict[str, Any]:
    from accounts.roles import Role
    from tests.cast import make_person
    from tests.incidents.synced import ours, sync
    from tests.own_database import database_url

    chance = random.Random(f"{seed}:outbox")
    pairs = [(ours(theirs), theirs) for theirs in world.tenants.values()]
    for tenant, _ in pairs:
        sync(tenant)
    analyst = make_person("analyst", *((tenant, Role.ANALYST) for tenant, _ in pairs))
    began = time.monotonic()
    wanted, hands = _decided(world, pairs, analyst, each, chance)
    accepted = time.monotonic() - began
    world.faults.add(None, {"kind": "cut", "on": ["patch"], "probability": LOST, "seed": seed})
    workers = [start(database_url(), url) for _ in range(WORKERS)]
    kills, killed_at, writes = 0, 0, Writes(world)
    try:
        while (left := _on_their_way(pairs)) and time.monotonic() < until:
            time.sleep(0.3)
            if (written := writes.so_far()) - killed_at >= KILL_EVERY:
                kills, killed_at = kills + 1, written
                workers[kills % WORKERS].send_signal(signal.SIGKILL)
                workers[kills % WORKERS].wait()
                workers[kills % WORKERS] = start(database_url(), url)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    figures = _compared(pairs, wanted, hands)
    if left:
        figures["wrong"].append(f"{left} changes were still on their way when the time was over")
    more = {"seed": seed, "kills": kills, "patches": writes.so_far(), "accepted_seconds": round(accepted, 1)}
    return {**figures, **more, "seconds": round(time.monotonic() - began, 1)}


class Writes:
    """Counts the writes that reach the sandbox; it keeps its last calls only, so this looks often."""

    def __init__(self, world: Any) -> None:
        self.world, self.count, self._last = world, 0, world.calls.last

    def so_far(self) -> int:
        """All since the beginning."""
        calls = self.world.calls.since(self._last)
        self._last = calls[-1].number if calls else self._last
        self.count += sum(call.operation == "patch" for call in calls)
        return self.count


def _decided(world: Any, pairs: Any, analyst: Any, each: int, chance: random.Random) -> tuple[Any, Any]:
    """Two decisions per incident; then another hand changes some. Returns the last word of each incident, of both."""
    from tests.incidents.deciding import decide

    wanted: dict[tuple[int, int], str] = {}
    hands: dict[tuple[int, int], str] = {}
    for tenant, theirs in pairs:
        truth = theirs.book.truth()
        numbers = [number for number, raw in truth.items() if raw["status"] != "Redirected"][:each]
        for turn, word in enumerate(("in-progress", "resolved")):
            key = f"{tenant.slug}-{turn}"
            done = decide(analyst, *((tenant.slug, number) for number in numbers), key=key, status=word, comment=key)
            assert not done.refused, done.refused
        wanted |= {(tenant.pk, number): "resolved" for number in numbers}
        for number in numbers:
            if chance.random() < OTHER_HAND:
                world.change_incident(theirs, number, {"status": "Awaiting"})
                hands[tenant.pk, number] = "Awaiting"
    return wanted, hands


def _on_their_way(pairs: Any) -> int:
    """Changes that wait for anything but a person."""
    from incidents.models import WAITING, Intent
    from tenants import scope

    left = 0
    for tenant, _ in pairs:
        with scope.tenant(tenant.pk):
            left += Intent.objects.filter(state__in=WAITING).count()
    return left


def _compared(pairs: Any, wanted: Any, hands: Any) -> dict[str, Any]:
    from incidents.models import Intent
    from incidents.signing import carries
    from tenants import scope

    wrong: list[str] = []
    states: Counter[str] = Counter()
    doubled = 0
    for tenant, theirs in pairs:
        truth = theirs.book.truth()
        with scope.tenant(tenant.pk):
            made = list(Intent.objects.all())
        for intent in made:
            states[intent.state] += 1
            where = f"{tenant.name} {intent.number}, change {intent.pk}"
            if intent.state == "conflict":
                if (tenant.pk, intent.number) not in hands or not intent.remote or intent.remote == intent.seen:
                    wrong.append(f"{where}: a conflict without another hand, or without both values")
            elif intent.state != "confirmed":
                wrong.append(f"{where}: {intent.state}, {intent.code}")
            if intent.mark:
                texts = [one["comment"] for one in truth[intent.number].get("comments") or []]
                found = sum(carries(text, intent.mark) for text in texts)
                doubled += found > 1
                if found != 1:
                    wrong.append(f"{where}: the comment stands there {found} times")
        for number in (number for key, number in wanted if key == tenant.pk):
            now = truth[number]["status"].lower()
            if now != hands.get((tenant.pk, number), wanted[tenant.pk, number]).lower():
                wrong.append(f"{tenant.name} {number}: its status is {now}")
    counts = {"changes": sum(states.values()), "incidents": len(wanted), "other_hands": len(hands)}
    return {**counts, "states": dict(states), "doubled_comments": doubled, "wrong": wrong}


def main() -> int:
    """The exit status: 0 only if all of it held."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.outbox", description=__doc__)
    parser.add_argument("--actions", type=int, default=2_000, help="changes, four per incident")
    parser.add_argument("--tenants", type=int, default=40)
    parser.add_argument("--seed", type=int, default=20264)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds after which it is given up")
    asked = parser.parse_args()
    from tests.own_database import own_database

    with own_database():
        figures = soak(asked.actions, asked.tenants, asked.seed, asked.limit)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=1) + "\n")
    for sentence in figures["wrong"][:10]:
        sys.stdout.write(f"WRONG: {sentence}\n")
    sys.stdout.write(json.dumps({**figures, "wrong": len(figures["wrong"])}) + "\n")
    return 1 if figures["wrong"] else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        work()
    else:
        sys.exit(main())
