"""The statements behind the queue, and the conditions that filters add to them. Values are always parameters."""

from collections.abc import Iterator
from typing import Any

from defender.vocabulary import SERVICES
from incidents.cursor import Place
from incidents.date_filters import are_few
from incidents.date_filters import conditions as by_dates
from incidents.filters import ME, NOBODY, SEVERITIES, STATUS_OF, Filters, duration
from incidents.models import Status

# The queue's query. The inner select finds fifty keys in the index alone and never touches the table: it is narrowed by
# an explicit list of tenants, because only then does the planner choose between the index over everything (many
# tenants) and the one by tenant and severity (few); and `is_open` stands there literally, because a partial index is
# used only where the predicate can be proved from the text of the statement. Django binds parameters on the client's
# side, so every run is planned for its own lists. The outer select fetches fifty rows by primary key, of those that the
# inner one has just found in the same snapshot: naming a thousand tenants there again would double the planning.
ROWS = """
SELECT i.id, i.tenant_id, i.number, i.name, i.status, i.remote_status, i.severity, i.remote_severity, i.assigned_to,
       i.alert_count, i.host, i.account, i.updated_at, i.changed_at, i.redirect_number, i.is_stub, i.cleaned, i.gone_at,
       i.created_at, i.classification, i.determination
FROM incidents_incident i
WHERE i.id = ANY(ARRAY({keys}))
ORDER BY i.updated_at DESC, i.id DESC
"""
KEYS = """
SELECT q.id FROM incidents_incident q
WHERE q.tenant_id = ANY(%(tenants)s::bigint[]){narrow} ORDER BY q.updated_at DESC, q.id DESC LIMIT %(limit)s
"""
# The same over few days: what lies within them is found first and ordered then. Walking from the newest, to which the
# limit tempts the planner, would pass by everything that was updated since.
KEYS_WITHIN_DAYS = """
WITH within AS MATERIALIZED (
    SELECT q.id, q.updated_at FROM incidents_incident q WHERE q.tenant_id = ANY(%(tenants)s::bigint[]){narrow})
SELECT w.id FROM within w ORDER BY w.updated_at DESC, w.id DESC LIMIT %(limit)s
"""
# Whatever no index of incidents can answer is asked of a fence of the newest keys; without it something rare would walk
# every row. All columns of the fence stand in the queue's indexes, which spares it the table.
FENCE = """
WITH fence AS MATERIALIZED (
    SELECT q.id, q.tenant_id, q.updated_at FROM incidents_incident q
    WHERE q.tenant_id = ANY(%(tenants)s::bigint[]){narrow} ORDER BY q.updated_at DESC, q.id DESC LIMIT %(searched)s)
"""
# Tags, techniques and sources: looked up one by one, until the page is full.
KEYS_IN_FENCE = f"""{FENCE}
SELECT f.id FROM fence f WHERE {{tests}} ORDER BY f.updated_at DESC, f.id DESC LIMIT %(limit)s
"""  # noqa: S608  the constant above alone
# Words: texts are looked up one by one too. LIMIT keeps the planner from a join, for which it reads every text it has:
# over a million, that took ten times as long. A row without search text, such as a stub, can still be found by number.
KEYS_WITH_WORDS = f"""{FENCE}
SELECT f.id FROM fence f LEFT JOIN LATERAL (SELECT t.text FROM incidents_incidentsearch t
    WHERE t.incident_id = f.id AND t.tenant_id = f.tenant_id LIMIT 1) s ON true
WHERE {{tests}} ORDER BY f.updated_at DESC, f.id DESC LIMIT %(limit)s
"""  # noqa: S608
NUMBERED = """
f.id = ANY(ARRAY(SELECT n.id FROM incidents_incident n
    WHERE n.tenant_id = ANY(%(tenants)s::bigint[]) AND n.number = %(number{place})s))
"""
# The kinds whose values are looked up, as the index on values has them: a partial index wants its predicate literally.
KINDS = "'device', 'file', 'ip', 'mailbox', 'mailmessage', 'url', 'user'"
# Incidents that hold a value, by equality alone: under row-level security an index is used only for conditions whose
# functions give nothing away, and `left()` and LIKE are none of these.
HOLDERS = f"""
SELECT a.incident_id FROM incidents_evidence e
JOIN incidents_alert a ON a.id = e.alert_id AND a.tenant_id = e.tenant_id
WHERE e.value = ANY(%(value{{place}})s) AND e.kind IN ({KINDS}) AND e.tenant_id = ANY(%(tenants)s::bigint[])
  AND a.gone_at IS NULL LIMIT %(held)s
"""  # noqa: S608
# What is open is shown; how many others hold what was looked up, a thousand at most.
ELSEWHERE = f"""
SELECT count(*) FILTER (WHERE status <> {Status.REDIRECTED.value:d}),
       count(*) FILTER (WHERE status = {Status.REDIRECTED.value:d})
FROM (SELECT q.status FROM incidents_incident q
      WHERE q.tenant_id = ANY(%(tenants)s::bigint[]) AND NOT q.is_open{{narrow}} LIMIT %(limit)s) others
"""  # noqa: S608
# A shell may have been merged into one that was merged again; UNION ends a circle, should there ever be one.
MERGED = """
WITH RECURSIVE into_it (tenant_id, target, number) AS (
    SELECT i.tenant_id, i.redirect_number, i.number FROM incidents_incident i
    WHERE i.redirect_number IS NOT NULL AND i.tenant_id = ANY(%(tenants)s::bigint[])
      AND i.redirect_number = ANY(%(numbers)s::bigint[])
    UNION
    SELECT i.tenant_id, t.target, i.number FROM into_it t
    JOIN incidents_incident i ON i.tenant_id = t.tenant_id AND i.redirect_number = t.number
    WHERE i.redirect_number IS NOT NULL AND i.tenant_id = ANY(%(tenants)s::bigint[]))
SELECT tenant_id, target, count(DISTINCT number) FROM into_it WHERE number <> target GROUP BY tenant_id, target
"""
# Names for the filter: who holds the newest open incidents. A name that is not among them can still be typed.
ASSIGNEES = """
SELECT DISTINCT newest.assigned_to FROM (
    SELECT q.assigned_to FROM incidents_incident q
    WHERE q.tenant_id = ANY(%(tenants)s::bigint[]) AND q.is_open ORDER BY q.updated_at DESC, q.id DESC LIMIT 500) newest
WHERE newest.assigned_to <> '' ORDER BY 1 LIMIT 100
"""


