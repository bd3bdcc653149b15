"""A person's own decisions and what has become of them: what wants a choice first, then what is on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from accounts.models import User
from incidents.models import Batch, Intent, IntentState
from incidents.pending import FAILED, SHOWN, BatchView, PendingIntent, batch_for, batches_for

# States that shape and colour a chip, by the kinds of components/chip.html.
KINDS = {
    IntentState.QUEUED: "wait",
    IntentState.SENDING: "wait",
    IntentState.SENT: "info",
    IntentState.CONFIRMED: "good",
    IntentState.UNCERTAIN: "warning",
    IntentState.HELD: "warning",
    IntentState.CONFLICT: "bad",
    IntentState.REFUSED: "bad",
    IntentState.EXCEEDED: "bad",
    IntentState.CANCELLED: "odd",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change with its incident. Texts of Microsoft's and of people go through the ``shown`` filter."""

    of: PendingIntent
    tenant_slug: str
    tenant_name: str
    kind: str
    may_retry: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision. ``refused`` are targets that nothing was decided of, with ``sentence`` and ``step``."""

    decided_at: datetime
    undo_until: datetime
    changes: Sequence[Change]
    refused: Sequence[object]


@dataclass(frozen=True, slots=True)
class Changes:
    """``only``: the key of the one decision that is shown, or blank. ``version`` changes with anything shown."""

    only: str
    decisions: Sequence[Decided]
    version: str

    @property
    def _all(self) -> list[Change]:
        return [change for decided in self.decisions for change in decided.changes]

    @property
    def wanting(self) -> list[Change]:
        """Conflicts, refusals and what was given up: a person has to do something."""
        return [one for one in self._all if one.of.is_conflict or one.may_retry]

    @property
    def total(self) -> int:
        """Changes of the decisions shown."""
        return len(self._all)

    @property
    def confirmed(self) -> int:
        """Of these, that stand at Microsoft."""
        return sum(one.of.state == IntentState.CONFIRMED for one in self._all)

    @property
    def is_moving(self) -> bool:
        """Whether a worker still has something to do."""
        return any(one.of.state in SHOWN and not one.of.is_conflict for one in self._all)


def decision_of(user: User, key: str) -> int | None:
    """The person's decision that was made with this form key."""
    return Batch.objects.filter(user_id=user.pk, key=key[:64].replace("\x00", "")).values_list("pk", flat=True).first()


def changes_for(user: User, key: str = "") -> Changes:
    """The person's newest decisions, or the one made with ``key`` where there is such."""
    found = decision_of(user, key) if key else None
    one = batch_for(user, found) if found is not None else None
    decisions = [_decided(view) for view in ([one] if one else batches_for(user))]
    state = [[(c.of.id, c.of.state, c.of.detail) for c in decided.changes] for decided in decisions]
    version = blake2b(repr(state).encode(), digest_size=9).hexdigest()
    return Changes(key if one else "", decisions, version)


def _decided(view: BatchView) -> Decided:
    changes = [_change(row, of) for row, of in view.intents]
    return Decided(view.decided_at, view.undo_until, changes, view.refused)


def _change(row: Intent, of: PendingIntent) -> Change:
    state = IntentState(of.state)
    return Change(of, row.tenant.slug, row.tenant.name, KINDS[state], state in FAILED)
