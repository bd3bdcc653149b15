"""The overview as a browser gets it: every number leads to as many rows, and nobody sees more than is theirs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from incidents import dashboard, dashboard_statements
from incidents.dashboard import Ask, figures_for
from incidents.dashboard_page import Page
from incidents.models import Severity, Status
from tenants import scope
from tenants.models import SyncState, Tenant, TenantGroup, TenantGroupMember, TenantState
from tests.cast import Cast, make_cast, make_incident, make_person, make_tenant
from tests.conftest import WebClient, database_role
from tests.incidents.pages import HOSTILE, Reader, assert_harmless, read

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast, client: WebClient) -> WebClient:
    client.force_login(cast.alice)
    return client


def now() -> datetime:
    """Noon of the day, so that an hour before and after are of the same day."""
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def page(client: WebClient, query: str = "") -> Reader:
    answer = client.get(f"/incidents/overview/{query}")
    assert answer.status_code == 200
    assert_harmless(answer.content)
    return read(answer.content)


class Numbers(Reader):
    """The numbers that are links, with their addresses."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.found: list[tuple[int, str]] = []
        self._address = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag == "a":
            given = dict(attrs)
            self._address = str(given["href"]) if given.get("class") == "figure" else ""

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if self._address and data.strip():
            self.found.append((int(data.replace(",", "")), self._address))
            self._address = ""


def numbers(client: WebClient, query: str = "") -> list[tuple[int, str]]:
    reader = Numbers()
    reader.feed(client.get(f"/incidents/overview/{query}").content.decode())
    return reader.found


def rows_behind(client: WebClient, address: str) -> int:
    """The rows of the queue at this address, over all its pages."""
    rows, seen = 0, read(client.get(address).content)
    while True:
        rows += sum(1 for _, attributes in seen.tags if "data-row" in attributes)
        older = [link for link in seen.links if "after=" in link]
        if not older:
            return rows
        seen = read(client.get(older[0]).content)


def fill(cast: Cast) -> None:
    """Incidents of every kind in three tenants, over the period and before it."""
    at, severities = now(), list(Severity)
    for n in range(70):
        tenant = (cast.contoso, cast.fabrikam, cast.northwind)[n % 3]
        created = at - (n % 40) * DAY - HOUR
        status = list(Status)[n % 5]
        more: dict[str, Any] = {"assigned_to": "alice@mssp.example"} if n % 7 == 0 else {}
        if status == Status.IN_PROGRESS:
            more["assigned_to"] = "alice@mssp.example" if n % 2 else "bob@mssp.example"
        make_incident(
            tenant, n + 1, severity=severities[n % len(severities)], status=status, created_at=created,
            updated_at=min(at, created + (n % 6) * DAY), **more,
        )  # fmt: skip
    make_incident(cast.contoso, 900, created_at=None, severity=Severity.HIGH)
    make_incident(cast.contoso, 901, created_at=at + 2 * DAY, updated_at=at + 2 * DAY, severity=Severity.HIGH)


@pytest.mark.parametrize(
    "query", ["?days=7&assignee=alice%40mssp.example", "?days=30", "?tenant=contoso", "?days=7&group=Retail"]
)
def test_every_number_leads_to_as_many_rows(alice: WebClient, cast: Cast, query: str) -> None:
    fill(cast)
    group_of("Retail", cast.fabrikam, cast.northwind)
    found = numbers(alice, query)
    kinds = {kind for _, address in found for kind in ("open_on", "created_", "closed_", "touched_") if kind in address}
    assert kinds == {"open_on", "created_", "closed_", "touched_"}
    counted = {address: (n, rows_behind(alice, address)) for n, address in dict.fromkeys(found)}
    assert {address: both for address, both in counted.items() if both[0] != both[1]} == {}
    assert len(counted) > 20


