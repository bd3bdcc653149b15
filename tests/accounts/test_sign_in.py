"""One door in, one door out: what it says, what it records, and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import DatabaseError

from accounts.models import User
from audit.models import AuditEvent
from tests.accounts.door import told
from tests.cast import PASSWORD, make_person
from tests.conftest import WebClient

DOOR = "/sign-in/"
SENTENCE = "Username and password do not match an account that may sign in."


@pytest.fixture
def alice(db: None) -> User:
    return make_person("alice")


def sign_in(client: WebClient, username: str = "alice", password: str = PASSWORD, **more: str) -> Any:
    """One try at the door."""
    return client.post(DOOR, {"username": username, "password": password, **more})


def log() -> list[tuple[str, str, str, str]]:
    """(actor, action, subject, outcome) of each audit row, oldest first."""
    return list(AuditEvent.objects.order_by("id").values_list("actor", "action", "subject", "outcome"))


def is_signed_in(client: WebClient) -> bool:
    return bool(client.get("/tenants/").status_code == 200)


def test_the_right_password_opens_the_queue_and_leaves_a_line(client: WebClient, alice: User) -> None:
    response = sign_in(client)
    assert (response.status_code, response.headers["Location"]) == (302, "/incidents/")
    assert is_signed_in(client)
    assert log() == [(f"Alice (#{alice.pk})", "sign in", "", "done")]
    cookie = response.cookies["session"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_every_refusal_is_the_same_page_and_a_line_without_the_password(client: WebClient, alice: User) -> None:
    User.objects.filter(pk=make_person("dora").pk).update(is_active=False)
    User.objects.create(display_name="Eve", tid="00000000-0000-4000-8000-000000000001",
                        oid="00000000-0000-4000-8000-000000000002")  # fmt: skip
    tries = [("alice", "wrong canary"), ("nobody", "wrong canary"), ("dora", PASSWORD), ("dora", "wrong canary")]
    pages = [sign_in(client, username, password) for username, password in tries]
    assert {page.status_code for page in pages} == {403}
    assert all(SENTENCE in page.text for page in pages)
    assert len({told(page.text) for page in pages}) == 1
    assert log() == [("anonymous", "sign in", username, "denied") for username, _ in tries]
    assert "canary" not in str(list(AuditEvent.objects.values()))
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    ("username", "password"),
    [("", ""), ("alice", ""), ("", PASSWORD), ("al\x00ice", PASSWORD), ("x" * 5000, "y" * 5000), ("Alice", PASSWORD)],
    ids=["nothing", "no password", "no name", "nul", "long", "case"],
)
def test_odd_tries_are_refused_and_break_nothing(client: WebClient, alice: User, username: str, password: str) -> None:
    response = sign_in(client, username, password)
    assert response.status_code == 403
    assert not is_signed_in(client)
    assert len(log()) == 1


def test_the_session_gets_a_new_id_at_sign_in_and_ends_at_sign_out(client: WebClient, alice: User) -> None:
    client.get(DOOR)
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    client.cookies["session"] = str(planted)
    sign_in(client)
    fresh = client.cookies["session"].value
    assert fresh != planted
    assert not Session.objects.filter(session_key=planted).exists()
    response = client.post("/sign-out/")
    assert response.headers["Location"] == DOOR
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert not Session.objects.filter(session_key=fresh).exists()
    client.cookies["session"] = fresh
    assert not is_signed_in(client)
    assert [row[1] for row in log()] == ["sign in", "sign out"]


def test_a_link_cannot_sign_anybody_out(client: WebClient, alice: User) -> None:
    sign_in(client)
    assert client.get("/sign-out/").status_code == 405
    assert is_signed_in(client)


def test_sign_in_and_sign_out_need_the_csrf_token(alice: User) -> None:
    strict = WebClient(enforce_csrf_checks=True)
    assert sign_in(strict).status_code == 403
    strict.force_login(alice)
    assert strict.post("/sign-out/").status_code == 403
    assert is_signed_in(strict)


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "http:///evil.example", "javascript:alert(1)",
        "\thttps://evil.example", "https:evil.example", "//localhost@evil.example/", "https://localhost.evil.example",
    ],
)  # fmt: skip
def test_next_leads_nowhere_else(client: WebClient, alice: User, address: str) -> None:
    assert sign_in(client, next=address).headers["Location"] == "/incidents/"
    again = client.get(DOOR, {"next": address})
    assert again.headers["Location"] == "/incidents/"


def test_next_leads_on_within_the_portal(client: WebClient, alice: User) -> None:
    asked = client.get("/tenants/?state=connected")
    assert asked.headers["Location"] == "/sign-in/?next=/tenants/%3Fstate%3Dconnected"
    assert sign_in(client, next="/tenants/?state=connected").headers["Location"] == "/tenants/?state=connected"


def test_no_audit_means_no_sign_in_and_no_sign_out(
    client: WebClient, alice: User, audit_fails: Callable[[], Any]
) -> None:
    before = Session.objects.count()
    with audit_fails(), pytest.raises(DatabaseError):
        sign_in(client)
    assert Session.objects.count() == before
    assert not is_signed_in(client)
    alice.refresh_from_db()
    assert alice.last_login is None
    sign_in(client)
    with audit_fails(), pytest.raises(DatabaseError):
        client.post("/sign-out/")
    assert is_signed_in(client)


def test_passwords_are_hashed_with_argon2id(db: None) -> None:
    dora = User.objects.create_local(username="dora", password=PASSWORD)
    assert dora.password.startswith("argon2$argon2id$")
    assert dora.check_password(PASSWORD)


def test_every_page_but_the_public_ones_sends_strangers_to_the_door(client: WebClient, db: None) -> None:
    for address in ("/", "/tenants/", "/tenants/connect/", "/incidents/", "/admin/", "/admin/login/", "/sign-out/"):
        response = client.get(address, follow=True)
        assert response.status_code == 200
        assert response.redirect_chain[-1][0].startswith(DOOR)
