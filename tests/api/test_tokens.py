"""A token opens what it says, never more than its owner may at this moment, and nothing once it is over."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from api import tokens
from api.middleware import UNKNOWN
from api.models import Token, Verb
from audit.models import AuditEvent
from audit.record import Actor
from incidents.models import Incident
from tenants import scope
from tenants.models import Grant, SyncState, TenantGroup, TenantGroupMember
from tests.api.conftest import Program, make_token
from tests.cast import Cast, make_incident, make_person
from tests.conftest import WebClient, database_role

Of = Callable[..., Program]
ADDRESS = "/api/v1/incidents/{}/7/"


@pytest.fixture
def seven(cast: Cast) -> Cast:
    for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
        make_incident(tenant, 7)
    return cast


def opened(program: Program) -> list[int]:
    """What becomes of incident 7 of Contoso, Fabrikam and Northwind."""
    return [program.get(ADDRESS.format(slug)).status_code for slug in ("contoso", "fabrikam", "northwind")]


def listed(program: Program) -> set[str]:
    return {one["tenant"] for one in program.get("/api/v1/incidents/").json()["incidents"]}


def test_a_token_for_one_tenant_opens_that_one_of_its_owners_alone(seven: Cast, program: Of) -> None:
    alice = program(seven.alice, reach=tokens.Reach(tenants=(seven.fabrikam,)))
    assert opened(alice) == [404, 200, 404]
    assert listed(alice) == {"fabrikam"}
    assert [one["tenant"] for one in alice.get("/api/v1/tenants/").json()["tenants"]] == ["fabrikam"]
    assert "contoso" not in alice.get("/api/v1/incidents/export/").getvalue().decode()


def test_a_token_that_names_a_tenant_of_somebody_else_does_not_open_it(seven: Cast, program: Of) -> None:
    assert opened(program(seven.alice, reach=tokens.Reach(tenants=(seven.northwind,)))) == [404, 404, 404]


def test_a_token_for_a_group_follows_the_group_f67(seven: Cast, program: Of) -> None:
    group = TenantGroup.objects.create(name="Gold")
    alice = program(seven.alice, reach=tokens.Reach(groups=(group,)))
    assert opened(alice) == [404, 404, 404]
    with scope.operations():
        for tenant in (seven.contoso, seven.northwind):
            TenantGroupMember.objects.create(group=group, tenant=tenant)
    assert opened(alice) == [200, 404, 404], "what its owner may not see it does not open"


def test_a_token_of_staff_is_narrowed_too_and_opens_no_connection_by_being_staff(seven: Cast, program: Of) -> None:
    ada = make_person("ada", (seven.contoso, Role.ANALYST), is_staff=True)
    assert [one["tenant"] for one in program(ada).get("/api/v1/tenants/").json()["tenants"]] == ["contoso"]
    narrow = program(ada, reach=tokens.Reach(tenants=(seven.fabrikam,)))
    assert narrow.get("/api/v1/tenants/").json()["tenants"] == []
    with scope.person(ada, only=frozenset({seven.fabrikam.pk})):
        assert SyncState.objects.count() == 0


def test_each_lock_narrows_alone(seven: Cast) -> None:
    only = frozenset({seven.fabrikam.pk})
    with scope.person(seven.alice, only=only):  # as the owner, to whom row-level security shows everything
        assert {one.tenant_id for one in Incident.objects.all()} == only
    with database_role("web"), scope.person(seven.alice, only=only):
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT tenant_id FROM incidents_incident")
            assert {key for (key,) in cursor.fetchall()} == only
    with database_role("web"), scope.person(seven.alice, only=frozenset()):
        assert Incident.objects.count() == 0


def test_a_verb_that_the_token_lacks_is_refused_with_its_name_and_noted(seven: Cast, program: Of) -> None:
    reader = program(seven.alice, Verb.READ_HEALTH)
    answer = reader.get(ADDRESS.format("contoso"))
    assert (answer.status_code, answer.json()["detail"]) == (
        403, "This token is not for it: it takes the verb read-incidents.",
    )  # fmt: skip
    noted = AuditEvent.objects.filter(outcome="denied").get()
    assert noted.actor.startswith(f"Alice (#{seven.alice.pk}) by API token alice's program (#")


def test_a_role_that_its_owner_loses_is_gone_with_the_next_request(seven: Cast, program: Of) -> None:
    alice = program(seven.alice)
    assert opened(alice) == [200, 200, 404]
    Grant.objects.filter(user=seven.alice, tenant=seven.contoso).delete()
    assert opened(alice) == [404, 200, 404]
    assert listed(alice) == {"fabrikam"}


def test_a_viewers_token_cannot_be_made_for_deciding_and_a_demoted_analysts_decides_nothing(seven: Cast) -> None:
    with pytest.raises(tokens.NotMade, match="role analyst"):
        make_token(seven.bob, Verb.TRIAGE)
    alice = Program(make_token(seven.alice, Verb.TRIAGE)[1])
    Grant.objects.filter(user=seven.alice).update(role=Role.VIEWER)
    body = {"incidents": [{"tenant": "contoso", "number": 7}], "decision": {"status": "resolved"}}
    answer = alice.post("/api/v1/decisions/", body, content_type="application/json", headers={"Idempotency-Key": "k"})
    assert [one["code"] for one in answer.json()["answers"]] == ["not-allowed"]


def over(token: Token, cast: Cast, how: str) -> None:
    now = timezone.now()
    if how == "revoked":
        assert tokens.revoke(token=token, by=Actor("test"), now=now)
    elif how == "expired":
        made = now - timedelta(days=3)
        Token.objects.filter(pk=token.pk).update(created_at=made, expires_at=now - timedelta(seconds=1))
    else:
        User.objects.filter(pk=cast.alice.pk).update(is_active=False)


@pytest.mark.parametrize("how", ["revoked", "expired", "owner switched off"])
def test_a_token_that_is_over_opens_nothing_with_the_next_request_and_is_noted_once_an_hour(
    seven: Cast, how: str
) -> None:
    token, value = make_token(seven.alice)
    alice = Program(value)
    assert opened(alice) == [200, 200, 404]
    over(token, seven, how)
    answers = [alice.get("/api/v1/incidents/"), alice.get("/api/v1/openapi.json")]
    assert [(one.status_code, one.json()["detail"], one.headers["WWW-Authenticate"]) for one in answers] == [
        (401, UNKNOWN, "Bearer")
    ] * 2
    refused = AuditEvent.objects.get(action=tokens.REFUSED)
    assert (refused.outcome, refused.details) == ("denied", {"why": how})


def test_a_file_breaks_off_where_its_token_is_revoked_meanwhile(seven: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from incidents import queue_export

    monkeypatch.setattr(queue_export, "PIECE", 1)
    token, value = make_token(seven.alice)
    answer: Any = Program(value).get("/api/v1/incidents/export/")
    sent = iter(answer.streaming_content)
    assert b"7" in next(sent)
    tokens.revoke(token=token, by=Actor("test"), now=timezone.now())
    with pytest.raises(queue_export.BrokenOff):
        next(sent)


def test_a_file_holds_nothing_more_of_a_tenant_that_leaves_the_tokens_group_meanwhile(
    seven: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    from incidents import queue_export

    monkeypatch.setattr(queue_export, "PIECE", 1)
    group = TenantGroup.objects.create(name="Gold")
    with scope.operations():
        TenantGroupMember.objects.bulk_create(
            TenantGroupMember(group=group, tenant=tenant) for tenant in (seven.contoso, seven.fabrikam)
        )
    _, value = make_token(seven.alice, reach=tokens.Reach(groups=(group,)))
    answer: Any = Program(value).get("/api/v1/incidents/export/?format=jsonl")
    sent = iter(answer.streaming_content)
    first = next(sent)
    with scope.operations():
        TenantGroupMember.objects.filter(group=group).delete()
    assert b'"incident_id":7' in first
    assert b"".join(sent) == b""


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer portal_x", "Basic {value}", "{value}", "Bearer {value}x", "Bearer ü"]
)
def test_whatever_is_no_token_that_holds_gets_one_answer(seven: Cast, header: str) -> None:
    _, value = make_token(seven.alice)
    answer = Client(headers={"Authorization": header.format(value=value)}).get("/api/v1/incidents/")
    assert (answer.status_code, answer.json()["detail"]) == (401, UNKNOWN)


def test_a_session_opens_nothing_and_nothing_of_the_api_touches_it(seven: Cast, client: WebClient) -> None:
    client.force_login(seven.alice)
    before = client.session.items()
    answer = client.get("/api/v1/incidents/")
    assert answer.status_code == 401
    assert not answer.cookies
    assert dict(before) == dict(client.session.items())


def test_a_program_sends_no_csrf_token_and_gets_no_cookie(seven: Cast) -> None:
    _, value = make_token(seven.alice)
    strict = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {value}"})
    answer = strict.post("/api/v1/decisions/", "{}", content_type="application/json")
    assert answer.status_code == 400, "refused for what it says, not for where it comes from"
    assert not answer.cookies


def test_only_a_hash_is_kept_and_its_use_is_noted_to_the_minute(seven: Cast) -> None:
    token, value = make_token(seven.alice)
    kept = str(Token.objects.filter(pk=token.pk).values().get())
    assert value not in kept and value.removeprefix(tokens.PREFIX) not in kept
    Program(value).get("/api/v1/tenants/")
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    assert token.last_used_from == "127.0.0.1"
    Program(value).get("/api/v1/tenants/")
    token.refresh_from_db()
    assert token.last_used_at == first


def test_a_token_that_asks_too_often_waits_and_no_other_does(seven: Cast, program: Of) -> None:
    alice, bob = program(seven.alice), program(seven.bob)
    with override_settings(API_RATE_LIMIT_PER_MINUTE=3):
        answers = [alice.get("/api/v1/tenants/") for _ in range(8)]
        refused = [one for one in answers if one.status_code == 429]
        assert 2 <= len(refused) <= 5  # a new minute may begin meanwhile
        assert refused[0].headers["Content-Type"] == "application/problem+json"
        assert 0 < int(refused[0].headers["Retry-After"]) <= 60
        assert bob.get("/api/v1/tenants/").status_code == 200


def test_the_list_is_noted_once_an_hour_and_an_incident_as_its_page_is(seven: Cast, program: Of) -> None:
    alice = program(seven.alice)
    for _ in range(3):
        alice.get("/api/v1/incidents/")
        alice.get(ADDRESS.format("contoso"))
    assert AuditEvent.objects.filter(action="read incidents").count() == 1
    assert AuditEvent.objects.filter(action="read incident", subject="incident 7").count() == 1


def test_a_fault_and_an_address_that_leads_nowhere_are_problems_too(
    seven: Cast, program: Of, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = program(seven.alice)
    alice.raise_request_exception = False
    assert alice.get("/api/v1/nosuch/").json()["status"] == 404

    def fails(*args: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("api.health.tenants_for", fails)
    answer = alice.get("/api/v1/tenants/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