def test_what_is_open_now_is_the_line_s_end(alice: WebClient, cast: Cast) -> None:
    for number, days in enumerate((0, 2, 2), start=1):
        make_incident(cast.contoso, number, created_at=now() - days * DAY, severity=Severity.HIGH)
    make_incident(
        cast.fabrikam, 4, created_at=now() - 3 * DAY, updated_at=now() - DAY, status=Status.RESOLVED,
        severity=Severity.HIGH,
    )  # fmt: skip
    seen = page(alice, "?days=7")
    described = next(text for text in seen.text.split("Open incidents at the end of each day. ")[1:])
    assert described.startswith("High from 0 to 3, Medium from 0 to 0")
    today = now().date()
    on = {address[-10:]: n for n, address in numbers(alice, "?days=7") if "open_on" in address}
    back = {(today - timedelta(days=days)).isoformat(): n for days, n in {0: 3, 1: 2, 2: 3, 3: 1}.items()}
    assert on == back


def test_times_are_told_by_severity_and_bounds_are_counted(alice: WebClient, cast: Cast) -> None:
    for number, hours in enumerate((1, 2, 30), start=1):
        make_incident(
            cast.contoso, number, status=Status.RESOLVED, severity=Severity.LOW, created_at=now() - hours * HOUR - DAY,
            updated_at=now() - DAY, seen_open=number > 1,
        )  # fmt: skip
    words = [word.strip() for word in page(alice, "?days=7").words if word.strip()]
    close = words[words.index("Time to close") :]
    low = close.index("Low")
    # Three incidents, one of them a bound; nine in ten: 2 h and four fifths of the way to 30 h.
    assert close[low : low + 5] == ["Low", "3", "2 h", "1 d", "1"]


def test_only_the_person_s_tenants_are_counted(client: WebClient, cast: Cast) -> None:
    fill(cast)
    client.force_login(cast.charlie)
    seen = page(client)
    assert "Northwind" in seen.text
    assert "Contoso" not in seen.text and "Fabrikam" not in seen.text
    everything = sum(n for n, address in numbers(client) if address == "/incidents/")
    assert everything == rows_behind(client, "/incidents/") > 0
    assert numbers(client, "?tenant=contoso") == numbers(client, "?tenant=nosuch") == []


def test_staff_without_a_grant_see_an_empty_overview(client: WebClient, cast: Cast) -> None:
    fill(cast)
    client.force_login(make_person("dana", is_staff=True))
    seen = page(client)
    assert "No tenants are assigned to you" in seen.text
    assert "Contoso" not in seen.text


def test_a_group_that_the_person_has_no_part_in_does_not_exist(alice: WebClient, cast: Cast) -> None:
    group_of("Northern", cast.northwind)
    group_of("Retail", cast.contoso, cast.northwind)
    seen = page(alice)
    assert "Retail" in seen.text
    assert "Northern" not in seen.text
    assert "None of your tenants is meant" in page(alice, "?group=Northern").text


def test_each_tenant_has_one_cell_and_its_trouble_is_told_in_words(client: WebClient, cast: Cast) -> None:
    tenants = [make_tenant(f"T {state.value}", state=state) for state in TenantState if state != TenantState.CONNECTED]
    tenants += [make_tenant("T fresh"), make_tenant("T stale", now=now() - 3 * DAY), make_tenant("T first")]
    with scope.operations():
        SyncState.objects.filter(tenant=tenants[-1]).update(last_ok_at=None)
    client.force_login(make_person("many", *((tenant, Role.VIEWER) for tenant in tenants)))
    seen = page(client)
    cells = [a["href"] for tag, a in seen.tags if tag == "a" and a.get("class", "").startswith("cell ")]
    assert sorted(cells) == sorted(f"/tenants/{tenant.slug}/" for tenant in tenants)
    for words in (
        "Consent lost (1)", "Needs attention (4)", "Not read yet (2)", "Disconnected (1)", "Up to date (1)",
        "T stale: stale, as of", "T consent_lost: consent lost",
    ):  # fmt: skip
        assert words in seen.text, words


def test_without_incidents_it_says_so(alice: WebClient, cast: Cast) -> None:
    seen = page(alice, "?days=7").text
    assert "Nothing is open, and nothing was opened or closed in these 7 days." in seen
    assert "None was closed in these 7 days." in seen


