"""The walk's world: Contoso is the other side, full of words that nobody but its own people may ever see."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.cookies import SimpleCookie
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction

from accounts.models import User, Visit
from accounts.roles import Role
from audit.models import AuditEvent
from audit.record import WORKER, Event, record
from incidents.cursor import seal
from incidents.models import SavedView
from tenants.alarms import raise_alarm
from tenants.models import Customer, Tenant
from tests.cast import NOW, Cast, make_cast, make_person
from tests.conftest import WebClient
from tests.isolation.rows import canary, clue, content, fill, tenant_owned

SLUG, NUMBER = "contoso", "7"
# What stands in a pattern's place when somebody asks for Contoso's, and when somebody asks for what nobody has. The
# administration's object_id depends on the model.
PLACES: Mapping[str, tuple[str, str]] = {
    "slug": (SLUG, "nosuch"),
    "tenant": (SLUG, "nosuch"),
    "number": (NUMBER, NUMBER),
    "secret": ("0" * 43, "1" * 43),
    "app_label": ("incidents", "incidents"),
    "content_type_id": ("", "999999"),
    "url": ("nowhere/", "nowhere/"),
    "id": ("999999999", "999999999"),
    "visit": ("", "00000000-0000-4000-8000-000000000000"),
    "view": ("", "00000000-0000-4000-8000-000000000000"),
}
NOTHING = "999999999"


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer, and what the request did."""

    answer: Any
    noted: list[str]
    changed: set[str]

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.answer.status_code)

    @property
    def words(self) -> str:
        """Everything that was sent: headers, cookies, body."""
        head = "\n".join(f"{name}: {value}" for name, value in self.answer.headers.items())
        return f"{head}\n{self.answer.cookies.output()}\n{self.answer.getvalue().decode(errors='replace')}"


@dataclass
class World:
    """The people with a browser each. What a request does is taken back before the next."""

    cast: Cast
    cookies: dict[str, str] = field(default_factory=dict)
    browser: WebClient = field(default_factory=WebClient)
    # As they are before every request, since each is taken back.
    tables: dict[str, str] = field(default_factory=dict)
    last_note: int = 0

    @property
    def secrets(self) -> tuple[str, ...]:
        """What an answer to somebody of another tenant never contains."""
        return (canary(self.cast.contoso), clue(self.cast.contoso), self.cast.contoso.name)

    def ask(self, person: str, method: str, address: str, **more: Any) -> Seen:
        """One request of ``person``, and what it did to the tables and the audit log."""
        self.browser.cookies = SimpleCookie(self.cookies.get(person, ""))
        statements: list[str] = []
        with undone():
            with connection.execute_wrapper(partial(_overheard, statements)):
                answer = self.browser.generic(method, address, **more)
            after = self.tables if all(map(_is_reading, statements)) else state_of_tables()
            noted = AuditEvent.objects.filter(pk__gt=self.last_note).order_by("pk").values_list("outcome", flat=True)
            changed = {table for table, sum_before in self.tables.items() if sum_before != after[table]}
            return Seen(answer, list(noted), changed)


def make_world() -> World:
    """The cast; rita reads Northwind only, dana is staff without a grant, ada is staff with one over Contoso."""
    cast = make_cast()
    fill(cast)
    SavedView.objects.create(
        owner=cast.alice, name=canary(cast.contoso), query=f"tenant={SLUG}", created_at=NOW, changed_at=NOW
    )
    raise_alarm(key="k", sentence="The secret is wrong.")
    record(Event(by=WORKER, action="test", tenant=cast.contoso.entra_id))
    people = {
        "alice": cast.alice,
        "bob": cast.bob,
        "charlie": cast.charlie,
        "rita": make_person("rita", (cast.northwind, Role.VIEWER)),
        "dana": make_person("dana", is_staff=True),
        "ada": make_person("ada", (cast.contoso, Role.ANALYST), is_staff=True),
    }
    world = World(cast)
    for name, person in people.items():
        world.browser.cookies = SimpleCookie()
        world.browser.force_login(person)
        session = world.browser.session
        session.update({"signed_in_at": int(time.time()), "signed_in_how": "local"})  # just now: no page asks again
        session.save()
        world.cookies[name] = world.browser.cookies.output(header="", sep=";", attrs=[])
    world.tables = state_of_tables()
    world.last_note = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True)[0]
    return world


