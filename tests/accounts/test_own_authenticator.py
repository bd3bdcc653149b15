"""Whoever is in with a local account may replace their authenticator, and nobody does it for them."""

import re

import pytest
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from accounts import second_factor
from accounts.models import User
from audit.models import AuditEvent
from audit.record import COMMAND_LINE
from tests.accounts.codes import age_sign_in, code_of, set_up
from tests.cast import PASSWORD, make_person
from tests.conftest import WebClient

PAGE = "/sessions/authenticator/"


@pytest.fixture
def bob(db: None, settings: Settings) -> User:
    settings.LOCAL_SECOND_FACTOR = True
    bob = make_person("bob")
    set_up(bob)
    return bob


@pytest.fixture
def browser(bob: User) -> WebClient:
    return signed_in(bob)


def signed_in(user: User) -> WebClient:
    client = WebClient()
    client.force_login(user)
    return client


def is_in(client: WebClient) -> bool:
    return bool(client.get("/tenants/").status_code == 200)


def test_a_new_one_replaces_the_old_with_its_codes_and_ends_other_sessions(browser: WebClient, bob: User) -> None:
    elsewhere, old_codes = signed_in(bob), list(TOTPDevice.objects.filter(user=bob).values_list("key", flat=True))
    assert PAGE in browser.get("/sessions/").text
    page = browser.get(PAGE).text
    assert second_factor.secret_of(TOTPDevice.objects.get(user=bob, confirmed=False)) in page
    pictures = [text.count("<svg") for text in (page, browser.get(PAGE).text, browser.get("/sessions/").text)]
    assert pictures[0] == pictures[1] == pictures[2] + 1, "one code, which a second look does not replace"
    assert is_in(elsewhere), "nothing has changed yet"
    shown = browser.post(PAGE, {"code": code_of(bob, confirmed=False)})
    assert len(set(re.findall(r"<li>([a-z2-7-]{29})</li>", shown.text))) == 10
    assert "You have 10 recovery codes left." in browser.get("/sessions/").text
    assert (is_in(browser), is_in(elsewhere)) == (True, False)
    assert TOTPDevice.objects.get(user=bob).key not in old_codes
    lines = AuditEvent.objects.filter(actor__startswith="Bob").order_by("id").values_list("action", flat=True)
    assert list(lines)[-2:] == ["set up second factor", "end session"]


def test_a_wrong_code_changes_nothing(browser: WebClient, bob: User) -> None:
    browser.get(PAGE)
    wrong = f"{(int(code_of(bob, confirmed=False)) + 1) % 10**6:06}"
    answer = browser.post(PAGE, {"code": wrong})
    assert answer.status_code == 403
    assert "This code is not right" in answer.text
    assert second_factor.is_set_up(bob)
    assert second_factor.verify(bob, code_of(bob)) == "authenticator", "the one they have still counts"


def test_a_secret_that_was_only_looked_at_is_not_offered_after_a_reset(browser: WebClient, bob: User) -> None:
    """Somebody at a desk that was left open could have photographed it."""
    browser.get(PAGE)
    seen = second_factor.secret_of(TOTPDevice.objects.get(user=bob, confirmed=False))
    second_factor.forget(user=bob, by=COMMAND_LINE)
    again = WebClient()
    again.post("/sign-in/", {"username": "bob", "password": PASSWORD})
    page = again.get("/sign-in/authenticator/").text
    assert "Read this picture" in page
    assert seen not in page


def test_it_asks_for_a_fresh_sign_in(browser: WebClient, bob: User) -> None:
    age_sign_in(browser, 302)
    for answer in (browser.get(PAGE), browser.post(PAGE, {"code": "123456"})):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/step-up/?next=")
    assert not TOTPDevice.objects.filter(user=bob, confirmed=False).exists(), "no secret was made"


def test_whoever_has_a_second_factor_elsewhere_is_told_so(db: None, settings: Settings) -> None:
    settings.LOCAL_SECOND_FACTOR = False
    client = signed_in(make_person("alice"))
    page = client.get("/sessions/").text
    assert PAGE not in page and "recovery code" not in page
    answer = client.get(PAGE, follow=True)
    assert answer.redirect_chain[-1][0] == "/sessions/"
    assert "second factor is set up elsewhere" in answer.text
    assert TOTPDevice.objects.count() == 0
