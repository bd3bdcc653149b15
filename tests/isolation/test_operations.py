"""ISO-2: every model × manager × operation, with each lock alone.

The manager alone: as the owner of the tables, to whom row-level security shows everything. The database alone: a
queryset that nothing has narrowed, as the web role for a person and as the worker role with its claim.
"""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from django.db.utils import ProgrammingError

from accounts.models import User
from tenants import scope
from tenants.models import Customer, Grant, Membership, Tenant
from tests.cast import Cast
from tests.conftest import database_role
from tests.isolation.operations import OPERATIONS, PARTIAL, Keys, prefetched, related, reverse_relations
from tests.isolation.rows import content, tenant_owned
from tests.isolation.tally import tally
from tests.repository.tree import PRODUCT, files_in, name_of, parsed

OWNED = [pytest.param(model, id=model._meta.label) for model in tenant_owned()]
CONTENT = [pytest.param(model, id=model._meta.label) for model in content()]
GUARDED = [*OWNED, *[pytest.param(model, id=model._meta.label) for model in (Grant, Membership)]]


def unnarrowed(model: type[models.Model]) -> Any:
    """A queryset that no manager has had a hand in."""
    return models.QuerySet(model=model)


def everything(model: type[models.Model]) -> Keys:
    return set(unnarrowed(model).values_list("pk", flat=True))


def belonging(model: type[models.Model], tenant: Tenant) -> Keys:
    """Keys of the tenant's own rows, read as the owner."""
    path = {Tenant: "pk", Customer: "tenants"}.get(model, "tenant_id")
    return set(unnarrowed(model).filter(**{path: tenant.pk}).values_list("pk", flat=True))


def managers(model: type[models.Model]) -> list[Any]:
    return list({id(one): one for one in (*model._meta.managers, model._default_manager, model._base_manager)}.values())


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def reached(name: str, rows: Any, known: Keys) -> Keys:
    """What the operation reached; a database that refuses outright lets it reach nothing."""
    tally["operations"] += 1
    try:
        with undone():
            return OPERATIONS[name](rows, known)
    except ProgrammingError as refused:
        assert "permission denied" in str(refused)
        return set()


def assert_reached(name: str, found: Keys, own: Keys, *, writes: bool = True) -> None:
    assert found <= own, f"{name} reaches rows of other tenants"
    assert own, "without rows of its own this says nothing"
    if writes or name not in {"update", "delete"}:
        assert found, f"{name} reaches nothing at all"
        assert name in PARTIAL or found == own


@pytest.mark.parametrize("model", OWNED)
def test_the_manager_alone_keeps_every_operation_of_a_person_inside(full: Cast, model: type[models.Model]) -> None:
    own, known = belonging(model, full.northwind), everything(model)
    assert len(known) > len(own)
    with scope.person(full.charlie):
        for manager in managers(model):
            for name in OPERATIONS:
                assert_reached(name, reached(name, manager, known), own)


@pytest.mark.parametrize("model", OWNED)
def test_the_manager_alone_keeps_every_operation_of_a_worker_inside(full: Cast, model: type[models.Model]) -> None:
    own, known = belonging(model, full.northwind), everything(model)
    with scope.tenant(full.northwind.pk):
        for manager in managers(model):
            for name in OPERATIONS:
                assert_reached(name, reached(name, manager, known), own)


@pytest.mark.parametrize("model", OWNED)
def test_the_database_alone_keeps_every_operation_of_a_person_inside(full: Cast, model: type[models.Model]) -> None:
    own, known = belonging(model, full.northwind), everything(model)
    with database_role("web"), scope.person(full.charlie):
        for name in OPERATIONS:
            assert_reached(name, reached(name, unnarrowed(model), known), own, writes=False)


