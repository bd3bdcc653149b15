"""Sign-in through the MSSP's own Entra tenant, in two halves: `begin` sends the browser away, `finish` takes it back.

The first half is kept in the browser's session on the server and spent once. The second half trusts nothing of what the
browser brings but the code, which it redeems itself, and checks the ID token that comes back from there
(`defender.id_token`). Only the web process has the credential of the sign-in app, and it has no other.
"""

import time
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from accounts import flows, people, sessions
from accounts.actor import actor_for
from accounts.models import User
from accounts.refusals import Refused, refusal_of
from defender.clouds import Cloud, StandIn, find_cloud
from defender.credentials import load_credential
from defender.errors import DefenderError
from defender.id_token import LEEWAY, Identity
from defender.sign_in import SignInApp, issuer_of
from defender.signing_keys import SigningKeys
from defender.transport import Transport

# How old a proof may be where somebody was asked to prove again who they are: five minutes, ours.
FRESH_SECONDS = 300


@cache
def app() -> SignInApp:
    """The sign-in app that settings name. Raises CredentialFault where its credential cannot be used."""
    cloud, tenant_id = _cloud(), settings.SIGN_IN_TENANT_ID
    transport = Transport(cloud, pool_size=8)
    certificate = settings.SIGN_IN_CREDENTIAL.get("SIGN_IN_CLIENT_CERTIFICATE")
    return SignInApp(
        cloud=cloud,
        tenant_id=tenant_id,
        client_id=settings.SIGN_IN_CLIENT_ID,
        credential=load_credential(
            secret=settings.SIGN_IN_CREDENTIAL.get("SIGN_IN_CLIENT_SECRET"),
            certificate=Path(certificate) if certificate else None,
        ),
        transport=transport,
        keys=SigningKeys(transport, tenant_id=tenant_id, issuer=issuer_of(cloud, tenant_id)),
        context=None if settings.SIGN_IN_SECOND_FACTOR in ("amr", "policy") else settings.SIGN_IN_SECOND_FACTOR,
    )


def begin(request: HttpRequest, *, fresh: bool, onward: str) -> str:
    """The address at Microsoft to send the browser to; ``onward`` is where the person wanted to go. Raises Refused.

    ``fresh`` is for somebody signed in who has to prove again who they are.
    """
    try:
        address, flow = app().begin(
            redirect_uri=settings.PORTAL_BASE_URL + reverse("accounts:entra_callback"), fresh=fresh
        )
    except DefenderError as error:
        raise refusal_of(error) from None
    flows.keep(request, flow, fresh_for=request.user.pk if fresh else None, onward=onward)
    return address


def finish(request: HttpRequest) -> str:
    """Signs in whoever Entra ID says has come back, and tells where they wanted to go. Raises Refused."""
    answer = _single_values(request.GET)
    kept = flows.spend(request, answer.get("state", ""))
    if kept is None:
        raise Refused("not-under-way")
    try:
        identity = app().finish(kept["flow"], answer, now=time.time())
    except DefenderError as error:
        raise refusal_of(error) from None
    with transaction.atomic():
        user = people.arrive(identity=identity, rule=_rule(), by=actor_for(request, people.named(identity)))
        if kept["fresh_for"] is not None:
            _check_fresh(request, user, identity, kept["fresh_for"])
        flows.forget_all(request)
        # Who was not asked to prove it again may have been let through: then it counts when Entra ID last asked.
        proved_at = None if kept["fresh_for"] is not None else identity.authenticated_at or 0
        sessions.begin(request, user, "entra", proved_at=proved_at)
    return str(kept["onward"])


def forget_everything() -> None:
    """Drop app, pool and keys: after a change of settings, and between tests."""
    if app.cache_info().currsize:
        app().transport.close()
    app.cache_clear()


def _check_fresh(request: HttpRequest, user: User, identity: Identity, asked: int) -> None:
    """The same person as before and as asked, who has just proved it."""
    if user.pk != asked or request.user.pk != asked:
        raise Refused("someone-else", who=people.named(identity))
    age = time.time() - (identity.authenticated_at or 0)
    if not -LEEWAY <= age <= FRESH_SECONDS + LEEWAY:
        raise Refused("not-fresh", who=people.named(identity))


def _single_values(query: QueryDict) -> dict[str, str]:
    """The query as names with one value each; a name that comes twice is not of Entra ID's making."""
    if any(len(values) != 1 for _, values in query.lists()):
        raise Refused("answer-shape")
    return {name: str(query[name]) for name in query}


def _rule() -> people.Rule:
    return people.Rule(frozenset(settings.SIGN_IN_GUESTS), settings.SIGN_IN_SECOND_FACTOR)


def _cloud() -> Cloud:
    stand_in = StandIn(**settings.SANDBOX_URLS) if settings.IS_SANDBOX else None
    return find_cloud(settings.MICROSOFT_CLOUD, stand_in)
