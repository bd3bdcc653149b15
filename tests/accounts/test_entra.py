"""Sign-in through Entra ID: who comes in, as whom, and what happens to their session."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.db import DatabaseError

from accounts.models import User
from audit.models import AuditEvent
from portal import settings as portal_settings
from sandbox import home
from tests.accounts.door import Visitor, log, person, sessions_with_somebody, user_of
from tests.cast import make_person
from tests.conftest import WebClient


def test_somebody_with_the_role_comes_in_and_is_known_by_tenant_and_object_id(visitor: Visitor) -> None:
    answer = visitor.sign_in("alice")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/incidents/")
    alice = User.objects.get()
    assert (str(alice.tid), str(alice.oid)) == (home.TENANT_ID, person("alice").object_id)
    assert (alice.display_name, alice.username, alice.is_staff) == ("Alice", None, False)
    assert not alice.has_usable_password()
    assert visitor.is_signed_in()
    session = Session.objects.get().get_decoded()
    assert session["signed_in_how"] == "entra"
    assert abs(session["signed_in_at"] - time.time()) < 60
    assert list(AuditEvent.objects.order_by("id").values_list("action", "outcome")) == [
        ("person appears", "done"),
        ("sign in", "done"),
    ]


def test_what_is_sent_to_microsoft_is_code_flow_with_pkce_and_a_nonce(visitor: Visitor) -> None:
    address = visitor.begin()
    sent = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert urlsplit(address).path == f"/{home.TENANT_ID}/oauth2/v2.0/authorize"
    assert (sent["response_type"], sent["response_mode"]) == ("code", "query")
    assert (sent["code_challenge_method"], sent["prompt"]) == ("S256", "select_account")
    assert sent["redirect_uri"] == "http://localhost:8000/sign-in/callback/"
    assert set(sent["scope"].split()) == {"openid", "profile"}
    assert all(len(sent[name]) >= 22 for name in ("state", "nonce", "code_challenge"))
    again = {name: values[0] for name, values in parse_qs(urlsplit(visitor.begin()).query).items()}
    assert all(sent[name] != again[name] for name in ("state", "nonce", "code_challenge"))


def test_nothing_of_the_way_is_told_to_the_browser_but_the_address(visitor: Visitor) -> None:
    visitor.begin()
    kept = next(iter(visitor.portal.session["entra_flows"].values()))["flow"]
    page = visitor.portal.post("/sign-in/microsoft/").text
    assert kept["code_verifier"] not in page
    assert all(kept["code_verifier"] not in cookie.value for cookie in visitor.portal.cookies.values())


def test_names_and_staff_follow_entra_id_at_the_next_sign_in(visitor: Visitor) -> None:
    visitor.sign_in("admin")
    assert user_of("admin").is_staff
    people = visitor.sandbox.world.home.people
    people["admin"] = home.Person("admin", "Ada Renamed", "", (home.ACCESS,))
    try:
        visitor.sign_in("admin")
    finally:
        people["admin"] = person("admin")
    admin = user_of("admin")
    assert (admin.display_name, admin.is_staff, User.objects.count()) == ("Ada Renamed", False, 1)
    changes = AuditEvent.objects.filter(action="role changed").order_by("id")
    assert [row.details["staff"] for row in changes] == [True, False]


@pytest.mark.parametrize(
    ("who", "reason", "says"),
    [("erin", "no-role", "Portal.Access"), ("gus", "guest", "Guest accounts")],
)
def test_the_wrong_person_is_refused_with_a_sentence_and_the_log_knows_who(
    visitor: Visitor, who: str, reason: str, says: str
) -> None:
    answer = visitor.sign_in(who)
    assert answer.status_code == 403
    assert says in answer.text
    assert log() == [(f"{person(who).name} ({person(who).object_id})", "denied", reason)]
    assert (User.objects.count(), sessions_with_somebody()) == (0, 0)


def test_a_guest_that_settings_name_comes_in(visitor: Visitor, settings: Any) -> None:
    settings.SIGN_IN_GUESTS = [UUID(person("gus").object_id)]
    assert visitor.sign_in("gus").status_code == 302
    assert visitor.is_signed_in()


def test_somebody_switched_off_here_stays_out(visitor: Visitor) -> None:
    visitor.sign_in("alice")
    User.objects.update(is_active=False)
    assert not visitor.is_signed_in()
    answer = visitor.sign_in("alice")
    assert (answer.status_code, log()[-1][2]) == (403, "switched-off")


@pytest.mark.parametrize(
    ("demanded", "sends_amr", "status"), [("amr", True, 302), ("amr", False, 403), ("policy", False, 302)]
)
def test_what_proves_a_second_factor_is_a_setting(
    visitor: Visitor, settings: Any, demanded: str, sends_amr: bool, status: int
) -> None:
    settings.SIGN_IN_SECOND_FACTOR = demanded
    visitor.sandbox.world.home.sends_amr = sends_amr
    address = visitor.begin()
    assert "acrs" not in address
    assert visitor.come_back(visitor.choose(address)).status_code == status


def test_an_address_that_passed_to_somebody_else_opens_nothing_of_its_former_owner(visitor: Visitor) -> None:
    visitor.sign_in("alice")
    alice = user_of("alice")
    people = visitor.sandbox.world.home.people
    impostor = home.Person("alice2", "Alice", "")
    people["alice2"] = impostor
    try:
        Visitor(visitor.sandbox).sign_in("alice2")
    finally:
        del people["alice2"]
    assert User.objects.get(oid=impostor.object_id).pk != alice.pk


def test_a_local_account_of_the_same_name_is_somebody_else(visitor: Visitor) -> None:
    local = make_person("alice")
    visitor.sign_in("alice")
    assert user_of("alice").pk != local.pk


def test_the_session_gets_a_new_id_and_what_was_planted_is_worth_nothing(visitor: Visitor) -> None:
    query = visitor.choose(visitor.begin())
    planted = visitor.portal.cookies["session"].value
    visitor.come_back(query)
    assert visitor.portal.cookies["session"].value != planted
    assert not Session.objects.filter(session_key=planted).exists()
    assert "entra_flows" not in visitor.portal.session


def test_the_person_goes_on_to_where_they_wanted(visitor: Visitor) -> None:
    assert visitor.sign_in(next="/tenants/?state=connected").headers["Location"] == "/tenants/?state=connected"


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x", "x"]
)
def test_next_leads_nowhere_else(visitor: Visitor, address: str) -> None:
    assert visitor.sign_in(next=address).headers["Location"] == "/incidents/"


def test_several_tabs_may_be_on_their_way_and_only_so_many(visitor: Visitor) -> None:
    first, second = visitor.begin(), visitor.begin()
    visitor.choose(second)
    assert visitor.come_back(visitor.choose(first)).status_code == 302
    for _ in range(8):
        visitor.begin(fresh="1")
    assert len(visitor.portal.session["entra_flows"]) == 5


def test_somebody_who_cancels_is_told_so(visitor: Visitor) -> None:
    answer = visitor.come_back(visitor.choose(visitor.begin(), answer="cancel"))
    assert (answer.status_code, log()) == (403, [("", "denied", "AADSTS65004")])
    assert "did not finish" in answer.text


@pytest.mark.parametrize("code", ["AADSTS50105", "AADSTS999999"])
def test_what_microsoft_says_in_an_error_is_never_shown(visitor: Visitor, code: str) -> None:
    state = parse_qs(urlsplit(visitor.begin()).query)["state"][0]
    error = {"state": state, "error": "interaction_required", "error_description": f"{code}: <b>canary</b>"}
    answer = visitor.come_back(error)
    assert (answer.status_code, log()[0][2]) == (403, code)
    assert "canary" not in answer.text + str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize("operation", ["discovery", "sign_in", "keys"])
def test_microsoft_not_answering_is_nobodys_fault_and_no_way_in(visitor: Visitor, operation: str) -> None:
    if operation != "discovery":
        query = visitor.choose(visitor.begin())
    visitor.sandbox.world.faults.add(home.TENANT_ID, {"kind": "status", "status": 503, "on": [operation]})
    path = "/sign-in/microsoft/"
    answer = visitor.portal.post(path) if operation == "discovery" else visitor.come_back(query)
    assert answer.status_code == 503
    assert "does not answer at the moment" in answer.text
    assert sessions_with_somebody() == 0


def test_a_credential_that_microsoft_refuses_is_told_to_the_log_only(visitor: Visitor) -> None:
    secret = visitor.sandbox.world.home.registration.secrets[0]
    secret.expired = True
    try:
        answer = visitor.sign_in()
    finally:
        secret.expired = False
    assert (answer.status_code, log()[0][2]) == (503, "AADSTS7000222")
    assert "secret" not in answer.text.lower()


def test_no_audit_means_no_sign_in(visitor: Visitor, audit_fails: Callable[[], Any]) -> None:
    query = visitor.choose(visitor.begin())
    with audit_fails(), pytest.raises(DatabaseError):
        visitor.come_back(query)
    assert (sessions_with_somebody(), User.objects.count()) == (0, 0)


def test_a_key_that_rolled_over_is_found(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    from defender import signing_keys

    visitor.sign_in("alice")
    visitor.sandbox.world.keys.rotate()
    assert Visitor(visitor.sandbox).sign_in("bob").status_code == 403, "not asked for again within a minute"
    monkeypatch.setattr(signing_keys, "PAUSE", 0.0)
    assert Visitor(visitor.sandbox).sign_in("bob").status_code == 302


def test_begin_needs_the_csrf_token_and_a_post_and_the_way_back_a_get(visitor: Visitor) -> None:
    strict = WebClient(enforce_csrf_checks=True)
    assert strict.post("/sign-in/microsoft/").status_code == 403
    assert visitor.portal.get("/sign-in/microsoft/").status_code == 405
    assert visitor.portal.post("/sign-in/callback/").status_code == 405


# --- proof of who you are, asked for again ---------------------------------------------------------------------------


def test_whoever_proves_it_again_goes_on_with_a_new_session_and_a_new_time(visitor: Visitor) -> None:
    with time_machine.travel(time.time() - 1200, tick=True):
        visitor.sign_in("alice")
    before, began = visitor.portal.cookies["session"].value, visitor.portal.session["signed_in_at"]
    address = visitor.begin(fresh="1", next="/tenants/")
    assert "prompt=login" in address
    answer = visitor.come_back(visitor.choose(address))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/tenants/")
    assert visitor.portal.cookies["session"].value != before
    assert visitor.portal.session["signed_in_at"] >= began + 1200
    assert sessions_with_somebody() == 1


def test_an_old_proof_is_none(visitor: Visitor) -> None:
    """Microsoft knows the browser still; without its page having asked, the time of the proof stays old."""
    with time_machine.travel(time.time() - 1200, tick=True):
        visitor.sign_in("alice")
    stripped = visitor.begin(fresh="1").replace("prompt=login", "prompt=select_account")
    answer = visitor.come_back(visitor.choose(stripped))
    assert (answer.status_code, log()[-1][2]) == (403, "not-fresh")
    assert visitor.is_signed_in(), "the session that was there goes on"


def test_coming_back_without_having_been_asked_proves_nothing_new(visitor: Visitor) -> None:
    """At a desk that was left open, Microsoft lets whoever sits there choose the account that is signed in."""
    with time_machine.travel(time.time() - 1200, tick=True):
        visitor.sign_in("alice")
    proved = visitor.portal.session["signed_in_at"]
    for _ in ("in the session that goes on", "after signing out"):
        assert visitor.sign_in("alice").status_code == 302
        assert visitor.portal.session["signed_in_at"] == pytest.approx(proved, abs=2)
        assert visitor.portal.get("/sessions/authenticator/").headers["Location"].startswith("/step-up/")
        visitor.portal.post("/sign-out/")


def test_another_person_cannot_prove_it_instead(visitor: Visitor) -> None:
    visitor.sign_in("alice")
    answer = visitor.come_back(visitor.choose(visitor.begin(fresh="1"), "bob"))
    assert (answer.status_code, log()[-1][2]) == (403, "someone-else")
    assert visitor.portal.session["_auth_user_id"] == str(user_of("alice").pk)
    assert not User.objects.filter(oid=person("bob").object_id).exists()


def test_a_stranger_who_asks_for_fresh_proof_just_signs_in(visitor: Visitor) -> None:
    assert visitor.sign_in("alice", fresh="1").status_code == 302


def test_the_sandboxs_own_names_are_what_settings_default_to() -> None:
    assert (str(portal_settings.SIGN_IN_TENANT_ID), str(portal_settings.SIGN_IN_CLIENT_ID)) == (
        home.TENANT_ID,
        home.CLIENT_ID,
    )
    assert portal_settings.SIGN_IN_CREDENTIAL == {"SIGN_IN_CLIENT_SECRET": home.CLIENT_SECRET}
