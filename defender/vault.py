"""The partner credential out of Azure Key Vault, by Microsoft's own SDK.

Contract. One secret of one vault is read, over https, at a host that `defender.vault_address` lets through. Redirects
are not followed and nothing is tried twice: whoever wants the credential comes again. After `DEADLINE` seconds
nothing is read and no further request begins, those for a token of this machine included; a connect that has begun
may take its three seconds. For `FAULT_RESTS` seconds after a failed read the same fault is told without asking again.
Certificates are always checked; `.netrc` and `REQUESTS_CA_BUNDLE` change nothing, proxy settings of the environment
hold. The value is in no error, log or `repr`: errors name what happened and never repeat what the SDK said.

The SDK is optional (requirements-vault.txt) and imported at the first read only. Its DefaultAzureCredential asks what a
server has: variables of the environment, a workload identity, a managed identity. What it would ask on a developer's
machine (command line tools, editors, caches on disk) is left out.
"""

import base64
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import certifi
import requests
import urllib3
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates
from requests.utils import get_environ_proxies

from defender.credentials import ClientSecret, Credential, NeverWrittenDown, certificate_in
from defender.deadline import DeadlineAdapter, is_over, within
from defender.errors import CredentialFault
from defender.vault_address import VaultAddress

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.keyvault.secrets import KeyVaultSecret, SecretClient

# Seconds, all ours. A vault answers within a second, and waiting tenants wait with us.
READ_EVERY: Final = 600.0
CONNECT_AND_READ: Final = (3.0, 5.0)
DEADLINE: Final = 10.0
FAULT_RESTS: Final = 30.0
# What Key Vault says of a certificate that it exports with its key. Microsoft's.
PKCS12: Final = "application/x-pkcs12"
_PEM_MARK: Final = "-----BEGIN "
# Of what DefaultAzureCredential would ask: needs a person who has signed in on this machine.
_OF_PEOPLE: Final = ("shared_token_cache", "visual_studio_code", "cli", "developer_cli", "powershell", "broker")
_INSTALL: Final = "Install them with `python -m pip install --require-hashes -r requirements-vault.txt`, then restart."
_CORRECT: Final = "Put a whole credential into the vault as a new version of the secret; it is read again by itself."
_BY_STATUS: Final = {
    401: ("vault-sign-in", "no identity of this machine was accepted", "Check its managed or workload identity."),
    403: (
        "vault-forbidden",
        "the identity of this machine may not read it, or the secret is switched off",
        "Give it the role Key Vault Secrets User on this secret, and look at the vault's firewall.",
    ),
    404: ("vault-not-found", "there is no such secret", "Correct ENTRA_VAULT_SECRET, then restart."),
}


