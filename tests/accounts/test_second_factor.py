"""Local accounts: a password opens half a door, a code the other half; nothing else is reached before."""

import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
import time_machine
from django.contrib.admin import site
from django.db import ProgrammingError, transaction
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from accounts import second_factor
from accounts.models import User, Visit
from audit.models import AuditEvent
from audit.record import COMMAND_LINE
from tests.accounts.codes import code_of, set_up
from tests.cast import PASSWORD, make_person
from tests.conftest import WebClient, as_worker

CODE = "/sign-in/code/"
ENROL = "/sign-in/authenticator/"


@pytest.fixture
def ada(db: None, settings: Settings) -> User:
    """Staff with a local account, where the second factor is demanded."""
    settings.LOCAL_SECOND_FACTOR = True
    return make_person("ada", is_staff=True)


def give_password(client: WebClient, **more: str) -> str:
    answer = client.post("/sign-in/", {"username": "ada", "password": PASSWORD, **more})
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def is_in(client: WebClient) -> bool:
    return bool(client.get("/tenants/").status_code == 200)


def test_the_first_sign_in_sets_up_an_authenticator_and_shows_recovery_codes_once(client: WebClient, ada: User) -> None:
    assert give_password(client, next="/tenants/") == ENROL
    page = client.get(ENROL).text
    device = TOTPDevice.objects.get(user=ada)
    assert second_factor.secret_of(device) in page
    assert "<svg" in page
    assert not is_in(client)
    shown = client.post(ENROL, {"code": code_of(ada, confirmed=False)})
    codes = re.findall(r"<li>([a-z2-7-]{29})</li>", shown.text)
    assert len(set(codes)) == 10
    assert 'href="/tenants/"' in shown.text
    assert is_in(client)
    assert client.get(ENROL).headers["Location"] == "/sign-in/", "nothing is half open any more"
    actions = list(AuditEvent.objects.order_by("id").values_list("actor", "action"))
    assert actions == [(f"Ada (#{ada.pk})", "set up second factor"), (f"Ada (#{ada.pk})", "sign in")]
    stored = str(list(StaticToken.objects.values_list("token", flat=True)))
    assert not any(code.replace("-", "") in stored or code in stored for code in codes)


def test_a_password_alone_reaches_nothing(client: WebClient, ada: User) -> None:
    set_up(ada)
    assert give_password(client) == CODE
    for address in ("/", "/tenants/", "/incidents/", "/admin/", "/sessions/", "/step-up/"):
        assert client.get(address, follow=True).redirect_chain[-1][0].startswith("/sign-in/"), address
    assert client.get(ENROL).headers["Location"] == CODE, "a second authenticator cannot be smuggled in"
    assert Visit.objects.count() == 0
    assert ada.last_login is None


def test_a_right_code_signs_in_once_and_leads_on(client: WebClient, ada: User) -> None:
    set_up(ada)
    give_password(client, next="/tenants/")
    code = code_of(ada)
    answer = client.post(CODE, {"code": f"{code[:3]} {code[3:]}"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/tenants/")
    assert is_in(client)
    replayed = WebClient()
    give_password(replayed)
    assert replayed.post(CODE, {"code": code}).status_code == 403
    assert not is_in(replayed)


def test_codes_of_another_time_or_shape_or_person_are_refused_with_a_line(client: WebClient, ada: User) -> None:
    set_up(ada)
    other = make_person("bob")
    [theirs, *_] = set_up(other)
    give_password(client)
    wrong = ["000000", code_of(ada, steps=5), code_of(ada) + "0", theirs, "१२३४५६", "", "x" * 41]
    pages = [client.post(CODE, {"code": code}) for code in wrong[:4]]
    assert {page.status_code for page in pages} == {403}
    denied = AuditEvent.objects.filter(outcome="denied").order_by("id")
    assert [row.details for row in denied] == [{"why": "second factor"}] * 4
    assert not is_in(client)
    assert all(not second_factor.verify(ada, code) for code in wrong)


def test_a_recovery_code_works_once_in_either_case(client: WebClient, ada: User) -> None:
    first, second, *_ = set_up(ada)
    for code, status in ((first.upper(), 302), (first, 403), (second.replace("-", " "), 302)):
        browser = WebClient()
        give_password(browser)
        assert browser.post(CODE, {"code": code}).status_code == status
    assert second_factor.recovery_codes_left(ada) == 8


def test_recovery_codes_are_long_and_lie_hashed(ada: User) -> None:
    codes = [code.replace("-", "") for code in set_up(ada)]
    assert {len(code) for code in codes} == {24}, "24 characters of 32 kinds: 120 random bits"
    assert all(re.fullmatch("[a-z2-7]+", code) for code in codes)
    stored = set(StaticToken.objects.filter(device__user=ada).values_list("token", flat=True))
    assert stored == {urlsafe_b64encode(sha256(code.encode()).digest()[:12]).decode() for code in codes}


def test_an_authenticator_that_was_reset_is_not_offered_again(client: WebClient, ada: User) -> None:
    """Whoever holds the lost device shall not get in with it."""
    set_up(ada)
    lost = second_factor.secret_of(TOTPDevice.objects.get(user=ada))
    second_factor.forget(user=ada, by=COMMAND_LINE)
    give_password(client)
    page = client.get(ENROL).text
    assert "Read this picture" in page
    assert lost not in page
    old = TOTPDevice.objects.get(user=ada, name="authenticator")
    assert client.post(ENROL, {"code": f"{totp(old.bin_key):06}"}).status_code == 403
    assert not is_in(client)


def test_a_secret_that_another_browser_has_seen_is_not_offered(client: WebClient, ada: User) -> None:
    """Whoever once had the password, and looked at the page without giving a code, does not know the one in use."""
    give_password(client)
    client.get(ENROL)
    seen = second_factor.secret_of(TOTPDevice.objects.get(user=ada))
    browser = WebClient()
    give_password(browser)
    assert seen not in browser.get(ENROL).text
    mine = TOTPDevice.objects.filter(user=ada).order_by("id").last()
    assert mine is not None
    assert client.post(ENROL, {"code": f"{totp(mine.bin_key):06}"}).status_code == 403, "a code of another's secret"
    assert browser.post(ENROL, {"code": f"{totp(mine.bin_key):06}"}).status_code == 200
    assert TOTPDevice.objects.get(user=ada).key == mine.key, "the other one is gone"
    assert client.get(ENROL).headers["Location"] == CODE


def test_half_a_sign_in_lasts_ten_minutes_and_no_longer(client: WebClient, ada: User) -> None:
    set_up(ada)
    give_password(client)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11)):
        assert client.post(CODE, {"code": code_of(ada)}).headers["Location"] == "/sign-in/"
        assert not is_in(client)


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "argon2$other"}], ids=["off", "password"])
def test_half_a_sign_in_ends_with_the_account_or_its_password(
    client: WebClient, ada: User, change: dict[str, object]
) -> None:
    set_up(ada)
    give_password(client)
    User.objects.filter(pk=ada.pk).update(**change)
    assert client.post(CODE, {"code": code_of(ada)}).headers["Location"] == "/sign-in/"
    assert not is_in(client)


