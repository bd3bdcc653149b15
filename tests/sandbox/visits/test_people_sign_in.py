"""The home tenant's sign-in as a client without any of the portal's code meets it."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests

from sandbox import home
from sandbox.forgeries import WAYS
from tests.sandbox.visits.visitor import LOGIN, Visitor

PATH = f"/{home.TENANT_ID}/oauth2/v2.0"
CALLBACK = "http://localhost:8000/sign-in/callback/"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def asked(**changed: str) -> str:
    query = {"client_id": home.CLIENT_ID, "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid profile"}
    query |= {"state": "s", "nonce": "n", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    return f"{PATH}/authorize?{urlencode({name: value for name, value in (query | changed).items() if value})}"


def code(visitor: Visitor, user: str = "alice", **changed: str) -> str:
    back = visitor.post(asked(**changed), data={"user": user})
    assert back.status_code == 302, back.text
    answer = parse_qs(urlsplit(back.headers["Location"]).query)
    assert answer["state"] == ["s"]
    return answer["code"][0]


def redeemed(visitor: Visitor, given: str, **changed: str) -> requests.Response:
    form = {"grant_type": "authorization_code", "client_id": home.CLIENT_ID, "client_secret": home.CLIENT_SECRET}
    form |= {"code": given, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return visitor.post(f"{PATH}/token", data=form | changed)


def id_token(visitor: Visitor, answer: requests.Response) -> dict[str, Any]:
    """The claims, checked as any client would."""
    keys = visitor.get(f"/{home.TENANT_ID}/discovery/v2.0/keys").json()
    token = answer.json()["id_token"]
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(jwt.PyJWK(shape) for shape in keys["keys"] if shape["kid"] == kid)
    issuer = f"{LOGIN}/{home.TENANT_ID}/v2.0"
    found: dict[str, Any] = jwt.decode(token, key, ["RS256"], audience=home.CLIENT_ID, issuer=issuer)
    return found


def test_the_page_shows_everybody_and_a_choice_ends_in_a_token_that_any_client_accepts(visitor: Visitor) -> None:
    page = visitor.get(asked()).text
    assert all(person.name in page for person in home.PEOPLE)
    claims = id_token(visitor, redeemed(visitor, code(visitor)))
    alice = next(person for person in home.PEOPLE if person.user_name == "alice")
    assert (claims["oid"], claims["tid"], claims["nonce"]) == (alice.object_id, home.TENANT_ID, "n")
    assert (claims["roles"], claims["ver"], "acrs" in claims, "amr" in claims) == ([home.ACCESS], "2.0", False, False)


def test_an_authentication_context_that_was_asked_for_is_in_the_token(visitor: Visitor) -> None:
    wanted = '{"id_token":{"acrs":{"essential":true,"value":"c1"}}}'
    assert id_token(visitor, redeemed(visitor, code(visitor, claims=wanted)))["acrs"] == ["c1"]


@pytest.mark.parametrize(
    ("changed", "code_number"),
    [
        ({"code_verifier": ""}, 501481),
        ({"code_verifier": "w" * 43}, 501481),
        ({"code_verifier": CHALLENGE}, 501481),
        ({"redirect_uri": "http://localhost:8000/elsewhere/"}, 50011),
        ({"client_secret": "wrong"}, 7000215),
        ({"client_secret": ""}, 7000218),
        ({"client_id": "5a11db0c-0000-4000-8000-00000000c0de"}, 700016),
        ({"code": "0.invented"}, 70000),
    ],
)
def test_a_code_is_redeemed_only_with_everything_that_belongs_to_it(
    visitor: Visitor, changed: dict[str, str], code_number: int
) -> None:
    answer = redeemed(visitor, code(visitor), **changed)
    assert (answer.status_code in (400, 401), answer.json()["error_codes"]) == (True, [code_number])


def test_a_code_works_once(visitor: Visitor) -> None:
    given = code(visitor)
    assert redeemed(visitor, given).status_code == 200
    assert redeemed(visitor, given).json()["error_codes"] == [54005]


@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
        {"nonce": ""},
        {"state": ""},
        {"response_type": "id_token"},
        {"response_mode": "fragment"},
        {"redirect_uri": "https://evil.example/sign-in/callback/"},
        {"client_id": "5a11db0c-0000-4000-8000-00000000c0de"},
    ],
    ids=str,
)
def test_a_request_that_lacks_what_protects_it_ends_on_an_error_page(visitor: Visitor, changed: dict[str, str]) -> None:
    answer = visitor.get(asked(**changed))
    assert (answer.status_code, "AADSTS" in answer.text) == (400, True)


def test_a_choice_sent_by_a_page_of_another_site_is_refused(visitor: Visitor) -> None:
    answer = visitor.post(asked(), data={"user": "alice"}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_the_partner_app_gets_no_token_from_the_home_tenant_and_the_sign_in_app_none_of_a_customer(
    visitor: Visitor,
) -> None:
    assert visitor.ask(home.TENANT_ID).json()["error_codes"] == [90002]
    answer = visitor.ask(client_id=home.CLIENT_ID, client_secret=home.CLIENT_SECRET)
    assert answer.json()["error_codes"] == [700016]


def test_a_forgery_is_switched_on_by_its_name_only(visitor: Visitor) -> None:
    with pytest.raises(ValueError, match="no way"):
        visitor.world.faults.add(home.TENANT_ID, {"kind": "forged_id_token", "way": "nonsense"})
    visitor.world.faults.add(home.TENANT_ID, {"kind": "forged_id_token", "way": next(iter(WAYS)), "count": 1})
    assert '"alg":"none"' in _header_text(redeemed(visitor, code(visitor)))
    assert '"alg":"RS256"' in _header_text(redeemed(visitor, code(visitor)))


def _header_text(answer: requests.Response) -> str:
    part = answer.json()["id_token"].split(".")[0]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode().replace(" ", "")
