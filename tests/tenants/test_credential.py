"""Our own credential: alarms at 30, 14, 7 and 1 days before it ends, and when it cannot be used."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tenants import credential, tasks
from tenants.models import Alarm
from tests.conftest import as_worker
from tests.defender.certificates import self_signed

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def open_keys() -> list[str]:
    return sorted(Alarm.objects.filter(cleared_at=None).values_list("key", flat=True))


def watch(now: datetime = NOW) -> int | None:
    with as_worker():
        return credential.watch(now=now)


@pytest.fixture
def secret(db: None, settings: Any) -> Any:
    """A secret whose end the settings name."""
    settings.ENTRA_CREDENTIAL = {"ENTRA_CLIENT_SECRET": "x" * 40}
    return settings


@pytest.mark.parametrize(
    ("left", "key", "words"),
    [
        (timedelta(days=31), None, ""),
        (timedelta(days=30), "credential-expiry-30", "expires in 30 days"),
        (timedelta(days=14, hours=1), "credential-expiry-30", "expires in 14 days"),
        (timedelta(days=14), "credential-expiry-14", "expires in 14 days"),
        (timedelta(days=7), "credential-expiry-7", "expires in 7 days"),
        (timedelta(days=1, hours=2), "credential-expiry-7", "expires within two days"),
        (timedelta(hours=24), "credential-expiry-1", "expires within two days"),
        (timedelta(minutes=1), "credential-expiry-1", "expires within two days"),
        (timedelta(seconds=-1), "credential-expiry-1", "has expired"),
        (timedelta(days=-400), "credential-expiry-1", "has expired"),
    ],
)
def test_each_stage_has_an_alarm_of_its_own(secret: Any, left: timedelta, key: str | None, words: str) -> None:
    secret.ENTRA_CLIENT_SECRET_EXPIRES = NOW + left
    watch()
    assert open_keys() == ([key] if key else [])
    for alarm in Alarm.objects.filter(cleared_at=None):
        assert words in alarm.sentence
        assert alarm.step


def test_as_time_goes_by_one_alarm_follows_the_other_and_a_new_credential_clears_it(secret: Any) -> None:
    secret.ENTRA_CLIENT_SECRET_EXPIRES = NOW + timedelta(days=40)
    seen = []
    for day in range(45):
        watch(NOW + timedelta(days=day))
        seen += [key for key in open_keys() if key not in seen]
        assert len(open_keys()) <= 1
    assert seen == [f"credential-expiry-{days}" for days in (30, 14, 7, 1)]
    secret.ENTRA_CLIENT_SECRET_EXPIRES = NOW + timedelta(days=700)
    assert watch(NOW + timedelta(days=45)) == 655
    assert open_keys() == []


def test_a_secret_whose_end_nobody_named_is_quiet_and_clears_old_alarms(secret: Any) -> None:
    secret.ENTRA_CLIENT_SECRET_EXPIRES = NOW
    watch()
    secret.ENTRA_CLIENT_SECRET_EXPIRES = None
    assert watch() is None
    assert open_keys() == []


def test_a_certificate_tells_its_end_itself_and_a_broken_one_is_an_alarm(
    db: None, settings: Any, tmp_path: Path
) -> None:
    path = tmp_path / "app.pem"
    settings.ENTRA_CREDENTIAL = {"ENTRA_CLIENT_CERTIFICATE": str(path)}
    watch()
    assert open_keys() == ["credential-expiry"]
    path.write_text("".join(self_signed(last=timedelta(days=5))))
    watch(datetime.now(UTC))
    assert open_keys() == ["credential-expiry-7"]
    path.write_text("".join(self_signed(first=timedelta(days=-5), last=timedelta(days=-1))))
    watch(datetime.now(UTC))
    assert open_keys() == ["credential-expiry"]
    assert "expired on" in Alarm.objects.get(cleared_at=None).sentence
    path.write_text("".join(self_signed(last=timedelta(days=500))))
    with as_worker():
        tasks.watch_credential()
    assert open_keys() == []


def test_a_secret_in_the_environment_of_production_is_shown_until_it_is_gone(secret: Any) -> None:
    secret.IS_PRODUCTION, secret.SECRETS_IN_ENVIRONMENT = True, ["ENTRA_CLIENT_SECRET"]
    watch()
    assert open_keys() == ["secret-in-environment"]
    secret.SECRETS_IN_ENVIRONMENT = []
    watch()
    assert open_keys() == []


def test_of_two_credentials_the_last_to_end_counts(secret: Any, tmp_path: Path) -> None:
    path = tmp_path / "next.pem"
    secret.ENTRA_CLIENT_SECRET_EXPIRES = datetime.now(UTC) + timedelta(days=5)
    secret.ENTRA_NEXT_CREDENTIAL = {"ENTRA_NEXT_CLIENT_CERTIFICATE": str(path)}
    watch(datetime.now(UTC))
    assert open_keys() == ["credential-expiry-7"]
    path.write_text("".join(self_signed(last=timedelta(days=400))))
    watch(datetime.now(UTC))
    assert open_keys() == []