def test_a_session_from_before_the_second_factor_was_demanded_ends(
    client: WebClient, db: None, settings: Settings
) -> None:
    make_person("ada")
    settings.LOCAL_SECOND_FACTOR = False
    client.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert is_in(client)
    settings.LOCAL_SECOND_FACTOR = True
    assert not is_in(client)
    settings.LOCAL_SECOND_FACTOR = False
    assert not is_in(client), "it has ended, and does not come back"


def test_the_administration_has_the_same_door_and_second_factor(client: WebClient, ada: User) -> None:
    set_up(ada)
    assert client.get("/admin/login/").headers["Location"].startswith("/sign-in/")
    assert client.post("/admin/login/", {"username": "ada", "password": PASSWORD}).status_code == 302
    give_password(client, next="/admin/")
    assert client.get("/admin/").status_code == 302
    assert client.post(CODE, {"code": code_of(ada)}).headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_no_page_of_the_administration_shows_a_secret_k4(client: WebClient, ada: User) -> None:
    assert [model._meta.label for model in site._registry if model._meta.app_label.startswith("otp_")] == []


def test_staff_reset_a_lost_authenticator_and_the_sessions_end(client: WebClient, ada: User) -> None:
    bob = make_person("bob")
    set_up(bob)
    browser = WebClient()
    browser.force_login(bob)
    client.force_login(ada)
    form = {"action": "reset_second_factor", "_selected_action": bob.pk}
    assert client.post(reverse("admin:accounts_user_changelist"), form).status_code == 302
    assert not second_factor.is_set_up(bob)
    assert not is_in(browser)
    assert AuditEvent.objects.filter(action="reset second factor", subject="Bob").count() == 1


def test_the_command_line_resets_a_second_factor_and_reads_no_secret(ada: User) -> None:
    set_up(ada)
    with as_worker():
        second_factor.forget(user=ada, by=COMMAND_LINE)
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            list(TOTPDevice.objects.values_list("key"))
    assert not second_factor.is_set_up(ada)


def test_where_it_is_not_demanded_a_password_is_enough(client: WebClient, db: None, settings: Settings) -> None:
    settings.LOCAL_SECOND_FACTOR = False
    make_person("ada")
    assert give_password(client) == "/incidents/"
    assert is_in(client)
    assert Visit.objects.get().alarm_due_at is None


def test_the_page_for_a_code_asks_for_one_or_leads_to_where_it_comes_from(client: WebClient, ada: User) -> None:
    give_password(client)
    assert client.get(CODE).headers["Location"] == ENROL, "there is no authenticator yet"
    set_up(ada)
    page = client.get(CODE)
    assert (page.status_code, 'name="code"' in page.text) == (200, True)
    assert client.post(CODE, {"code": ""}).status_code == 403
