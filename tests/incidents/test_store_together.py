"""Several writers of one tenant's incidents at once, as after a lease that ran out: nobody fails, the newest stays."""

import random

from django.db import connection

from incidents import rollup
from incidents.models import Alert, Incident
from incidents.store import store_page
from tenants import scope
from tests.databases import in_threads
from tests.incidents.arranged import NOW, connected_tenant, incident, moment, sent

WRITERS, TURNS, INCIDENTS = 4, 12, 40


def test_sync_f28_writers_without_a_lease_neither_deadlock_nor_go_back(committed: None) -> None:
    """Each stores the same incidents in an order of its own, with versions and alerts that cross the others'."""
    contoso = connected_tenant()

    def write(writer: int) -> int:
        chance = random.Random(writer)
        for turn in range(TURNS):
            numbers = chance.sample(range(1, INCIDENTS + 1), INCIDENTS)
            updated = turn * WRITERS + writer
            page = [sent(incident(n, updated=updated, status=("Active", "Resolved")[turn % 2])) for n in numbers]
            store_page(tenant=contoso, items=page, now=NOW)
        return TURNS

    assert in_threads(write, WRITERS, role="worker") == [TURNS] * WRITERS
    with scope.tenant(contoso.pk):
        texts = set(Incident.objects.values_list("updated_text", flat=True))
        assert texts == {moment(TURNS * WRITERS - 1)}
        assert Incident.objects.count() == Alert.objects.filter(gone_at=None).count() == INCIDENTS
        assert rollup.kept(contoso.pk) == rollup.counted(contoso.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert cursor.fetchone() == (0,)
