"""The statements behind the overview. Values are always parameters; every one says which tenants it means.

None walks the incidents: days and counts are kept by the store, and moments are read from the index on them alone.
"""

from incidents.daily import COLUMNS
from incidents.models import Severity, Status
from incidents.rollup import OPEN, cells_with, total

_BY_SEVERITY = ", ".join(
    f"({severity.value}, {total(cells_with(statuses=OPEN, severity=severity.value))},"
    f" {total(cells_with(statuses=OPEN, severity=severity.value, unassigned=True))})"
    for severity in Severity
)
# Open incidents by tenant and severity, and the sums of each day, in one statement and so of one moment: what was open
# on a day is reckoned back from what is open now. Days to come are in it too, for clocks are wrong sometimes.
COUNTS = f"""
SELECT tenant_id, x.severity, x.n, x.nobodys, NULL::date, NULL::bigint[]
FROM incidents_rollup, LATERAL (VALUES {_BY_SEVERITY}) AS x(severity, n, nobodys)
WHERE tenant_id = ANY(%(tenants)s::bigint[]) AND x.n <> 0
UNION ALL
SELECT NULL, NULL, NULL, NULL, day, ARRAY[{", ".join(f"sum({column})" for column in COLUMNS)}]::bigint[]
FROM incidents_daily WHERE tenant_id = ANY(%(tenants)s::bigint[]) AND day >= %(since)s GROUP BY day
"""  # noqa: S608  only constants are pasted in
_PACE = """
SELECT severity, count(*), count(*) FILTER (WHERE NOT {seen}),
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY date_part('epoch', {moment} - created_at))
FROM incidents_incident
WHERE tenant_id = ANY(%(tenants)s::bigint[]) AND {moment} >= %(since)s AND {moment} < %(until)s GROUP BY severity
"""
TOUCHED = _PACE.format(moment="first_touched_at", seen="seen_untouched")
CLOSED = _PACE.format(moment="closed_at", seen="seen_open")
HELD_BY = f"""
SELECT severity, count(*), count(*) FILTER (WHERE status = {Status.IN_PROGRESS.value}) FROM incidents_incident
WHERE tenant_id = ANY(%(tenants)s::bigint[]) AND is_open AND assigned_to = ANY(%(names)s::text[]) GROUP BY severity
"""  # noqa: S608
