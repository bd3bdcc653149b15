"""What is read out of tokens, whatever they hold."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defender.clouds import MDE, XDR
from defender.errors import WrongToken
from defender.facts import TokenFacts, read_facts
from defender.permissions import assess
from tests.defender.microsoft import CONTOSO, FABRIKAM, PARTNER_APP, make_token


def unsigned(payload: bytes, header: bytes = b'{"alg":"RS256","typ":"JWT"}') -> str:
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, payload, b"sig"))


def test_both_forms_of_token_are_read() -> None:
    first = read_facts(make_token(iat=1_700_000_000, roles=["b", "a", "a"]))
    assert first.readable
    assert (first.tenant_id, first.app_id, first.roles, first.version) == (CONTOSO, PARTNER_APP, ("a", "b"), "1.0")
    assert first.issued_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    second = read_facts(make_token(ver="2.0", appid=None, azp=str(PARTNER_APP)))
    assert second.app_id == PARTNER_APP


def test_a_token_without_roles_has_none() -> None:
    assert read_facts(make_token(roles=None)).roles == ()


def test_f51_what_was_granted_to_a_person_is_no_role_of_the_application() -> None:
    facts = read_facts(make_token(roles=None, scp="Incident.Read.All Incident.ReadWrite.All"))
    assert facts.roles == ()
    assert {fact.state for fact in assess(facts.roles, ["sync_incidents"])} == {"missing"}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b.c",
        "..",
        "é.é.é",
        unsigned(b"null"),
        unsigned(b"[]"),
        unsigned(b'"text"'),
        unsigned(b"\xff\xfe"),
        unsigned(b"[" * 40_000),
        unsigned(b'{"tid":' * 5_000),
        unsigned(b'{"exp":%s}' % (b"9" * 10_000)),
        unsigned(b"{}", b"null"),
        unsigned(b"{}", b'{"alg":"RS256","crit":["x"]}'),
        "e30." + "A" * 100_000 + ".x",
    ],
)
def test_a_token_that_cannot_be_read_is_no_error(token: str) -> None:
    assert read_facts(token).roles == ()


hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
CLAIMS = ["aud", "iss", "tid", "appid", "azp", "roles", "iat", "exp", "ver", "nbf"]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from(CLAIMS), hostile))
def test_no_claim_whatever_breaks_the_reading(claims: dict[str, Any]) -> None:
    facts = read_facts(unsigned(json.dumps(claims).encode()))
    assert all(isinstance(role, str) and role.isprintable() for role in facts.roles)
    facts.check(tenant_id=facts.tenant_id or CONTOSO, app_id=facts.app_id or PARTNER_APP)


@pytest.mark.parametrize(
    ("facts", "claim"),
    [
        (TokenFacts(True, tenant_id=FABRIKAM), "tid"),
        (TokenFacts(True, app_id=FABRIKAM), "appid"),
        (TokenFacts(True, audience="https://securitycenter.onmicrosoft.com/windowsatpservice/"), "aud"),
    ],
)
def test_f52_a_claim_that_names_something_else_is_refused(facts: TokenFacts, claim: str) -> None:
    with pytest.raises(WrongToken) as caught:
        facts.check(tenant_id=CONTOSO, app_id=PARTNER_APP, resource=XDR)
    assert caught.value.details["claims"] == claim


def test_what_a_token_does_not_say_is_not_held_against_it() -> None:
    TokenFacts(False).check(tenant_id=CONTOSO, app_id=PARTNER_APP, resource=XDR)
    TokenFacts(True, audience="some-new-spelling").check(tenant_id=CONTOSO, app_id=PARTNER_APP, resource=MDE)
