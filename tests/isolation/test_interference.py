"""ISO-4: what a person sees is the same, byte for byte, whether or not the other tenants exist.

Counts, facets, search, cursors, orders, names in filters: whatever could carry something over shows as a difference.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
import time_machine
from django.db import connection
from django.db.models import Model
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.models import User
from accounts.roles import Role
from incidents.models import Severity, Status
from tenants.models import Customer, Grant, Tenant
from tests.cast import NOW, make_incident, make_person, make_tenant
from tests.conftest import WebClient
from tests.isolation.rows import fill_tenant, tenant_owned
from tests.isolation.tally import tally
from tests.isolation.world import undone

OTHERS = ("Contoso", "Fabrikam")
SLUGS = ("northwind", "contoso", "fabrikam", "nosuch")
# Taken out before answers are compared: what differs between any two requests.
ALWAYS_NEW = re.compile(
    r'nonce="[^"]+"|\'nonce-[^\']+\'|'
    r'name="csrfmiddlewaretoken" value="[^"]+"|name="key" value="[0-9a-f-]{36}"|'
    r"(?<=after=)[\w%=-]+|(?<=csrf=)\w+|(?<=X-Request-ID: )\w+"
)
# A fresh page of northwind's is followed by its older ones where it has any.
OLDER = re.compile(r'"([^"]*after=[\w%=-]+[^"]*)"')
PARTS = (
    "", "alerts/", "evidence/?kind=ip", "evidence/?alert=alert-2", "raw/", "changes/", "changes/?version=0",
    "sightings/", "story/", "history/",
)  # fmt: skip
Step = tuple[str, str]


def filters() -> st.SearchStrategy[str]:
    pair = st.one_of(
        st.sampled_from(SLUGS).map("tenant={}".format),
        st.sampled_from(("high", "medium", "low", "nonsense")).map("severity={}".format),
        st.sampled_from(("open", "all", "resolved", "merged", "in-progress")).map("status={}".format),
        st.sampled_from(("nobody", "ada@contoso.example", "ned@northwind.example")).map("assignee={}".format),
        st.sampled_from(("canary", "7", "sign-in host", "contoso", "1%5F", "%25")).map("q={}".format),
        st.sampled_from(("0", "x")).map("version={}".format),
    )
    return st.lists(pair, max_size=3).map("&".join)


def steps() -> st.SearchStrategy[Step]:
    """(person, address): charlie reads Northwind, nora too and is staff; "older" goes on from the last page."""
    incident = st.builds(
        "/incidents/{}/{}/{}".format,
        st.sampled_from(SLUGS),
        st.sampled_from((7, 8, 10, 100, 130, 9999)),
        st.sampled_from(PARTS),
    )
    charlies = st.one_of(
        filters().map("/incidents/?{}".format),
        filters().map("/incidents/rows/?{}".format),
        filters().map("/incidents/export/?format=jsonl&{}".format),
        incident,
        st.sampled_from(("/tenants/", "/tenants/?state=connected", "/tenants/?state=waiting")),
        st.builds("/tenants/{}/{}".format, st.sampled_from(SLUGS), st.sampled_from(("", "state/"))),
        st.just("older"),
    )
    lists = st.builds("/admin/incidents/{}/?{}".format, st.sampled_from(("incident", "quarantine")), filters())
    return st.one_of(charlies.map(lambda path: ("charlie", path)), lists.map(lambda path: ("nora", path)))


def northwind() -> Tenant:
    """More incidents than one page holds, of every kind; those of others are newer."""
    tenant = make_tenant("Northwind", now=NOW)
    fill_tenant(tenant, 2)
    severities, statuses = list(Severity), [Status.ACTIVE, Status.IN_PROGRESS, Status.RESOLVED]
    for number in range(100, 180):
        make_incident(
            tenant,
            number,
            f"Sign-in {number}",
            severity=severities[number % len(severities)],
            status=statuses[number % len(statuses)],
            assigned_to="ned@northwind.example" * (number % 2),
            updated_at=NOW - timedelta(hours=1),
        )
    return tenant


def other(name: str, number: int) -> Tenant:
    """Another tenant with newer incidents, other people, and troubles of its own."""
    tenant = make_tenant(name, now=NOW)
    fill_tenant(tenant, number)
    for more in range(100, 108):
        make_incident(tenant, more, f"{name} {more}", severity=Severity.HIGH, assigned_to=f"ada@{tenant.slug}.example")
    return tenant


def people(tenant: Tenant) -> dict[str, User]:
    grant = (tenant, Role.ANALYST)
    return {"charlie": make_person("charlie", grant), "nora": make_person("nora", grant, is_staff=True)}


def answers(who: dict[str, User], sequence: Sequence[Step]) -> list[str]:
    """What each request of the sequence was answered with, in a world that is as before when they are over."""
    browser, seen, last = WebClient(), [], ""
    with undone(), time_machine.travel(NOW, tick=False):
        for name, path in sequence:
            browser.cookies = SimpleCookie()
            browser.force_login(who[name])
            if path == "older":
                found = OLDER.search(last)
                path = found[1].replace("&amp;", "&") if found else "/incidents/"
            answer = browser.get(path)
            last = answer.getvalue().decode()  # also of a file that is streamed
            head = "\n".join(f"{key}: {value}" for key, value in sorted(answer.headers.items()))
            seen.append(ALWAYS_NEW.sub("", f"{answer.status_code}\n{head}\n{answer.cookies.output()}\n{last}"))
            tally["compared"] += 1
    return seen


@contextmanager
def without_others() -> Iterator[None]:
    """The other tenants, their customers and every row of theirs are gone for as long as this is open."""
    owned: list[type[Model]] = [*tenant_owned(), Grant]
    tables = [model._meta.db_table for model in owned if model not in (Tenant, Customer)]
    with undone(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(id), array_agg(customer_id) FROM tenants_tenant WHERE name = ANY(%s)", [[*OTHERS]]
        )
        gone, customers = cursor.fetchone()
        for table in tables:
            cursor.execute(f'DELETE FROM "{table}" WHERE tenant_id = ANY(%s)', [gone])  # noqa: S608  a table of ours
        cursor.execute("DELETE FROM tenants_tenant WHERE id = ANY(%s)", [gone])
        cursor.execute("DELETE FROM tenants_customer WHERE id = ANY(%s)", [customers])
        yield


@pytest.fixture
def both(db: None) -> dict[str, User]:
    """A world with the other tenants, made before and after Northwind."""
    other("Contoso", 0)
    who = people(northwind())
    other("Fabrikam", 1)
    return who


@pytest.mark.timeout(600)
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # a shorter sequence would say no more than the step that it fails at
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sequence=st.lists(steps(), min_size=4, max_size=10))
def test_no_sequence_of_requests_tells_whether_other_tenants_exist(both: dict[str, User], sequence: list[Step]) -> None:
    with_others = answers(both, sequence)
    with without_others():
        alone = answers(both, sequence)
    for step, one, two in zip(sequence, with_others, alone, strict=True):
        assert one == two, f"{step} tells that other tenants exist"
    tally["sequences"] += 1


FIXED: list[Step] = [
    ("charlie", path)
    for path in (
        "/incidents/", "older", "/incidents/?status=all&q=sign", "older", "/incidents/?tenant=contoso",
        "/incidents/rows/", "/incidents/northwind/7/", "/incidents/northwind/7/alerts/",
        "/incidents/northwind/7/evidence/?kind=ip",
        "/incidents/northwind/7/raw/", "/incidents/northwind/7/changes/", "/incidents/contoso/7/", "/tenants/",
        "/tenants/northwind/", "/tenants/northwind/state/", "/tenants/contoso/", "/admin/",
    )
]  # fmt: skip


def test_no_page_shows_a_key_that_counts_the_rows_of_all_tenants(db: None) -> None:
    """The same tenant made in an empty portal and in a full one has other primary keys, and the same pages."""
    seen = []
    for before in ((), OTHERS):
        with undone(), time_machine.travel(NOW, tick=False):
            for number, name in enumerate(before):
                other(name, number)
            who = people(northwind())
            version = re.compile(r"(?<=version=)\"?\w+")
            seen.append([version.sub("", answer) for answer in answers(who, FIXED)])
    for step, one, two in zip(FIXED, *seen, strict=True):
        assert one == two, f"{step} shows how many rows other tenants have"
    assert "Sign-in 156" in seen[0][0]
    assert seen[0][0] != seen[0][1], "there is an older page"


@pytest.mark.parametrize("path", ["/", "/incidents/", "/incidents/rows/", "/tenants/", "/incidents/northwind/7/"])
def test_no_page_is_kept_for_the_next_person_x7(both: dict[str, User], path: str) -> None:
    """One person, another, the first again: as if the other had not been there."""
    with_carol = {**both, "carol": make_person("carol")}
    first, between, again = answers(with_carol, [("charlie", path), ("carol", path), ("charlie", path)])
    assert first == again
    assert "Northwind" not in between
    assert "no-store" in first
