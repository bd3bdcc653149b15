"""The rows of the queue in Jinja2: the same cells, from the same rows, through the same filters for foreign text.

What puts the rows into words before the queue's own template gets them is measured with it.

The queue's own template may show more than this one does, so what is compared is the time per kilobyte of markup.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import jinja2
from django.template.loader import get_template

from incidents.columns import Columns
from incidents.queue import QueuePage
from incidents.row_texts import texts_of
from portal.templatetags import portal_text
from tests.bench.agreement import Wrong
from tests.bench.measuring import Goal, ratios
from tests.bench.reads.browser import Browser
from tests.bench.reads.people import Reader
from tests.bench.reads.sampling import Timings

TEMPLATE = """<table class="table queue" role="table" aria-label="Incidents, newest first">
<thead role="rowgroup"><tr role="row">
{% for heading in ("Severity", "Incident", "Tenant", "Status", "Assigned to", "Alerts", "Host / account", "Updated") %}
<th role="columnheader" scope="col">{{ heading }}</th>{% endfor %}</tr></thead><tbody role="rowgroup">
{% macro status(key, word) %}<span class="chip chip-{{ key }}"><svg aria-hidden="true">
<use href="#shape-{{ key }}"></use></svg>{{ word|shown(40) }}</span>{% endmacro %}
{% for row in page.rows %}<tr role="row" id="row-{{ row.key }}" data-row>
<td role="cell" class="c-severity"><span class="mark severity-{{ row.severity }}"><svg aria-hidden="true">
<use href="#shape-{{ row.severity }}"></use></svg>{{ row.severity_word|shown(40) }}</span></td>
<td role="cell" class="c-name"><a class="content" id="open-{{ row.key }}"
href="{{ url(row.tenant.slug, row.number) }}" data-open>{{ row.name|shown(160) }}</a>
<span class="muted small">#{{ row.number }}</span>{% if row.is_stub %} stub{% elif row.cleaned %} cleaned{% endif %}
{% if row.is_gone %} gone{% endif %}{% if row.merged_from %} from {{ row.merged_from }}{% endif %}</td>
<td role="cell" class="c-tenant content">{{ row.tenant.name|shown(60) }}{% if row.tenant.mark %}
<span class="small freshness-stale">{{ row.tenant.mark }}</span>{% endif %}</td>
<td role="cell" class="c-status">{{ status(row.status, row.status_word) }}</td>
<td role="cell" class="c-assigned content">{% if row.assigned_to %}<span title="{{ row.assigned_to|shown(60) }}">
{{ row.assigned_to|shown(60) }}</span>{% else %}<span class="muted">Nobody</span>{% endif %}</td>
<td role="cell" class="c-alerts number">{{ row.alert_count }}<span class="unit"> alerts</span></td>
<td role="cell" class="c-who content"><span title="{{ row.host|shown(60) }}">{{ row.host|shown(60) }}</span>
<span class="muted" title="{{ row.account|shown(60) }}">{{ row.account|shown(60) }}</span></td>
<td role="cell" class="c-updated"><time datetime="{{ row.updated_at|iso }}" title="{{ row.updated_at|exact }}" data-ago>
{{ row.updated_at|ago }}</time></td></tr>
{% endfor %}</tbody></table>"""
ASKS = 12


def run(readers: Mapping[int, Sequence[Reader]], *, rounds: int) -> tuple[list[Goal], dict[str, Any]]:
    """Milliseconds of CPU per kilobyte of markup, both over the same page. Raises Wrong where a row is missing."""
    request, name, context = _handed_over(readers[max(readers)][0])
    page: QueuePage = context["page"]
    own, twin = get_template(name), _twin()
    bodies = own.render(in_words(context), request), twin.render(page=page)
    for body in bodies:
        _has_every_row(body, page)
    found = Timings()
    for _ in range(rounds + 1):
        found.add("queue template", _cpu(lambda: own.render(in_words(context), request)))
        found.add("Jinja2", _cpu(lambda: twin.render(page=page)))
    sizes = [len(body.encode()) / 1024 for body in bodies]
    per_kilobyte = [[ms / size for ms in found.medians(name)] for name, size in zip(found.rounds, sizes, strict=True)]
    goals = [Goal("template, CPU per kilobyte to Jinja2's", ratios(*per_kilobyte), 2, at_most=True)]
    told = {f"{name}, KB": round(size, 1) for name, size in zip(found.rounds, sizes, strict=True)}
    return goals, found.told() | told


def in_words(context: dict[str, Any]) -> dict[str, Any]:
    """What the template is given, its rows put into words anew."""
    return context | {"rows": texts_of(context["page"].rows, Columns(), context["query"])}


def _handed_over(reader: Reader) -> tuple[Any, str, dict[str, Any]]:
    """What the view hands to its template for the queue's live part: request, the template's name, context."""
    module = import_module("incidents.views.queue")
    render, handed = module.render, []

    def overhear(request: Any, name: str, context: dict[str, Any]) -> Any:
        handed.append((request, name, context))
        return render(request, name, context)

    module.render = overhear  # type: ignore[attr-defined]
    try:
        Browser(reader.user).get("/incidents/", {"HX_REQUEST": "true"})
    finally:
        module.render = render  # type: ignore[attr-defined]
    return handed[0]


def _twin() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True)
    names = ("shown", "ago", "iso", "exact")
    environment.filters |= {name: getattr(portal_text, name) for name in names}
    environment.globals["url"] = lambda slug, number: f"/incidents/{slug}/{number}/"
    return environment.from_string(TEMPLATE)


def _has_every_row(body: str, page: QueuePage) -> None:
    missing = [row.key for row in page.rows if f'id="row-{row.key}"' not in body or f"#{row.number}<" not in body]
    if missing or not page.rows:
        raise Wrong(f"A template leaves out {len(missing)} of {len(page.rows)} rows.")


def _cpu(render: Any) -> list[float]:
    spent = []
    for _ in range(ASKS):
        began = time.process_time()
        render()
        spent.append(1000 * (time.process_time() - began))
    return spent
