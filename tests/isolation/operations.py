"""What code can do with a manager or a queryset. Each operation answers with the keys of the rows it reached."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models, transaction
from django.db.models import Count, F, Max, Prefetch, prefetch_related_objects
from django.db.models.deletion import ProtectedError

Keys = set[Any]
# ``rows`` is a manager or a queryset that nothing has narrowed; ``known`` are the keys of all rows there are.
Operation = Callable[[Any, Keys], Keys]


def _got(rows: Any, known: Keys) -> Keys:
    found = set()
    for key in known:
        try:
            found.add(rows.get(pk=key).pk)
        except rows.model.DoesNotExist:
            continue
    return found


def _counted(rows: Any, known: Keys) -> Keys:
    assert (
        rows.count() == len(_listed(rows, known)) == rows.all().order_by().aggregate(n=Count("pk", distinct=True))["n"]
    )
    return _listed(rows, known)


def _listed(rows: Any, known: Keys) -> Keys:
    return {row.pk for row in rows.all()}


def _updated(rows: Any, known: Keys) -> Keys:
    """Tries each row by its key, so that the rows reached are known and not only their number."""
    column = next(one.attname for one in rows.model._meta.concrete_fields if not one.primary_key)
    return {key for key in known if rows.filter(pk=key).update(**{column: F(column)})}


def _deleted(rows: Any, known: Keys) -> Keys:
    return {key for key in known if _is_deleted(rows, key)}


def _is_deleted(rows: Any, key: Any) -> bool:
    """Whether the row would have gone. What others refer to is found and then kept: that is reached too."""
    with transaction.atomic():
        try:
            count, _ = rows.filter(pk=key).delete()
        except ProtectedError:
            count = 1
        transaction.set_rollback(True)
    return bool(count)


OPERATIONS: dict[str, Operation] = {
    "count": _counted,
    "list": _listed,
    "get": _got,
    "exists": lambda rows, known: {key for key in known if rows.filter(pk=key).exists()},
    "aggregate": lambda rows, known: {key for key in known if rows.filter(pk=key).aggregate(top=Max("pk"))["top"]},
    "values": lambda rows, known: set(rows.values_list("pk", flat=True)),
    "iterator": lambda rows, known: {row.pk for row in rows.iterator(chunk_size=2)},
    "in_bulk": lambda rows, known: set(rows.in_bulk(list(known))),
    "first": lambda rows, known: {row.pk for row in [rows.order_by("pk").first(), rows.order_by("pk").last()] if row},
    "union": lambda rows, known: {row.pk for row in rows.order_by().union(rows.order_by())},
    "update": _updated,
    "delete": _deleted,
}
# These reach less than everything where everything is right.
PARTIAL = {"first"}


def reverse_relations(model: type[models.Model]) -> list[str]:
    """Names by which rows that refer to one of ``model`` are got from it."""
    return [
        str(relation.get_accessor_name())
        for relation in model._meta.related_objects
        if relation.get_accessor_name() and (relation.one_to_many or relation.many_to_many)
    ]


def related(parents: Iterable[Any], name: str) -> list[models.Model]:
    """What hangs on the parents by a relation, one parent at a time."""
    return [row for parent in parents for row in getattr(parent, name).all()]


def prefetched(parents: Iterable[Any], name: str) -> list[models.Model]:
    """The same, fetched for all parents at once."""
    known = list(parents)
    prefetch_related_objects(known, Prefetch(name))
    return [row for parent in known for row in getattr(parent, name).all()]
