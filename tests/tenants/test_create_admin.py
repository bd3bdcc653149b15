"""``create_admin``: the first person, with a password nobody else has seen."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from accounts.models import User
from audit.models import AuditEvent
from tenants.models import Membership
from tests.cast import PASSWORD, make_person, make_tenant
from tests.conftest import as_worker


def create(*words: str) -> str:
    """The command, as the worker's database role; returns what it printed."""
    out = io.StringIO()
    with as_worker():
        call_command("create_admin", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def written(text: str) -> str:
        (tmp_path / "password").write_text(text)
        return str(tmp_path / "password")

    return written


def test_a_generated_password_is_printed_once_and_works(db: None) -> None:
    printed = create("--generate", "--username", "ada", "--name", "Ada")
    [password] = [line.partition(": ")[2] for line in printed.splitlines() if line.startswith("Password")]
    ada = User.objects.get(username="ada")
    assert (ada.is_staff, ada.is_active, ada.display_name) == (True, True, "Ada")
    assert ada.check_password(password)
    assert len(password) >= 24
    row = AuditEvent.objects.get(action="create admin")
    assert (row.actor, row.action, row.subject) == ("command line", "create admin", "ada")
    assert password not in str(list(AuditEvent.objects.values()))


def test_a_password_from_a_file_is_its_first_line_and_is_not_printed(db: None, file: Callable[[str], str]) -> None:
    printed = create("--password-file", file(f"{PASSWORD}\nsomething else\n"))
    assert User.objects.get(username="admin").check_password(PASSWORD)
    assert PASSWORD not in printed


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short", "too short"),
        ("1q2w3e4r5t6y7u8i9o0p", "too common"),
        ("contoso-administrator", "too similar"),
        ("", "cannot be read or is empty"),
    ],
)
def test_a_weak_password_is_refused_and_nobody_is_made(
    db: None, file: Callable[[str], str], password: str, sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        create("--username", "contoso-administrator", "--password-file", file(password))
    assert not User.objects.exists()


def test_a_file_that_is_not_there_is_a_sentence(db: None) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        create("--password-file", "/nowhere/password")


def test_without_a_terminal_it_asks_for_nothing(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CommandError, match="No terminal"):
        create()


def test_an_account_that_exists_is_staff_again_with_the_new_password(db: None) -> None:
    dora = make_person("dora")
    User.objects.filter(pk=dora.pk).update(is_active=False)
    create("--generate", "--username", "dora")
    dora.refresh_from_db()
    assert (dora.is_staff, dora.is_active, dora.check_password(PASSWORD)) == (True, True, False)
    assert User.objects.count() == 1


def test_no_audit_means_no_account(db: None, audit_fails: Callable[[], Any]) -> None:
    with audit_fails(), pytest.raises(DatabaseError):
        create("--generate")
    assert not User.objects.exists()


def test_the_first_admin_reads_every_tenant_also_later_ones_unless_told_otherwise(db: None) -> None:
    make_tenant("Contoso")
    create("--generate", "--username", "ada")
    create("--generate", "--username", "ada")
    create("--generate", "--username", "eve", "--no-tenants")
    make_tenant("Fabrikam")
    rows = Membership.objects.values_list("user__username", "tenant__name", "role")
    assert set(rows) == {("ada", "Contoso", "analyst"), ("ada", "Fabrikam", "analyst")}
    assert AuditEvent.objects.filter(action="grant role").count() == 1
