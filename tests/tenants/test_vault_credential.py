"""The partner credential in Azure Key Vault, as a worker uses it: through settings, to a token, with alarms."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import certifi
import pytest

from defender.errors import CredentialFault
from tenants import credential, tokens
from tenants.models import Alarm
from tests.conftest import as_worker
from tests.defender.loopback import answer
from tests.defender.microsoft import CONTOSO, SECRET, Microsoft
from tests.defender.vaults import ADDRESS, TENANT, Vault, vault_on_loopback

pytestmark = pytest.mark.django_db


@pytest.fixture
def vault(entra: Microsoft, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """The vault holds what Entra ID takes, and this machine's environment signs in there."""
    for name, value in {"TENANT_ID": TENANT, "CLIENT_ID": TENANT, "CLIENT_SECRET": "canary-machine"}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    with vault_on_loopback(tmp_path, monkeypatch) as found:
        found.value = SECRET
        monkeypatch.setattr(certifi, "where", lambda: found.ca)
        settings.ENTRA_CREDENTIAL = {"ENTRA_VAULT_SECRET": ADDRESS}
        tokens.forget_everything()
        yield found


def open_alarms() -> list[tuple[str, str]]:
    return list(Alarm.objects.filter(cleared_at=None).values_list("key", "step"))


def test_a_worker_gets_tokens_with_what_the_vault_holds(vault: Vault, entra: Microsoft) -> None:
    with as_worker():
        assert tokens.source().token(CONTOSO).facts.tenant_id == CONTOSO
        (live,) = tokens.live_credentials()
    assert (live.name, live.every) == ("ENTRA_VAULT_SECRET", 600)


def test_without_the_packages_an_alarm_says_how_to_install_them(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with as_worker(), pytest.raises(CredentialFault, match="packages"):
        tokens.source()
    ((_, step),) = open_alarms()
    assert "requirements-vault.txt" in step


def test_a_vault_that_does_not_answer_is_an_alarm_until_it_does(vault: Vault) -> None:
    now = datetime.now(UTC)
    vault.instead = answer({}, 403)
    with as_worker():
        credential.watch(now=now)
        assert [key for key, _ in open_alarms()] == ["credential-expiry"]
        vault.instead, vault.attributes = None, {"exp": int(now.timestamp()) + 5 * 86400 + 60}
        tokens.forget_everything()  # as after the time for which a fault rests
        assert credential.watch(now=now) == 5
        assert [key for key, _ in open_alarms()] == ["credential-expiry-7"], "the vault knows when it ends"