@pytest.mark.parametrize("model", CONTENT)
def test_the_database_alone_keeps_every_operation_of_a_worker_inside(full: Cast, model: type[models.Model]) -> None:
    own, known = belonging(model, full.northwind), everything(model)
    with database_role("worker"), scope.tenant(full.northwind.pk):
        for name in OPERATIONS:
            assert_reached(name, reached(name, unnarrowed(model), known), own)


@pytest.mark.parametrize("model", GUARDED)
def test_the_database_alone_answers_raw_sql_with_ones_own_rows(full: Cast, model: type[models.Model]) -> None:
    if model in (Grant, Membership):
        own = set(unnarrowed(model).filter(user=full.charlie).values_list("pk", flat=True))
    else:
        own = belonging(model, full.northwind)
    statement = f'SELECT * FROM "{model._meta.db_table}"'  # noqa: S608  a table of ours
    with database_role("web"), scope.person(full.charlie):
        assert {row.pk for row in unnarrowed(model).raw(statement)} == own
    tally["operations"] += 1


@pytest.mark.parametrize("model", GUARDED)
def test_the_database_alone_shows_nothing_to_a_person_without_a_grant(full: Cast, model: type[models.Model]) -> None:
    nobody = User.objects.create(username="nobody", display_name="Nobody", password="!")
    known = everything(model)
    with database_role("web"), scope.person(nobody):
        for name in set(OPERATIONS) - {"update", "delete"}:
            assert reached(name, unnarrowed(model), known) == set()


def parents_and_relations() -> list[Any]:
    owned = {*tenant_owned(), Grant, Membership}
    return [
        pytest.param(model, name, id=f"{model._meta.label}.{name}")
        for model in apps.get_models()
        for name in reverse_relations(model)
        if model._meta.get_field(_query_name(model, name)).related_model in owned
    ]


def _query_name(model: type[models.Model], accessor: str) -> str:
    return next(one.name for one in model._meta.related_objects if one.get_accessor_name() == accessor)


@pytest.mark.parametrize(("model", "name"), parents_and_relations())
@pytest.mark.parametrize("lock", ["manager", "database"])
def test_what_hangs_on_another_tenants_row_stays_out_of_reach(
    full: Cast, model: type[models.Model], name: str, lock: str
) -> None:
    """The parent is in hand, as if it had leaked; its children are asked for through it."""
    parents = list(unnarrowed(model).all())
    child = model._meta.get_field(_query_name(model, name)).related_model
    if lock == "manager" and child in (Grant, Membership):
        return  # said to be read inside and outside a scope: the database is their lock
    own = _own(child, full)
    role = "web" if lock == "database" else "owner"
    for reach in (related, prefetched):
        with undone(), database_role(role), scope.person(full.charlie):
            assert {row.pk for row in reach(parents, name)} <= own
            tally["operations"] += 1


def _own(model: Any, full: Cast) -> Keys:
    if model in (Grant, Membership):
        return set(unnarrowed(model).filter(user=full.charlie).values_list("pk", flat=True))
    return belonging(model, full.northwind)


@pytest.mark.parametrize("model", CONTENT)
def test_a_row_in_hand_does_not_lead_to_a_parent_of_another_tenant(full: Cast, model: type[models.Model]) -> None:
    rows = list(unnarrowed(model).filter(tenant=full.contoso))
    owned = tenant_owned()
    parents = [one.name for one in model._meta.fields if one.is_relation and one.related_model in owned]
    with scope.person(full.charlie):
        for row in rows:
            for name in parents:
                with pytest.raises(models.ObjectDoesNotExist):
                    getattr(row, name)
                tally["operations"] += 1
            with pytest.raises(models.ObjectDoesNotExist):
                row.refresh_from_db()


def test_the_product_asks_no_manager_for_raw_sql() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in files_in(*PRODUCT, suffix=".py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in {"raw", "extra"} and isinstance(node.value, ast.Attribute)
        and node.value.attr == "objects"
    ]  # fmt: skip
    assert found == [], (
        "raw SQL passes the manager by; where it is needed, name the tenants in it as incidents/queue.py does"
    )
