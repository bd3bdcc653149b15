"""Memberships follow from grants, in the database, at once: they are what pages and row-level security read."""

from collections.abc import Callable
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError, ProgrammingError

from accounts.models import User
from accounts.roles import Role
from audit.record import COMMAND_LINE
from tenants import consent, scope
from tenants.models import Grant, Membership, Tenant, TenantGroup, TenantGroupMember
from tests.cast import Cast, make_cast, make_person, make_tenant
from tests.conftest import database_role
from tests.databases import in_threads
from tests.tenants.arranged import now

pytestmark = pytest.mark.short


def roles_of(user: User) -> set[tuple[str, str]]:
    """(tenant, role) pairs of a person."""
    with scope.operations():
        return set(Membership.objects.filter(user=user).values_list("tenant__name", "role"))


def put_in(group: TenantGroup, tenant: Tenant) -> TenantGroupMember:
    with scope.operations():
        return TenantGroupMember.objects.create(group=group, tenant=tenant)


def test_a_grant_over_a_tenant_comes_and_goes(cast: Cast) -> None:
    dora = make_person("dora")
    grant = Grant.objects.create(user=dora, tenant=cast.contoso, role=Role.VIEWER)
    assert roles_of(dora) == {("Contoso", "viewer")}
    Grant.objects.filter(pk=grant.pk).update(role=Role.ANALYST)
    assert roles_of(dora) == {("Contoso", "analyst")}
    Grant.objects.filter(pk=grant.pk).update(tenant=cast.fabrikam)
    assert roles_of(dora) == {("Fabrikam", "analyst")}
    grant.delete()
    assert roles_of(dora) == set()


def test_a_grant_over_a_group_follows_the_group(cast: Cast) -> None:
    dora, group = make_person("dora"), TenantGroup.objects.create(name="North")
    Grant.objects.create(user=dora, group=group, role=Role.ANALYST)
    assert roles_of(dora) == set()
    member = put_in(group, cast.contoso)
    put_in(group, cast.northwind)
    assert roles_of(dora) == {("Contoso", "analyst"), ("Northwind", "analyst")}
    with scope.operations():
        member.delete()
    assert roles_of(dora) == {("Northwind", "analyst")}
    with scope.operations():
        group.delete()
    assert roles_of(dora) == set()


def test_a_grant_over_everything_takes_in_tenants_that_come_later(cast: Cast) -> None:
    dora, group = make_person("dora"), TenantGroup.objects.create(name="All", covers_all=True)
    Grant.objects.create(user=dora, group=group, role=Role.VIEWER)
    assert len(roles_of(dora)) == 3
    make_tenant("Proseware")
    assert ("Proseware", "viewer") in roles_of(dora)
    TenantGroup.objects.filter(pk=group.pk).update(covers_all=False)
    assert roles_of(dora) == set()


def test_one_of_two_reasons_is_enough(cast: Cast) -> None:
    dora, group = make_person("dora", (cast.contoso, Role.VIEWER)), TenantGroup.objects.create(name="North")
    put_in(group, cast.contoso)
    both = Grant.objects.create(user=dora, group=group, role=Role.VIEWER)
    Grant.objects.create(user=dora, group=group, role=Role.ANALYST)
    assert roles_of(dora) == {("Contoso", "viewer"), ("Contoso", "analyst")}
    both.delete()
    assert roles_of(dora) == {("Contoso", "viewer"), ("Contoso", "analyst")}
    Grant.objects.filter(user=dora, group=group).delete()
    assert roles_of(dora) == {("Contoso", "viewer")}


@pytest.mark.parametrize("over", ["nothing", "both"])
def test_a_grant_is_over_a_tenant_or_a_group(cast: Cast, over: str) -> None:
    group = TenantGroup.objects.create(name="North")
    targets = {"tenant": cast.contoso, "group": group} if over == "both" else {}
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(user=cast.bob, role=Role.VIEWER, **targets)


@pytest.mark.parametrize("role", ["web", "worker"])
def test_nobody_writes_memberships_by_hand(cast: Cast, role: str) -> None:
    with database_role(role), scope.person(make_person("ada", is_staff=True)):
        for write in (
            lambda: Membership.objects.create(user=cast.charlie, tenant=cast.contoso, role=Role.ANALYST),
            lambda: Membership.objects.update(role=Role.ANALYST),
            lambda: Membership.objects.all().delete(),
        ):
            with pytest.raises(ProgrammingError), transaction.atomic():
                write()


def test_people_cannot_grant_themselves_anything_in_the_database(cast: Cast) -> None:
    with database_role("web"), scope.person(cast.charlie):
        with pytest.raises(ProgrammingError), transaction.atomic():
            Grant.objects.create(user=cast.charlie, tenant=cast.contoso, role=Role.ANALYST)
        assert Grant.objects.update(role=Role.ANALYST) == 0
        with pytest.raises(ProgrammingError), transaction.atomic():
            TenantGroupMember.objects.create(group=TenantGroup.objects.create(name="x"), tenant=cast.contoso)


def wanted() -> set[tuple[int, int, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id, tenant_id, role FROM tenants_wanted_membership")
        return set(cursor.fetchall())


def kept() -> set[tuple[int, int, str]]:
    return set(Membership.objects.values_list("user_id", "tenant_id", "role"))


def test_changes_on_many_connections_at_once_leave_what_the_grants_say(committed: None) -> None:
    cast = make_cast()
    group = TenantGroup.objects.create(name="All", covers_all=True)
    people = [make_person(f"person-{number}") for number in range(6)]
    ready = Barrier(12)

    def grant(number: int) -> None:
        with transaction.atomic():
            Grant.objects.create(user=people[number], group=group, role=Role.VIEWER)

    def name_tenant(number: int) -> None:
        with scope.operations():
            found = consent.Found(uuid4(), "")
            consent.name_tenant(customer_name=f"Tailspin {number}", found=found, by=COMMAND_LINE, now=now())

    def take_away(number: int) -> None:
        Grant.objects.filter(user=(cast.alice, cast.bob, cast.charlie)[number - 9]).delete()

    def change(number: int) -> None:
        works: dict[int, Callable[[int], None]] = {0: grant, 1: grant, 2: name_tenant, 3: take_away}
        ready.wait(20)
        works[number // 3](number)

    in_threads(change, 12, role="worker")
    assert kept() == wanted()
    assert len(kept()) == 6 * 6, "six people over three old and three new tenants, and nobody else"
