"""ID tokens that a portal must refuse: each way makes one out of a draft that would have been good.

They are what attackers of sign-ins have tried elsewhere: signatures that are none, keys brought along, tokens for
somebody else, from somebody else, from another time, and right tokens of people who may not come in.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox import home
from sandbox.cast import tenant_id_of
from sandbox.keys import SigningKey, base64url, new_key

REAL = "https://login.microsoftonline.com"
OTHER_TENANT = tenant_id_of("Contoso")
OTHER_APP = "0f0f0f0f-1111-4222-8333-444444444444"
PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
GRAPH = "00000003-0000-0000-c000-000000000000"
# In place of a claim's value: the claim is left away.
GONE = object()


@dataclass(frozen=True)
class Draft:
    """The claims and the key of a good token."""

    claims: dict[str, Any]
    key: SigningKey

    def signed(self, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """As Entra signs, with some claims replaced or left away."""
        return self.by(self.key, header, **claims)

    def by(self, key: SigningKey, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """The same, signed with another key under the good key's name."""
        # Through the lower layer: the upper one refuses to write claims of the wrong type.
        payload = json.dumps(self.with_claims(**claims)).encode()
        return jwt.PyJWS().encode(payload, key.private, "RS256", {"kid": self.key.kid, **(header or {})})

    def with_claims(self, **claims: Any) -> dict[str, Any]:
        """The claims with some replaced or left away."""
        return {name: value for name, value in (self.claims | claims).items() if value is not GONE}

    def assembled(self, header: Mapping[str, Any], signature: bytes | Callable[[bytes], bytes]) -> str:
        """A token put together by hand, as no library would."""
        body = f"{_part(header)}.{_part(self.claims)}"
        return f"{body}.{base64url(signature if isinstance(signature, bytes) else signature(body.encode()))}"

    @property
    def public_pem(self) -> bytes:
        """The public key, which everybody has."""
        return self.key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


Way = Callable[[Draft], object]


@cache
def attackers_key() -> SigningKey:
    """A key that nobody publishes."""
    return new_key()


def _part(value: object) -> str:
    return base64url(json.dumps(value).encode())


def _hmac(key: bytes) -> Callable[[bytes], bytes]:
    return lambda body: hmac.new(key, body, hashlib.sha256).digest()


def _claim(**claims: Any) -> Way:
    return lambda draft: draft.signed(**claims)


def _later(**moves: int) -> Way:
    """Times moved against now."""
    return lambda draft: draft.signed(None, **{name: int(time.time()) + seconds for name, seconds in moves.items()})


def _header(**header: Any) -> Way:
    return lambda draft: draft.signed(header)


def _by_attacker(**header: Any) -> Way:
    return lambda draft: draft.by(attackers_key(), header)


def _other_algorithm(name: str) -> Way:
    return lambda draft: jwt.encode(draft.claims, draft.key.private, name, {"kid": draft.key.kid})


