"""Whole requests: the queue while a worker writes, against a naive page; an incident with thousands of entities."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from incidents.queue import PAGE
from tests.bench.agreement import Wrong
from tests.bench.measuring import Goal, ratios
from tests.bench.reads import counts, data
from tests.bench.reads.browser import Browser
from tests.bench.reads.people import Administrator, Reader
from tests.bench.reads.queue import plainly
from tests.bench.reads.sampling import Timings, Turn, in_turns
from tests.repository.tree import ROOT

ASKS = 10
NAIVE_ASKS = 1  # each takes seconds
QUEUE = "/incidents/"
BIG = f"{QUEUE}tenant-1/{data.BIG_NUMBER}/"
_ROW = re.compile(rb'id="row-([a-z0-9-]+)"')


def run(
    readers: Mapping[int, Sequence[Reader]], administrator: Administrator, *, rounds: int
) -> tuple[list[Goal], dict[str, Any]]:
    """All of it. Raises Wrong where a page has too few rows, or the store has left other counts than there are."""
    browsers = {count: Browser(several[0].user) for count, several in readers.items()}
    for count, browser in browsers.items():
        shows_the_rows(browser.get(QUEUE)[1], readers[count][0], administrator)
    found = in_turns(_ways(browsers), rounds=rounds)
    with writing(administrator) as stored:
        under = in_turns(_live(browsers, "while one writes"), rounds=rounds)
    for count, browser in browsers.items():
        shows_the_rows(browser.get(QUEUE)[1], readers[count][0], administrator)
    counts.are_exact(administrator)
    goals = [goal for count in readers for goal in _goals(found, under, count)]
    goals.append(
        Goal("incident of 150 alerts and 5,000 entities, p95 in ms", found.tails("big incident"), 200, at_most=True)
    )
    return goals, found.told() | under.told() | {"incidents stored a second meanwhile": stored[0]}


def shows_the_rows(body: bytes, reader: Reader, administrator: Administrator) -> None:
    """The rows that the plain way finds, in its order. Raises Wrong."""
    rows = plainly(administrator, reader, table="incidents_incident")[:PAGE]
    if _ROW.findall(body) != [f"tenant-{row[1]}-{row[2]}".encode() for row in rows]:
        raise Wrong(f"The page of {reader.user} shows other rows than the plain way finds.")


def _ways(browsers: Mapping[int, Browser]) -> dict[str, Turn]:
    ways = _live(browsers, "alone")
    for count, browser in browsers.items():
        ways[f"page of {count}, CPU of the web process"] = lambda browser=browser: _cpu(browser)  # type: ignore[misc]
        ways[f"naive page of {count}"] = lambda browser=browser: _get(browser, "/plain/", NAIVE_ASKS)  # type: ignore[misc]
    ways["big incident"] = lambda: _get(browsers[max(browsers)], BIG, ASKS)
    return ways


def _live(browsers: Mapping[int, Browser], how: str) -> dict[str, Turn]:
    """The whole page, the part that a filter fetches, and what an open page asks every few seconds."""
    ways: dict[str, Turn] = {}
    for count, browser in browsers.items():
        ways[f"page of {count} {how}"] = lambda browser=browser: _get(browser, QUEUE, ASKS)  # type: ignore[misc]
        ways[f"part of {count} {how}"] = lambda browser=browser: _get(browser, QUEUE, ASKS, hx_request="true")  # type: ignore[misc]
    return ways


def _get(browser: Browser, path: str, times: int, **headers: str) -> list[float]:
    return [browser.get(path, headers)[0] for _ in range(times)]


def _cpu(browser: Browser) -> list[float]:
    """Of this process alone, so PostgreSQL's share is not in it; but neither is what else the machine does."""
    spent = []
    for _ in range(ASKS):
        began = time.process_time()
        browser.get(QUEUE)
        spent.append(1000 * (time.process_time() - began))
    return spent


def _goals(found: Timings, under: Timings, count: int) -> list[Goal]:
    page = f"page of {count}"
    faster = ratios(found.medians(f"naive {page}"), found.medians(f"{page} alone"))
    return [
        Goal(f"{page} tenants while one writes, p95 in ms", under.tails(f"{page} while one writes"), 80, at_most=True),
        Goal(f"{page} tenants, requests a second to a naive page", faster, 15),
    ]


@contextmanager
def writing(administrator: Administrator) -> Iterator[list[float]]:
    """One worker stores while this is open; afterwards the list has how many incidents a second."""
    command = [sys.executable, "-m", "tests.bench.reads.writer"]
    env = os.environ | {"PORTAL_PROCESS": "worker"}
    told: list[float] = []
    with subprocess.Popen(
        command, env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        if worker.stdout.readline() != "ready\n":
            raise Wrong("The writer did not begin.")
        began = time.monotonic()
        try:
            yield told
        finally:
            seconds = time.monotonic() - began
            stored = worker.communicate("", timeout=60)[0].strip()
    told.append(round(int(stored) / seconds))
