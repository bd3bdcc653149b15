"""The counts' row: what it holds, and that the migration carries over what was held cell by cell."""

from importlib import import_module

import pytest
from django.db import connection

from incidents import rollup
from incidents.models import Severity, Status
from tests import rollups
from tests.cast import Cast, make_cast, make_incident
from tests.conftest import database_role

pytestmark = pytest.mark.django_db

BEFORE = """
CREATE TEMPORARY TABLE incidents_cells_before AS
SELECT tenant_id, status, severity, assigned_to IS NULL AS unassigned, count(*)::bigint AS n
FROM incidents_incident GROUP BY 1, 2, 3, 4
"""


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    for number, (status, severity) in enumerate([(status, severity) for status in Status for severity in Severity]):
        make_incident(cast.contoso, number, status=status, severity=severity, assigned_to=[None, "ada"][number % 2])
    make_incident(cast.fabrikam, 1)
    return cast


def test_there_is_a_cell_for_every_incident_there_can_be() -> None:
    assert len(set(rollup.CELLS)) == len(Status) * len(Severity) * 2
    assert [(status, severity, int(nobody)) for status, severity, nobody in rollup.CELLS] == rollups.CELLS
    assert rollup.array_of({(7, 8, True): 2}) == rollup.array_of({(Status.OTHER, Severity.UNKNOWN, True): 2})


@pytest.mark.parametrize("how", ["by the migration", "by counting"])
def test_every_tenants_row_holds_what_counting_gives(cast: Cast, how: str) -> None:
    migration = import_module("incidents.migrations.0011_rollup_in_rows")
    with database_role("owner"), connection.cursor() as cursor:
        cursor.execute(BEFORE if how == "by the migration" else "SELECT 1")
        cursor.execute("DELETE FROM incidents_rollup")
        cursor.execute(migration.FILL if how == "by the migration" else rollups.fill())
        for tenant, incidents in ((cast.contoso, 25), (cast.fabrikam, 1), (cast.northwind, 0)):
            assert rollup.kept(tenant.pk) == rollup.counted(tenant.pk)
            assert rollup.kept(tenant.pk).total() == incidents
