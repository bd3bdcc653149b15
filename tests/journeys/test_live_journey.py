"""What happens at Microsoft shows by itself, and what is exported is what Microsoft has."""

import json
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from demo.stack import ROOT, Stack
from tests.journeys.portal_under_test import Sandbox, eventually
from tests.journeys.steps import sign_in

# One poll of the portal (3 s here) and one of the page (5 s), with room for a busy machine.
ONE_CYCLE = 30_000


def exported(stack: Stack, tenant: str | None = None) -> list[dict[str, object]]:
    """What ``export_incidents`` prints, as objects."""
    arguments = ["--tenant", tenant] if tenant else []
    done = subprocess.run(
        [sys.executable, "manage.py", "export_incidents", *arguments],
        env=stack.env("worker"),
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=120,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def sound(sandbox: Sandbox) -> list[dict[str, object]]:
    """Connected tenants without a fault switched on."""
    return [row for row in sandbox.tenants() if row["state"] == "connected" and not row.get("faults")]


@pytest.mark.browser
def test_a_new_incident_appears_on_an_open_queue_within_one_poll_cycle_without_a_reload(
    page: Page, stack: Stack, sandbox: Sandbox
) -> None:
    sign_in(page, "admin")
    page.evaluate("window.neverReloaded = true")
    row = sound(sandbox)[0]
    eventually(lambda: exported(stack, str(row["id"])), seconds=90, every=1)
    sandbox.post(f"tenants/{row['id']}/incidents", {"incidentName": "Beacon seen at the harbour"})
    expect(page.locator("main")).to_contain_text("Beacon seen at the harbour", timeout=ONE_CYCLE)
    assert page.evaluate("window.neverReloaded") is True


@pytest.mark.short
def test_after_a_quiet_cycle_the_export_equals_the_truth_of_every_sound_tenant(stack: Stack, sandbox: Sandbox) -> None:
    tenants = sound(sandbox)
    assert len(tenants) >= 10

    def difference() -> str:
        rows = exported(stack)
        for tenant in tenants:
            truth = sandbox.get(f"tenants/{tenant['id']}/truth")["incidents"]
            wanted = {(item["raw"]["incidentId"], item["raw"]["lastUpdateTime"]) for item in truth}
            ours = {(r["incident_id"], r["last_update_time"]) for r in rows if r["tenant_id"] == tenant["id"]}
            if wanted != ours:
                return f"{tenant['name']}: {len(wanted - ours)} missing or old, {len(ours - wanted)} not there"
        return ""

    eventually(lambda: difference() == "" or None, seconds=90, every=2)
    assert difference() == ""


def test_what_is_exported_as_raw_is_what_microsoft_sent(stack: Stack, sandbox: Sandbox) -> None:
    tenant = sound(sandbox)[1]
    rows = eventually(lambda: exported(stack, str(tenant["id"])), seconds=90, every=1)
    truth = {i["raw"]["incidentId"]: i["raw"] for i in sandbox.get(f"tenants/{tenant['id']}/truth")["incidents"]}
    assert {row["incident_id"]: row["raw"] for row in rows} == truth
