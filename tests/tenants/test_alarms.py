"""Alarms: a row, a banner, a log line and an e-mail; one open alarm per key, however often it is raised."""

from collections.abc import Callable
from smtplib import SMTPException
from threading import Barrier
from typing import Any

import pytest
from django.core import mail

from tenants import alarms
from tenants.alarms import clear_alarm, open_alarms_for, raise_alarm
from tenants.models import Alarm
from tests.cast import Cast, make_person
from tests.conftest import WebClient, as_worker
from tests.databases import in_threads


@pytest.fixture(autouse=True)
def someone_to_tell(settings: Any) -> None:
    settings.ALARM_EMAIL = "soc@example.com"


def test_an_alarm_is_mailed_and_logged_once_while_it_is_open(
    db: None, django_capture_on_commit_callbacks: Any, written_log: Callable[[], str]
) -> None:
    for sentence in ("The secret is wrong.", "The secret has expired."):
        with django_capture_on_commit_callbacks(execute=True), as_worker():
            raise_alarm(key="credential", sentence=sentence, step="Replace it.")
    [row] = Alarm.objects.all()
    assert row.sentence == "The secret has expired."
    [message] = mail.outbox
    assert message.to == ["soc@example.com"]
    assert "The secret is wrong." in message.subject
    assert "Replace it." in str(message.body)
    assert written_log().count("The secret is wrong.") == 1


def test_a_cleared_alarm_can_be_raised_again(db: None) -> None:
    with as_worker():
        raise_alarm(key="credential", sentence="Wrong.")
        assert clear_alarm(key="credential")
        assert not clear_alarm(key="credential")
        raise_alarm(key="credential", sentence="Wrong again.")
    assert Alarm.objects.filter(cleared_at=None).count() == 1
    assert Alarm.objects.count() == 2


def test_a_long_or_hostile_sentence_is_cut_and_stays_one_subject_line(
    db: None, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        raise_alarm(key="k", sentence="a\r\nBcc: everybody@example.com\n" + "x" * 900)
    assert len(Alarm.objects.get().sentence) == 500
    [message] = mail.outbox
    assert "\n" not in message.subject
    assert "\r" not in message.subject
    assert message.recipients() == ["soc@example.com"]


@pytest.mark.parametrize("failure", [OSError("no route"), SMTPException("refused")])
def test_a_mail_server_that_does_not_answer_stops_nothing(
    db: None, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise failure

    monkeypatch.setattr(alarms, "send_mail", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        raise_alarm(key="k", sentence="Wrong.")
    assert Alarm.objects.count() == 1


def test_staff_see_the_banner_and_nobody_else_does(cast: Cast, client: WebClient) -> None:
    raise_alarm(key="k", sentence="The secret is wrong.", step="Replace it.")
    staff = make_person("ada", is_staff=True)
    assert [alarm.key for alarm in open_alarms_for(staff)] == ["k"]
    assert open_alarms_for(cast.alice) == []
    client.force_login(staff)
    assert "The secret is wrong." in client.get("/tenants/").text
    client.force_login(cast.alice)
    assert "The secret is wrong." not in client.get("/tenants/").text


def test_many_workers_raise_one_alarm(committed: None) -> None:
    ready = Barrier(6)

    def raise_it(_: int) -> int:
        ready.wait(20)
        return raise_alarm(key="credential", sentence="Wrong.").pk

    assert len(set(in_threads(raise_it, 6, role="worker"))) == 1
    assert len(mail.outbox) == 1
