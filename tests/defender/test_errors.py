"""What people read when something went wrong: plain, bounded, without secrets, and the right one."""

import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defender import errors
from defender.aadsts import AADSTS, BY_ERROR, UNKNOWN, explain
from defender.errors import DefenderError, Throttled, plain

# Every number the portal promises a message of its own for.
PROMISED = """
700016 7000229 700011 7000112 70001 650051 65001 65004 65005 650056 650057 650052 650054 650059 50194 500011 500014
50001 7000215 7000222 7000218 70002 700027 700024 7000214 7000277 1000502 7000274 50012 50013 500133 700030 700025
700229 70011 28002 700022 700023 901002 90002 90013 90014 900144 90023 9002313 90019 50059 50128 9001023 90038 900382
900432 90024 90033 90055 50196 90094 90095 90099 501051 53003 530032 53000 500212 500213 50105 50034 50020 50014 51004
50011 54005 70008 501481 1000031 5000224 100007 900021
"""


@pytest.mark.parametrize("number", [int(text) for text in PROMISED.split()])
def test_f46_every_promised_number_has_words_of_its_own(number: int) -> None:
    error = explain({"error": "something_new", "error_codes": [number]})
    assert error.code == f"AADSTS{number}"
    assert error.sentence != UNKNOWN.sentence
    assert error.step
    assert str(number) not in error.sentence


@pytest.mark.parametrize("row", [*AADSTS.values(), *BY_ERROR.values(), UNKNOWN])
def test_every_row_is_two_plain_sentences(row: Any) -> None:
    for text in (row.sentence, row.step):
        assert text[0].isupper()
        assert text.endswith(".")
        assert 15 < len(text) < 160
    assert row.who in ("customer", "partner", "setup", "microsoft", "us")


def test_our_own_trouble_is_told_apart_from_one_tenants() -> None:
    ours = explain({"error": "invalid_client", "error_codes": [7000215]})
    theirs = explain({"error": "invalid_client", "error_codes": [7000229]})
    assert (type(ours), ours.who) == (errors.CredentialFault, "partner")
    assert (type(theirs), theirs.who) == (errors.ConsentMissing, "customer")


@pytest.mark.parametrize(
    ("body", "code", "kind"),
    [
        ({"error": "unauthorized_client", "error_codes": [123456]}, "AADSTS123456", errors.ConsentMissing),
        ({"error": "invalid_client"}, "invalid_client", errors.CredentialFault),
        ({"error": "temporarily_unavailable"}, "temporarily_unavailable", errors.Transient),
        (
            {"error": "access_denied", "error_description": "AADSTS65004: declined"},
            "AADSTS65004",
            errors.ConsentMissing,
        ),
        ({"error": "permission_denied"}, "permission_denied", errors.ConsentMissing),
        ({"error": "no_such_error"}, "no_such_error", errors.Rejected),
        ({"error_codes": ["90002"]}, "AADSTS90002", errors.TenantUnknown),
        ({"error_codes": [4242424, 7000222]}, "AADSTS7000222", errors.CredentialFault),
        ({}, "entra-unknown", errors.Rejected),
        ({"error": ["x"], "error_codes": {"a": 1}, "error_description": 7}, "entra-unknown", errors.Rejected),
        ({"error_codes": [True, None, -1, 10**40, "1e5"]}, "AADSTS", None),
    ],
)
def test_unknown_answers_have_a_safe_default(body: dict[str, Any], code: str, kind: type[DefenderError] | None) -> None:
    error = explain(body)
    assert error.code == code or kind is None
    assert kind is None or type(error) is kind


def test_ids_for_support_are_kept_and_nothing_else() -> None:
    error = explain(
        {
            "error": "invalid_client",
            "error_description": "AADSTS7000215: secret <script>alert(1)</script>",
            "error_uri": "https://evil.invalid",
            "trace_id": "11111111-2222-4333-8444-555555555555",
            "correlation_id": "not an id <b>",
            "timestamp": "2026-11-22 10:00:00Z",
        }
    )
    assert error.reference == "11111111-2222-4333-8444-555555555555"
    assert set(error.details) == {"trace_id", "timestamp"}
    assert "script" not in str(vars(error))
    assert "evil" not in str(vars(error))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["error", "error_codes", "error_description", "trace_id", "correlation_id", "timestamp", "error_uri"]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), json_like))
def test_no_error_body_whatever_breaks_the_explanation(body: dict[str, object]) -> None:
    error = explain(body)
    assert isinstance(error, DefenderError)
    assert error.sentence.isprintable()
    assert error.code.isprintable()


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(max_size=2000))
def test_foreign_text_is_made_printable_and_short(text: str) -> None:
    safe = plain(text, 100)
    assert len(safe) <= 100
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in safe)
    assert not set(safe) & set("\u202e\u2066\u200b\ufeff\u2028")
    safe.encode()


def test_tokens_are_cut_out_of_foreign_text() -> None:
    text = "Bearer abcdefghijklmnopqrstuvwxyz and eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln and opaque-1"
    assert plain(text, hide=("opaque-1",)) == "[hidden] and [hidden] and [hidden]"


def test_an_error_survives_the_way_between_processes() -> None:
    error = Throttled("Wait.", code="http-429", retry_after=7.0, reference="r", details={"a": "b"})
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is Throttled
    assert vars(again) == vars(error)
    assert str(again) == "Wait. [http-429]"
