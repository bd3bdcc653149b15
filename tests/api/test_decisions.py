"""Programs decide through the same door as people: once, per incident, never beyond the token."""

from collections.abc import Callable
from typing import Any

import pytest

from api.tokens import Reach
from audit.models import AuditEvent
from incidents.models import Incident, Intent, Status
from tenants import scope
from tests.api.conftest import Program
from tests.cast import Cast, make_incident

Of = Callable[..., Program]
PATH = "/api/v1/decisions/"


@pytest.fixture
def seven(cast: Cast) -> Cast:
    for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
        make_incident(tenant, 7)
    return cast


def decide(program: Program, key: str, *slugs: str, **values: Any) -> Any:
    body = {"incidents": [{"tenant": slug, "number": 7} for slug in slugs], "decision": values}
    return program.post(PATH, body, content_type="application/json", headers={"Idempotency-Key": key})


def intents(cast: Cast) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
        with scope.tenant(tenant.pk):
            rows += Intent.objects.values_list("tenant__slug", "field", "state")
    return rows


def test_each_incident_is_answered_and_what_may_go_is_queued(seven: Cast, program: Of) -> None:
    answer = decide(program(seven.alice), "k-1", "contoso", "northwind", "nosuch", status="in-progress")
    assert answer.status_code == 202
    said = answer.json()
    assert [(one["tenant"], one["accepted"], one["code"]) for one in said["answers"]] == [
        ("contoso", True, ""), ("northwind", False, "not-found"), ("nosuch", False, "not-found"),
    ]  # fmt: skip
    assert said["answers"][1]["sentence"] == said["answers"][2]["sentence"]
    assert intents(seven) == [("contoso", "status", "queued")]
    written = AuditEvent.objects.get(action="decide", outcome="done")
    assert " by API token alice's program (#" in written.actor


def test_the_same_key_is_the_same_decision_and_no_other_may_have_it_t1(seven: Cast, program: Of) -> None:
    alice = program(seven.alice)
    first = decide(alice, "k-1", "contoso", comment="Looking.").json()
    again = decide(alice, "k-1", "contoso", comment="Looking.").json()
    assert (first["is_repeat"], again["is_repeat"]) == (False, True)
    assert first["answers"] == again["answers"]
    assert len(intents(seven)) == 1
    other = decide(alice, "k-1", "contoso", comment="Something else.")
    assert (other.status_code, other.json()["code"]) == (422, "key-used")
    assert len(intents(seven)) == 1


@pytest.mark.parametrize("key", ["", "with blank", "x" * 65, "ü"])
def test_without_a_key_that_can_be_one_nothing_is_decided(seven: Cast, program: Of, key: str) -> None:
    answer = decide(program(seven.alice), key, "contoso", status="resolved")
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["detail"]
    assert intents(seven) == []


def test_what_makes_no_sense_is_told_in_a_sentence(seven: Cast, program: Of) -> None:
    alice = program(seven.alice)
    for values, status, said in (
        ({}, 422, "Choose what is to be changed."),
        ({"classification": "TruePositive"}, 422, "always set together"),
        ({"status": "done"}, 400, "Invalid enum value 'done'"),
        ({"staus": "resolved"}, 400, "unknown field `staus`"),
    ):
        answer = decide(alice, "k", "contoso", **values)
        assert answer.status_code == status, answer.content
        assert said in answer.json()["detail"]
    assert intents(seven) == []


