"""Tokens of this process: one source for all tenants, in memory only; the facts of a token in the database.

The source is built on first use from the credential that settings name. Only workers and the command line have one.
"""

import threading
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from django.conf import settings

from defender.auth import AccessToken, TokenSource
from defender.clouds import XDR, Cloud, Resource, StandIn, find_cloud
from defender.credentials import Credential, load_credential, read_secret
from defender.errors import CredentialFault
from defender.permissions import RoleFact, assess
from defender.rotation import Live, Rotation
from defender.transport import DEADLINE, Transport
from defender.vault import READ_EVERY, VaultSecret
from defender.vault_address import VaultAddress
from tenants import breaker, stop
from tenants.alarms import clear_alarm, raise_alarm
from tenants.models import Tenant, TokenFacts

_building = threading.Lock()
LEASE_SHARE = 0.8  # of a lease: what is left is for storing the page


@cache
def cloud() -> Cloud:
    """The Microsoft cloud that settings name."""
    stand_in = StandIn(**settings.SANDBOX_URLS) if settings.IS_SANDBOX else None
    return find_cloud(settings.MICROSOFT_CLOUD, stand_in)


@cache
def transport() -> Transport:
    """One pool of connections per process. No call may outlast the lease under which a pass makes it."""
    deadline = min(DEADLINE, LEASE_SHARE * settings.SYNC_LEASE.total_seconds())
    return Transport(cloud(), pool_size=settings.MICROSOFT_POOL_SIZE, deadline=deadline, gate=stop.refuse_while_stopped)


def source() -> TokenSource:
    """The process's token source. Raises CredentialFault where the credential cannot be used."""
    try:
        with _building:
            return _source()
    except CredentialFault as fault:
        # Nobody was asked, so this is no refusal for others to heed: another worker's credential may be whole.
        raise_alarm(key=breaker.KEY, sentence=fault.sentence, step=fault.step)
        raise


@cache
def _source() -> TokenSource:
    rotation = Rotation(live_credentials(), on_refused=_refused, on_accepted=_accepted)
    rotation.candidates()  # a credential that nobody can read is told now and not at the first tenant
    return TokenSource(cloud(), settings.ENTRA_CLIENT_ID, rotation, transport(), guard=breaker.guard)


def live_credentials() -> list[Live]:
    """The partner credentials that settings name, newest first; each is loaded when it is wanted."""
    return [_live(chosen) for chosen in (settings.ENTRA_NEXT_CREDENTIAL, settings.ENTRA_CREDENTIAL) if chosen]


def _live(chosen: dict[str, str]) -> Live:
    name = next(iter(chosen))
    if name == "ENTRA_VAULT_SECRET":
        return Live(name, _vault(chosen[name]).load, every=READ_EVERY)
    file = chosen.get(f"{name}_FILE", chosen[name] if name.endswith("_CERTIFICATE") else "")
    return Live(name, partial(_load, name, chosen[name], file), Path(file) if file else None)


@cache
def _vault(address: str) -> VaultSecret:
    """One per process, so that the token for the vault is kept between two reads."""
    return VaultSecret(VaultAddress.parse(address))


def _load(name: str, value: str, file: str) -> Credential:
    """Raises CredentialFault with a sentence where it cannot be used."""
    if name.endswith("_CLIENT_CERTIFICATE"):
        return load_credential(certificate=Path(value))
    if name.endswith("_FEDERATED_TOKEN_FILE"):
        return load_credential(federated_token=Path(value))
    return load_credential(secret=read_secret(Path(file)) if file else value)


def _refused(name: str, fault: CredentialFault) -> None:
    """One of two is refused while the other works: people have time, but should know."""
    if settings.ENTRA_NEXT_CREDENTIAL:
        raise_alarm(key=f"credential-refused-{name}", sentence=f"{name}: {fault.sentence}", step=fault.step)


def _accepted(name: str) -> None:
    clear_alarm(key=f"credential-refused-{name}")


def forget_everything() -> None:
    """Drop pool, source and tokens: after a change of credential, and between tests."""
    for kept in (_source, _vault, transport, cloud):
        kept.cache_clear()


def keep_facts(*, tenant: Tenant, resource: Resource, token: AccessToken, now: datetime, proven: bool) -> None:
    """Store what the token says about itself, never the token."""
    facts = token.facts
    values = {
        "readable": facts.readable,
        "audience": (facts.audience or "")[:300],
        "issuer": (facts.issuer or "")[:300],
        "token_tenant": str(facts.tenant_id or "")[:100],
        "app_id": str(facts.app_id or "")[:100],
        "roles": [str(role)[:200] for role in facts.roles][:200],
        "issued_at": facts.issued_at,
        "expires_at": facts.expires_at or token.expires_at,
        "obtained_at": now,
    }
    if proven:
        values["proven_at"] = now
    TokenFacts.objects.update_or_create(tenant=tenant, resource=resource.key, defaults=values)


def role_facts(roles: list[str]) -> list[RoleFact]:
    """Roles of an XDR token against what the portal asks for: present, missing, or more than asked."""
    return assess(roles, settings.ASKED_CAPABILITIES, resource=XDR)
