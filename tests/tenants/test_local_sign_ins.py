"""Every use of a local account is told to staff, by a worker, once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from audit.models import AuditEvent
from tenants import local_sign_ins, tasks
from tenants.models import Alarm
from tests.accounts.codes import code_of, set_up
from tests.cast import PASSWORD, make_person
from tests.conftest import WebClient, as_worker


@pytest.fixture
def ada(db: None, settings: Settings) -> User:
    settings.LOCAL_SECOND_FACTOR = True
    settings.ALARM_EMAIL = "soc@portal.test"
    ada = make_person("ada", is_staff=True)
    set_up(ada)
    return ada


def come_in(steps: int = 0) -> WebClient:
    client = WebClient()
    client.post("/sign-in/", {"username": "ada", "password": PASSWORD}, REMOTE_ADDR="198.51.100.7")
    code = code_of(User.objects.get(username="ada"), steps=steps)
    assert client.post("/sign-in/code/", {"code": code}, REMOTE_ADDR="198.51.100.7").status_code == 302
    return client


def test_each_use_raises_an_alarm_of_its_own_and_one_mail(ada: User, django_capture_on_commit_callbacks: Any) -> None:
    for steps in (0, 1):
        come_in(steps)
        with as_worker(), django_capture_on_commit_callbacks(execute=True):
            tasks.tell_of_local_sign_ins()
    with as_worker():
        assert local_sign_ins.tell(now=datetime.now(UTC)) == 0
    sentences = list(Alarm.objects.values_list("sentence", flat=True))
    assert len(sentences) == len(mail.outbox) == 2
    assert all("The local account ada was used on" in text and "from 198.51.100.7." in text for text in sentences)
    assert mail.outbox[0].to == ["soc@portal.test"]


def test_coming_through_entra_raises_none(ada: User) -> None:
    WebClient().force_login(ada)
    with as_worker():
        assert local_sign_ins.tell(now=datetime.now(UTC)) == 0


def test_staff_mark_it_as_seen_and_no_other_alarm(ada: User) -> None:
    staff = come_in()
    with as_worker():
        local_sign_ins.tell(now=datetime.now(UTC))
    Alarm.objects.create(key="credential", sentence="The secret is wrong.", raised_at=datetime.now(UTC))
    assert "The local account ada was used" in staff.get("/tenants/").text
    chosen = list(Alarm.objects.values_list("pk", flat=True))
    form = {"action": "mark_as_seen", "_selected_action": chosen}
    assert staff.post(reverse("admin:tenants_alarm_changelist"), form).status_code == 302
    assert list(Alarm.objects.filter(cleared_at=None).values_list("key", flat=True)) == ["credential"]
    assert AuditEvent.objects.filter(action="mark alarm as seen").count() == 1
