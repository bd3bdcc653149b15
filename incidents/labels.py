"""Tags and techniques of the rows on a page, read only where a person has chosen to see them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from incidents.columns import Columns
from incidents.models import IncidentTag, IncidentTechnique
from incidents.queue import QueueRow


def with_labels(rows: Sequence[QueueRow], columns: Columns) -> Sequence[QueueRow]:
    """The rows with the labels of the columns shown; one query for each kind."""
    tags = _of(IncidentTag, "tag", rows) if "tags" in columns else {}
    techniques = _of(IncidentTechnique, "technique", rows) if "techniques" in columns else {}
    if not (tags or techniques):
        return rows
    return [
        replace(row, tags=tuple(tags.get(row.id, ())), techniques=tuple(techniques.get(row.id, ()))) for row in rows
    ]


def _of(
    model: type[IncidentTag] | type[IncidentTechnique], column: str, rows: Sequence[QueueRow]
) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    wanted = {"incident_id__in": [row.id for row in rows], "tenant_id__in": {row.tenant.id for row in rows}}
    for key, label in model.objects.filter(**wanted).order_by("pk").values_list("incident_id", column):
        found[key].append(label)
    return found
