"""ISO-2: each lock holds alone. The manager raises outside a scope and narrows inside; so does the database."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection, models, transaction
from django.db.utils import IntegrityError, ProgrammingError

from incidents.models import Alert, Incident
from tenants import scope
from tenants.models import ConsentRequest, Customer, Tenant
from tests.cast import Cast
from tests.conftest import database_role
from tests.isolation.rows import content, tenant_owned

pytestmark = pytest.mark.short

OWNED = [pytest.param(model, id=model._meta.label) for model in tenant_owned()]
CONTENT = [pytest.param(model, id=model._meta.label) for model in content()]
READS: dict[str, Callable[[Any], Any]] = {
    "count": lambda manager: manager.count(),
    "list": lambda manager: list(manager.all()),
    "exists": lambda manager: manager.exists(),
    "aggregate": lambda manager: manager.aggregate(n=models.Count("pk")),
    "values": lambda manager: list(manager.values("pk")),
    "iterator": lambda manager: list(manager.iterator()),
    "in_bulk": lambda manager: manager.in_bulk([1]),
    "get": lambda manager: manager.filter(pk=1).first(),
    "update": lambda manager: manager.update(pk=models.F("pk")),
    "delete": lambda manager: manager.filter(pk=-1).delete(),
}


def managers(model: type[models.Model]) -> list[models.Manager[Any]]:
    """Every manager that Django or a view can get hold of."""
    return [*model._meta.managers, model._default_manager, model._base_manager]


def visible(model: type[models.Model]) -> int:
    """Rows that plain SQL sees."""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{model._meta.db_table}"')  # noqa: S608  a table of ours
        return int(cursor.fetchone()[0])


def of_tenants(model: type[models.Model]) -> set[int]:
    """Ids of the tenants whose rows plain SQL sees."""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT DISTINCT tenant_id FROM "{model._meta.db_table}"')  # noqa: S608  a table of ours
        return {pk for (pk,) in cursor.fetchall()}


@pytest.mark.parametrize("model", OWNED)
def test_every_tenant_owned_table_has_rows_of_each_tenant(full: Cast, model: type[models.Model]) -> None:
    assert visible(model) >= 3, "without rows the proofs below would say nothing: extend tests/isolation/rows.py"
    if model in content():
        assert of_tenants(model) == {full.contoso.pk, full.fabrikam.pk, full.northwind.pk}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("model", OWNED)
def test_no_manager_answers_outside_a_scope(db: None, model: type[models.Model], read: str) -> None:
    assert {type(manager) for manager in managers(model)}
    for manager in managers(model):
        with pytest.raises(scope.NoScope):
            READS[read](manager)


def test_a_related_manager_and_a_refresh_ask_for_a_scope_too(full: Cast) -> None:
    with scope.tenant(full.contoso.pk):
        incident = Incident.objects.filter(number=7).get()
    for reach in (
        lambda: list(incident.alerts.all()),
        incident.refresh_from_db,
        lambda: full.contoso.sync_runs.count(),
        lambda: Incident.objects.raw("SELECT * FROM incidents_incident")[0].tenant.name,
        lambda: incident.delete(),
    ):
        with pytest.raises(scope.NoScope):
            reach()


@pytest.mark.parametrize("model", CONTENT)
def test_the_manager_alone_shows_a_person_their_own_tenants_only(full: Cast, model: type[models.Model]) -> None:
    seen = {"alice": {full.contoso.pk, full.fabrikam.pk}, "bob": {full.contoso.pk}, "charlie": {full.northwind.pk}}
    for name, expected in seen.items():
        with scope.person(getattr(full, name)):  # as the owner, to whom row-level security shows everything
            assert visible(model) >= 3
            for manager in managers(model):
                assert set(manager.values_list("tenant_id", flat=True)) == expected


@pytest.mark.parametrize("model", CONTENT)
def test_the_manager_alone_shows_a_worker_the_claimed_tenant_only(full: Cast, model: type[models.Model]) -> None:
    with scope.tenant(full.contoso.pk):
        assert set(model._default_manager.values_list("tenant_id", flat=True)) == {full.contoso.pk}
    for nothing in (scope.operations(), scope.link_holder("0" * 64)):
        with nothing:
            assert model._default_manager.count() == 0


@pytest.mark.parametrize("model", CONTENT)
def test_the_database_alone_shows_a_person_their_own_tenants_only(full: Cast, model: type[models.Model]) -> None:
    with database_role("web"):
        with scope.person(full.charlie):
            assert of_tenants(model) == {full.northwind.pk}
        with scope.person(full.bob):
            assert of_tenants(model) == {full.contoso.pk}
        assert visible(model) == 0, "outside a scope nothing is seen"
        with scope.tenant(full.contoso.pk):
            assert visible(model) == 0, "a claim is worth nothing in the web process"
        with scope.operations():
            assert visible(model) == 0


@pytest.mark.parametrize("model", CONTENT)
def test_the_database_alone_shows_a_worker_the_claimed_tenant_only(full: Cast, model: type[models.Model]) -> None:
    with database_role("worker"):
        with scope.tenant(full.contoso.pk):
            assert of_tenants(model) == {full.contoso.pk}
        assert visible(model) == 0
        with scope.operations():
            assert visible(model) == 0
        with scope.person(full.alice):
            assert visible(model) == 0, "a person's scope is worth nothing in a worker"


@pytest.mark.parametrize("model", [model for model in OWNED if model.values[0] not in content()])
def test_the_database_alone_hides_other_tenants_connections(full: Cast, model: type[models.Model]) -> None:
    with database_role("web"):
        assert visible(model) == 0
        with scope.person(full.charlie):
            assert 0 < visible(model) < 3
        for name in ("link", "nobody"):
            with scope.link_holder(name * 16):
                assert visible(model) == 0


def refused(wall: type[Exception] | tuple[type[Exception], ...], work: Callable[[], Any], said: str = "") -> None:
    with pytest.raises(wall, match=said or None), transaction.atomic():
        work()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_worker_cannot_write_into_a_tenant_it_has_not_claimed(full: Cast) -> None:
    with database_role("worker"), scope.tenant(full.contoso.pk):
        incident = Incident.objects.filter(number=7).get()
        copied = {field.attname: getattr(incident, field.attname) for field in Incident._meta.concrete_fields}
        copied.pop("id")
        stolen = {**copied, "tenant_id": full.northwind.pk, "number": 99}
        refused(ProgrammingError, lambda: Incident.objects.create(**stolen))
        # Without RETURNING no policy of reading looks at the new row: here WITH CHECK stands alone. A trigger that
        # writes elsewhere would refuse it too, so the table is named.
        wall = 'row-level security policy for table "incidents_incident"'
        refused(ProgrammingError, lambda: copy_into(full.northwind.pk, sorted(copied)), wall)
        refused(ProgrammingError, lambda: Incident.objects.update(tenant_id=full.northwind.pk))
        assert Incident.objects.filter(tenant_id=full.northwind.pk).update(name="mine") == 0


def copy_into(tenant_id: int, columns: list[str]) -> None:
    """Incident 7 of the tenant that is claimed, once more as another tenant's."""
    changed = {"tenant_id": "%s", "number": "99"}
    values = ", ".join(changed.get(column, column) for column in columns)
    with connection.cursor() as cursor:
        table, names = Incident._meta.db_table, ", ".join(columns)
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE number = 7", [tenant_id])  # noqa: S608  names of ours


