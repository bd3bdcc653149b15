"""``manage.py check_credential``, and S1: a secret is replaced at Entra ID while tenants are read."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from sandbox.world import World
from tenants import tokens
from tenants.models import Alarm, SyncRun, Tenant
from tests.conftest import as_worker
from tests.incidents.synced import cloud, ours, state_of, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    with cloud(World(seed=7, tenants=["Contoso", "Fabrikam"], incidents=(30, 30), quotas=False), settings) as world:
        yield world


def check(*words: str) -> tuple[int, list[str]]:
    out = io.StringIO()
    with as_worker():
        try:
            call_command("check_credential", *words, stdout=out)
        except SystemExit as ended:
            return int(ended.code or 0), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def test_it_says_of_each_live_credential_whether_it_works(world: World, settings: Any) -> None:
    ours(world.tenant("Contoso"))
    assert check() == (0, ["ENTRA_CLIENT_SECRET (secret): works."])
    settings.ENTRA_NEXT_CREDENTIAL = {"ENTRA_NEXT_CLIENT_SECRET": "canary-not-added-there-yet"}
    status, (refused, works) = check("--tenant", "contoso")
    assert status == 1
    assert refused.startswith("ENTRA_NEXT_CLIENT_SECRET: refused (AADSTS7000215). ")
    assert works == "ENTRA_CLIENT_SECRET (secret): works."
    assert "canary" not in refused


def test_without_any_tenant_there_is_nobody_to_ask(world: World) -> None:
    with pytest.raises(CommandError, match="No tenant is connected"):
        check()
    with pytest.raises(CommandError, match="No such tenant"):
        check("--tenant", "nobody")


def test_s1_a_secret_is_replaced_while_tenants_are_read(world: World, settings: Any, tmp_path: Path) -> None:
    both: list[Tenant] = [ours(world.tenant("Contoso")), ours(world.tenant("Fabrikam"))]
    path = tmp_path / "next_secret"
    settings.ENTRA_NEXT_CREDENTIAL = {"ENTRA_NEXT_CLIENT_SECRET": "", "ENTRA_NEXT_CLIENT_SECRET_FILE": str(path)}
    tokens.forget_everything()
    read(both)
    assert open_keys() == ["credential-refused-ENTRA_NEXT_CLIENT_SECRET"], "it is not there yet, and the old one works"
    path.write_text(world.registration.rotate_secret(value="the-new-secret", expire_old=False))
    tokens.forget_everything()  # as after the seconds within which a file is looked at again
    read(both)
    assert open_keys() == []
    for known in world.registration.secrets:
        known.expired = known.value != "the-new-secret"
    tokens.forget_everything()
    read(both)
    settings.ENTRA_CREDENTIAL = {}
    tokens.forget_everything()
    read(both)


def read(tenants: list[Tenant]) -> None:
    """Each one's pass ends well."""
    for tenant in tenants:
        assert sync(tenant).ended == SyncRun.Ended.COMPLETE
        assert state_of(tenant).failures == 0


def open_keys() -> list[str]:
    return sorted(Alarm.objects.filter(cleared_at=None).values_list("key", flat=True))