class VaultSecret(NeverWrittenDown):
    """One secret of a vault, read anew at each `load`. Safe for many threads, which wait for one another.

    `identity` stands for DefaultAzureCredential; `ca_bundle` is a path to the certificates to trust instead of the ones
    shipped with certifi; `deadline` is in seconds.
    """

    def __init__(
        self,
        address: VaultAddress,
        *,
        identity: "TokenCredential | None" = None,
        ca_bundle: str | None = None,
        deadline: float = DEADLINE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self._identity, self._verify = identity, ca_bundle or certifi.where()
        self._deadline, self._clock = deadline, clock
        self._lock = threading.Lock()
        self._client: SecretClient | None = None
        self._fault: CredentialFault | None = None
        self._rests_until = 0.0

    @property
    def where(self) -> str:
        """For sentences: which secret, of which vault."""
        return f"the secret {self.address.name} of {self.address.host}"

    def load(self) -> Credential:
        """What the vault holds now. Raises CredentialFault with a sentence and a step."""
        with self._lock:
            began = self._clock()
            if self._fault is not None and began < self._rests_until:
                raise self._fault
            try:
                credential = self._read()
            except CredentialFault as fault:
                self._fault, self._rests_until = fault, began + FAULT_RESTS
                raise
            self._fault = None
            return credential

    def _read(self) -> Credential:
        found = self._ask()
        ends = found.properties.expires_on
        if not isinstance(ends, datetime | None):  # the SDK passes on what it cannot read
            raise self._told(200)
        try:
            return credential_in(
                found.value or "",
                content_type=found.properties.content_type or "",
                where=self.where,
                expires_at=ends,
            )
        except CredentialFault as fault:
            failure = CredentialFault(fault.sentence, step=_CORRECT, code=fault.code)
        raise failure

    def _ask(self) -> "KeyVaultSecret":
        try:
            from azure.core.exceptions import AzureError, ClientAuthenticationError
        except ImportError:
            raise _missing() from None
        try:
            if self._client is None:
                self._client = _client(self.address, self._identity, self._verify)
            with within(self._deadline):
                return self._client.get_secret(self.address.name, self.address.version)
        except ClientAuthenticationError:
            failure = self._told(401)
        except (AzureError, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failure = self._told(getattr(error, "status_code", None))
        except (ValueError, TypeError, LookupError, AttributeError):  # of the SDK, about a challenge or an answer
            failure = self._told(200)
        raise failure

    def _told(self, status: int | None) -> CredentialFault:
        if status == 200:
            return _fault("vault-unreadable", f"What came back for {self.where} is not what a vault answers.")
        if status is None:
            return _fault("vault-unreachable", f"There was no answer about {self.where}.")
        if status not in _BY_STATUS:
            return _fault(f"vault-{status}", f"The question for {self.where} was answered with status {status}.")
        code, why, step = _BY_STATUS[status]
        return CredentialFault(f"There is no reading {self.where}: {why}.", step=step, code=code)


def credential_in(
    value: str, *, content_type: str, where: str, expires_at: datetime | None = None, now: datetime | None = None
) -> Credential:
    """The credential that a secret's value is. Raises CredentialFault, which never repeats any of the value.

    PKCS#12 in base64 (by its content type) and PEM are a certificate with its key; any other text is a client secret,
    which ends when the vault says that the secret does.
    """
    moment = now or datetime.now(UTC)
    if content_type.partition(";")[0].strip().lower() == PKCS12:
        return certificate_in(where, _pem_of(value, where), now=moment)
    if _PEM_MARK in value:
        return certificate_in(where, value.encode(), now=moment)
    if not value.strip():
        raise CredentialFault(f"There is nothing in {where}.", step=_CORRECT, code="secret-empty")
    return ClientSecret(value.strip(), expires_at=expires_at)


def _pem_of(value: str, where: str) -> bytes:
    """Key and certificate of a PKCS#12 container without password, which is how Key Vault gives them."""
    try:
        packed = base64.b64decode("".join(value.split()), validate=True)
        key, certificate, _ = load_key_and_certificates(packed, None)
        if key is not None and certificate is not None:
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return private + certificate.public_bytes(Encoding.PEM)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise CredentialFault(
        f"There is no PKCS#12 with a key, a certificate and no password in {where}.",
        step=_CORRECT,
        code="pkcs12-unreadable",
    )


class _Session(requests.Session):
    """Of the environment only the proxies count; time limits of `defender.deadline` hold for every read."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        for scheme in ("https://", "http://"):  # a managed identity is asked for on this machine, over http
            self.mount(scheme, DeadlineAdapter())

    def send(self, request: requests.PreparedRequest, **rest: Any) -> requests.Response:
        if is_over():
            raise requests.exceptions.ConnectTimeout("The time for this call is over.")
        return super().send(request, **rest)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        chosen = {**get_environ_proxies(url), **(proxies or {})}
        return super().merge_environment_settings(url, chosen, stream, verify, cert)


def _client(address: VaultAddress, identity: "TokenCredential | None", verify: str) -> "SecretClient":
    try:
        from azure.core.pipeline.transport import RequestsTransport
        from azure.identity import DefaultAzureCredential
        from azure.keyvault.secrets import SecretClient
    except ImportError:
        raise _missing() from None
    connect, read = CONNECT_AND_READ
    transport = RequestsTransport(
        session=_Session(),
        session_owner=False,
        connection_timeout=connect,
        read_timeout=read,
        connection_verify=verify,
    )
    # Retries would wait as long as an answer says; bodies are never logged, whatever the level.
    bounds: dict[str, Any] = {"transport": transport, "retry_total": 0, "logging_enable": False}
    if identity is None:
        left_out = {f"exclude_{name}_credential": True for name in _OF_PEOPLE}
        identity = DefaultAzureCredential(authority=address.authority, **left_out, **bounds)
    return SecretClient(address.vault_url, identity, permit_redirects=False, **bounds)


def _missing() -> CredentialFault:
    return CredentialFault(
        "ENTRA_VAULT_SECRET is set, but the packages that read Azure Key Vault are not installed.",
        step=_INSTALL,
        code="vault-packages",
    )


def _fault(code: str, sentence: str) -> CredentialFault:
    return CredentialFault(sentence, step="Look at the vault in the Azure portal; it is asked again soon.", code=code)
