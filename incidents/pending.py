"""What is still on its way to Microsoft, for the rows of the queue, an incident's page and a person's own list.

The pages show our copy of Microsoft's values with these laid over it, marked as on their way: what an analyst has
decided is seen at once, and never as if Microsoft had said so.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from accounts.models import User
from incidents.models import CANCELLABLE, UNSENT, Batch, Field, Incident, Intent, IntentState
from incidents.selecting import select
from incidents.values import Values, applied, words_for
from tenants.models import Tenant
from tenants.scope import member_tenants

# What is shown beside an incident: everything not settled, and what failed, until somebody decides anew.
SHOWN: Final = (*UNSENT, IntentState.SENT, IntentState.CONFLICT)
FAILED: Final = (IntentState.REFUSED, IntentState.EXCEEDED)
# Of these the wanted value is laid over our copy. What was sent came back in Microsoft's answer and stands in our copy,
# which may even be newer; after a conflict Microsoft's value stands.
OVERLAID: Final = UNSENT
BATCHES: Final = 50  # ours: decisions on a person's list

SENTENCES: Final[Mapping[str, str]] = {
    IntentState.QUEUED: "Waits to be sent.",
    IntentState.SENDING: "Is being sent.",
    IntentState.SENT: "Microsoft has taken it; the next sync has to show it.",
    IntentState.CONFIRMED: "Stands at Microsoft.",
    IntentState.UNCERTAIN: "The answer was lost; it is looked up before anything is sent again.",
    IntentState.HELD: "Is kept until the tenant can be written to again.",
    IntentState.CONFLICT: "Somebody changed it at Microsoft meanwhile. Nothing was overwritten; choose.",
    IntentState.REFUSED: "Microsoft refused it.",
    IntentState.EXCEEDED: "Given up after too many tries.",
    IntentState.CANCELLED: "Taken back before it was sent.",
}


@dataclass(frozen=True, slots=True)
class PendingIntent:
    """One change as a page shows it. Values as in ``incidents.values``; the ``…_words`` are for people.

    ``sentence`` says where it stands, ``detail`` and ``step`` why and what to do. ``remote`` is set for a conflict.
    """

    id: int
    number: int
    asked_number: int | None
    field: str
    label: str
    state: str
    state_word: str
    sentence: str
    detail: str
    step: str
    code: str
    reference: str
    wanted: Any
    wanted_words: str
    seen_words: str
    remote: Any
    remote_words: str
    user_id: int
    user_name: str
    decided_at: datetime
    due_at: datetime | None
    may_cancel: bool
    is_conflict: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """All that is pending of one incident, oldest first. ``over`` lays it over our copy's values."""

    intents: Sequence[PendingIntent] = ()

    @property
    def conflicts(self) -> list[PendingIntent]:
        """Those that want a person's choice."""
        return [intent for intent in self.intents if intent.is_conflict]

    @property
    def on_their_way(self) -> list[PendingIntent]:
        """Those that Microsoft has not confirmed yet."""
        return [intent for intent in self.intents if intent.state in (*UNSENT, IntentState.SENT)]

    @property
    def fields(self) -> frozenset[str]:
        """Fields whose shown value is not confirmed by Microsoft yet."""
        return frozenset(intent.field for intent in self.on_their_way)

    def over(self, values: Values) -> Values:
        """What the page shows: ``values`` of our copy with what is on its way laid over them."""
        for intent in (one for one in self.intents if one.state in OVERLAID):
            if intent.field == Field.TAGS:
                values = replace(values, tags=tuple(applied(values.tags, intent.wanted)))
            elif intent.field == Field.CLASSIFICATION:
                values = replace(values, classification=(intent.wanted[0], intent.wanted[1]))
            elif intent.field != Field.COMMENT:
                values = replace(values, **{intent.field: intent.wanted})
        return values


NOTHING: Final = Pending()


def pending_for(incident_ids: Collection[int], *, failed: bool = False) -> dict[int, Pending]:
    """incident key → what is pending of it, in one query; incidents without anything are left out.

    ``failed`` takes in what was refused or given up as well, for an incident's own page. Keys of incidents the person
    in scope may not read bring nothing.
    """
    states = (*SHOWN, *FAILED) if failed else SHOWN
    rows = Intent.objects.filter(incident_id__in=incident_ids, state__in=states).select_related("user").order_by("id")
    found: dict[int, list[PendingIntent]] = {}
    for row in rows:
        found.setdefault(row.incident_id, []).append(shown(row))
    return {key: Pending(tuple(intents)) for key, intents in found.items()}


# The queue asks this each time and nearly always hears of nothing.
_STATES: Final = """
SELECT incident_id, id, state FROM incidents_intent
WHERE tenant_id = ANY(%(tenants)s::bigint[]) AND incident_id = ANY(%(incidents)s::bigint[]) AND state = ANY(%(states)s)
ORDER BY id
"""


