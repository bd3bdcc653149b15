"""People of the home tenant sign in: authorization code with PKCE, by MSAL over our transport.

MSAL keeps the protocol (state, PKCE, the proof of the app). The ID token is taken out of the answer before MSAL sees
it and goes to `defender.id_token`, since MSAL would only decode it; the access token, which nobody needs, goes nowhere.
No token is kept. Each half of a sign-in makes an application object of its own, so no cache of MSAL's is shared between
two people.
"""

import hmac
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msal

from defender import id_token
from defender.aadsts import explain
from defender.auth import guarded
from defender.clouds import Cloud
from defender.credentials import Credential
from defender.errors import Transient
from defender.id_token import Expected, Identity, wrong
from defender.msal_http import MsalHttp
from defender.signing_keys import SigningKeys
from defender.transport import Reply, Transport

# MSAL prefers form_post, a POST from another site, with which browsers send no cookie that is SameSite=Lax. The code in
# the query is good once, for a minute, and only with the verifier that never leaves the portal.
warnings.filterwarnings("ignore", message="response_mode='form_post' is recommended", category=UserWarning)

Flow = dict[str, Any]
# What comes back in the query; nothing else of it is looked at.
_ANSWER: Final = ("code", "state", "iss", "error", "error_description")
_LONGEST_ANSWER: Final = 16 * 1024
# Seconds for one call: a person is waiting. Ours.
_DEADLINE: Final = 10.0


@dataclass(frozen=True, slots=True)
class SignInApp:
    """The sign-in registration of the home tenant. `context` is an authentication context such as c1 to ask for."""

    cloud: Cloud
    tenant_id: UUID
    client_id: UUID
    credential: Credential
    transport: Transport
    keys: SigningKeys
    context: str | None = None

    @property
    def issuer(self) -> str:
        """The only issuer whose tokens count."""
        return issuer_of(self.cloud, self.tenant_id)

    def begin(self, *, redirect_uri: str, fresh: bool) -> tuple[str, Flow]:
        """The address to send the browser to, and what `finish` needs; the latter must stay on the server.

        `fresh` has the person prove anew who they are; otherwise they choose an account. Raises DefenderError.
        """
        app = self._app(MsalHttp(self.transport, deadline=_DEADLINE))
        flow: Flow = guarded(
            lambda: app.initiate_auth_code_flow(
                [],
                redirect_uri=redirect_uri,
                prompt="login" if fresh else "select_account",
                claims_challenge=self._claims(),
                response_mode="query",
            )
        )
        address = str(flow.pop("auth_uri"))
        if not address.startswith(f"{self.cloud.authority}/{self.tenant_id}/oauth2/v2.0/authorize?"):
            raise Transient("Entra ID names another place to sign in than the home tenant.", code="discovery-shape")
        # What went out, not what MSAL remembers: the token is compared with this.
        flow["nonce_sent"] = parse_qs(urlsplit(address).query)["nonce"][0]
        return self.cloud.browser_login + address.removeprefix(self.cloud.authority), flow

    def finish(self, flow: Flow, answer: Mapping[str, str], *, now: float) -> Identity:
        """Who came back with `answer`, the callback's query. Raises WrongToken and every other DefenderError."""
        known = {name: answer[name] for name in _ANSWER if name in answer}
        self._check_answer(flow, known)
        http = _SignInHttp(self.transport)
        app = self._app(http)
        spent = {name: value for name, value in flow.items() if name != "nonce_sent"}
        guarded(lambda: app.acquire_token_by_auth_code_flow(spent, {key: known[key] for key in ("code", "state")}))
        expected = Expected(self.client_id, self.tenant_id, self.issuer, str(flow.get("nonce_sent", "")))
        return id_token.read(http.id_token, key_named=self.keys.named, expected=expected, now=now)

    def _check_answer(self, flow: Flow, answer: Mapping[str, str]) -> None:
        """State first, then who says so, then whether it is a refusal."""
        if sum(map(len, answer.values())) > _LONGEST_ANSWER:
            raise wrong("answer")
        if not hmac.compare_digest(answer.get("state", "").encode(), str(flow.get("state", "")).encode()):
            raise wrong("state")
        # Entra ID does not name itself here today; whoever does has to be the home tenant (RFC 9207).
        if answer.get("iss", self.issuer) != self.issuer:
            raise wrong("mix-up")
        if "error" in answer:
            raise explain(answer)
        if not answer.get("code"):
            raise wrong("code")

    def _claims(self) -> str | None:
        if self.context is None:
            return None
        return json.dumps({"id_token": {"acrs": {"essential": True, "value": self.context}}})

    def _app(self, http: MsalHttp) -> Any:
        return guarded(
            lambda: msal.ConfidentialClientApplication(
                str(self.client_id),
                client_credential=self.credential.for_msal(),
                authority=f"{self.cloud.authority}/{self.tenant_id}",
                instance_discovery=False,
                azure_region=False,
                # Without it Entra ID sends no refresh token: the portal never acts as the person.
                exclude_scopes=["offline_access"],
                http_client=http,
            )
        )


def issuer_of(cloud: Cloud, tenant_id: UUID) -> str:
    """How a tenant's Entra ID calls itself in ID tokens of the second version."""
    return f"{cloud.authority}/{tenant_id}/v2.0"


class _SignInHttp(MsalHttp):
    """Keeps the ID token for us and gives MSAL nothing of the person."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, deadline=_DEADLINE)
        self.id_token: object = None

    def passed_on(self, answer: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
        """MSAL has to find some token, or it takes the answer for an error."""
        self.id_token = answer.get("id_token")
        return {"token_type": "Bearer", "access_token": "not-kept", "expires_in": 60}
