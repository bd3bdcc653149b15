"""The sign-in form as password managers and people with long passwords meet it."""

import re

import pytest
from django.test import Client

from accounts.models import User
from tests.cast import make_cast, make_incident, make_person

pytestmark = pytest.mark.django_db
LONG = "Ünïcode pass phrase, with blanks and 128 characters: " + "x" * 75


def test_the_password_is_masked_and_may_be_pasted_and_filled_in(client: Client) -> None:
    page = client.get("/sign-in/").content.decode()
    (field,) = re.findall(r"<input[^>]*name=\"password\"[^>]*>", page)
    assert 'type="password"' in field
    assert 'autocomplete="current-password"' in field
    assert "maxlength" not in field and "onpaste" not in page and "readonly" not in field


def test_a_password_is_compared_exactly_as_typed_however_long(client: Client) -> None:
    User.objects.create_local(username="zoe", password=LONG)
    wrong_ones = (LONG[:-1], LONG + "x", LONG.lower(), LONG.upper(), f" {LONG}", f"{LONG} ", LONG[:72])
    for number, wrong in enumerate(wrong_ones):
        fields = {"username": "zoe", "password": wrong}
        answer = client.post("/sign-in/", fields, REMOTE_ADDR=f"198.51.100.{number}")  # one address may try five times
        assert answer.status_code == 403
    assert client.post("/sign-in/", {"username": "zoe", "password": LONG}).status_code == 302


def test_changing_ones_password_asks_for_the_current_one(client: Client) -> None:
    person = User.objects.create_local(username="zoe", password=LONG, is_staff=True)
    client.force_login(person)
    new = {"new_password1": "another long pass phrase", "new_password2": "another long pass phrase"}
    for current in ("", "wrong"):
        client.post("/admin/password_change/", {**new, "old_password": current})
        person.refresh_from_db()
        assert person.check_password(LONG)
    assert client.post("/admin/password_change/", {**new, "old_password": LONG}).status_code == 302
    person.refresh_from_db()
    assert person.check_password("another long pass phrase")


def test_a_new_password_ends_the_persons_other_sessions(client: Client) -> None:
    person = User.objects.create_local(username="zoe", password=LONG)
    client.force_login(person)
    assert client.get("/incidents/").status_code == 200
    person.set_password("another long pass phrase")
    person.save()
    assert client.get("/incidents/").status_code == 302


def test_changing_ones_password_asks_for_a_fresh_sign_in(client: Client) -> None:
    """Else whoever holds the session could guess the current one there, as often as they like."""
    client.force_login(User.objects.create_local(username="zoe", password=LONG, is_staff=True))
    session = client.session
    session["signed_in_at"] -= 302
    session.save()
    fields = {"old_password": LONG, "new_password1": "another long pass phrase"}
    for answer in (client.get("/admin/password_change/"), client.post("/admin/password_change/", fields)):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/step-up/")
    assert User.objects.get().check_password(LONG)


@pytest.mark.parametrize("address", ["/sign-in/", "/sign-in/?next=/sign-in/", "nowhere"])
def test_an_address_that_leads_round_in_circles_or_nowhere_leads_to_the_queue(client: Client, address: str) -> None:
    client.force_login(make_person("bob"))
    assert client.get("/sign-in/", {"next": address}).headers["Location"] == "/incidents/"


def test_every_page_of_a_signed_in_person_offers_the_way_out(client: Client) -> None:
    cast = make_cast()
    make_incident(cast.contoso, 7)
    client.force_login(make_person("staff", is_staff=True))
    for path in ("/tenants/", "/tenants/contoso/", "/tenants/connect/", "/admin/", "/admin/tenants/tenant/"):
        assert 'action="/sign-out/"' in client.get(path).content.decode(), path
    client.force_login(cast.alice)
    for path in ("/incidents/", "/incidents/contoso/7/"):
        assert 'action="/sign-out/"' in client.get(path).content.decode(), path
