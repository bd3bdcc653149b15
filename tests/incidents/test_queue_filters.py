"""Each filter of the queue, the exact look-up of values, and the counts beside the choices."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from accounts.models import User
from audit.record import COMMAND_LINE
from incidents import queue as incident_queue
from incidents.assignees import set_address
from incidents.facets import Live, counts_for, live_facets
from incidents.filters import Filters, query_for, read_filters
from incidents.models import Incident, IncidentTag, IncidentTechnique, Severity, Status
from incidents.queue import PAGE, bounds, queue_page
from tenants import scope
from tenants.models import TenantGroup, TenantGroupMember
from tests.cast import NOW, Cast, make_alert, make_cast, make_evidence, make_incident
from tests.conftest import database_role
from tests.incidents.test_queue import numbers, page_of

pytestmark = pytest.mark.django_db

SHA256 = "ab" * 32


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def with_evidence(incident: Incident, kind: str, value: str, **more: Any) -> None:
    make_evidence(make_alert(incident, f"{incident.number}-{value[:20]}", **more), kind, value)


def live(user: User, **filters: Any) -> Live:
    asked = Filters(**filters)
    with database_role("web"), scope.person(user):
        page = queue_page(user, asked)
        return live_facets(asked, page.chosen, exactly=page.exactly, bounds=bounds())


def counted(found: Live, name: str) -> dict[str, str]:
    return {choice.value: choice.count for facet in found.facets if facet.name == name for choice in facet.choices}


def test_a_tenant_group_narrows_to_those_of_its_tenants_that_are_the_persons(cast: Cast) -> None:
    for number, tenant in enumerate((cast.contoso, cast.fabrikam, cast.northwind), start=1):
        make_incident(tenant, number)
    group = TenantGroup.objects.create(name="Banks")
    with scope.operations():
        for tenant in (cast.contoso, cast.northwind):
            TenantGroupMember.objects.create(group=group, tenant=tenant)
    assert numbers(page_of(cast.alice, group="Banks")) == [1]
    assert numbers(page_of(cast.charlie, group="Banks")) == [3]
    page = page_of(cast.alice, group="No such group")
    assert (numbers(page), page.unavailable) == ([], 1)


def test_me_stands_for_the_address_of_the_person(cast: Cast) -> None:
    with scope.operations():
        for tenant, address in ((None, "alice@mssp.example"), (cast.fabrikam, "alice@fabrikam.example")):
            set_address(user=cast.alice, tenant=tenant, address=address, by=COMMAND_LINE, now=NOW)
    make_incident(cast.fabrikam, 4, assigned_to="alice@fabrikam.example")
    make_incident(cast.contoso, 1, assigned_to="alice@mssp.example")
    make_incident(cast.contoso, 2, assigned_to="bob@mssp.example")
    make_incident(cast.contoso, 3)
    assert sorted(numbers(page_of(cast.alice, assignee="me"))) == [1, 4]
    assert numbers(page_of(cast.bob, assignee="me")) == []


def test_classification_narrows_and_not_set_has_two_spellings(cast: Cast) -> None:
    for number, word in enumerate(("TruePositive", "FalsePositive", "Unknown", "", "Nonsense"), start=1):
        make_incident(cast.contoso, number, classification=word)
    assert numbers(page_of(cast.alice, classification="TruePositive")) == [1]
    assert set(numbers(page_of(cast.alice, classification="Unknown"))) == {3, 4}
    assert numbers(page_of(cast.alice, classification="Nonsense")) == [5]


def test_sources_techniques_and_tags_are_looked_for_beside_the_incident(cast: Cast) -> None:
    first, second = make_incident(cast.contoso, 1), make_incident(cast.fabrikam, 2)
    make_alert(first, "a", service_source="OfficeATP")
    make_alert(second, "b", service_source="MicrosoftDefenderForOffice365", gone_at=NOW)
    with scope.tenant(cast.contoso.pk):
        IncidentTag.objects.create(tenant=cast.contoso, incident=first, tag="VIP")
        IncidentTechnique.objects.create(tenant=cast.contoso, incident=first, technique="T1078.004")
    with scope.tenant(cast.fabrikam.pk):
        IncidentTechnique.objects.create(tenant=cast.fabrikam, incident=second, technique="T1078")
    assert numbers(page_of(cast.alice, service="MicrosoftDefenderForOffice365")) == [1]
    assert numbers(page_of(cast.alice, tag="VIP")) == [1]
    assert set(numbers(page_of(cast.alice, technique="t1078"))) == {1, 2}
    assert numbers(page_of(cast.alice, technique="T1078.004")) == [1]
    assert numbers(page_of(cast.alice, technique="T10")) == []
    assert numbers(page_of(cast.alice, tag="VIP", text="suspicious")) == [1]


def test_what_is_rare_is_looked_for_within_the_fence_only(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    old = make_incident(cast.contoso, 1, updated_at=NOW - timedelta(days=1))
    make_incident(cast.contoso, 2)
    with scope.tenant(cast.contoso.pk):
        IncidentTag.objects.create(tenant=cast.contoso, incident=old, tag="VIP")
    monkeypatch.setattr(incident_queue, "SEARCHED", 1)
    assert numbers(page_of(cast.alice, tag="VIP")) == []


def test_age_is_by_last_update_or_by_creation(cast: Cast) -> None:
    now = datetime.now(UTC)
    make_incident(cast.contoso, 1, updated_at=now, created_at=now - timedelta(days=40))
    make_incident(cast.contoso, 2, updated_at=now - timedelta(days=10), created_at=now - timedelta(days=10))
    make_incident(cast.contoso, 3, updated_at=now - timedelta(days=50), created_at=None)
    assert numbers(page_of(cast.alice, newer="7d")) == [1]
    assert numbers(page_of(cast.alice, older="7d")) == [2, 3]
    assert numbers(page_of(cast.alice, newer="30d", older="24h")) == [2]
    assert numbers(page_of(cast.alice, older="30d", clock="created")) == [1]


@pytest.mark.parametrize("value", ["1", "d", "0d", "-1h", "99999h", "7w", "7d'", "٣d"])
def test_an_age_that_is_none_is_left_aside(value: str) -> None:
    assert read_filters(_query(newer=value)) == Filters()


def _query(**pairs: str) -> QueryDict:
    made = QueryDict(mutable=True)
    for name, value in pairs.items():
        made[name] = value
    return made


def test_every_filter_stands_in_the_address_and_comes_back_from_it() -> None:
    query = (
        "tenant=contoso&severity=high&status=all&assignee=me&q=a+b&group=Banks&classification=TruePositive"
        "&service=OfficeATP&technique=T1078&tag=VIP&newer=7d&older=24h&clock=created"
    )
    assert query_for(read_filters(QueryDict(query))) == query


def test_an_exact_value_is_found_in_all_of_history_and_beyond_the_fence(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make_incident(cast.contoso, 1, updated_at=NOW - timedelta(days=300))
    with_evidence(old, "file", SHA256)
    with_evidence(make_incident(cast.northwind, 9), "file", SHA256)
    for number in range(2, 6):
        make_incident(cast.contoso, number)
    monkeypatch.setattr(incident_queue, "SEARCHED", 1)
    page = page_of(cast.alice, text=SHA256.upper())
    assert (numbers(page), page.exactly) == ([1], True)
    assert numbers(page_of(cast.bob, text=SHA256, tenants=("fabrikam",))) == []


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("ip", "203.0.113.5", "203[.]0.113.5"),
        ("ip", "2001:db8::1", "2001:DB8:0:0:0:0:0:1"),
        ("user", "megan@contoso.com", "Megan@contoso.com"),
        ("mailmessage", "evil@bad.example", "evil[@]bad.example"),
        ("device", "wks-042.contoso.com", "WKS-042.contoso.com"),
        ("url", "https://bad.example/A", "hxxps://bad[.]example/A/"),
    ],
)
def test_values_are_found_however_they_are_spelled(cast: Cast, kind: str, value: str, text: str) -> None:
    with_evidence(make_incident(cast.contoso, 1), kind, value)
    with_evidence(make_incident(cast.contoso, 2), kind, f"{value}x")
    page = page_of(cast.alice, text=text)
    assert (numbers(page), page.exactly) == ([1], True)


def test_a_value_that_nothing_holds_exactly_is_looked_for_as_a_word(cast: Cast) -> None:
    make_incident(cast.contoso, 1, words="https://cdn.bad.example/x")
    page = page_of(cast.alice, text="bad.example")
    assert (numbers(page), page.exactly) == ([1], False)


def test_all_that_is_asked_must_be_met(cast: Cast) -> None:
    for number in (1, 2, 3):
        incident = make_incident(cast.contoso, number, words="phishing" if number > 1 else "")
        with_evidence(incident, "ip", "203.0.113.5")
    assert set(numbers(page_of(cast.alice, text="203.0.113.5 phishing"))) == {2, 3}
    assert numbers(page_of(cast.alice, text="203.0.113.5 #2 #1 phishing")) == [2]
    assert numbers(page_of(cast.alice, text="203.0.113.5 203.0.113.6")) == []


def test_numbers_are_looked_up_in_every_tenant_of_the_person_and_no_other(cast: Cast) -> None:
    for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
        make_incident(tenant, 12)
    page = page_of(cast.alice, text="#12")
    assert sorted(row.tenant.slug for row in page.rows) == ["contoso", "fabrikam"]
    assert numbers(page_of(cast.alice, text="#13")) == []


def test_what_is_closed_or_merged_and_holds_the_value_is_counted_beside_the_open_ones(cast: Cast) -> None:
    for number, status in ((1, Status.ACTIVE), (2, Status.RESOLVED), (3, Status.RESOLVED), (4, Status.REDIRECTED)):
        with_evidence(make_incident(cast.contoso, number, status=status), "ip", "203.0.113.5")
    page = page_of(cast.alice, text="203.0.113.5")
    assert (numbers(page), page.closed, page.merged) == ([1], 2, 1)
    assert page_of(cast.alice, text="203.0.113.5", status="all").closed == 0
    assert page_of(cast.charlie, text="203.0.113.5").closed == 0


def test_pages_of_an_exact_look_up_follow_each_other_to_the_end(cast: Cast) -> None:
    for number in range(1, PAGE + 11):
        incident = make_incident(cast.contoso, number, words="203.0.113.5", updated_at=NOW + timedelta(seconds=number))
        if number > 10:
            with_evidence(incident, "ip", "203.0.113.5")
    first = page_of(cast.alice, text="203.0.113.5")
    assert (len(first.rows), first.older, min(numbers(first))) == (PAGE, "", 11)


def test_a_chain_of_merges_counts_for_its_last_target_and_a_circle_ends(cast: Cast) -> None:
    make_incident(cast.contoso, 1)
    for number, target in ((2, 1), (3, 2), (4, 3)):
        make_incident(cast.contoso, number, status=Status.REDIRECTED, redirect_number=target)
    make_incident(cast.contoso, 10, status=Status.REDIRECTED, redirect_number=11)
    make_incident(cast.contoso, 11, status=Status.REDIRECTED, redirect_number=10)
    assert page_of(cast.alice).rows[0].merged_from == 3
    assert {row.number: row.merged_from for row in page_of(cast.alice, status="merged").rows}[10] == 1


def test_exact_counts_leave_out_their_own_filter(cast: Cast) -> None:
    make_incident(cast.contoso, 1, severity=Severity.HIGH)
    make_incident(cast.contoso, 2, severity=Severity.HIGH, assigned_to="a")
    make_incident(cast.contoso, 3, severity=Severity.LOW)
    make_incident(cast.contoso, 4, severity=Severity.LOW, status=Status.RESOLVED)
    filters = Filters(severities=("high",))
    with database_role("web"), scope.person(cast.alice):
        found = counts_for(filters, queue_page(cast.alice, filters).chosen)
    assert (found.by_severity["high"], found.by_severity["low"]) == (2, 1)
    assert (found.by_status["open"], found.by_status["resolved"]) == (2, 0)
    assert found.unassigned == 1


def test_other_counts_are_taken_live_within_all_filters(cast: Cast) -> None:
    first, second = make_incident(cast.contoso, 1, classification="TruePositive"), make_incident(cast.fabrikam, 2)
    make_incident(cast.northwind, 3, classification="FalsePositive")
    for incident in (first, second):
        make_alert(incident, f"alert-{incident.number}", service_source="OfficeATP")
        with scope.tenant(incident.tenant_id):
            IncidentTag.objects.create(tenant_id=incident.tenant_id, incident=incident, tag="VIP")
    found = live(cast.alice)
    assert (found.total, found.is_capped) == ("2", False)
    assert counted(found, "classification") == {"TruePositive": "1", "Unknown": "1"}
    assert counted(found, "tag") == {"VIP": "2"}
    assert list(counted(found, "service").values()) == ["2"]
    assert counted(live(cast.alice, tag="VIP", tenants=("contoso",)), "tag") == {"VIP": "1"}


def test_beyond_a_thousand_a_count_says_that_there_are_more(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("incidents.facets.COUNTED", 3)
    for number in range(1, 6):
        make_incident(cast.contoso, number, assigned_to="bob")
    found = live(cast.alice)
    assert (found.total, found.is_capped) == ("3+", True)
    assert counted(found, "assignee") == {"bob": "3+"}
