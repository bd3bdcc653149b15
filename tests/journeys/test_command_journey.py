"""A tenant is connected and read from the command line alone, as a script would do it."""

import subprocess
import sys

from demo.stack import ROOT, Stack
from tests.journeys.portal_under_test import Sandbox
from tests.journeys.test_live_journey import exported


def manage(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, env=stack.env("worker"), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_tenant_is_named_approved_in_the_sandbox_proved_and_read_by_four_commands(
    stack: Stack, sandbox: Sandbox
) -> None:
    row = next(row for row in sandbox.tenants() if row["name"] == "Margie's Travel")
    assert row["state"] == "revoked"
    named = manage(stack, "connect_tenant", row["domain"], "--name", row["name"], "--sandbox-approve")
    assert named.returncode == 0, named.stderr
    assert named.stdout.startswith(f"{stack.url}/connect/") and len(named.stdout.splitlines()) == 1
    proved = manage(stack, "verify_tenant", row["id"])
    assert (proved.returncode, "Connected." in proved.stdout) == (0, True), proved.stdout + proved.stderr
    read = manage(stack, "sync_now", "--tenant", row["id"])
    assert read.returncode == 0, read.stdout + read.stderr
    truth = sandbox.get(f"tenants/{row['id']}/truth")["incidents"]
    assert {r["incident_id"] for r in exported(stack, row["id"])} == {t["raw"]["incidentId"] for t in truth}