def test_a_child_cannot_hang_on_another_tenants_parent_x8(full: Cast) -> None:
    with scope.tenant(full.northwind.pk):
        theirs = Incident.objects.filter(number=7).get()
    with database_role("worker"), scope.tenant(full.contoso.pk):
        refused(IntegrityError, lambda: Alert.objects.filter(tenant=full.contoso).update(incident_id=theirs.pk))


@pytest.mark.parametrize("model", CONTENT)
def test_people_write_no_content_at_all(full: Cast, model: type[models.Model]) -> None:
    with database_role("web"), scope.person(full.alice), connection.cursor() as cursor:
        for statement in ("DELETE FROM {}", "UPDATE {} SET tenant_id = tenant_id", "INSERT INTO {} DEFAULT VALUES"):
            refused(ProgrammingError, partial(cursor.execute, statement.format(model._meta.db_table)))


def test_an_analyst_cannot_change_a_connection_in_the_database(full: Cast) -> None:
    with database_role("web"), scope.person(full.alice):
        assert Tenant.objects.filter(pk=full.contoso.pk).update(name="renamed") == 0


def test_the_manager_alone_shows_the_holder_of_a_link_one_request_and_its_tenant(full: Cast) -> None:
    with scope.operations():
        request = ConsentRequest.objects.get(tenant=full.contoso)
    with scope.link_holder(request.link_hash):  # as the owner, to whom row-level security shows everything
        seen = {model: set(model._default_manager.values_list("pk", flat=True)) for model in tenant_owned()}
    mine = {ConsentRequest: {request.pk}, Tenant: {full.contoso.pk}, Customer: {full.contoso.customer_id}}
    assert {model: keys for model, keys in seen.items() if keys} == mine
