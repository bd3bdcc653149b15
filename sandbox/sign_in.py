"""Signing in to the MSSP's own tenant: the page on which somebody says who they are, codes, and ID tokens.

People's sign-ins go by the real clock and not by the world's, which tests and the control page move.
"""

import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox import credentials, home, page
from sandbox.consent import Failed
from sandbox.faults import Fault
from sandbox.forgeries import WAYS, Draft
from sandbox.home import Grant, Person
from sandbox.keys import base64url
from sandbox.refusals import Refused
from sandbox.world import World

REAL = "https://login.microsoftonline.com"
ISSUER = f"{REAL}/{home.TENANT_ID}/v2.0"
_CANCELLED = "AADSTS65004: User declined to consent to access the app."
# Entra dates ID tokens five minutes back, and they live about an hour.
_BACK, _LIFE = 300, 3600
_NEEDED = ("client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge")


class SignInPages:
    """GET shows the people of the tenant, POST is the choice of one."""

    def __init__(self, world: World) -> None:
        self.world, self.home = world, world.home

    async def authorize(self, request: Request) -> Response:
        """/{tenant}/oauth2/v2.0/authorize."""
        request.state.operation = "sign_in"
        try:
            query = self._asked(request)
            if request.method != "POST":
                return self._page(query, request)
            if not page.is_own_post(request):
                return page.problem("Sign in", "Answers from pages of other sites are refused.", 403)
            form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
            return self._chosen(query, form, request)
        except Failed as failed:
            return page.problem("Sign in", str(failed), 400)

    def _asked(self, request: Request) -> dict[str, str]:
        query = dict(request.query_params)
        if not self.home.is_named(request.path_params["tenant"]):
            raise Failed("AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID.")
        if missing := [name for name in _NEEDED if not query.get(name)]:
            raise Failed(f"AADSTS900144: The request must contain the following parameter: '{missing[0]}'.")
        if query["client_id"].lower() != self.home.registration.client_id:
            raise Failed("AADSTS700016: Application with this identifier was not found in the directory.")
        if not self.home.registration.allows_redirect(query["redirect_uri"]):
            raise Failed("AADSTS50011: The redirect URI in the request does not match those of the application.")
        if query["response_type"] != "code" or query.get("response_mode", "query") != "query":
            raise Failed("AADSTS70005: This stand-in answers with a code in the query, and in no other way.")
        if query.get("code_challenge_method") != "S256":
            raise Failed("AADSTS501491: Invalid size of Code_Challenge parameter, or not made with SHA-256.")
        return query

    def _page(self, query: dict[str, str], request: Request) -> Response:
        again = query.get("prompt") == "login"
        here = f"{request.url.path}?{request.url.query}"
        rows = "".join(
            f"<tr><th>{page.text(one.name)}<small>{page.text(one.address)}</small></th><td>{page.text(one.about)}</td>"
            f"<td>{page.button('Sign in', here, [('user', one.user_name)], about=f'as {one.name}')}</td></tr>"
            for one in self.home.people.values()
        )
        lead = "Prove again who you are." if again else "Choose who you are; no password is asked for here."
        cancel = page.button("Cancel", here, [("answer", "cancel")])
        return page.html(
            "Sign in",
            f'<h1>Sign in</h1><p class="app">{page.text(self.home.registration.name)}</p><p class="lead">{lead}</p>'
            f"<section><table><tbody>{rows}</tbody></table></section>{cancel}",
        )

    def _chosen(self, query: dict[str, str], form: dict[str, str], request: Request) -> Response:
        if form.get("answer") == "cancel":
            return _back(query, [("error", "access_denied"), ("error_description", _CANCELLED)])
        person = self.home.people.get(form.get("user", ""))
        if person is None:
            raise Failed("AADSTS50034: The user account does not exist in the directory.")
        cookie = f"since_{person.user_name}"
        since = request.cookies.get(cookie, "")
        # Whoever is signed in at Microsoft already stays so from then on, unless proof is asked for again.
        is_known = since.isdecimal() and query.get("prompt") != "login"
        at = int(since) if is_known else int(time.time())
        code = self.home.grant(person, query, authenticated_at=at)
        answer = _back(query, [("code", code)])
        answer.set_cookie(cookie, str(at), httponly=True, samesite="lax")
        return answer


