"""The statements behind the queue, and the conditions that filters add to them. Values are always parameters."""

from typing import Any

from incidents.cursor import Place
from incidents.filters import NOBODY, SEVERITIES, STATUS_OF, Filters
from incidents.models import Status

# The queue's query. The inner select finds fifty keys in the index alone and never touches the table: it is narrowed by
# an explicit list of tenants, because only then does the planner choose between the index over everything (many
# tenants) and the one by tenant and severity (few); and `is_open` stands there literally, because a partial index is
# used only where the predicate can be proved from the text of the statement. Django binds parameters on the client's
# side, so every run is planned for its own lists. The outer select fetches fifty rows by primary key, of those that the
# inner one has just found in the same snapshot: naming a thousand tenants there again would double the planning.
ROWS = """
SELECT i.id, i.tenant_id, i.number, i.name, i.status, i.remote_status, i.severity, i.remote_severity, i.assigned_to,
       i.alert_count, i.host, i.account, i.updated_at, i.changed_at, i.redirect_number, i.is_stub, i.cleaned, i.gone_at
FROM incidents_incident i
WHERE i.id = ANY(ARRAY({keys}))
ORDER BY i.updated_at DESC, i.id DESC
"""
KEYS = """
SELECT q.id FROM incidents_incident q
WHERE q.tenant_id = ANY(%(tenants)s::bigint[]){narrow} ORDER BY q.updated_at DESC, q.id DESC LIMIT %(limit)s
"""
# Words: first a fence of the newest keys, then their search text; without the fence a rare word would walk every row.
# A row without search text, such as a stub, can still be found by its number.
KEYS_WITH_WORDS = """
WITH fence AS MATERIALIZED (
    SELECT q.id, q.number, q.updated_at FROM incidents_incident q
    WHERE q.tenant_id = ANY(%(tenants)s::bigint[]){narrow} ORDER BY q.updated_at DESC, q.id DESC LIMIT %(searched)s)
SELECT f.id FROM fence f LEFT JOIN incidents_incidentsearch s
    ON s.incident_id = f.id AND s.tenant_id = ANY(%(tenants)s::bigint[])
WHERE {words} ORDER BY f.updated_at DESC, f.id DESC LIMIT %(limit)s
"""
# The same over few incidents: their texts are looked up one by one (LIMIT keeps the planner from reading all texts of a
# tenant at once), until the page is full.
KEYS_AT_A_GLANCE = """
WITH fence AS MATERIALIZED (
    SELECT q.id, q.tenant_id, q.number, q.updated_at FROM incidents_incident q
    WHERE q.tenant_id = ANY(%(tenants)s::bigint[]){narrow} ORDER BY q.updated_at DESC, q.id DESC LIMIT %(searched)s)
SELECT f.id FROM fence f LEFT JOIN LATERAL (SELECT t.text FROM incidents_incidentsearch t
    WHERE t.incident_id = f.id AND t.tenant_id = f.tenant_id LIMIT 1) s ON true
WHERE {words} ORDER BY f.updated_at DESC, f.id DESC LIMIT %(limit)s
"""
COUNTS = """
SELECT tenant_id, severity, sum(n) FROM incidents_rollup
WHERE tenant_id = ANY(%(tenants)s::bigint[]) AND status <> ALL(%(closed)s::smallint[]) GROUP BY tenant_id, severity
"""
MERGED = """
SELECT tenant_id, redirect_number, count(*) FROM incidents_incident
WHERE redirect_number IS NOT NULL AND tenant_id = ANY(%(tenants)s::bigint[])
  AND redirect_number = ANY(%(numbers)s::bigint[])
GROUP BY tenant_id, redirect_number
"""
# Names for the filter: who holds the newest open incidents. A name that is not among them can still be typed.
ASSIGNEES = """
SELECT DISTINCT newest.assigned_to FROM (
    SELECT q.assigned_to FROM incidents_incident q
    WHERE q.tenant_id = ANY(%(tenants)s::bigint[]) AND q.is_open ORDER BY q.updated_at DESC, q.id DESC LIMIT 500) newest
WHERE newest.assigned_to <> '' ORDER BY 1 LIMIT 100
"""


def rows_statement(
    filters: Filters, place: Place | None, parameters: dict[str, Any], *, with_words: str = KEYS_WITH_WORDS
) -> str:
    """The statement for one page; adds to ``parameters`` what its conditions need."""
    narrow = _narrow(filters, place, parameters)
    return ROWS.format(keys=_keys(filters, narrow, parameters, with_words))


def _narrow(filters: Filters, place: Place | None, parameters: dict[str, Any]) -> str:
    conditions = [_by_status(filters.status)]
    if filters.severities:
        conditions.append("q.severity = ANY(%(severities)s::smallint[])")
        parameters["severities"] = [SEVERITIES[key].value for key in filters.severities]
    if filters.assignee == NOBODY:
        conditions.append("coalesce(q.assigned_to, '') = ''")
    elif filters.assignee:
        conditions.append("q.assigned_to = %(assignee)s")
        parameters["assignee"] = filters.assignee
    if place:
        conditions.append("(q.updated_at, q.id) < (%(at)s, %(id)s)")
        parameters["at"], parameters["id"] = place
    return "".join(f" AND {condition}" for condition in conditions)


def _by_status(status: str) -> str:
    if status in STATUS_OF:
        literal = f"q.status = {STATUS_OF[status].value:d}"
        # Says again what follows from the status, for the sake of the partial index.
        return literal if status in {"resolved", "merged"} else f"q.is_open AND {literal}"
    return "q.is_open" if status == "open" else f"q.status <> {Status.REDIRECTED.value:d}"


def _keys(filters: Filters, narrow: str, parameters: dict[str, Any], with_words: str) -> str:
    if not filters.words:
        return KEYS.format(narrow=narrow)
    tests = []
    for place, word in enumerate(filters.words):
        parameters[f"word{place}"] = f"%{escaped(word)}%"
        test = f"s.text LIKE %(word{place})s"
        if word.isascii() and word.isdigit() and len(word) < 19:
            parameters[f"number{place}"] = int(word)
            test = f"({test} OR f.number = %(number{place})s)"
        tests.append(test)
    return with_words.format(narrow=narrow, words=" AND ".join(tests))


def escaped(word: str) -> str:
    """A word in which LIKE finds no wildcard."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
