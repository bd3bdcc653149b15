"""A scope lasts as long as its block: its settings leak neither into the next transaction nor past an exception."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from incidents.models import Incident
from tenants import scope
from tenants.models import ConsentRequest, Customer, SyncState, Tenant, TenantState
from tests.cast import Cast, make_cast, make_incident, make_person, make_tenant
from tests.tenants.arranged import make_link, request_of

pytestmark = pytest.mark.short

SETTINGS = ("app.user_id", "app.tenant_id", "app.link_key", "app.only_tenants")


def told() -> list[str]:
    """What the database has been told about the scope; empty where nothing was."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join('current_setting(%s, true)' for _ in SETTINGS)}", SETTINGS)
        return [value or "" for value in cursor.fetchone()]


OPENERS: dict[str, tuple[Callable[[Cast], AbstractContextManager[Any]], int]] = {
    "person": (lambda cast: scope.person(cast.alice), 0),
    "tenant": (lambda cast: scope.tenant(cast.contoso.pk), 1),
    "link holder": (lambda cast: scope.link_holder("0" * 64), 2),
}


@pytest.mark.parametrize("opener", OPENERS)
def test_a_scope_tells_the_database_and_takes_it_back(committed: None, opener: str) -> None:
    cast = make_cast()
    opened, place = OPENERS[opener]
    assert told() == [""] * 4
    with opened(cast):
        inside = told()
    assert inside[place]
    assert [value for at, value in enumerate(inside) if at != place] == [""] * 3
    assert told() == [""] * 4, "on the same connection, in the next transaction"
    assert not scope.is_open()


def test_settings_are_told_for_the_transaction_only(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as asked, scope.person(cast.alice):
        pass
    told_by = [query["sql"] for query in asked if "set_config" in query["sql"]]
    assert len(told_by) == 2
    for statement in told_by:
        assert statement.count("set_config(") == statement.count(", true)") == len(SETTINGS)


@pytest.mark.parametrize("opener", OPENERS)
def test_an_exception_closes_the_scope_and_undoes_what_was_done(committed: None, opener: str) -> None:
    cast = make_cast()
    opened, _ = OPENERS[opener]
    with pytest.raises(ZeroDivisionError), opened(cast):
        User.objects.filter(pk=cast.bob.pk).update(display_name="Robert")
        raise ZeroDivisionError
    assert (told(), scope.is_open()) == ([""] * 4, False)
    assert User.objects.get(pk=cast.bob.pk).display_name == "Bob"


def test_a_fault_of_the_database_is_not_hidden_by_closing_the_scope(committed: None) -> None:
    cast = make_cast()
    for fault, name in (
        (IntegrityError, "Contoso"),
        (DataError, "x" * 300),
    ):
        with pytest.raises(fault), scope.operations():
            Customer.objects.create(name=name)
        with transaction.atomic(), scope.tenant(cast.contoso.pk):
            outside = told()
            with pytest.raises(fault), scope.operations():
                Customer.objects.create(name=name)
            assert told() == outside, "the scope around goes on"
            assert Incident.objects.count() == 0


def test_scopes_nest_and_the_outer_one_comes_back(cast: Cast) -> None:
    make_incident(cast.contoso, 1)
    make_incident(cast.northwind, 1)
    with scope.person(cast.charlie):
        outer = told()
        with scope.tenant(cast.contoso.pk):
            assert Incident.objects.get().tenant_id == cast.contoso.pk
        assert told() == outer
        assert Incident.objects.get().tenant_id == cast.northwind.pk
    assert told() == [""] * 4


def test_a_scope_belongs_to_its_thread(cast: Cast) -> None:
    seen = []
    with scope.person(cast.alice):
        thread = threading.Thread(target=lambda: seen.append(scope.is_open()))
        thread.start()
        thread.join(5)
    assert seen == [False]


def test_outside_a_scope_there_is_nothing_to_ask(db: None) -> None:
    for ask in (scope.current, Tenant.objects.count, Incident.objects.first):
        with pytest.raises(scope.NoScope):
            ask()


def test_people_see_the_connections_of_their_tenants_and_staff_of_all(cast: Cast) -> None:
    ada = make_person("ada", is_staff=True)
    seen = {"alice": 2, "bob": 1, "charlie": 1}
    for name, n in seen.items():
        with scope.person(getattr(cast, name)):
            assert [model.objects.count() for model in (Tenant, Customer, SyncState)] == [n, n, n]
    make_incident(cast.contoso, 1)
    with scope.person(ada):
        assert [model.objects.count() for model in (Tenant, Customer, SyncState)] == [3, 3, 3]
        assert Incident.objects.count() == 0, "content comes by grants, also to staff"


def test_staff_that_may_not_sign_in_any_more_see_nothing(cast: Cast) -> None:
    ada = make_person("ada", is_staff=True)
    ada.is_active = False
    with scope.person(ada):
        assert Tenant.objects.count() == 0


def test_the_holder_of_a_link_sees_one_request_and_its_tenant(cast: Cast) -> None:
    mine, other = make_link(cast.contoso), make_link(cast.contoso)
    make_link(cast.fabrikam)
    stored = request_of(mine)
    for key in (stored.link_hash, stored.state_hash):
        with scope.link_holder(key):
            assert [row.pk for row in ConsentRequest.objects.all()] == [stored.pk]
            assert [row.pk for row in Tenant.objects.all()] == [cast.contoso.pk]
            assert (SyncState.objects.count(), Incident.objects.count()) == (0, 0)
    assert request_of(other).pk != stored.pk


def test_operations_see_every_connection_and_no_content(cast: Cast) -> None:
    make_incident(cast.contoso, 1)
    make_tenant("Proseware", state=TenantState.INVITED)
    with scope.operations():
        assert (Tenant.objects.count(), Incident.objects.count()) == (4, 0)
