"""Incidents whose shape is damaged at random, and what must hold for each that is read nevertheless.

The suite reads a few hundred. `python -m tests.defender.mutations 10000` reads as many as asked for.
"""

import json
import sys
from copy import deepcopy
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from defender.cleaning import MAX_VALUE_BYTES
from defender.wire import Unreadable, WireIncident, read_incident, split_page
from tests.defender.payloads import documented_incident, page, recorded_incident

ODD_TEXTS: tuple[str, ...] = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfffx",
    "\ufeffsubject",
    "in\u200bcident",
    "5",
    "x" * 20_000,
)
ODD_TEXTS += (
    "2026-01-01T00:00:00.9999999Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9999999-08:00",
    "unknownFutureValue",
)
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**63,
    10**30,
    float("nan"),
    float("inf"),
    1e308,
    [],
    {},
    [None],
    [[[]]],
    {"a": None},
)

odd_values = st.one_of(
    st.sampled_from(ODD_VALUES),
    st.sampled_from(ODD_TEXTS),
    st.text(st.characters(), max_size=20),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)


@st.composite
def mutated_incidents(draw: st.DrawFn) -> dict[str, Any]:
    """A whole incident in either shape, changed in one to six places; its number is left alone."""
    incident: dict[str, Any] = draw(st.sampled_from([documented_incident, recorded_incident]))()
    for _ in range(draw(st.integers(1, 6))):
        _damage(draw, incident)
    incident["incidentId"] = 4711
    return incident


def _damage(draw: st.DrawFn, node: Any) -> None:
    """Walk down at random and replace, drop, add or repeat something where the walk ends."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    if not keys:
        return
    key = draw(st.sampled_from(keys))
    if isinstance(node[key], (dict, list)) and node[key] and draw(st.integers(0, 3)):
        _damage(draw, node[key])
    else:
        _change(draw, node, key)


def _change(draw: st.DrawFn, node: Any, key: Any) -> None:
    change = draw(st.sampled_from(["replace", "drop", "repeat", "add"]))
    if change == "drop":
        del node[key]
    elif change == "replace":
        node[key] = deepcopy(draw(odd_values))
    elif isinstance(node, list):
        node.append(deepcopy(node[key]) if change == "repeat" else deepcopy(draw(odd_values)))
    else:
        node[draw(st.sampled_from(["newKey", "\x00", "verdict", "\ud83d"]))] = deepcopy(draw(odd_values))


def check_it_is_read(incident: dict[str, Any]) -> None:
    """One damaged incident between two whole ones: all three come out, and what is read can be stored."""
    raw = json.dumps(incident).encode()
    neighbour = json.dumps(recorded_incident()).encode()
    assert split_page(page(neighbour, raw, neighbour)).items == [neighbour, raw, neighbour]
    read = read_incident(raw)
    assert read.incident_id == 4711
    check_it_can_be_stored(read)
    assert read_incident(raw) == read


def check_it_can_be_stored(value: Any) -> None:
    """Everything inside is text that UTF-8 holds and without NUL, a UTC time, or a value that JSON can hold."""
    if isinstance(value, str):
        assert "\x00" not in value
        assert value.encode().decode() == value
    elif isinstance(value, datetime):
        assert value.tzinfo is UTC
    elif is_dataclass(value):
        for field in fields(value):
            check_it_can_be_stored(getattr(value, field.name))
    elif isinstance(value, tuple):
        for entry in value:
            check_it_can_be_stored(entry)
    elif isinstance(value, dict):
        check_it_can_be_stored(json.dumps(value, allow_nan=False, ensure_ascii=False))
        assert b"\\u0000" not in msgspec.json.encode(value)


def check_bounds(read: WireIncident) -> None:
    """No indexed value exceeds what an index entry holds."""
    for alert in read.alerts:
        assert all(len(piece.value.encode()) <= MAX_VALUE_BYTES for piece in alert.evidence)


def read_mutated_incidents(examples: int) -> None:
    """Read that many damaged incidents; the same ones each time."""

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated_incidents())
    def read_each(incident: dict[str, Any]) -> None:
        check_it_is_read(incident)
        check_bounds(read_incident(json.dumps(incident).encode()))

    read_each()


def read_arbitrary_bytes(raw: bytes) -> None:
    """Whatever the bytes: an incident or Unreadable, and nothing else."""
    try:
        check_it_can_be_stored(read_incident(raw))
    except Unreadable as error:
        assert error.reason.isidentifier() and error.sentence.endswith(".")


if __name__ == "__main__":
    read_mutated_incidents(int(sys.argv[1]))
