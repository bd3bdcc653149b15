"""A very small Microsoft on loopback: discovery, tokens and incidents, each of which a test can bend."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import jwt

from defender.auth import ClientSecret, Credential, TokenSource
from defender.client import DefenderClient
from defender.clouds import Cloud, StandIn, find_cloud
from defender.transport import Transport
from tests.defender.loopback import Answer, Asked, Loopback, answer, serving

CONTOSO = UUID("a1b2c3d4-0000-4000-8000-00000000c0c0")
FABRIKAM = UUID("a1b2c3d4-0000-4000-8000-00000000fabc")
PARTNER_APP = UUID("0f0f0f0f-1111-4222-8333-444444444444")
LOGIN = "https://login.microsoftonline.com"
SECRET = "canary~secret~8Q3vT9"
ROLES = ["Incident.Read.All", "Incident.ReadWrite.All"]

Bend = Callable[[Asked], Answer | None]


def make_token(**claims: Any) -> str:
    """A signed token with the claims of an app-only one."""
    now = int(time.time())
    usual: dict[str, Any] = {
        "aud": "https://api.security.microsoft.com",
        "iss": f"https://sts.windows.net/{CONTOSO}/",
        "ver": "1.0",
    }
    usual |= {"tid": str(CONTOSO), "appid": str(PARTNER_APP), "roles": ROLES, "iat": now, "exp": now + 3900}
    return jwt.encode({**usual, **claims}, "k" * 32, algorithm="HS256")


def discovery(tenant: str, **more: Any) -> dict[str, Any]:
    """The discovery document of a tenant, which names Microsoft's own host."""
    return {
        "issuer": f"{LOGIN}/{tenant}/v2.0",
        "authorization_endpoint": f"{LOGIN}/{tenant}/oauth2/v2.0/authorize",
        "token_endpoint": f"{LOGIN}/{tenant}/oauth2/v2.0/token",
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        **more,
    }


def oauth_error(code: int, error: str, status: int = 400) -> Answer:
    """An error of the token endpoint, as recorded ones look."""
    return answer(
        {
            "error": error,
            "error_description": f"AADSTS{code}: <b>never shown</b> Trace ID: x",
            "error_codes": [code],
            "timestamp": "2026-11-22 10:00:00Z",
            "trace_id": "11111111-2222-4333-8444-555555555555",
            "correlation_id": "66666666-7777-4888-8999-000000000000",
            "error_uri": f"https://login.microsoftonline.com/error?code={code}",
        },
        status,
    )


class Microsoft:
    """The server and its bends: `on_token`, `on_api`, `on_discovery` may answer in its place."""

    def __init__(self) -> None:
        self.on_discovery: Bend = lambda asked: None
        self.on_token: Bend = lambda asked: None
        self.on_api: Bend = lambda asked: None
        self.tokens_issued: list[str] = []
        self.server: Loopback

    def script(self, asked: Asked) -> Answer:
        tenant = asked.path.strip("/").partition("/")[0]
        if asked.path.endswith("/.well-known/openid-configuration"):
            return self.on_discovery(asked) or answer(discovery(tenant))
        if asked.path.endswith("/oauth2/v2.0/token"):
            return self.on_token(asked) or self.issue(tenant)
        return self.on_api(asked) or answer({"value": []})

    def issue(self, tenant: str, **claims: Any) -> Answer:
        token = make_token(tid=tenant, uti=str(len(self.tokens_issued)), **claims)
        self.tokens_issued.append(token)
        return answer({"token_type": "Bearer", "expires_in": 3900, "ext_expires_in": 3900, "access_token": token})

    def asked_for(self, ending: str) -> list[Asked]:
        return [asked for asked in self.server.asked if asked.path.endswith(ending)]

    @property
    def token_calls(self) -> list[Asked]:
        return self.asked_for("/oauth2/v2.0/token")

    @property
    def cloud(self) -> Cloud:
        url = self.server.url
        return find_cloud("sandbox", StandIn(login=url, xdr=url, mde=url, graph=url))


@contextmanager
def microsoft() -> Iterator[Microsoft]:
    small = Microsoft()
    with serving(small.script) as server:
        small.server = server
        yield small


def token_source(small: Microsoft, transport: Transport, credential: Credential | None = None) -> TokenSource:
    return TokenSource(small.cloud, PARTNER_APP, credential or ClientSecret(SECRET), transport)


def client(small: Microsoft, transport: Transport, **options: Any) -> DefenderClient:
    return DefenderClient(small.cloud, transport, CONTOSO, token_source(small, transport), **options)