def _elliptic(draft: Draft) -> str:
    return jwt.encode(draft.claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": draft.key.kid})


def _changed_afterwards(draft: Draft) -> str:
    """Ada's object id put into somebody's token."""
    header, _, signature = draft.signed().split(".")
    claims = draft.with_claims(oid=home.PEOPLE[0].object_id, roles=[home.ACCESS, home.STAFF])
    return f"{header}.{_part(claims)}.{signature}"


def _bit_flipped(draft: Draft) -> str:
    body, _, signature = draft.signed().rpartition(".")
    return f"{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _not_json(draft: Draft) -> str:
    return jwt.PyJWS().encode(b"not json", draft.key.private, "RS256", {"kid": draft.key.kid})


def _a_list(draft: Draft) -> str:
    return jwt.PyJWS().encode(b"[1, 2]", draft.key.private, "RS256", {"kid": draft.key.kid})


SIGNATURES: dict[str, Way] = {
    "alg none": lambda draft: draft.assembled({"alg": "none", "typ": "JWT", "kid": draft.key.kid}, b""),
    "alg none with a signature": lambda draft: draft.assembled({"alg": "none", "kid": draft.key.kid}, b"signed"),
    "alg nOnE": lambda draft: draft.assembled({"alg": "nOnE", "kid": draft.key.kid}, b"signed"),
    "hmac with the public key": lambda draft: draft.assembled(
        {"alg": "HS256", "kid": draft.key.kid}, _hmac(draft.public_pem)
    ),
    "hmac with the client secret": lambda draft: draft.assembled(
        {"alg": "HS256", "kid": draft.key.kid}, _hmac(home.CLIENT_SECRET.encode())
    ),
    "hmac with an empty key and a path as kid": lambda draft: draft.assembled(
        {"alg": "HS256", "kid": "../../../../dev/null"}, _hmac(b"")
    ),
    "RS512 by the right key": _other_algorithm("RS512"),
    "PS256 by the right key": _other_algorithm("PS256"),
    "an elliptic key": _elliptic,
    "another key under the right name": _by_attacker(),
    "another key under its own name": lambda draft: draft.by(attackers_key(), {"kid": attackers_key().kid}),
    "no kid": lambda draft: jwt.encode(draft.claims, draft.key.private, "RS256"),
    "a path as kid": _header(kid="../../../../dev/null"),
    "a query as kid": _header(kid="' UNION SELECT 'key"),
    "a key set named in the header": _by_attacker(jku="https://evil.example/keys"),
    "a certificate named in the header": _by_attacker(x5u="https://evil.example/cert"),
    "a key brought along": lambda draft: draft.by(attackers_key(), {"jwk": attackers_key().jwk()}),
    "a certificate brought along": lambda draft: draft.by(attackers_key(), {"x5c": attackers_key().jwk()["x5c"]}),
    "an extension marked critical": _header(crit=["exp"], exp=1),
    "the type of access tokens": _header(typ="at+jwt"),
    "no signature": lambda draft: draft.signed().rpartition(".")[0] + ".",
    "a signature with one letter changed": _bit_flipped,
    "claims changed after signing": _changed_afterwards,
}
FORMS: dict[str, Way] = {
    "no token at all": lambda draft: None,
    "an empty text": lambda draft: "",
    "a number": lambda draft: 42,
    "a word": lambda draft: "hello",
    "five parts": lambda draft: draft.signed() + ".e30.e30",
    "a hundred kilobytes": lambda draft: draft.signed(filler="x" * 100_000),
    "a payload that is a list": _a_list,
    "a payload that is not JSON": _not_json,
}
ORIGINS: dict[str, Way] = {
    "another tenant's issuer": _claim(iss=f"{REAL}/{OTHER_TENANT}/v2.0"),
    "the issuer common": _claim(iss=f"{REAL}/common/v2.0"),
    "the issuer of the first version": _claim(iss=f"https://sts.windows.net/{home.TENANT_ID}/"),
    "an issuer with a slash more": _claim(iss=f"{REAL}/{home.TENANT_ID}/v2.0/"),
    "an issuer over plain http": _claim(iss=f"http://login.microsoftonline.com/{home.TENANT_ID}/v2.0"),
    "an issuer on another host": _claim(iss=f"https://login.microsoftonline.com.evil.example/{home.TENANT_ID}/v2.0"),
    "a list as issuer": _claim(iss=[f"{REAL}/{home.TENANT_ID}/v2.0"]),
    "no issuer": _claim(iss=GONE),
    "another tid": _claim(tid=OTHER_TENANT),
    "no tid": _claim(tid=GONE),
    "the same oid in another tenant": _claim(tid=OTHER_TENANT, iss=f"{REAL}/{OTHER_TENANT}/v2.0"),
    "a personal account": _claim(tid=PERSONAL_ACCOUNTS, iss=f"{REAL}/{PERSONAL_ACCOUNTS}/v2.0"),
    "another audience": _claim(aud=OTHER_APP),
    "the partner app as audience": _claim(aud="5a11db0c-0000-4000-8000-00000000c0de"),
    "Microsoft Graph as audience": _claim(aud=GRAPH),
    "two audiences": _claim(aud=[home.CLIENT_ID, OTHER_APP]),
    "no audience": _claim(aud=GONE),
    "another authorized party": _claim(azp=OTHER_APP),
    "an access token": _claim(scp="openid profile", azp=home.CLIENT_ID),
    "an application's token": _claim(idtyp="app"),
    "a token of the first version": _claim(ver="1.0"),
    "no version": _claim(ver=GONE),
}
TIMES: dict[str, Way] = {
    "expired an hour ago": _later(exp=-3600, iat=-7200, nbf=-7200),
    "expired 61 seconds ago": _later(exp=-61),
    "not before two minutes": _later(nbf=120),
    "issued in the future": _later(iat=120),
    "an expiry as text": _claim(exp="4102444800"),
    "an expiry that is true": _claim(exp=True),
    "no expiry": _claim(exp=GONE),
    "no issue time": _claim(iat=GONE),
    "good for a year": _later(exp=365 * 86400),
}
NONCES: dict[str, Way] = {
    "no nonce": _claim(nonce=GONE),
    "an empty nonce": _claim(nonce=""),
    "the nonce of another sign-in": _claim(nonce="0" * 64),
    "a list as nonce": lambda draft: draft.signed(nonce=[draft.claims["nonce"]]),
}
PEOPLE: dict[str, Way] = {
    "no oid": _claim(oid=GONE),
    "an address as oid": _claim(oid=home.PEOPLE[0].address),
    "nobody's oid": _claim(oid="00000000-0000-0000-0000-000000000000"),
    "no subject": _claim(sub=GONE),
    "a guest": _claim(idp=f"https://sts.windows.net/{OTHER_TENANT}/"),
    "a list as the place a guest comes from": _claim(idp=[f"https://sts.windows.net/{OTHER_TENANT}/"]),
    "a guest by its account type": _claim(acct=1),
    "no second factor": _claim(acrs=GONE),
    "another authentication context": _claim(acrs=["c2"]),
    "the second factor as text": _claim(acrs="c1"),
    "no role": _claim(roles=GONE),
    "the role as text": _claim(roles=home.ACCESS),
    "staff without access": _claim(roles=[home.STAFF]),
    "the role in another spelling": _claim(roles=[home.ACCESS.lower()]),
    "the role as a group": _claim(roles=GONE, groups=[home.ACCESS]),
    "too many groups": _claim(
        roles=GONE,
        _claim_names={"groups": "src1", "roles": "src1"},
        _claim_sources={"src1": {"endpoint": "https://evil.example/getMemberObjects"}},
    ),
    "another person with an address of hers": _claim(
        oid=OTHER_APP, roles=GONE, preferred_username=home.PEOPLE[0].address, email=home.PEOPLE[0].address
    ),
}
WAYS: dict[str, Way] = SIGNATURES | FORMS | ORIGINS | TIMES | NONCES | PEOPLE
