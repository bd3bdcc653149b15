"""Guessing is slowed down, and nobody can use that to lock somebody else out."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import Argon2PasswordHasher
from pytest_django import Settings

from accounts import lockout
from accounts.models import Tries, User
from accounts.networks import network_of
from audit.models import AuditEvent
from tests.accounts.codes import code_of, set_up
from tests.accounts.door import told
from tests.cast import PASSWORD, make_person
from tests.conftest import WebClient, as_worker

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HERE, THERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def ada(db: None, quick_passwords: Callable[[], None]) -> User:
    make_person("ada")
    quick_passwords()
    return User.objects.get(username="ada")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as travelling:
        yield travelling


WRONG = "not the password"


def attempt(client: WebClient, password: str = WRONG, username: str = "ada", address: str = HERE) -> Any:
    """One try at the door from an address; the client starts over signed out."""
    client.cookies.pop("session", None)
    return client.post("/sign-in/", {"username": username, "password": password}, REMOTE_ADDR=address)


def fail(client: WebClient, times: int, **where: str) -> list[int]:
    return [attempt(client, **where).status_code for _ in range(times)]


def test_five_wrong_tries_close_the_door_for_a_minute_even_to_the_right_password(
    client: WebClient, ada: User, clock: time_machine.Traveller
) -> None:
    assert fail(client, 6) == [403] * 5 + [429]
    closed = attempt(client, PASSWORD)
    assert (closed.status_code, closed.headers["Retry-After"]) == (429, "60")
    assert "Wait 1 minute, then try again." in closed.text
    clock.shift(61)
    assert attempt(client, PASSWORD).status_code == 302
    assert fail(client, 5) == [403] * 5, "a success empties the bucket"


def test_a_name_written_in_other_ways_is_the_same_account(
    client: WebClient, ada: User, clock: time_machine.Traveller
) -> None:
    ways = ["ada", " ada", "ada ", "\uff41da", "a\uff44a", "ad\uff41", " " * 150 + "ada"]
    assert attempt(client, PASSWORD, username=ways[3]).status_code == 302, "the form takes them for one"
    client.cookies.clear()
    assert [attempt(client, username=way).status_code for way in ways] == [403] * 5 + [429] * 2


def test_waits_double_to_a_quarter_of_an_hour_and_never_more(
    client: WebClient, ada: User, clock: time_machine.Traveller
) -> None:
    fail(client, 4)
    waits = []
    for _ in range(8):
        assert attempt(client).status_code == 403
        waits.append(int(attempt(client).headers["Retry-After"]) // 60)
        clock.shift(timedelta(minutes=waits[-1], seconds=1))
    assert waits == [1, 2, 4, 8, 15, 15, 15, 15]
    assert attempt(client, PASSWORD).status_code == 302, "never permanent"


def test_tries_made_while_the_door_is_closed_do_not_keep_it_closed(
    client: WebClient, ada: User, clock: time_machine.Traveller
) -> None:
    fail(client, 5)
    for _ in range(9):
        clock.shift(6)
        attempt(client)
    clock.shift(7)
    assert attempt(client, PASSWORD).status_code == 302


def test_an_attacker_elsewhere_locks_nobody_out(client: WebClient, ada: User, clock: time_machine.Traveller) -> None:
    attacker = WebClient()
    assert 429 in fail(attacker, 40, address=THERE)
    for last in range(30):
        fail(attacker, 2, address=f"192.0.2.{last}")
    assert attempt(client, PASSWORD).status_code == 302


def test_an_attacker_behind_the_same_address_does_not_lock_out_a_browser_that_is_known(
    client: WebClient, ada: User, clock: time_machine.Traveller
) -> None:
    assert attempt(client, PASSWORD).status_code == 302
    attacker = WebClient()
    assert fail(attacker, 30)[-1] == 429
    assert attempt(WebClient(), PASSWORD).status_code == 429, "an unknown browser there waits"
    assert attempt(client, PASSWORD).status_code == 302, "the known one does not"


def test_a_known_browser_has_a_limit_of_its_own_and_is_known_for_one_account(
    client: WebClient, ada: User, clock: time_machine.Traveller
) -> None:
    make_person("bob")
    attempt(client, PASSWORD)
    assert fail(client, 6) == [403] * 5 + [429]
    assert fail(client, 6, username="bob") == [403] * 5 + [429]


@pytest.mark.parametrize("value", ["", "x", "forged:1:2"])
def test_a_forged_cookie_is_no_known_browser(client: WebClient, ada: User, value: str) -> None:
    client.cookies["known"] = value
    assert fail(client, 6) == [403] * 5 + [429]


def test_many_accounts_from_one_address_fill_that_addresss_bucket(
    client: WebClient, ada: User, clock: time_machine.Traveller
) -> None:
    answers = [attempt(client, username=f"name{number}").status_code for number in range(22)]
    assert answers == [403] * 20 + [429] * 2
    assert attempt(client, username="name99", address=THERE).status_code == 403


def test_right_passwords_do_not_fill_the_bucket_of_an_office(client: WebClient, ada: User) -> None:
    assert {attempt(WebClient(), PASSWORD).status_code for _ in range(lockout.TRIES_PER_ADDRESS + 2)} == {302}


def test_names_that_nobody_has_are_answered_like_others(
    client: WebClient, ada: User, clock: time_machine.Traveller
) -> None:
    def story(username: str) -> list[tuple[int, str]]:
        browser = WebClient()
        pages = [attempt(browser, username=username, address=f"{username}.invalid") for _ in range(7)]
        return [(page.status_code, told(page.text)) for page in pages]

    assert story("ada") == story("nobody")


def test_a_name_that_nobody_has_costs_as_much_work(
    client: WebClient, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One Argon2id computation each, counted where it is made; the door adds two statements to both."""
    make_person("ada")
    work: list[str] = []
    encode, verify = Argon2PasswordHasher.encode, Argon2PasswordHasher.verify

    def counted_encode(self: Any, *given: Any) -> str:
        work.append("hash")
        return encode(self, *given)

    def counted_verify(self: Any, *given: Any) -> bool:
        work.append("hash")
        return verify(self, *given)

    monkeypatch.setattr(Argon2PasswordHasher, "encode", counted_encode)
    monkeypatch.setattr(Argon2PasswordHasher, "verify", counted_verify)
    counts = {}
    for username in ("ada", "nobody"):
        work.clear()
        attempt(client, username=username)
        counts[username] = len(work)
    assert counts == {"ada": 1, "nobody": 1}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("", ""),
        ("not an address", ""),
    ],
)
def test_one_subscriber_of_ipv6_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_codes_are_limited_as_passwords_are(client: WebClient, ada: User, settings: Settings) -> None:
    settings.LOCAL_SECOND_FACTOR = True
    set_up(ada)
    attempt(client, PASSWORD)
    answers = [client.post("/sign-in/code/", {"code": "000000"}, REMOTE_ADDR=HERE).status_code for _ in range(6)]
    assert answers == [403] * 5 + [429]
    assert client.post("/sign-in/code/", {"code": code_of(ada)}, REMOTE_ADDR=HERE).status_code == 429
    assert not ada.visits.exists()


def test_what_was_typed_as_a_name_is_not_stored_and_old_tries_go(
    client: WebClient, ada: User, clock: time_machine.Traveller
) -> None:
    fail(client, 2, username="my-secret-password")
    assert "my-secret-password" not in str(list(Tries.objects.values()))
    clock.shift(timedelta(minutes=61))
    with as_worker():
        lockout.drop_old(now=datetime.now(UTC))
    assert not Tries.objects.exists()


def test_a_closed_door_writes_no_further_lines(client: WebClient, ada: User, clock: time_machine.Traveller) -> None:
    fail(client, 50)
    assert AuditEvent.objects.filter(outcome="denied").count() == 5


@pytest.mark.django_db
def test_what_is_forgotten_already_is_forgiven_without_a_trace() -> None:
    buckets = [lockout.Bucket("one", 5), lockout.Bucket("many", 50, is_shared=True)]
    lockout.forgive(buckets)
    assert not Tries.objects.exists()
    lockout.count(buckets, now=START)
    lockout.forgive(buckets)
    lockout.forgive(buckets)
    assert list(Tries.objects.values_list("key", "tries")) == [("many", 0)]