def rows_statement(filters: Filters, place: Place | None, parameters: dict[str, Any]) -> str:
    """The statement for one page; adds to ``parameters`` what its conditions need."""
    return ROWS.format(keys=keys_statement(filters, place, parameters))


def keys_statement(filters: Filters, place: Place | None, parameters: dict[str, Any]) -> str:
    """The same without the rows: keys in the order of the queue."""
    narrow = _narrow(filters, place, parameters)
    tests = [*_of_words(filters.words, parameters), *_of_children(filters, parameters, "f")]
    if not tests:
        return (KEYS_WITHIN_DAYS if are_few(filters.dates) else KEYS).format(narrow=narrow)
    inside = KEYS_WITH_WORDS if filters.words else KEYS_IN_FENCE
    return inside.format(narrow=narrow, tests=" AND ".join(tests))


def held_statement(filters: Filters, place: Place | None, parameters: dict[str, Any]) -> str:
    """The statement for one page of what holds the exact values and numbers asked for, in all of history."""
    return ROWS.format(keys=held_keys(filters, place, parameters))


def held_keys(filters: Filters, place: Place | None, parameters: dict[str, Any]) -> str:
    """The same without the rows."""
    return KEYS.format(narrow=_narrow(filters, place, parameters) + _held(filters, parameters))


def elsewhere_statement(filters: Filters, parameters: dict[str, Any]) -> str:
    """How many incidents that are not open hold what was asked for: (closed, merged)."""
    return ELSEWHERE.format(narrow=_joined(_beside_status(filters, parameters)) + _held(filters, parameters))


def _narrow(filters: Filters, place: Place | None, parameters: dict[str, Any]) -> str:
    conditions = [_by_status(filters.status), *_beside_status(filters, parameters)]
    if place:
        conditions.append("(q.updated_at, q.id) < (%(at)s, %(id)s)")
        parameters["at"], parameters["id"] = place
    return _joined(conditions)