def _back(query: dict[str, str], answer: list[tuple[str, str]]) -> Response:
    answer += [("state", query["state"]), ("session_state", str(uuid.uuid4()))]
    shown = "&".join(f"{name}={quote_plus(value)}" for name, value in answer)
    return RedirectResponse(f"{query['redirect_uri']}?{shown}", 302, page.HEADERS)


class CodeGrant:
    """The token endpoint's answer to an authorization code."""

    def __init__(self, world: World) -> None:
        self.world, self.home = world, world.home

    def redeem(self, form: dict[str, str], *, audiences: set[str], faults: Sequence[Fault]) -> dict[str, Any]:
        """Tokens for a code that is new, ours, and proved by its verifier. `Refused` otherwise."""
        if form.get("client_id", "").lower() != self.home.registration.client_id:
            raise Refused(700016, "Application with this identifier was not found in the directory.")
        credentials.prove(self.home.registration, form, audiences=audiences, now=time.time())
        grant = self._spent(form)
        draft = Draft(id_claims(grant, sends_amr=self.home.sends_amr), self.world.keys.current)
        token: object = draft.signed()
        for fault in faults:
            if fault.kind == "forged_id_token":
                token = WAYS[fault.options["way"]](draft)
        numbers = {"expires_in": _LIFE, "ext_expires_in": _LIFE}
        answer: dict[str, Any] = {"token_type": "Bearer", "scope": "openid profile", **numbers}
        answer["access_token"] = f"EwB{secrets.token_urlsafe(400)}"
        return answer if token is None else answer | {"id_token": token}

    def _spent(self, form: dict[str, str]) -> Grant:
        try:
            grant = self.home.spend(form.get("code", ""))
        except KeyError:
            raise Refused(70000, "The provided authorization code is malformed or not known here.") from None
        if grant is None:
            raise Refused(54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code.")
        if time.time() > grant.made_at + home.CODE_SECONDS:
            raise Refused(70008, "The provided authorization code or refresh token has expired due to inactivity.")
        if form.get("redirect_uri") != grant.query["redirect_uri"]:
            raise Refused(50011, "The redirect URI does not match the one of the authorization request.")
        verifier = form.get("code_verifier", "")
        if base64url(hashlib.sha256(verifier.encode()).digest()) != grant.query["code_challenge"]:
            raise Refused(501481, "The Code_Verifier does not match the code_challenge supplied in the request.")
        return grant


def id_claims(grant: Grant, *, sends_amr: bool) -> dict[str, Any]:
    """An ID token of the second version, with the optional claims that the portal's how-to asks for."""
    person, now = grant.person, int(time.time())
    made: dict[str, Any] = {"aud": home.CLIENT_ID, "iss": ISSUER, "iat": now - _BACK, "nbf": now - _BACK}
    made |= {"exp": now + _LIFE, "aio": base64url(secrets.token_bytes(24)), "auth_time": grant.authenticated_at}
    made |= {"name": person.name, "nonce": grant.query["nonce"], "oid": person.object_id}
    made |= {"preferred_username": person.address, "rh": f"1.{base64url(secrets.token_bytes(20))}."}
    made |= {"sub": _pairwise(person), "tid": home.TENANT_ID, "uti": base64url(secrets.token_bytes(16)), "ver": "2.0"}
    if person.roles:
        made["roles"] = list(person.roles)
    if person.home != home.TENANT_ID:
        made["idp"] = f"https://sts.windows.net/{person.home}/"
    if contexts := _contexts(grant.query.get("claims", "")):
        made["acrs"] = contexts
    return made | ({"amr": ["pwd", "mfa"]} if sends_amr else {})


def _pairwise(person: Person) -> str:
    return base64url(hashlib.sha256(f"{person.object_id}:{home.CLIENT_ID}".encode()).digest())


def _contexts(claims: str) -> Collection[str]:
    """The authentication contexts that the request's ``claims`` parameter asks for; everybody here satisfies them."""
    try:
        asked = json.loads(claims)["id_token"]["acrs"]
    except (ValueError, KeyError, TypeError):
        return []
    return [str(value) for value in (asked.get("values") or [asked.get("value")]) if value]
