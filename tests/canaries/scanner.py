"""Looks for every form of every canary in every sink, but for the places where a kind belongs."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.canaries.canaries import Canaries
from tests.canaries.forms import forms_of
from tests.canaries.unwrapping import layers

AROUND = 60  # bytes of the surroundings that a finding shows


@dataclass(frozen=True)
class Sink:
    """A place where text of the portal ends up. ``proof`` is something that must be there, or nobody has listened."""

    name: str
    data: bytes
    proof: bytes = b""


@dataclass(frozen=True)
class Place:
    """Where a kind may stand: matches of ``pattern`` in sinks whose name begins with ``sink``, and why."""

    kind: str
    sink: str
    pattern: bytes
    reason: str


@dataclass(frozen=True)
class Finding:
    """One canary seen where it must not be; the value itself is cut out of what is shown."""

    sink: str
    kind: str
    form: str
    around: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.form}) in {self.sink}: {self.around}"


@dataclass
class Report:
    """What came out of one search."""

    findings: list[Finding] = field(default_factory=list)
    excused: Counter[Place] = field(default_factory=Counter)
    needles: int = 0
    searched: int = 0


Needles = dict[bytes, tuple[str, str]]


def needles_of(canaries: Canaries) -> Needles:
    """Every byte string to look for, with kind and form."""
    found: Needles = {}
    for kind, values in canaries.searched().items():
        for value in values:
            for form, texts in forms_of(value).items():
                for text in texts:
                    found.setdefault(text, (kind, form))
    return found


def search(sinks: Iterable[Sink], canaries: Canaries, places: Sequence[Place] = ()) -> Report:
    """All findings in all sinks."""
    needles = needles_of(canaries)
    report = Report(needles=len(needles))
    for sink in sinks:
        for layer in layers(sink.data):
            report.searched += len(layer)
            _search_layer(sink.name, layer, needles, places, report)
    return report


def _search_layer(sink: str, layer: bytes, needles: Needles, places: Sequence[Place], report: Report) -> None:
    allowed: dict[Place, list[tuple[int, int]]] = {}
    for needle, (kind, form) in needles.items():
        for start in _positions(layer, needle):
            place = _place_of(sink, kind, layer, start, start + len(needle), places, allowed)
            if place:
                report.excused[place] += 1
            else:
                report.findings.append(Finding(sink, kind, form, _around(layer, start, start + len(needle))))


def _positions(data: bytes, needle: bytes) -> Iterator[int]:
    start = data.find(needle)
    while start >= 0:
        yield start
        start = data.find(needle, start + 1)


def _place_of(
    sink: str,
    kind: str,
    layer: bytes,
    start: int,
    end: int,
    places: Sequence[Place],
    spans: dict[Place, list[tuple[int, int]]],
) -> Place | None:
    for place in places:
        if place.kind != kind or not sink.startswith(place.sink):
            continue
        if place not in spans:
            spans[place] = [match.span() for match in re.finditer(place.pattern, layer, re.DOTALL)]
        if any(first <= start and end <= last for first, last in spans[place]):
            return place
    return None


def _around(layer: bytes, start: int, end: int) -> str:
    """The surroundings, so that a person can see how it came there without reading the secret in a test's log."""
    before, after = layer[max(start - AROUND, 0) : start], layer[end : end + AROUND]
    return f"{before!r} […{end - start} bytes…] {after!r}"