def _beside_status(filters: Filters, parameters: dict[str, Any]) -> Iterator[str]:
    if filters.severities:
        yield "q.severity = ANY(%(severities)s::smallint[])"
        parameters["severities"] = [SEVERITIES[key].value for key in filters.severities]
    yield from _by_assignee(filters, parameters)
    if filters.classification:
        # Microsoft writes "not set" in two ways.
        yield "q.classification = ANY(%(classifications)s)"
        word = filters.classification
        parameters["classifications"] = ["", "Unknown"] if word == "Unknown" else [word]
    for name, sign in (("newer", ">="), ("older", "<")):
        if age := duration(getattr(filters, name)):
            yield f"q.{'created' if filters.clock == 'created' else 'updated'}_at {sign} now() - %({name})s::interval"
            parameters[name] = age
    yield from by_dates(filters.dates, parameters)


def _by_assignee(filters: Filters, parameters: dict[str, Any]) -> Iterator[str]:
    if filters.assignee == NOBODY:
        yield "coalesce(q.assigned_to, '') = ''"
    elif filters.assignee == ME:
        yield "q.assigned_to = ANY(%(mine)s)"
        parameters["mine"] = list(filters.mine)
    elif filters.assignee:
        yield "q.assigned_to = %(assignee)s"
        parameters["assignee"] = filters.assignee


def _by_status(status: str) -> str:
    if status in STATUS_OF:
        literal = f"q.status = {STATUS_OF[status].value:d}"
        # Says again what follows from the status, for the sake of the partial index.
        return literal if status in {"resolved", "merged"} else f"q.is_open AND {literal}"
    return "q.is_open" if status == "open" else f"q.status <> {Status.REDIRECTED.value:d}"


def _held(filters: Filters, parameters: dict[str, Any]) -> str:
    asked = filters.asked
    tests = []
    if asked.numbers:
        parameters["numbers"] = list(asked.numbers)
        tests.append("q.number = ANY(%(numbers)s::bigint[])")
    for place, value in enumerate(asked.exact):
        parameters[f"value{place}"] = list(value.spellings)
        tests.append(f"q.id = ANY(ARRAY({HOLDERS.format(place=place)}))")
    for place, word in enumerate(asked.words):
        parameters[f"word{place}"] = f"%{escaped(word)}%"
        tests.append(
            "(SELECT s.text FROM incidents_incidentsearch s"  # noqa: S608
            f" WHERE s.incident_id = q.id AND s.tenant_id = q.tenant_id LIMIT 1) LIKE %(word{place})s"
        )
    return _joined([*tests, *_of_children(filters, parameters, "q")])


def _of_words(words: tuple[str, ...], parameters: dict[str, Any]) -> Iterator[str]:
    for place, word in enumerate(words):
        parameters[f"word{place}"] = f"%{escaped(word)}%"
        test = f"s.text LIKE %(word{place})s"
        if word.isascii() and word.isdigit() and len(word) < 19:
            parameters[f"number{place}"] = int(word)
            test = f"({test} OR {NUMBERED.format(place=place)})"
        yield test


def _of_children(filters: Filters, parameters: dict[str, Any], of: str) -> Iterator[str]:
    """What stands in rows beside the incident ``of``. Scalar sub-selects are asked row by row; the planner would make a
    join of EXISTS, and read the whole table for it.
    """
    same = f"x.tenant_id = {of}.tenant_id AND x.incident_id = {of}.id"
    if filters.tag:
        parameters["tag"] = filters.tag
        yield f"(SELECT 1 FROM incidents_incidenttag x WHERE {same} AND x.tag = %(tag)s LIMIT 1) IS NOT NULL"  # noqa: S608
    if filters.technique:
        parameters["technique"] = filters.technique.upper()
        parameters["sub_technique"] = f"{filters.technique.upper()}."  # T1078 takes T1078.004 in
        named = "(x.technique = %(technique)s OR starts_with(x.technique, %(sub_technique)s))"
        yield f"(SELECT 1 FROM incidents_incidenttechnique x WHERE {same} AND {named} LIMIT 1) IS NOT NULL"  # noqa: S608
    if filters.service:
        parameters["services"] = services_like(filters.service)
        listed = "x.gone_at IS NULL AND x.service_source = ANY(%(services)s)"
        yield f"(SELECT 1 FROM incidents_alert x WHERE {same} AND {listed} LIMIT 1) IS NOT NULL"  # noqa: S608


def services_like(word: str) -> list[str]:
    """All of Microsoft's words for the same product; an unknown one stands for itself."""
    product = SERVICES.get(word)
    return [known for known, name in SERVICES.items() if name == product] if product else [word]


def _joined(conditions: Any) -> str:
    return "".join(f" AND {condition}" for condition in conditions)


def escaped(word: str) -> str:
    """A word in which LIKE finds no wildcard."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
