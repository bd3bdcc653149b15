"""The client against the sandbox: the same strings and the same code path as against Microsoft."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from defender.auth import TokenSource, load_credential
from defender.client import DefenderClient
from defender.clouds import Cloud, StandIn, find_cloud
from defender.discovery import resolve_tenant
from defender.errors import ConsentMissing, DefenderError, Forbidden, NotFound, TenantUnknown, Throttled, Transient
from defender.permissions import assess
from defender.transport import Transport
from tests.defender.certificates import self_signed

server = pytest.importorskip("sandbox.server", reason="the sandbox is not there yet")
world_module = pytest.importorskip("sandbox.world")


class Sandbox:
    """A quiet world behind a running server, and our client's parts in front of it."""

    def __init__(self, world: Any, url: str) -> None:
        self.world = world
        self.cloud: Cloud = find_cloud("sandbox", StandIn(login=url, xdr=url, mde=url, graph=url))
        self.transport = Transport(self.cloud, timeout=(2, 10), deadline=20)
        self.tokens = self.source(load_credential(secret=world.registration.secrets[0].value))

    def source(self, credential: object) -> TokenSource:
        client_id = UUID(self.world.registration.client_id)
        return TokenSource(self.cloud, client_id, credential, self.transport)  # type: ignore[arg-type]

    def client(self, name: str, tokens: TokenSource | None = None) -> DefenderClient:
        return DefenderClient(self.cloud, self.transport, self.id_of(name), tokens or self.tokens)

    def id_of(self, name: str) -> UUID:
        return UUID(self.world.tenant(name).tenant_id)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    world = world_module.World(seed=7, pace=0, quotas=False)
    with server.running(world, port=0) as running:
        box = Sandbox(world, running.url)
        yield box
        box.transport.close()


def test_everything_a_tenant_holds_is_read_once(sandbox: Sandbox) -> None:
    pages = list(sandbox.client("contoso").incident_pages(since=None))
    found = [json.loads(item) for page in pages for item in page.items]
    truth = sandbox.world.truth(sandbox.world.tenant("contoso"))
    assert {one["incidentId"]: one for one in found} == truth
    assert len(found) == len(truth)


def test_only_what_changed_since_is_read(sandbox: Sandbox) -> None:
    defender = sandbox.client("fabrikam")
    newest = json.loads(next(defender.incident_pages(since=None, top=1)).items[0])
    again = [
        json.loads(item) for page in defender.incident_pages(since=newest["lastUpdateTime"]) for item in page.items
    ]
    assert newest in again
    assert all(one["lastUpdateTime"] >= newest["lastUpdateTime"] for one in again)


def test_an_incident_is_read_changed_and_missed(sandbox: Sandbox) -> None:
    defender = sandbox.client("contoso")
    number = min(sandbox.world.truth(sandbox.world.tenant("contoso")))
    defender.probe()
    assert json.loads(defender.incident(number))["incidentId"] == number
    changed = json.loads(defender.update_incident(number, {"assignedTo": "alice@partner.example"}))
    assert changed["assignedTo"] == "alice@partner.example"
    with pytest.raises(NotFound):
        defender.incident(10**9)


def test_a_domain_leads_to_the_tenant(sandbox: Sandbox) -> None:
    assert resolve_tenant("contoso.example", sandbox.cloud, sandbox.transport).tenant_id == sandbox.id_of("contoso")
    with pytest.raises(TenantUnknown):
        resolve_tenant("nobody.example", sandbox.cloud, sandbox.transport)


def test_a_tenant_waits_for_consent_gets_it_and_loses_it(sandbox: Sandbox) -> None:
    tenant = sandbox.world.tenant("Coho Vineyard")
    defender = sandbox.client("Coho Vineyard")
    with pytest.raises(ConsentMissing):
        defender.probe()
    sandbox.world.approve(tenant)
    defender.probe()
    facts = sandbox.tokens.token(sandbox.id_of("Coho Vineyard")).facts
    assert [fact.state for fact in assess(facts.roles, ["sync_incidents", "triage"])] == ["present", "present"]
    sandbox.world.revoke(tenant)
    with pytest.raises(ConsentMissing):
        sandbox.tokens.token(sandbox.id_of("Coho Vineyard"), fresh=True)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Graphic Design Institute", Forbidden),
        ("Margie's Travel", ConsentMissing),
        ("School of Fine Art", DefenderError),
    ],
)
def test_each_state_of_a_tenant_is_an_error_of_its_own(sandbox: Sandbox, name: str, error: type[DefenderError]) -> None:
    with pytest.raises(error) as caught:
        sandbox.client(name).probe()
    assert caught.value.sentence
    assert caught.value.who != "us"


def test_a_certificate_opens_the_same_door(sandbox: Sandbox, tmp_path: Path) -> None:
    key, certificate = self_signed()
    (tmp_path / "app.pem").write_text(key + certificate)
    sandbox.world.register_certificate(certificate)
    tokens = sandbox.source(load_credential(certificate=tmp_path / "app.pem"))
    sandbox.client("contoso", tokens).probe()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("throttle", Throttled),
        ("html", Transient),
        ("empty", Transient),
        ("error_object", DefenderError),
        ("cut", Transient),
        ("wrong_tenant_token", DefenderError),
        ("secret_expired", DefenderError),
        ("discovery_down", Transient),
    ],
)
def test_each_fault_ends_as_one_of_our_errors_and_passes(
    sandbox: Sandbox, kind: str, error: type[DefenderError]
) -> None:
    sandbox.world.faults.add(None, {"kind": kind})
    with pytest.raises(error):
        sandbox.client("contoso").probe()
    sandbox.world.faults.clear()
    sandbox.client("contoso").probe()