def test_words_in_the_address_that_mean_nothing_are_left_aside(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 1, created_at=timezone.now())
    usual = numbers(alice)
    for query in ("?days=8", "?days=30x", "?days=", "?status=resolved&q=x&severity=low", "?group=&assignee=%00"):
        assert numbers(alice, query) == usual, query


def test_names_that_others_wrote_do_no_harm(client: WebClient) -> None:
    tenants = []
    for number, text in enumerate(HOSTILE, start=1):
        tenant = make_tenant(f"tenant-{number}")
        with scope.operations():
            Tenant.objects.filter(pk=tenant.pk).update(name=text[:200])
        make_incident(tenant, number, text, assigned_to=text)
        tenants.append(tenant)
    group_of(HOSTILE[0], *tenants)
    client.force_login(make_person("many", *((tenant, Role.VIEWER) for tenant in tenants)))
    page(client)


def test_any_number_of_tenants_and_incidents_takes_the_same_few_queries() -> None:
    tenants = [make_tenant(f"Tenant {n}") for n in range(20)]
    for number in range(1, 60):
        make_incident(tenants[number % 20], number, updated_at=now(), assigned_to="a" if number % 3 else None)
    many = make_person("many", *((tenant, Role.ANALYST) for tenant in tenants))
    ask = Ask(90, assignee="a")
    with database_role("web"), scope.person(many), CaptureQueriesContext(connection) as queries:
        figures = figures_for(many, ask, now=now() + HOUR)
        for name in ("open_rows", "flow_rows", "tenant_bars", "speeds", "held", "health"):
            assert list(getattr(Page(figures), name)())
    assert len(queries) == 8


def test_no_statement_walks_the_incidents(cast: Cast) -> None:
    for number in range(1, 200):
        status = Status.RESOLVED if number % 5 else Status.ACTIVE
        at = now() - number * DAY
        make_incident(cast.contoso, number, status=status, updated_at=at, assigned_to="a" if number == 5 else None)
    asked: dict[str, Any] = {
        "tenants": [cast.contoso.pk],
        "since": now() - 9 * DAY,
        "until": now(),
        "names": ["a"],
    }
    plans = {}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE incidents_incident")
    with database_role("web"), scope.person(cast.alice), connection.cursor() as cursor:
        # So small a table would be read whole; this asks whether an index can answer, under row-level security too.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        for name in ("COUNTS", "TOUCHED", "CLOSED", "HELD_BY"):
            cursor.execute(f"EXPLAIN {getattr(dashboard_statements, name)}", asked)
            plans[name] = "\n".join(row[0] for row in cursor.fetchall())
    assert "incidents_incident" not in plans["COUNTS"], plans["COUNTS"]
    assert "Index Only Scan using incident_by_first_touch" in plans["TOUCHED"], plans["TOUCHED"]
    assert "Index Only Scan using incident_by_closing" in plans["CLOSED"], plans["CLOSED"]
    assert "Index Only Scan using open_incident_of_a_person" in plans["HELD_BY"], plans["HELD_BY"]


def test_times_are_taken_over_whole_days_that_hold_no_more_than_can_be_measured(
    alice: WebClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 7):  # two a day, today first
        at = now() - (number - 1) // 2 * DAY
        make_incident(cast.contoso, number, status=Status.RESOLVED, created_at=at - HOUR, updated_at=at)
    for most, counted in ((4, 4), (5, 4), (6, 6), (1, 2)):
        monkeypatch.setattr(dashboard, "MEASURED", most)
        behind = [(n, address) for n, address in numbers(alice) if "closed_" in address and "severity" in address]
        assert [n for n, _ in behind] == [counted], most
        assert rows_behind(alice, behind[0][1]) == counted


def group_of(name: str, *tenants: Tenant) -> None:
    with scope.operations():
        group = TenantGroup.objects.create(name=name)
        for tenant in tenants:
            TenantGroupMember.objects.create(group=group, tenant=tenant)
