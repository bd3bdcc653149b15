"""K1 to K6: no secret reaches a log, a page, a table, a queue, a mail, a file or a list of processes."""

from collections import Counter

import pytest

from tests.canaries.canaries import Canaries
from tests.canaries.forms import WAYS
from tests.canaries.places import PLACES
from tests.canaries.run import Run
from tests.canaries.scanner import Report, Sink, search

# Nothing here takes so long but a machine that has much else to do.
pytestmark = pytest.mark.timeout(600)

LEAST_SINKS = 14
KINDS = {
    "access token",
    "API token",
    "audit signing key",
    "authorization code",
    "browser cookie",
    "client assertion",
    "client secret",
    "connect link",
    "consent state",
    "CSRF token",
    "database password",
    "ID token",
    "known browser",
    "password",
    "PKCE verifier",
    "private key",
    "recovery code",
    "Redis password",
    "SECRET_KEY",
    "session id",
    "sign-in app's secret",
    "sign-in nonce",
    "sign-in state",
    "TOTP seed",
}


@pytest.fixture(scope="module")
def report(swept: Run) -> Report:
    """What was found."""
    return search(swept.sinks, swept.canaries, PLACES)


def test_k1_no_canary_is_found_but_where_it_belongs(
    swept: Run, report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        values = sum(len(found) for found in swept.canaries.values.values())
        print(  # noqa: T201  the counts are what a person wants to see of this test
            f"\n{len(swept.canaries.values)} kinds of secret ({values} values, {report.needles} forms of them) in "
            f"{len(swept.sinks)} sinks of {report.searched:,} bytes: {len(report.findings)} found, "
            f"{report.excused.total()} at their own places"
        )
    shown = Counter((finding.kind, finding.sink) for finding in report.findings)
    examples = "\n".join({(one.kind, one.sink): str(one) for one in report.findings}.values())
    assert not report.findings, f"{dict(shown)}\n{examples}"


def test_every_kind_of_secret_took_part(swept: Run) -> None:
    assert set(swept.canaries.values) >= KINDS


def test_every_sink_was_really_listened_to(swept: Run) -> None:
    assert len({sink.name.partition(":")[0] for sink in swept.sinks}) >= LEAST_SINKS
    assert [sink.name for sink in swept.sinks if sink.proof not in sink.data] == []


def test_the_journey_met_every_kind_of_answer(swept: Run) -> None:
    assert swept.answers >= {200, 302, 400, 403, 404, 405, 410, 500}


def test_each_place_that_is_excused_is_needed(report: Report) -> None:
    assert [place.reason for place in PLACES if not report.excused[place]] == []


def test_each_form_is_found_in_each_sink(swept: Run) -> None:
    planted = Canaries()
    forms = [WAYS[way](planted.plant(way).encode()) for way in WAYS]
    for sink in swept.sinks:
        middle = sink.data.find(b"\n", len(sink.data) // 2) + 1
        data = sink.data[:middle] + b"\n".join(forms) + b"\n" + sink.data[middle:]
        found = {finding.kind for finding in search([Sink(sink.name, data)], planted, PLACES).findings}
        assert found == set(WAYS), sink.name


def test_each_kind_is_found_in_each_sink_outside_its_own_place(swept: Run) -> None:
    kinds = swept.canaries.values
    planted = b"\nplanted here: " + b" and ".join(values[0] for values in kinds.values())
    found = {
        (one.kind, one.sink)
        for one in search([Sink(s.name, planted) for s in swept.sinks], swept.canaries, PLACES).findings
    }
    everywhere = {(place.kind, place.sink) for place in PLACES if place.pattern == rb".*"}
    assert {(kind, sink.name) for kind in kinds for sink in swept.sinks} - found == everywhere