def test_progress_and_cancel_are_for_its_owner_and_the_tokens_tenants(seven: Cast, program: Of) -> None:
    alice = program(seven.alice)
    decide(alice, "k-1", "contoso", "fabrikam", status="in-progress")
    narrow = program(seven.alice, reach=Reach(tenants=(seven.fabrikam,)))
    seen = narrow.get(f"{PATH}k-1/").json()
    assert [one["tenant"] for one in seen["changes"]] == ["fabrikam"]
    taken = narrow.post(f"{PATH}k-1/cancel/").json()
    assert (taken["cancelled"], taken["too_late"]) == (1, 0)
    assert sorted(intents(seven)) == [("contoso", "status", "queued"), ("fabrikam", "status", "cancelled")]
    rest = alice.get(f"{PATH}k-1/").json()
    assert {one["tenant"]: one["state"] for one in rest["changes"]} == {"contoso": "queued", "fabrikam": "cancelled"}
    charlie = program(seven.charlie)
    assert charlie.get(f"{PATH}k-1/").content == charlie.get(f"{PATH}nosuch/").content
    assert charlie.post(f"{PATH}k-1/cancel/").status_code == 404


def test_what_changed_since_it_was_read_becomes_a_conflict_t2(seven: Cast, program: Of) -> None:
    alice = program(seven.alice)
    seen = alice.get("/api/v1/incidents/contoso/7/").json()["seen"]
    with scope.tenant(seven.contoso.pk):
        Incident.objects.filter(number=7).update(status=Status.RESOLVED, remote_status="Resolved")
    assert (send(alice, "k-1", seen=seen)["accepted"], intents(seven)) == (False, [("contoso", "status", "conflict")])
    assert send(alice, "k-2", seen=alice.get("/api/v1/incidents/contoso/7/").json()["seen"])["accepted"]
    assert sorted(intents(seven)) == [("contoso", "status", "cancelled"), ("contoso", "status", "queued")]


def test_what_was_merged_goes_on_to_the_incident_that_the_program_names(seven: Cast, program: Of) -> None:
    alice = program(seven.alice)
    make_incident(seven.contoso, 8)
    with scope.tenant(seven.contoso.pk):
        Incident.objects.filter(number=7).update(status=Status.REDIRECTED, redirect_number=8, is_open=False)
    asked = send(alice, "k-1")
    assert (asked["code"], asked["merged_into"]) == ("merged", 8)
    assert send(alice, "k-2", to_merged=9)["code"] == "merged"
    assert intents(seven) == []
    assert send(alice, "k-1", to_merged=8, status=422)["code"] == "key-used"
    assert send(alice, "k-3", to_merged=asked["merged_into"])["accepted"]
    with scope.tenant(seven.contoso.pk):
        assert list(Intent.objects.values_list("number", "asked_number")) == [(8, 7)]


def send(program: Program, key: str, status: int = 202, **more: Any) -> Any:
    """What is answered of incident 7 of Contoso, which shall be in progress."""
    body = {"incidents": [{"tenant": "contoso", "number": 7, **more}], "decision": {"status": "in-progress"}}
    answer = program.post(PATH, body, content_type="application/json", headers={"Idempotency-Key": key})
    assert answer.status_code == status
    return answer.json()["answers"][0] if status == 202 else answer.json()


@pytest.mark.parametrize("tenant", ["", "!!!", "con\x00toso", "cöntoso", "x" * 81])
def test_what_is_no_tenants_name_is_told_and_leaves_no_trace(seven: Cast, program: Of, tenant: str) -> None:
    answer = decide(program(seven.alice), "k-1", "contoso", tenant, status="resolved")
    assert answer.status_code == 400
    assert "tenant" in answer.json()["detail"]
    assert intents(seven) == []


def test_a_decision_sent_again_tells_nothing_of_a_tenant_that_was_taken_away_since(seven: Cast, program: Of) -> None:
    wide = program(seven.alice)
    first = decide(wide, "k-1", "contoso", "fabrikam", assigned_to="nobody@example.com").json()
    assert {one["code"] for one in first["answers"]} == {"not-assignable"}
    narrow = program(seven.alice, reach=Reach(tenants=(seven.contoso,)))
    again = decide(narrow, "k-1", "contoso", "fabrikam", assigned_to="nobody@example.com").json()
    assert [one["code"] for one in again["answers"]] == ["not-assignable", "not-found"]
    assert "Fabrikam" not in again["answers"][1]["sentence"]
