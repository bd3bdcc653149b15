"""A stand-in for Azure Key Vault on loopback: TLS, the challenge, the secret. Names lead to it, no more is made up.

The real SDK asks for the vault's real name at port 443; only looking that name up is replaced, so that certificates,
host names and challenges are checked as they are in earnest.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AccessToken

from defender.vault import VaultSecret
from defender.vault_address import VaultAddress
from tests.defender.certificates import self_signed
from tests.defender.loopback import Answer, Asked, Loopback, answer, serving

HOST = "ours.vault.azure.net"
NAME = "portal-partner"
ADDRESS = f"https://{HOST}/secrets/{NAME}"
TENANT = "66666666-7777-4888-9999-000000000000"
TOKEN = "canary-token-for-the-vault"
LOGIN = "login.microsoftonline.com"
CHALLENGE = f'Bearer authorization="https://{LOGIN}/{TENANT}", resource="https://vault.azure.net"'


class Identity:
    """What DefaultAzureCredential is in earnest: gives tokens, and remembers for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def get_token(self, *scopes: str, **rest: Any) -> AccessToken:
        self.asked.append(scopes)
        return AccessToken(TOKEN, 4102444800)  # the year 2100


@dataclass
class Vault:
    """What the vault holds and how it answers; `first` is the challenge."""

    server: Loopback
    ca: str
    value: str = "canary-first-value"
    content_type: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    first: str = CHALLENGE
    instead: Answer | None = None

    def reply(self, asked: Asked) -> Answer:
        if asked.headers.get("host") == LOGIN:
            return _sign_in(asked)
        if "authorization" not in asked.headers:
            return answer({"error": {"code": "Unauthorized"}}, 401, WWW_Authenticate=self.first)
        if self.instead is not None:
            return self.instead
        attributes = {"enabled": True, **self.attributes}
        found = {"value": self.value, "id": f"{ADDRESS}/{'a' * 32}", "attributes": attributes}
        return answer(found | ({"contentType": self.content_type} if self.content_type else {}))

    def secret(self, identity: Identity | None, address: str = ADDRESS, **options: Any) -> VaultSecret:
        return VaultSecret(VaultAddress.parse(address), identity=identity, ca_bundle=self.ca, **options)

    @property
    def tokens_seen(self) -> list[str]:
        return [asked.headers["authorization"] for asked in self.server.asked if "authorization" in asked.headers]


def _sign_in(asked: Asked) -> Answer:
    """As much of Entra ID as a client secret in the environment needs."""
    if asked.method == "POST":
        return answer({"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN})
    begin = f"https://{LOGIN}/{TENANT}"
    names = {"authorization_endpoint": f"{begin}/oauth2/v2.0/authorize", "token_endpoint": f"{begin}/oauth2/v2.0/token"}
    return answer({**names, "issuer": f"{begin}/v2.0", "tenant_discovery_endpoint": f"{begin}/v2.0/", "metadata": []})


@contextmanager
def vault_on_loopback(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, hosts: tuple[str, ...] = (HOST, LOGIN)
) -> Iterator[Vault]:
    """A vault whose certificate is good for `hosts`. Every name but this machine's leads to it meanwhile."""
    _forget_challenges()
    key, certificate = self_signed(hosts=hosts)
    (folder / "server.pem").write_text(key + certificate)
    (folder / "ca.pem").write_text(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    with serving() as server:
        server.wrap(context)
        vault = Vault(server, str(folder / "ca.pem"))
        server.script = vault.reply
        port = urlsplit(server.url).port
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        real, here = socket.getaddrinfo, ("127.0.0.1", "::1", "localhost")

        def look_up(host: Any, *rest: Any, **more: Any) -> Any:
            return real(host, *rest, **more) if host in here else found

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        yield vault


def _forget_challenges() -> None:
    """The SDK keeps them per process."""
    from azure.keyvault.secrets._shared import http_challenge_cache

    http_challenge_cache.clear()
