"""One incident made unreadable on the wire, in a way that a test names. The incident in the world stays sound."""

import json
from collections.abc import Callable
from typing import Any

from sandbox.squeeze import serialise

# More bytes than a careful reader takes for one incident.
HUGE = 17 * 1024 * 1024
Way = Callable[[bytes], bytes]


def _with(**fields: Any) -> Way:
    return lambda body: serialise({**json.loads(body), **fields})


def _without(*names: str) -> Way:
    return lambda body: serialise({name: value for name, value in json.loads(body).items() if name not in names})


def _more(tail: bytes) -> Way:
    """The incident with one more member, written as raw bytes."""
    return lambda body: body[:-1] + b"," + tail + b"}"


def _nothing_but_its_id(body: bytes) -> bytes:
    raw = json.loads(body)
    return serialise(dict.fromkeys(raw) | {"incidentId": raw["incidentId"]})


def _id_as_text(body: bytes) -> bytes:
    raw = json.loads(body)
    return serialise(raw | {"incidentId": str(raw["incidentId"])})


_ODD_ALERTS = [None, 7, "x", {}, {"alertId": None, "entities": None, "devices": {"a": 1}}]
WAYS: dict[str, Way] = {
    "bad_time": _with(lastUpdateTime="yesterday"),
    "bad_utf8": _more(b'"note":"\xff\xfe"'),
    "big_number": _with(incidentId=2**70),
    "deep": _more(b'"extra":' + b"[" * 100_000 + b"]" * 100_000),
    "digits": _more(b'"redirectIncidentId":' + b"9" * 100_000),
    "everything_null": _nothing_but_its_id,
    "huge": lambda body: body[:-1] + b',"padding":"' + b"x" * HUGE + b'"}',
    "id_as_text": _id_as_text,
    "nan": _more(b'"priorityScore":NaN'),
    "no_id": _without("incidentId"),
    "no_time": _without("lastUpdateTime", "createdTime"),
    "not_an_object": lambda body: b'"an incident, but as text"',
    "nul": _with(incidentName="NUL \x00 inside"),
    "null": lambda body: b"null",
    "null_lists": _with(alerts=None, comments=None, tags=None),
    "odd_alerts": _with(alerts=_ODD_ALERTS),
    "surrogate": _with(incidentName="half \ud800 pair"),
    "text": _with(alerts="none", createdTime=7, tags={"a": 1}),
    "text_id": _with(incidentId="one hundred"),
    "unclosed": lambda body: body[:-1],
}


def poisoned(body: bytes, way: str) -> bytes:
    """The incident's bytes, spoiled in one of ``WAYS``. Ways are checked when a fault is switched on."""
    return WAYS[way](body)
