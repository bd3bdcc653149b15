"""A tenant moves to another customer only where two people want it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, ProgrammingError, transaction

from accounts.models import User
from accounts.roles import Role
from audit.models import AuditEvent
from audit.record import COMMAND_LINE
from tenants import consent, scope
from tenants.models import ConsentRequest, Customer, Grant, Relink, Tenant, TenantGroup, TenantGroupMember
from tests.cast import Cast, make_cast, make_person
from tests.conftest import WebClient, database_role

PAGE = "/tenants/contoso/relink/"


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def two(cast: Cast) -> Iterator[tuple[WebClient, WebClient]]:
    """Two members of staff, each in a browser."""
    clients = WebClient(), WebClient()
    for client, name in zip(clients, ("ada", "eve"), strict=True):
        client.force_login(make_person(name, is_staff=True))
    yield clients


def customer() -> str:
    with scope.operations():
        return Tenant.objects.select_related("customer").get(slug="contoso").customer.name


def seen(client: WebClient) -> str:
    """The request that the page shows, as its form carries it."""
    found = re.search(r'name="seen" value="(\d+)"', client.get(PAGE).text)
    return found[1] if found else ""


def do(client: WebClient, what: str, **more: str) -> str:
    return str(client.post(PAGE, {"do": what, "seen": seen(client), **more}, follow=True).text)


def test_one_asks_and_another_agrees_c2(two: tuple[WebClient, WebClient], cast: Cast) -> None:
    ada, eve = two
    assert "Another member of staff has to agree" in do(ada, "ask", customer=" Tailspin   Toys ")
    assert customer() == "Contoso"
    assert "You have asked for this yourself" in do(ada, "agree")
    assert customer() == "Contoso"
    assert "Tailspin Toys" in eve.get(PAGE).text
    assert "now belongs to Tailspin Toys" in do(eve, "agree")
    assert customer() == "Tailspin Toys"
    rows = AuditEvent.objects.filter(action__contains="relink").order_by("id")
    assert [(row.action, row.actor.split(" ")[0]) for row in rows] == [("ask for relink", "Ada"), ("relink", "Eve")]
    assert rows[1].details == {"from": "Contoso", "to": "Tailspin Toys", "access taken back": 2}


def test_whoever_agrees_agrees_to_the_request_they_saw(two: tuple[WebClient, WebClient]) -> None:
    ada, eve = two
    do(ada, "ask", customer="Tailspin")
    looked_at = seen(eve)
    do(ada, "withdraw")
    do(ada, "ask", customer="Wingtip")
    for what in (looked_at, ""):
        assert "not the request you saw" in do(eve, "agree", seen=what)
    assert customer() == "Contoso"
    do(eve, "agree")
    assert customer() == "Wingtip"


@pytest.mark.parametrize("lost", ["is_staff", "is_active"])
def test_a_wish_of_somebody_who_has_left_counts_no_more(two: tuple[WebClient, WebClient], lost: str) -> None:
    ada, eve = two
    do(ada, "ask", customer="Tailspin")
    User.objects.filter(display_name__startswith="Ada").update(**{lost: False})
    assert "no longer staff" in do(eve, "agree")
    assert customer() == "Contoso"
    do(eve, "withdraw")
    assert "Nobody has asked" in do(eve, "agree")


def test_it_takes_back_access_and_links_and_proves_the_connection_again(
    two: tuple[WebClient, WebClient], cast: Cast
) -> None:
    ada, eve = two
    alice = WebClient()
    alice.force_login(cast.alice)
    group = TenantGroup.objects.create(name="North")
    with scope.operations():
        TenantGroupMember.objects.create(group=group, tenant=cast.contoso)
    Grant.objects.create(user=cast.charlie, group=group, role=Role.VIEWER)
    ada.post("/tenants/contoso/link/")
    do(ada, "ask", customer="Tailspin")
    assert alice.get("/tenants/contoso/").status_code == 200
    do(eve, "agree")
    assert alice.get("/tenants/contoso/").status_code == 404
    assert not Grant.objects.filter(tenant__slug="contoso").exists()
    with scope.operations():
        assert ConsentRequest.objects.get().withdrawn_at is not None
        tenant = Tenant.objects.get(slug="contoso")
        assert tenant.check_due_at is not None
        assert (tenant.name, tenant.slug, tenant.entra_id) == ("Tailspin", "contoso", cast.contoso.entra_id)
        assert not TenantGroupMember.objects.filter(tenant=tenant).exists()
    assert alice.get("/tenants/fabrikam/").status_code == 200


def test_it_may_join_a_customer_that_exists(two: tuple[WebClient, WebClient], cast: Cast) -> None:
    ada, eve = two
    do(ada, "ask", customer="fabrikam")
    do(eve, "agree")
    with scope.operations():
        moved = Tenant.objects.get(slug="contoso")
        assert moved.customer.name == "Fabrikam"
        assert Customer.objects.filter(name__iexact="fabrikam").count() == 1
        assert moved.name != "Fabrikam"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Enter the customer"),
        ("contoso", "belongs to Contoso already"),
        ("Tail\u202espin", "invisible"),
        ("x" * 201, "longer than 200"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(two: tuple[WebClient, WebClient], name: str, sentence: str) -> None:
    assert sentence in do(two[0], "ask", customer=name)
    with scope.operations():
        assert not Relink.objects.exists()


def test_a_request_is_withdrawn_or_forgotten_after_a_day(two: tuple[WebClient, WebClient]) -> None:
    ada, eve = two
    do(ada, "ask", customer="Tailspin")
    assert "Somebody has asked for a move already" in do(eve, "ask", customer="Wingtip")
    assert "withdrawn" in do(eve, "withdraw")
    assert "Nobody has asked" in do(eve, "agree")
    do(ada, "ask", customer="Tailspin")
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=24, minutes=1)):
        late = make_person("late", is_staff=True)
        eve.force_login(late)
        assert "it was too long ago" in do(eve, "agree")
        assert "Another member of staff" in do(eve, "ask", customer="Wingtip")
    assert customer() == "Contoso"


def test_connecting_under_another_name_is_refused_and_says_how(cast: Cast) -> None:
    found = consent.Found(cast.contoso.entra_id, "")
    with scope.operations(), pytest.raises(consent.Refused, match="two members of staff"):
        consent.name_tenant(customer_name="Tailspin", found=found, by=COMMAND_LINE, now=datetime.now(UTC))


def test_the_database_wants_two_people_too(cast: Cast) -> None:
    ada, eve = make_person("ada", is_staff=True), make_person("eve", is_staff=True)
    with database_role("web"), scope.person(ada):
        other = Customer.objects.create(name="Tailspin")
        mine = Relink.objects.create(tenant=cast.contoso, customer_name="Tailspin", asked_by=ada, asked_at=_now())
        refused: list[tuple[type[Exception], Any]] = [
            (ProgrammingError, lambda: Tenant.objects.filter(slug="contoso").update(customer=other)),
            (IntegrityError, lambda: Relink.objects.filter(pk=mine.pk).update(agreed_by=ada)),
            (ProgrammingError, lambda: Relink.objects.filter(pk=mine.pk).update(asked_by=eve)),
            (ProgrammingError, lambda: mine.delete()),
        ]
        for error, write in refused:
            with pytest.raises(error), transaction.atomic():
                write()
        named = {"tenant": cast.fabrikam, "customer_name": "Tailspin", "asked_at": _now()}
        for people in ({"asked_by": eve}, {"asked_by": eve, "agreed_by": ada}, {"asked_by": ada, "agreed_by": eve}):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                Relink.objects.create(**named, **people)
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Relink.objects.filter(pk=mine.pk).update(agreed_by=eve)
    with database_role("worker"), scope.operations():
        for change in (lambda: Relink.objects.create(**named, asked_by=ada, agreed_by=eve),
                       lambda: Relink.objects.filter(pk=mine.pk).update(agreed_by=eve)):  # fmt: skip
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                change()
    with database_role("worker"), scope.operations(), pytest.raises(ProgrammingError), transaction.atomic():
        Tenant.objects.filter(slug="contoso").update(customer=other)
    assert customer() == "Contoso"


def test_it_is_for_staff(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.alice)
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"do": "ask", "customer": "Tailspin"}).status_code == 403
    assert not User.objects.filter(is_staff=True).exists()


def _now() -> datetime:
    return datetime.now(UTC)