def values_for(cast: Cast, model: type[models.Model] | None) -> dict[str, str]:
    """What stands in a pattern's places when somebody asks for Contoso's."""
    found = {name: theirs for name, (theirs, _) in PLACES.items()}
    found["content_type_id"] = str(ContentType.objects.get_for_model(model or Tenant).pk)
    found["visit"] = str(Visit.objects.filter(user=cast.alice).values_list("pk", flat=True)[0])
    found["view"] = str(SavedView.objects.filter(owner=cast.alice).values_list("key", flat=True)[0])
    found["id"] = str(cast.alice.pk)
    found["object_id"] = str(key_of(cast.contoso, model or Tenant))
    return found


def values_for_nothing() -> dict[str, str]:
    """The same places filled with what nobody has."""
    return {**{name: nobodys for name, (_, nobodys) in PLACES.items()}, "object_id": NOTHING}


def key_of(tenant: Tenant, model: type[models.Model]) -> Any:
    """A row of the model that belongs to the tenant, or any where rows belong to nobody."""
    rows: models.QuerySet[Any] = models.QuerySet(model=model)
    if model is Tenant:
        return tenant.pk
    if model is Customer:
        return tenant.customer_id
    if any(column.attname == "tenant_id" for column in model._meta.fields):
        rows = rows.filter(tenant=tenant)
    key = rows.values_list("pk", flat=True).first()
    assert key is not None, f"no {model._meta.label} to ask for: give it a row in tests/isolation/rows.py"
    return key


def smuggled(cast: Cast, model: type[models.Model] | None) -> dict[str, Any]:
    """Contoso's ids in query, body, cursor, headers and cookies, under every name that a careless page might trust."""
    keys = {
        "tenant_id": cast.contoso.pk,
        "user": cast.alice.pk,
        "user_id": cast.alice.pk,
        "id": key_of(cast.contoso, Tenant),
    }
    named = {
        "tenant": SLUG, "slug": SLUG, "number": NUMBER, "entra_id": cast.contoso.entra_id, "customer": "canary",
        "q": "canary", "after": seal((NOW, 10**9), user_id=cast.alice.pk, query=""), "version": "0", "status": "all",
        "next": f"/incidents/{SLUG}/{NUMBER}/", "scope": "all", **keys,
    }  # fmt: skip
    form = {**named, "action": "delete_selected", "post": "yes", "index": "0", "role": "Incident.Read.All"}
    form["_selected_action"] = key_of(cast.contoso, model or Tenant)
    headers = ("X-Tenant", "X-Tenant-Id", "X-User", "X-User-Id", "X-Forwarded-User", "Remote-User", "X-Scope", "Cookie")
    claimed = {f"HTTP_{name.replace('-', '_').upper()}": str(cast.contoso.pk) for name in headers[:-1]}
    claimed["HTTP_HX_REQUEST"] = "true"
    return {"query": named, "form": form, "headers": claimed}


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is written inside is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _overheard(statements: list[str], execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
    statements.append(sql)
    return execute(sql, parameters, many, context)


def _is_reading(statement: str) -> bool:
    """Whether a statement cannot have changed a tenant's row: it reads, or it says who asks."""
    return statement.lstrip().upper().startswith(READING) and not any(
        word in statement for word in ("FOR UPDATE", "audit_seal")
    )


def state_of_tables() -> dict[str, str]:
    """A checksum of every tenant-owned table, and of the people."""
    with connection.cursor() as cursor:
        cursor.execute(_checksums())
        return dict(cursor.fetchall())


def _checksums() -> str:
    owned: list[type[models.Model]] = [*tenant_owned(), User]
    return " UNION ALL ".join(
        f"SELECT '{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{table}\" t"  # noqa: S608
        for table in sorted({model._meta.db_table for model in owned} | ACCESS_TABLES)
    )


READING = ("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT", "SET ROLE")
ACCESS_TABLES = {"tenants_grant", "tenants_membership"}
CONTENT_TABLES = {model._meta.db_table for model in content()}
