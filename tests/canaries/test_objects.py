"""K1: no object shows the secret that it holds, in whatever way it is printed, and none can be written down whole."""

import copy
import json
import pickle
import pprint
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from accounts.models import User
from audit.record import COMMAND_LINE
from defender.auth import AccessToken, load_credential
from defender.errors import Rejected
from defender.transport import Transport
from tenants import callback, consent, links, scope
from tests.canaries.canaries import Canaries
from tests.canaries.listening import everything_said, shown
from tests.canaries.scanner import Finding, Sink, search
from tests.defender.certificates import self_signed
from tests.defender.microsoft import CONTOSO, SECRET, microsoft, token_source
from tests.tenants.arranged import invited

Printed = Callable[[Any], object]
WAYS_TO_PRINT: dict[str, Printed] = {
    "repr": shown,
    "str": str,
    "format": lambda thing: f"{thing}",
    "percent": lambda thing: f"{(thing,)!r} {thing!s}",
    "in a list": lambda thing: repr([thing, {"thing": thing}]),
    "pprint": pprint.pformat,
    "JSON with a fallback": lambda thing: json.dumps({"thing": thing}, default=repr),
}
WAYS_TO_WRITE: dict[str, Printed] = {
    "pickle": lambda thing: [pickle.dumps(thing, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)],
    "copy": copy.deepcopy,
    "JSON": json.dumps,
}


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Canaries]]:
    """Objects of the client that hold secrets, and those secrets."""
    folder, canaries = tmp_path_factory.mktemp("credentials"), Canaries()
    canaries.add("client secret", SECRET)
    with microsoft() as small:
        transport = Transport(small.cloud)
        secret = load_credential(secret=SECRET)
        found: dict[str, Any] = {"secret": secret, "certificate": _certificate(folder, canaries)}
        found |= {"federated": _federated(folder, canaries), "transport": transport}
        found["token source"] = token_source(small, transport, secret)
        token = found["token source"].token(CONTOSO)
        canaries.add_token("access token", token.value)
        yield found | {"access token": token, "facts": token.facts}, canaries
        transport.close()


def _certificate(folder: Path, canaries: Canaries) -> object:
    key, certificate = self_signed()
    canaries.add_private_key("private key", key)
    (folder / "app.pem").write_text(key + certificate)
    return load_credential(certificate=folder / "app.pem")


def _federated(folder: Path, canaries: Canaries) -> object:
    canaries.add("client assertion", "a-token-of-the-federated-identity-71c5")
    (folder / "token").write_text("aaa.bbb.a-token-of-the-federated-identity-71c5")
    return load_credential(federated_token=folder / "token")


def findings(text: object, canaries: Canaries) -> list[Finding]:
    """What a search finds in something that was printed."""
    data = text if isinstance(text, bytes) else str(text).encode("utf-8", "backslashreplace")
    return search([Sink("printed", data)], canaries).findings


@pytest.mark.parametrize("way", WAYS_TO_PRINT)
def test_k1_no_object_of_the_client_shows_what_it_holds(holders: tuple[dict[str, Any], Canaries], way: str) -> None:
    things, canaries = holders
    assert {name: found for name, one in things.items() if (found := findings(WAYS_TO_PRINT[way](one), canaries))} == {}


@pytest.mark.parametrize("name", ["secret", "certificate", "federated", "token source", "access token"])
@pytest.mark.parametrize("way", WAYS_TO_WRITE)
def test_k1_what_holds_a_secret_cannot_be_written_into_a_queue_or_a_cache(
    holders: tuple[dict[str, Any], Canaries], name: str, way: str
) -> None:
    things, canaries = holders
    try:
        written = WAYS_TO_WRITE[way](things[name])
    except TypeError as refused:
        assert findings(everything_said(refused), canaries) == []
        return
    pytest.fail(f"{name} was written: {findings(written, canaries)}")


def test_an_error_takes_no_token_along_wherever_it_goes(holders: tuple[dict[str, Any], Canaries]) -> None:
    things, canaries = holders
    token: AccessToken = things["access token"]
    said = f"Authorization: Bearer {token.value} is not accepted"
    error = Rejected(said, code="http-400", detail=said, step=said, details={"asked": said})
    for text in (everything_said(error), pickle.dumps(error), everything_said(pickle.loads(pickle.dumps(error)))):  # noqa: S301
        assert findings(text, canaries) == []


def test_k1_no_object_of_a_connection_shows_the_link_and_what_follows_from_it(db: None) -> None:
    canaries, tenant, now = Canaries(), invited(), timezone.now()
    with scope.operations():
        invitation = consent.invite(tenant=tenant, by=COMMAND_LINE, now=now)
    secret = invitation.link.rstrip("/").rpartition("/")[2]
    for kind, value in (("connect link", secret), ("consent state", links.state_of(secret))):
        canaries.add(kind, value)
    canaries.add("browser cookie", links.cookie_of(secret))
    page = callback.open_link(secret=secret, now=now)
    for thing in (invitation, page, invitation.request, tenant, vars(invitation.request)):
        for printed in WAYS_TO_PRINT.values():
            assert findings(printed(thing), canaries) == []


def test_a_person_does_not_show_the_password(db: None) -> None:
    canaries = Canaries()
    password = canaries.plant("password")
    person = User.objects.create_local(username="dana", password=password)
    assert person.check_password(password)
    for thing in (person, vars(person), UUID(int=person.pk)):
        assert findings(shown(thing), canaries) == []
