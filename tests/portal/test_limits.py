"""So often and no more: one address at the open doors, whatever it sends, and nobody else suffers for it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import time_machine
from django.conf import settings
from django.test import Client, override_settings
from django.urls import get_resolver

from portal import limits
from portal.limits import DOORS, count, network
from tests.repository.test_urls import PUBLIC, all_views

# A minute that no other test counts in, and no two tests of this file share.
START = 1_893_456_000
_minutes = iter(range(10_000))


@pytest.fixture(autouse=True)
def minute() -> Iterator[Any]:
    """The beginning of a window of this test's own."""
    with time_machine.travel(START + 60 * next(_minutes), tick=False) as moment:
        yield moment
    server = redis.Redis.from_url(settings.REDIS_URL)
    for key in server.scan_iter(match=f"{settings.REDIS_KEY_PREFIX}limit:*"):
        server.delete(key)
    server.close()


@pytest.fixture
def three_a_minute() -> Iterator[None]:
    """Quickly reached."""
    with override_settings(RATE_LIMIT_PER_MINUTE=3):
        yield


def statuses(client: Client, path: str, times: int, **more: Any) -> list[int]:
    answers = [client.get(path, **more) for _ in range(times)]
    for answer in answers:
        b"".join(answer)  # files stay open until they are read
    return [answer.status_code for answer in answers]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "usual"), [("/sign-in/", 200), ("/connect/unknown/", 404), ("/consent/callback/?state=x", 404)]
)
def test_the_fourth_request_of_a_minute_is_refused_with_a_time_to_wait(
    client: Client, three_a_minute: None, path: str, usual: int
) -> None:
    assert statuses(client, path, 3) == [usual] * 3
    refused = client.get(path)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"
    assert b"60 seconds" in refused.content
    assert refused.headers["Cache-Control"] == "no-store"
    assert "script-src" in refused.headers["Content-Security-Policy"]
    assert b"<script" not in refused.content


@pytest.mark.django_db
def test_passwords_are_not_looked_at_once_the_limit_is_reached(client: Client, three_a_minute: None) -> None:
    from audit.models import AuditEvent

    statuses(client, "/sign-in/", 3)
    before = AuditEvent.objects.count()
    answer = client.post("/sign-in/", {"username": "alice", "password": "x" * 20})
    assert answer.status_code == 429
    assert AuditEvent.objects.count() == before


@pytest.mark.django_db
def test_with_the_next_minute_it_answers_again(client: Client, three_a_minute: None, minute: Any) -> None:
    statuses(client, "/sign-in/", 4)
    minute.shift(60)
    assert statuses(client, "/sign-in/", 1) == [200]


@pytest.mark.django_db
def test_another_address_and_another_door_are_counted_apart(client: Client, three_a_minute: None) -> None:
    assert statuses(client, "/sign-in/", 4)[-1] == 429
    assert statuses(client, "/sign-in/", 1, REMOTE_ADDR="192.0.2.7") == [200]
    assert statuses(client, "/connect/unknown/", 1) == [404]


@pytest.mark.django_db
def test_p4_a_client_cannot_choose_whom_it_is_counted_as(client: Client, three_a_minute: None) -> None:
    """Without a proxy no header is believed; with one, only what the proxy itself appended."""
    for number in range(4):
        answer = client.get(
            "/sign-in/", headers={"x-forwarded-for": f"198.51.100.{number}", "forwarded": "for=1.2.3.4"}
        )
    assert answer.status_code == 429
    with override_settings(TRUST_PROXY=True):
        for number in range(4):
            answer = client.get(
                "/sign-in/", headers={"x-forwarded-for": f"198.51.100.{number}, 203.0.113.9"}, secure=True
            )
        assert answer.status_code == 429
        answer = client.get("/sign-in/", headers={"x-forwarded-for": "198.51.100.1, 203.0.113.10"}, secure=True)
        assert answer.status_code == 200


@pytest.mark.django_db
def test_pages_of_signed_in_people_and_static_files_are_not_counted(client: Client, three_a_minute: None) -> None:
    assert 429 not in statuses(client, "/incidents/", 6)
    assert 429 not in statuses(client, "/static/portal/base.css", 6)
    assert statuses(client, "/livez", 6) == [200] * 6


def test_every_public_page_has_a_door_here() -> None:
    assert set(PUBLIC) - set(DOORS) <= {"admin:login"}, "a public page without a limit: add it to portal.limits.DOORS"


def test_the_names_are_those_of_urls_or_of_sign_in_to_come() -> None:
    known = {name for name, _ in all_views()}
    assert get_resolver() is not None
    assert {name for name in DOORS if name not in known} <= {
        "accounts:entra_begin",
        "accounts:entra_callback",
        "accounts:step_up",
    }


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("evil\r\nKEY", "unknown"),
    ],
)
def test_a_household_is_one_address(address: str, counted_as: str) -> None:
    assert network(address) == counted_as


def test_while_redis_is_away_each_process_counts_for_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.1)
    monkeypatch.setattr(limits, "_server", lambda: nobody)
    assert [count("door:192.0.2.1", now=START) for _ in range(3)] == [1, 2, 3]
    assert count("door:192.0.2.2", now=START) == 1
    assert count("door:192.0.2.1", now=START + 60) == 1


def test_what_a_process_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED", 10)
    ours = limits._OwnCount()
    for number in range(1_000):
        ours.count(str(number), 1)
    assert len(ours._counts) <= 10


def test_counts_leave_redis_by_themselves() -> None:
    count("door:192.0.2.9", now=START)
    server = redis.Redis.from_url(settings.REDIS_URL)
    name = f"{settings.REDIS_KEY_PREFIX}limit:door:192.0.2.9:{START // 60}"
    assert 0 < int(server.ttl(name)) <= 120
    server.close()


def test_operations_say_how_a_limit_looks_in_the_log() -> None:
    from tests.repository.tree import ROOT

    assert re.search(r"RATE_LIMIT_PER_MINUTE", (ROOT / "docs" / "operations.md").read_text())
