"""The key set of the home tenant: where it is asked for, which keys count, and how often anybody asks."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from defender.clouds import StandIn, find_cloud
from defender.errors import DefenderError, Transient
from defender.signing_keys import KEPT, PAUSE, SigningKeys
from defender.transport import Transport
from sandbox.keys import SigningKey, new_key
from tests.defender.loopback import Loopback, answer, serving

TENANT = UUID("5a11db0c-0000-4000-8000-000000000401")
ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
FIRST, SECOND = new_key(), new_key()


class Published:
    """A tenant's published keys, a portal that reads them, and a clock to move."""

    def __init__(self, server: Loopback) -> None:
        self.server, self.now = server, 0.0
        self.shapes: list[Any] = [FIRST.jwk()]
        stand_in = StandIn(login=server.url, xdr=server.url, mde=server.url, graph=server.url)
        self.transport = Transport(find_cloud("sandbox", stand_in))
        self.keys = SigningKeys(self.transport, tenant_id=TENANT, issuer=ISSUER, clock=lambda: self.now)
        server.script = lambda asked: answer({"keys": self.shapes})


@pytest.fixture
def published() -> Iterator[Published]:
    with serving() as server:
        made = Published(server)
        yield made
        made.transport.close()


def test_a_published_key_is_found_at_the_tenants_own_address_and_kept_for_a_day(published: Published) -> None:
    for _ in range(3):
        found = published.keys.named(FIRST.kid)
        assert found is not None
        assert found.public_numbers() == FIRST.private.public_key().public_numbers()
    assert [asked.path for asked in published.server.asked] == [f"/{TENANT}/discovery/v2.0/keys"]
    published.now = KEPT
    published.shapes = [SECOND.jwk()]
    assert published.keys.named(FIRST.kid) is None, "a key that is no longer published counts no more"


def test_an_unknown_key_makes_it_look_again_once_a_minute_at_most(published: Published) -> None:
    published.keys.named(FIRST.kid)
    for _ in range(20):
        assert published.keys.named("invented") is None
    assert len(published.server.asked) == 1
    published.now, published.shapes = PAUSE, [FIRST.jwk(), SECOND.jwk()]
    assert published.keys.named(SECOND.kid) is not None
    assert len(published.server.asked) == 2


SMALL = SigningKey(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505  what must be refused
OTHERS: dict[str, dict[str, Any]] = {
    "of another tenant": FIRST.jwk() | {"issuer": "https://login.microsoftonline.com/other/v2.0"},
    "for encryption": FIRST.jwk() | {"use": "enc"},
    "a secret": {"kty": "oct", "kid": FIRST.kid, "k": "c2VjcmV0"},
    "elliptic": FIRST.jwk() | {"kty": "EC"},
    "small": SMALL.jwk() | {"kid": FIRST.kid},
    "without numbers": {"kty": "RSA", "kid": FIRST.kid},
    "nonsense": FIRST.jwk() | {"n": "???", "e": 3},
    "without a name": FIRST.jwk() | {"kid": None},
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_keys_do_not_count(published: Published, what: str) -> None:
    published.shapes = [OTHERS[what], SECOND.jwk(), "no key"]
    assert published.keys.named(FIRST.kid) is None
    assert published.keys.named(SECOND.kid) is not None


@pytest.mark.parametrize("issuer", [ISSUER, "https://login.microsoftonline.com/{tenantid}/v2.0"])
def test_a_set_may_say_whose_its_keys_are(published: Published, issuer: str) -> None:
    published.shapes = [FIRST.jwk() | {"issuer": issuer}]
    assert published.keys.named(FIRST.kid) is not None


@pytest.mark.parametrize("shapes", [[], None, {"kid": "x"}])
def test_a_set_without_keys_is_trouble_and_no_set(published: Published, shapes: Any) -> None:
    published.shapes = shapes
    with pytest.raises(Transient):
        published.keys.named(FIRST.kid)


def test_after_trouble_it_asks_again(published: Published) -> None:
    published.server.queue.append(answer({}, 503))
    with pytest.raises(DefenderError):
        published.keys.named(FIRST.kid)
    assert published.keys.named(FIRST.kid) is not None
