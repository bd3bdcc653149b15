"""Sessions end by themselves, by their person, by staff, and with the account; each of these at the next request."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from uuid import uuid4

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.urls import reverse

from accounts import session_limits
from accounts.models import User, Visit
from audit.models import AuditEvent
from tests.accounts.codes import age_sign_in
from tests.cast import PASSWORD, Cast, make_cast, make_person
from tests.conftest import WebClient, as_worker
from tests.repository.production import environment, run

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def cast(db: None, quick_passwords: Callable[[], None]) -> Cast:
    cast = make_cast()
    quick_passwords()
    return cast


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as travelling:
        yield travelling


def sign_in(username: str, **more: str) -> WebClient:
    client = WebClient()
    fields = {"username": username, "password": PASSWORD}
    assert client.post("/sign-in/", fields, **more).status_code == 302  # type: ignore[arg-type]
    return client


def is_in(client: WebClient, **headers: str) -> bool:
    return bool(client.get("/tenants/", headers=headers).status_code == 200)


def why() -> list[tuple[str, str]]:
    rows = AuditEvent.objects.filter(action="end session").order_by("id")
    return [(row.subject, row.details["why"]) for row in rows]


def test_half_an_hour_without_use_ends_it(cast: Cast, clock: time_machine.Traveller) -> None:
    client = sign_in("alice")
    for _ in range(4):
        clock.shift(timedelta(minutes=29))
        assert is_in(client)
    clock.shift(timedelta(minutes=30))
    assert not is_in(client)
    assert why() == [("Alice", "not used for too long")]
    assert not is_in(client)
    assert len(why()) == 1


def test_an_open_page_that_asks_by_itself_is_no_use(cast: Cast, clock: time_machine.Traveller) -> None:
    client = sign_in("alice")
    answers = []
    for _ in range(31):
        clock.shift(timedelta(minutes=1))
        answers.append(is_in(client, **{"X-Poll": "1", "HX-Request": "true"}))
    assert answers == [True] * 29 + [False] * 2


def test_ten_hours_end_it_however_busy(cast: Cast, clock: time_machine.Traveller) -> None:
    client = sign_in("alice")
    for _ in range(29):
        clock.shift(timedelta(minutes=20))
        assert is_in(client)
    clock.shift(timedelta(minutes=20))
    assert not is_in(client)
    assert why() == [("Alice", "signed in too long ago")]


def test_proving_who_one_is_does_not_make_the_day_longer(cast: Cast, clock: time_machine.Traveller) -> None:
    client = sign_in("alice")
    for _ in range(29):
        clock.shift(timedelta(minutes=20))
        assert client.post("/step-up/", {"password": PASSWORD, "next": "/tenants/"}).status_code == 302
    clock.shift(timedelta(minutes=20))
    assert not is_in(client)
    assert Visit.objects.count() == 1


def test_whoever_is_switched_off_is_out_at_the_next_request_also_an_open_page(cast: Cast) -> None:
    client = sign_in("alice")
    page = client.get("/incidents/").text
    assert 'data-poll="' in page, "the open page asks again every few seconds, so five seconds are enough"
    User.objects.filter(username="alice").update(is_active=False)
    answer = client.get("/incidents/", headers={"X-Poll": "1", "HX-Request": "true"})
    assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/sign-in/")
    User.objects.filter(username="alice").update(is_active=True)
    assert not is_in(client), "the session is gone, not asleep"


def test_a_person_sees_their_own_sessions_and_nobody_elses(cast: Cast) -> None:
    here = sign_in("alice", REMOTE_ADDR="198.51.100.7", HTTP_USER_AGENT="Firefox <b>1</b>\x07")
    sign_in("alice", REMOTE_ADDR="2001:db8::9", HTTP_USER_AGENT="Edge")
    sign_in("charlie", REMOTE_ADDR="203.0.113.77", HTTP_USER_AGENT="Canary")
    page = here.get("/sessions/").text
    for text in ("198.51.100.7", "Firefox &lt;b&gt;1&lt;/b&gt;", "2001:db8::9", "Edge", "Password", "This one"):
        assert text in page, text
    assert "203.0.113.77" not in page
    assert page.count("This one") == 1
    assert str(here.session.session_key) not in page


def test_a_person_ends_one_session_or_all_others(cast: Cast) -> None:
    here, phone, laptop = sign_in("alice"), sign_in("alice"), sign_in("alice")
    of_phone = phone.session["visit"]
    assert f"/sessions/{of_phone}/end/" in here.get("/sessions/").text
    assert here.post(f"/sessions/{of_phone}/end/").status_code == 302
    assert (is_in(here), is_in(phone), is_in(laptop)) == (True, False, True)
    assert here.post("/sessions/end-others/").status_code == 302
    assert (is_in(here), is_in(laptop)) == (True, False)
    assert why() == [("Alice", "ended by its person")] * 2
    assert here.get("/sessions/end-others/").status_code == 405


def test_ending_a_session_asks_for_a_fresh_sign_in(cast: Cast) -> None:
    here, phone = sign_in("alice"), sign_in("alice")
    age_sign_in(here, 302)
    for address in (f"/sessions/{phone.session['visit']}/end/", "/sessions/end-others/"):
        assert here.post(address).headers["Location"].startswith("/step-up/"), address
    assert is_in(phone)


def test_nobody_ends_somebody_elses_session(cast: Cast) -> None:
    alice, charlie = sign_in("alice"), sign_in("charlie")
    assert charlie.post(f"/sessions/{alice.session['visit']}/end/").status_code == 404
    assert charlie.post(f"/sessions/{uuid4()}/end/").status_code == 404
    assert charlie.post("/sessions/end-others/").status_code == 302
    assert (is_in(alice), is_in(charlie)) == (True, True)
    assert why() == []


def test_staff_end_all_of_a_persons_sessions(cast: Cast, client: WebClient) -> None:
    client.force_login(make_person("ada", is_staff=True))
    browsers = [sign_in("alice"), sign_in("alice"), sign_in("bob")]
    form = {"action": "end_sessions", "_selected_action": cast.alice.pk}
    assert client.post(reverse("admin:accounts_user_changelist"), form).status_code == 302
    assert [is_in(browser) for browser in browsers] == [False, False, True]
    assert why() == [("Alice", "ended by staff")] * 2
    browsers[2].post(reverse("admin:accounts_user_changelist"), form)
    assert is_in(client)


def test_a_session_without_a_visit_or_with_somebody_elses_is_none(cast: Cast) -> None:
    for planted in (None, str(sign_in("charlie").session["visit"]), str(uuid4())):
        client = sign_in("alice")
        session = client.session
        session["visit"] = planted
        if planted is None:
            del session["visit"]
        session.save()
        assert not is_in(client)


def test_signing_out_ends_the_visit(cast: Cast) -> None:
    client = sign_in("alice")
    cookie = client.cookies["session"].value
    client.post("/sign-out/")
    assert Visit.objects.get().ended_why == "signed out"
    client.cookies = SimpleCookie({"session": cookie})
    assert not is_in(client)


def test_a_new_password_ends_the_other_sessions(cast: Cast) -> None:
    client = sign_in("alice")
    cast.alice.set_password("another long enough password")
    cast.alice.save()
    assert not is_in(client)


def test_workers_drop_what_is_over_and_read_no_session(cast: Cast, clock: time_machine.Traveller) -> None:
    sign_in("alice")
    clock.shift(timedelta(days=91))
    sign_in("bob")
    with as_worker():
        session_limits.drop_old(before=datetime.now(UTC) - timedelta(days=90))
    assert [visit.user.username for visit in Visit.objects.all()] == ["bob"]
    assert Session.objects.count() == 1


def test_over_https_the_cookie_is_bound_to_this_host() -> None:
    program = (
        "import portal.settings as s\n"
        "print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE)\n"
        "print(getattr(s, 'SESSION_COOKIE_DOMAIN', None), s.SESSION_IDLE, s.SESSION_ABSOLUTE, s.LOCAL_SECOND_FACTOR)"
    )
    done = run("-c", program, env=environment(PORTAL_PROCESS="web"))
    assert done.stdout == "__Host-session True True Lax\nNone 0:30:00 10:00:00 True\n", done.stderr


def test_ending_what_has_ended_already_is_said_and_written_down_once(cast: Cast) -> None:
    here, phone = sign_in("alice"), sign_in("alice")
    address = f"/sessions/{phone.session['visit']}/end/"
    assert "This session has ended." in here.post(address, follow=True).text
    assert "This session had ended already." in here.post(address, follow=True).text
    assert why() == [("Alice", "ended by its person")]
