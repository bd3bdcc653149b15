"""The two commands: one link on standard output, sentences for people, and an exit status for scripts."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit.record import COMMAND_LINE
from tenants import consent, scope
from tenants.models import ConsentRequest, Customer, Tenant, TenantState
from tests.conftest import as_worker
from tests.defender.loopback import Asked, answer
from tests.defender.microsoft import CONTOSO, PARTNER_APP, ROLES, SECRET, Microsoft, discovery, oauth_error
from tests.tenants.arranged import again, audited, invited, now, prove

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"http://localhost:8000/connect/[\w-]{43}/")


def run(*words: str) -> tuple[int, str, str]:
    """A command in this process, as the worker's database role: exit status, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with as_worker():
        try:
            call_command(*words, stdout=out, stderr=err)
        except SystemExit as ended:
            return int(ended.code or 0), out.getvalue(), err.getvalue()
        except CommandError as sentence:
            return sentence.returncode, out.getvalue(), f"{err.getvalue()}{sentence}"
    return 0, out.getvalue(), err.getvalue()


def run_process(entra: Microsoft, *words: str) -> subprocess.CompletedProcess[str]:
    """A command as somebody would type it."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ENTRA_", "SANDBOX_", "PORTAL_"))}
    stand_ins = {f"SANDBOX_{part}_URL": entra.server.url for part in ("LOGIN", "XDR", "MDE", "GRAPH")}
    env = {
        **kept, **stand_ins, "PORTAL_ENV": "test", "MICROSOFT_CLOUD": "sandbox", "ENTRA_CLIENT_ID": str(PARTNER_APP),
        "ENTRA_CLIENT_SECRET": SECRET, "DATABASE_URL": urlunsplit(database),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=env,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_connect_prints_one_link_and_says_the_rest_beside_it(db: None, entra: Microsoft) -> None:
    status, out, err = run("connect_tenant", str(CONTOSO), "--name", "Contoso")
    assert (status, bool(LINK.fullmatch(out.strip()))) == (0, True)
    assert f"Contoso: tenant {CONTOSO}, invited." in err
    assert [row.actor for row in audited("make connect link")] == ["command line"]


@pytest.mark.parametrize(
    ("arrange", "words", "sentence"),
    [
        (None, ("contoso", "--name", "Contoso"), "neither a tenant id nor a domain"),
        (None, ("common", "--name", "Contoso"), "stands for any tenant"),
        (None, (str(CONTOSO), "--name", " "), "Enter the customer's name."),
        (oauth_error(90002, "invalid_tenant"), (str(CONTOSO), "--name", "Contoso"), "tenant"),
        (answer(b"<html>", 200, Content_Type="text/html"), (str(CONTOSO), "--name", "Contoso"), "Entra ID"),
    ],
    ids=["domain", "common", "name", "unknown", "html"],
)
def test_connect_refuses_with_a_sentence_and_writes_nothing(
    db: None, entra: Microsoft, arrange: Any, words: tuple[str, ...], sentence: str
) -> None:
    if arrange:
        entra.on_discovery = lambda asked: arrange
    status, out, err = run("connect_tenant", *words)
    assert (status, out) == (1, "")
    assert sentence in err
    assert "Traceback" not in err
    with scope.operations():
        assert (Tenant.objects.count(), Customer.objects.count()) == (0, 0)


def test_connect_refuses_a_tenant_of_another_customer_c2(db: None, entra: Microsoft) -> None:
    run("connect_tenant", str(CONTOSO), "--name", "Contoso")
    status, out, err = run("connect_tenant", str(CONTOSO), "--name", "Fabrikam")
    assert (status, out) == (1, "")
    assert "already belongs to the customer Contoso" in err
    with scope.operations():
        assert ConsentRequest.objects.count() == 1


@pytest.mark.parametrize("by", ["id", "slug", "domain"])
def test_verify_connects_and_says_so(db: None, entra: Microsoft, by: str) -> None:
    tenant = invited(domain="contoso.com")
    typed = {"id": str(tenant.entra_id).upper(), "slug": "Contoso", "domain": "contoso.com"}[by]
    status, out, _ = run("verify_tenant", typed)
    assert status == 0
    assert "Contoso" in out
    assert "Connected. Incidents are read." in out
    assert f"Roles in the token: {', '.join(sorted(ROLES))}" in out
    assert again(tenant).state == TenantState.CONNECTED
    assert [row.actor for row in audited("connection state")] == ["command line"]


def asked_tenant(asked: Asked) -> str:
    """The tenant whose token endpoint is asked."""
    return asked.path.split("/")[1]


def bent(**bends: Any) -> Callable[[Microsoft], None]:
    """Microsoft answers otherwise."""

    def bend(entra: Microsoft) -> None:
        for name, reply in bends.items():
            setattr(entra, name, lambda asked, reply=reply: reply(entra, asked) if callable(reply) else reply)

    return bend


@pytest.mark.parametrize(
    ("bend", "sentences"),
    [
        (bent(on_token=oauth_error(700016, "unauthorized_client")), ["Invited", "Next: Send the connect link"]),
        (
            bent(on_token=lambda entra, asked: entra.issue(asked_tenant(asked), roles=[])),
            ["waiting for roles", "Incident.Read.All", "Roles in the token: none", "Next: "],
        ),
        (
            bent(on_token=lambda entra, asked: entra.issue(asked_tenant(asked), roles=[*ROLES, "Extra"])),
            ["Review", "Extra", "Next: "],
        ),
        (bent(on_token=lambda entra, asked: entra.issue(str(CONTOSO))), ["names something else", "Invited"]),
        (bent(on_token=oauth_error(7000215, "invalid_client", 401)), ["Invited", "Reference for a support case: 1111"]),
        (bent(on_token=oauth_error(7000222, "invalid_client", 401)), ["expired"]),
        (bent(on_api=answer(b"<html>", 200, Content_Type="text/html")), ["Invited"]),
        (bent(on_api=answer(b'{"value": [{"inc')), ["Invited"]),
    ],
    ids=["no consent", "no roles", "more roles", "other tenant", "wrong secret", "expired secret", "html", "half"],
)
def test_verify_says_what_is_missing_and_ends_with_one(
    db: None, entra: Microsoft, bend: Callable[[Microsoft], None], sentences: list[str]
) -> None:
    tenant = invited()
    bend(entra)
    status, out, _ = run("verify_tenant", str(tenant.entra_id))
    assert status == 1
    for sentence in sentences:
        assert sentence in out
    assert SECRET not in out
    assert again(tenant).state_detail


def test_verify_tells_a_passing_trouble_of_a_connected_tenant_from_its_loss(db: None, entra: Microsoft) -> None:
    tenant = prove(invited())
    entra.on_api = lambda asked: answer({}, 503)
    status, out, _ = run("verify_tenant", "contoso")
    assert (status, again(tenant).state) == (1, TenantState.CONNECTED)
    assert "Not proved now, so it stays as it was (connected)." in out
    assert "Incidents are read." not in out
    entra.on_token = lambda asked: oauth_error(7000229, "invalid_client", 401)
    status, out, _ = run("verify_tenant", "contoso")
    assert (status, again(tenant).state) == (1, TenantState.CONSENT_LOST)
    assert "Next: Ask the customer" in out


@pytest.mark.parametrize("typed", ["nobody", str(CONTOSO), "nobody.example", ""])
def test_verify_proves_only_what_was_named_before(db: None, entra: Microsoft, typed: str) -> None:
    status, out, err = run("verify_tenant", typed)
    assert (status, out) == (2, "")
    assert "Name it first" in err
    assert not entra.server.asked


def test_verify_leaves_a_disconnected_tenant_alone(db: None, entra: Microsoft) -> None:
    tenant = invited()
    with scope.operations():
        consent.disconnect(tenant=tenant, by=COMMAND_LINE, now=now())
    status, _, err = run("verify_tenant", "contoso")
    assert (status, "disconnected this tenant" in err) == (1, True)
    assert not entra.token_calls


def test_both_commands_work_as_processes_from_naming_to_connected(committed: None, entra: Microsoft) -> None:
    entra.on_discovery = lambda asked: answer(discovery(str(CONTOSO)))
    named = run_process(entra, "connect_tenant", "contoso.com", "--name", "Contoso")
    assert (named.returncode, bool(LINK.fullmatch(named.stdout.strip()))) == (0, True), named.stderr
    again_as_other = run_process(entra, "connect_tenant", "contoso.com", "--name", "Fabrikam")
    assert again_as_other.returncode == 1
    assert "already belongs to the customer Contoso" in again_as_other.stderr
    assert "Traceback" not in again_as_other.stderr
    assert LINK.search(named.stderr) is None
    verified = run_process(entra, "verify_tenant", "contoso.com")
    assert (verified.returncode, "Connected." in verified.stdout) == (0, True), verified.stderr
    unknown = run_process(entra, "verify_tenant", "fabrikam.example")
    assert unknown.returncode == 2
    assert SECRET not in "".join(run.stdout + run.stderr for run in (named, again_as_other, verified, unknown))
