"""The columns of the queue. Severity and the incident itself are always there; the others a person can choose."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

# In the order of the table.
COLUMNS: Mapping[str, str] = {
    "tenant": "Tenant",
    "status": "Status",
    "assigned": "Assigned to",
    "alerts": "Alerts",
    "who": "Host / account",
    "classification": "Classification",
    "tags": "Tags",
    "techniques": "Techniques",
    "created": "Created",
    "updated": "Updated",
}
USUAL = ("tenant", "status", "assigned", "alerts", "who", "updated")
SELDOM = frozenset(COLUMNS) - frozenset(USUAL)
MANY = 7  # ours: with more, the table may be wider than its card and scrolls inside it


@dataclass(frozen=True, slots=True)
class Columns:
    """What is shown, in the order of the table."""

    shown: tuple[str, ...] = USUAL

    def __contains__(self, name: str) -> bool:
        return name in self.shown

    @property
    def has_seldom(self) -> bool:
        """Whether any is shown that is not there unless chosen."""
        return not SELDOM.isdisjoint(self.shown)

    @property
    def is_many(self) -> bool:
        """Whether the table needs more room than a screen usually has."""
        return len(self.shown) > MANY


def columns_of(chosen: Collection[str] | None) -> Columns:
    """The columns for what is kept of a person's choice; names that do not exist any more are left aside."""
    if chosen is None:
        return Columns()
    return Columns(tuple(name for name in COLUMNS if name in chosen))