def states_for(incident_ids: Collection[int], tenant_ids: Collection[int]) -> dict[int, list[tuple[int, str]]]:
    """incident key → key and state of what is shown beside it, oldest first. One query, and a cheap one."""
    asked = {"tenants": list(tenant_ids), "incidents": list(incident_ids), "states": [str(state) for state in SHOWN]}
    found: dict[int, list[tuple[int, str]]] = {}
    for incident_id, key, state in select(_STATES, asked):
        found.setdefault(incident_id, []).append((key, state))
    return found


def pending_of(incident: Incident) -> Pending:
    """Of one incident, with what failed."""
    return pending_for([incident.pk], failed=True).get(incident.pk, NOTHING)


@dataclass(frozen=True, slots=True)
class BatchView:
    """One decision of a person: what became of it per incident. ``may_undo`` while nothing has left yet."""

    id: int
    decided_at: datetime
    undo_until: datetime
    intents: Sequence[tuple[Intent, PendingIntent]]
    refused: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    @property
    def counts(self) -> dict[str, int]:
        """state → number of changes."""
        found: dict[str, int] = {}
        for _, intent in self.intents:
            found[intent.state] = found.get(intent.state, 0) + 1
        return found

    @property
    def is_settled(self) -> bool:
        """Whether nothing is on its way and nobody has to choose."""
        return not any(intent.state in SHOWN for _, intent in self.intents)

    @property
    def may_cancel(self) -> bool:
        """Whether there is something left to take back."""
        return any(intent.may_cancel for _, intent in self.intents)


def batches_for(user: User, *, limit: int = BATCHES) -> list[BatchView]:
    """The person's own decisions, newest first, in three queries."""
    return _views(user.pk, list(Batch.objects.filter(user_id=user.pk).order_by("-decided_at", "-id")[:limit]))


def batch_for(user: User, batch_id: int) -> BatchView | None:
    """One decision of the person's own, for a page that shows its progress."""
    return next(iter(_views(user.pk, list(Batch.objects.filter(user_id=user.pk, pk=batch_id)))), None)


def in_sight(user_id: int, slugs: Collection[str]) -> frozenset[str]:
    """Those of the tenants whose incidents the person may read now; of others nothing is told that was kept."""
    mine = Tenant.objects.filter(slug__in=slugs, pk__in=member_tenants(user_id))
    return frozenset(mine.values_list("slug", flat=True))


def _views(user_id: int, batches: Sequence[Batch]) -> list[BatchView]:
    rows = Intent.objects.filter(batch_id__in=[batch.pk for batch in batches])
    intents: dict[int, list[tuple[Intent, PendingIntent]]] = {batch.pk: [] for batch in batches}
    for row in rows.select_related("user", "tenant").order_by("id"):
        intents[row.batch_id].append((row, shown(row)))
    sight = in_sight(user_id, {answer["tenant"] for batch in batches for answer in _refused(batch)})
    return [_view(batch, intents[batch.pk], sight) for batch in batches]


def _refused(batch: Batch) -> list[Mapping[str, Any]]:
    return [answer for answer in batch.answers if answer.get("code")]


def _view(batch: Batch, intents: Iterable[tuple[Intent, PendingIntent]], sight: Collection[str]) -> BatchView:
    refused = tuple(one for one in _refused(batch) if one["tenant"] in sight or one["code"] == "not-found")
    return BatchView(batch.pk, batch.decided_at, batch.undo_until, tuple(intents), refused)


def shown(row: Intent) -> PendingIntent:
    """A row for people; ``row.user`` should have been fetched with it."""
    return PendingIntent(
        id=row.pk,
        number=row.number,
        asked_number=row.asked_number,
        field=row.field,
        label=row.get_field_display(),
        state=row.state,
        state_word=row.get_state_display(),
        sentence=SENTENCES[row.state],
        detail=row.detail,
        step=row.step,
        code=row.code,
        reference=row.reference,
        wanted=row.wanted,
        wanted_words=words_for(row.field, row.wanted),
        seen_words="" if row.field == Field.COMMENT else words_for(row.field, row.seen),
        remote=row.remote,
        remote_words=_remote_words(row),
        user_id=row.user_id,
        user_name=row.user.display_name,
        decided_at=row.decided_at,
        due_at=row.due_at,
        may_cancel=row.state in CANCELLABLE,
        is_conflict=row.state == IntentState.CONFLICT,
    )


def _remote_words(row: Intent) -> str:
    if row.remote is None:
        return ""
    if row.code == "merged":
        return f"merged into incident {row.remote}"
    return words_for(row.field, row.remote)
