"""What is dangerous asks once more, and what was filled in meanwhile is not lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User, Visit
from accounts.roles import Role
from audit.models import AuditEvent
from tenants.models import Grant, TenantGroup
from tests.accounts.codes import age_sign_in, code_of, hidden_fields, set_up
from tests.cast import PASSWORD, Cast, make_cast, make_person
from tests.conftest import WebClient

STALE = 5 * 60 + 2


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def staff(cast: Cast, client: WebClient, quick_passwords: Callable[[], None]) -> WebClient:
    """Ada, who signed in a while ago."""
    make_person("ada", is_staff=True)
    quick_passwords()
    client.force_login(User.objects.get(username="ada"))
    age_sign_in(client, STALE)
    return client


def confirm(client: WebClient, onward: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/step-up/", {"password": password, "next": onward, **more})


PAGES = [
    ("get", "/tenants/connect/", {}),
    ("get", "/audit/download/?person=ada", {}),
    ("post", "/tenants/connect/", {"customer": "Tailspin", "tenant": "tailspin.example"}),
    ("post", "/tenants/contoso/link/", {"form": "v1"}),
    ("post", "/tenants/contoso/roles/", {"role": ["A", "B"]}),
    ("post", "/tenants/contoso/access/give/", {"person": "1", "role": "viewer"}),
    ("post", "/tenants/contoso/access/change/", {"grant": "1", "role": "none"}),
    ("post", "/tenants/contoso/relink/", {"do": "ask", "customer": "Tailspin"}),
    ("post", "/admin/accounts/user/add/", {"username": "dora"}),
    ("post", "/admin/accounts/user/", {"action": "end_sessions"}),
    ("post", "/admin/tenants/grant/add/", {"role": "viewer"}),
    ("post", "/admin/tenants/grant/", {"action": "delete_selected"}),
    ("post", "/admin/tenants/tenantgroup/add/", {"name": "North"}),
]


@pytest.mark.parametrize(("method", "path", "fields"), PAGES, ids=[f"{method} {path}" for method, path, _ in PAGES])
def test_danger_asks_for_a_fresh_sign_in(staff: WebClient, method: str, path: str, fields: dict[str, Any]) -> None:
    answer = getattr(staff, method)(path, fields)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/step-up/?next="), path
    page = staff.get(answer.headers["Location"])
    assert (page.status_code, "Confirm who you are" in page.text) == (200, True)
    waiting = staff.get("/step-up/again/")
    if method == "post":
        sent = {name: value if isinstance(value, list) else [value] for name, value in fields.items()}
        assert hidden_fields(waiting.text) == sent
        assert f'action="{path}"' in waiting.text
    else:
        assert waiting.status_code == 302


@pytest.mark.parametrize("page", ["change", "delete", "password"])
def test_changing_a_person_or_a_grant_asks_too(staff: WebClient, cast: Cast, page: str) -> None:
    grant = Grant.objects.filter(user=cast.bob).first()
    assert grant is not None
    paths = {
        "change": [reverse("admin:accounts_user_change", args=[cast.bob.pk]),
                   reverse("admin:tenants_grant_change", args=[grant.pk])],
        "delete": [reverse("admin:tenants_grant_delete", args=[grant.pk])],
        "password": [reverse("admin:auth_user_password_change", args=[cast.bob.pk])],
    }[page]  # fmt: skip
    for path in paths:
        answer = staff.post(path, {"post": "yes", "is_staff": "on"})
        assert answer.headers["Location"].startswith("/step-up/"), path
        assert staff.get(path).status_code == 200, "to look at it needs nothing fresh"
    cast.bob.refresh_from_db()
    assert (cast.bob.is_staff, Grant.objects.filter(pk=grant.pk).exists()) == (False, True)


def test_afterwards_one_press_of_a_button_does_what_was_asked(staff: WebClient, cast: Cast) -> None:
    path, fields = "/tenants/contoso/access/give/", {"person": str(cast.charlie.pk), "role": "viewer"}
    asked = staff.post(path, fields)
    before = staff.session.session_key
    onward = confirm(staff, "/step-up/again/")
    assert (onward.status_code, onward.headers["Location"]) == (302, "/step-up/again/")
    assert staff.session.session_key != before, "a new session id"
    assert asked.status_code == 302
    assert not Grant.objects.filter(user=cast.charlie, tenant=cast.contoso).exists()
    fields_again = hidden_fields(staff.get("/step-up/again/").text)
    assert staff.post(path, fields_again).status_code == 302
    assert Grant.objects.get(user=cast.charlie, tenant=cast.contoso).role == Role.VIEWER
    assert staff.get("/step-up/again/").headers["Location"] == "/", "it waits no longer"
    assert Visit.objects.count() == 1, "the visit goes on"


def test_a_wrong_password_confirms_nothing_and_five_wait(staff: WebClient) -> None:
    answers = [confirm(staff, "/tenants/", "wrong").status_code for _ in range(6)]
    assert answers == [403] * 5 + [429]
    assert confirm(staff, "/tenants/").status_code == 429
    assert staff.get("/tenants/connect/").status_code == 302
    assert AuditEvent.objects.filter(action="sign in again", outcome="denied").count() == 5


def test_where_a_second_factor_is_demanded_both_are_asked_for(staff: WebClient, settings: Settings, cast: Cast) -> None:
    settings.LOCAL_SECOND_FACTOR = True
    ada = User.objects.get(username="ada")
    set_up(ada)
    assert confirm(staff, "/tenants/connect/").status_code == 403
    code = code_of(ada)
    assert confirm(staff, "/tenants/connect/", "wrong", code=code).status_code == 403
    assert confirm(staff, "/tenants/connect/", code=code).status_code == 302, "a wrong password did not use it up"
    assert staff.get("/tenants/connect/").status_code == 200
    age_sign_in(staff, STALE)
    assert confirm(staff, "/tenants/connect/", code=code).status_code == 403, "a code works once"


def test_five_minutes_are_the_limit_and_the_clock_of_the_future_is_no_proof(staff: WebClient) -> None:
    for seconds, status in ((0, 200), (5 * 60 - 5, 200), (STALE, 302), (-3600, 302)):
        age_sign_in(staff, seconds)
        assert staff.get("/tenants/connect/").status_code == status, seconds


def test_people_from_entra_are_led_there_and_give_no_password_here(client: WebClient, cast: Cast) -> None:
    eve = User.objects.create(
        display_name="Eve", is_staff=True, tid="00000000-0000-4000-8000-000000000001",
        oid="00000000-0000-4000-8000-000000000002",
    )  # fmt: skip
    client.force_login(eve)
    age_sign_in(client, STALE)
    page = client.get("/step-up/?next=/tenants/connect/").text
    assert 'name="password"' not in page
    assert f'action="{reverse("accounts:entra_begin")}"' in page
    client.post("/step-up/", {"password": PASSWORD, "next": "/tenants/connect/"})
    assert client.get("/tenants/connect/").status_code == 302


@pytest.mark.parametrize(
    "address",
    [
        *("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"),
        *("http://testserver//evil.example/", "http://testserver/\t/evil.example", "http://testserver/\\evil.example"),
        *("nowhere", "#x", "?x=1", "http://testserver"),
    ],
)
def test_it_leads_nowhere_else(staff: WebClient, address: str) -> None:
    assert confirm(staff, address).headers["Location"] == "/"


def test_a_fragment_sends_the_whole_page_there(staff: WebClient) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/tenants/contoso/"}
    answer = staff.post("/tenants/contoso/link/", headers=headers)
    assert answer.headers["HX-Redirect"] == "/step-up/?next=%2Ftenants%2Fcontoso%2F"
    away = {"HX-Request": "true", "HX-Current-URL": "https://evil.example/"}
    assert staff.post("/tenants/contoso/link/", headers=away).headers["HX-Redirect"] == "/step-up/?next=%2F"


def test_passwords_and_tokens_do_not_wait_in_the_session_and_nothing_waits_long(staff: WebClient) -> None:
    staff.post(
        "/admin/accounts/user/add/", {"username": "dora", "password1": "canary-1", "csrfmiddlewaretoken": "canary-2"}
    )
    assert "canary" not in str(dict(staff.session.items()))
    assert hidden_fields(staff.get("/step-up/again/").text) == {"username": ["dora"]}
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=16)):
        assert staff.get("/step-up/again/").headers["Location"] == "/"


def test_too_large_a_form_goes_back_to_its_page(staff: WebClient) -> None:
    answer = staff.post(
        "/tenants/contoso/link/", {"form": "x" * 60_000}, headers={"Referer": "http://testserver/tenants/contoso/"}
    )
    assert answer.headers["Location"] == "/step-up/?next=%2Ftenants%2Fcontoso%2F"


def test_others_are_refused_as_before_and_not_asked(client: WebClient, cast: Cast) -> None:
    client.force_login(cast.alice)
    age_sign_in(client, STALE)
    assert client.post("/tenants/contoso/link/").status_code == 403
    assert client.post("/admin/tenants/grant/add/").status_code == 403
    assert not TenantGroup.objects.exists()
