"""The search is worth something: it finds every form of every kind in whatever it is put into, and nothing else."""

import secrets
import zlib

import pytest

from tests.canaries.canaries import Canaries
from tests.canaries.forms import WAYS
from tests.canaries.places import PLACES
from tests.canaries.scanner import Place, Sink, search
from tests.canaries.unwrapping import layers

# No run of letters is long enough to be found by itself, so only the form named finds it.
AWKWARD = "k3Y/\"+&='q7_Xz9%w2\\Bd<tag>;"


@pytest.fixture
def canaries() -> Canaries:
    """One value full of letters that have to be escaped."""
    found = Canaries()
    found.add("test secret", AWKWARD.encode())
    return found


@pytest.mark.parametrize("way", WAYS)
def test_each_form_is_found_between_other_text(canaries: Canaries, way: str) -> None:
    planted = WAYS[way](AWKWARD.encode())
    data = b'{"event": "request"}\n' + secrets.token_bytes(400) + b"\n" + planted + b"\nthe end \x1f\x8b\x08 x\x9c"
    assert search([Sink("log", data)], canaries).findings
    assert search([Sink("log", data.replace(planted, WAYS[way](b"x" * len(AWKWARD))))], canaries).findings == []


@pytest.mark.parametrize("way", WAYS)
def test_each_form_of_a_real_secret_is_found(way: str) -> None:
    drawn = Canaries()
    value = drawn.plant("client secret")
    assert search([Sink("log", b"before " + WAYS[way](value.encode()) + b" after")], drawn).findings


def test_most_of_a_secret_is_as_good_as_all_of_it() -> None:
    drawn = Canaries()
    value = drawn.plant("client secret")
    cut = value[:-1][value.index("'") + 1 :]
    assert not search([Sink("log", cut[:8].encode())], drawn).findings
    drawn.add("connect link", token := secrets.token_urlsafe(32))
    assert search([Sink("log", f"/connect/{token}/".encode())], drawn).findings


def test_what_is_shown_of_a_finding_does_not_repeat_the_secret(canaries: Canaries) -> None:
    data = b"before " + AWKWARD.encode() + b" after"
    (finding,) = search([Sink("log", data)], canaries).findings
    assert AWKWARD not in str(finding)
    assert "before" in str(finding)


def test_a_kind_is_excused_at_its_own_place_only(canaries: Canaries) -> None:
    place = Place("test secret", "answers", rb"cookie=[^\n]+", "it is handed out here")
    value = AWKWARD.encode()
    data = b"cookie=" + value + b"\nbody " + value
    report = search([Sink("answers: headers", data), Sink("log", b"cookie=" + value)], canaries, [place])
    assert report.excused[place] == 1
    assert [finding.sink for finding in report.findings] == ["answers: headers", "log"]


def test_a_stream_that_was_cut_off_is_read_as_far_as_it_goes(canaries: Canaries) -> None:
    packed = zlib.compress(AWKWARD.encode() + secrets.token_bytes(2000))
    assert search([Sink("file", packed[: len(packed) // 2])], canaries).findings


def test_a_stream_inside_a_stream_is_opened() -> None:
    assert b"inner" in list(layers(zlib.compress(b"outer " + zlib.compress(b"inner"))))


def test_no_place_excuses_a_kind_everywhere() -> None:
    assert all(place.sink and place.reason for place in PLACES)
    everywhere = [place for place in PLACES if place.pattern == rb".*"]
    assert {(place.kind, place.sink) for place in everywhere} == {
        ("connect link", "command connect_tenant: standard output"),
        ("session id", "database: django_session"),
        ("TOTP seed", "database: otp_totp_totpdevice"),
    }
