"""Nothing that is committed late is missed: real transactions on connections of their own."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, connections

from api import feed
from api.cursor import Place
from incidents.models import Incident
from portal.database_roles import connection_arguments
from tenants import scope
from tests.cast import Cast, make_cast, make_incident
from tests.conftest import database_role

LARGE = 10_000


@pytest.fixture
def cast(committed: None) -> Cast:
    return make_cast()


class Reader:
    """A program that polls with its cursor."""

    def __init__(self, cast: Cast) -> None:
        self.alice, self.tenants = cast.alice, [cast.contoso.pk, cast.fabrikam.pk]
        self.place = Place()
        self.seen: dict[tuple[str, int], str] = {}

    def poll(self, limit: int = LARGE) -> list[int]:
        with database_role("web"), scope.person(self.alice):
            found, self.place, _ = feed.changes(self.tenants, self.place, limit)
        self.seen |= {(one.tenant, one.number): one.name for one in found}
        return [one.number for one in found]


@pytest.fixture
def writer(cast: Cast) -> Iterator[psycopg.Connection]:
    """A worker that has begun to write and takes its time."""
    arguments = connection_arguments(connections.settings["default"])
    with psycopg.connect(**arguments) as opened:
        opened.execute("SET ROLE portal_worker")
        opened.commit()
        opened.execute("SELECT set_config('app.tenant_id', %s, true)", [str(cast.contoso.pk)])
        yield opened


def renamed(writer: psycopg.Connection, number: int) -> None:
    done = writer.execute("UPDATE incidents_incident SET name = 'late' WHERE number = %s", [number])
    assert done.rowcount == 1


def test_a_row_that_is_committed_after_a_later_one_is_seen_once_it_is_there(
    cast: Cast, writer: psycopg.Connection
) -> None:
    make_incident(cast.contoso, 1)
    reader = Reader(cast)
    assert reader.poll() == [1]
    renamed(writer, 1)  # marked, and not committed
    make_incident(cast.fabrikam, 2)  # marked later, committed at once
    assert reader.poll() == [], "the later one waits, or the cursor would pass the earlier one"
    writer.commit()
    assert reader.poll() == [1, 2]
    assert reader.seen["contoso", 1] == "late"


def test_a_writer_that_has_begun_and_wrote_no_incident_yet_holds_nothing_back(
    cast: Cast, writer: psycopg.Connection
) -> None:
    make_incident(cast.contoso, 1)
    reader = Reader(cast)
    writer.execute("UPDATE tenants_syncstate SET last_error = 'busy'")
    make_incident(cast.fabrikam, 2)
    assert reader.poll() == [1, 2]
    renamed(writer, 1)
    assert reader.poll() == []
    writer.commit()
    assert reader.poll() == [1]


def test_what_is_rolled_back_holds_nothing_back_and_is_not_seen(cast: Cast, writer: psycopg.Connection) -> None:
    make_incident(cast.contoso, 1)
    reader = Reader(cast)
    renamed(writer, 1)
    make_incident(cast.fabrikam, 2)
    assert reader.poll() == [1], "as it was before"
    writer.rollback()
    reader.poll()
    assert reader.seen == {("contoso", 1): "Suspicious sign-in", ("fabrikam", 2): "Suspicious sign-in"}


def test_a_savepoint_that_is_taken_back_leaves_the_next_statement_its_own_lock(
    cast: Cast, writer: psycopg.Connection
) -> None:
    make_incident(cast.contoso, 1)
    reader = Reader(cast)
    writer.execute("SAVEPOINT s")
    renamed(writer, 1)
    writer.execute("ROLLBACK TO SAVEPOINT s")
    renamed(writer, 1)
    make_incident(cast.fabrikam, 2)
    reader.poll()
    assert ("fabrikam", 2) not in reader.seen
    writer.commit()
    reader.poll()
    assert reader.seen == {("contoso", 1): "late", ("fabrikam", 2): "Suspicious sign-in"}


def test_among_many_writers_a_polling_reader_ends_with_the_latest_of_everything(cast: Cast) -> None:
    for number in range(1, 21):
        make_incident(cast.contoso, number)
        make_incident(cast.fabrikam, number)

    def write(seed: int) -> None:
        chance = random.Random(seed)
        tenant = (cast.contoso, cast.fabrikam)[seed % 2]
        try:
            with database_role("worker"):
                for turn in range(25):
                    with scope.tenant(tenant.pk):
                        for number in sorted(chance.sample(range(1, 21), chance.randint(1, 3))):
                            Incident.objects.filter(tenant=tenant, number=number).update(name=f"{seed}-{turn}")
        finally:
            connection.close()

    reader = Reader(cast)
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, seed) for seed in range(4)]

        def finished() -> bool:
            return all(one.done() for one in writers)

        while not finished():
            reader.poll(limit=7)
        for one in writers:
            one.result()
    while reader.poll(limit=7):
        pass
    with scope.person(cast.alice):
        now = {(one.tenant.slug, one.number): one.name for one in Incident.objects.select_related("tenant")}
    assert reader.seen == now
