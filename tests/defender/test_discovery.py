"""From what staff type to the tenant it means."""

from uuid import UUID

import pytest

from defender.discovery import parse_tenant, resolve_tenant
from defender.errors import BadInput, DefenderError, TenantUnknown, Throttled, Transient
from defender.transport import Transport
from tests.defender.loopback import Answer, answer
from tests.defender.microsoft import CONTOSO, FABRIKAM, Microsoft, discovery, oauth_error


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (f"  {CONTOSO} ", CONTOSO),
        (f"{{{str(CONTOSO).upper()}}}", CONTOSO),
        ("Contoso.COM", "contoso.com"),
        ("contoso.onmicrosoft.com.", "contoso.onmicrosoft.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a-1.b_2.co", "a-1.b_2.co"),
    ],
)
def test_ids_and_domains_are_understood(typed: str, meant: UUID | str) -> None:
    assert parse_tenant(typed) == meant


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("", "neither"),
        ("contoso", "neither"),
        ("a1b2c3d4-0000-4000-8000-00000000c0c", "nearly"),
        ("a1b2c3d40000400080000000000000c0c0", "nearly"),
        ("common", "any tenant"),
        ("Organizations", "any tenant"),
        ("admin@contoso.com", "e-mail"),
        ("https://contoso.com", "web address"),
        ("contoso.com/../common", "web address"),
        ("contoso.com:443", "web address"),
        ("10.0.0.1", "network address"),
        ("contoso..com", "neither"),
        ("-contoso.com", "neither"),
        ("contoso.com?x=1", "neither"),
        ("contoso.com#x", "neither"),
        ("con%2ftoso.com", "neither"),
        ("conto\u202eso.com", "characters"),
        ("con\ntoso.com", "neither"),
        ("a" * 64 + ".com", "neither"),
        ("ä" * 300 + ".com", "characters"),
        ("..", "neither"),
        (".".join(["a" * 60] * 5), "neither"),
        (str(UUID(int=0)), "no organisation"),
        ("9188040d-6c67-4c5b-b112-36a304b66dad", "no organisation"),
    ],
)
def test_what_cannot_be_a_tenant_is_refused_before_anything_is_sent(
    ms: Microsoft, transport: Transport, typed: str, hint: str
) -> None:
    with pytest.raises(BadInput, match=hint) as caught:
        resolve_tenant(typed, ms.cloud, transport)
    assert caught.value.step
    assert ms.server.asked == []


def test_a_domain_becomes_the_tenant_behind_it(ms: Microsoft, transport: Transport) -> None:
    ms.on_discovery = lambda asked: answer(discovery(str(CONTOSO), tenant_region_sub_scope="GCC"))
    found = resolve_tenant("Contoso.com", ms.cloud, transport)
    assert (found.tenant_id, found.region_scope, found.region_sub_scope) == (CONTOSO, "EU", "GCC")
    assert ms.server.asked[0].path == "/contoso.com/v2.0/.well-known/openid-configuration"
    assert "authorization" not in ms.server.asked[0].headers


@pytest.mark.parametrize("number", [90002, 900021])
def test_a_tenant_that_does_not_exist_is_named_so(ms: Microsoft, transport: Transport, number: int) -> None:
    ms.on_discovery = lambda asked: oauth_error(number, "invalid_tenant")
    with pytest.raises(TenantUnknown) as caught:
        resolve_tenant("nobody.example", ms.cloud, transport)
    assert (caught.value.code, caught.value.who) == (f"AADSTS{number}", "setup")


def test_a_tenant_of_another_cloud_is_told_apart(ms: Microsoft, transport: Transport) -> None:
    document = discovery(str(CONTOSO), cloud_instance_name="microsoftonline.us")
    ms.on_discovery = lambda asked: answer(document)
    with pytest.raises(TenantUnknown) as caught:
        resolve_tenant("contoso.com", ms.cloud, transport)
    assert caught.value.code == "other-cloud"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": f"https://login.microsoftonline.com/{FABRIKAM}/v2.0"},
        {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
        {"issuer": 7},
        {"issuer": f"https://login.microsoftonline.com/{CONTOSO}/v2.0\n"},
        {"token_endpoint": f"https://evil.invalid/{CONTOSO}/oauth2/v2.0/token"},
        {"token_endpoint": f"https://login.microsoftonline.com/{FABRIKAM}/oauth2/v2.0/token"},
        {"token_endpoint": None},
    ],
)
def test_an_answer_that_does_not_name_one_tenant_is_refused(
    ms: Microsoft, transport: Transport, changes: dict[str, object]
) -> None:
    ms.on_discovery = lambda asked: answer(discovery(str(CONTOSO)) | changes)
    with pytest.raises(Transient):
        resolve_tenant("contoso.com", ms.cloud, transport)


def test_an_id_must_be_answered_with_the_same_id(ms: Microsoft, transport: Transport) -> None:
    ms.on_discovery = lambda asked: answer(discovery(str(FABRIKAM)))
    with pytest.raises(Transient):
        resolve_tenant(str(CONTOSO), ms.cloud, transport)


@pytest.mark.parametrize(
    ("odd", "error"),
    [
        (Answer(200, b"<html>", {"Content-Type": "text/html"}), Transient),
        (answer(b'{"issuer": "%s"}' % (b"x" * 70_000)), Transient),
        (Answer(302, b"", {"Location": "https://evil.invalid/"}), Transient),
        (answer({}, 429, Retry_After="3"), Throttled),
        (answer({}, 503), Transient),
        (answer([]), Transient),
    ],
    ids=str,
)
def test_anything_else_is_for_later(
    ms: Microsoft, transport: Transport, odd: Answer, error: type[DefenderError]
) -> None:
    ms.on_discovery = lambda asked: odd
    with pytest.raises(error):
        resolve_tenant("contoso.com", ms.cloud, transport)
