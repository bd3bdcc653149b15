"""What programs decide and are answered, field by field."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from api.schema import Given
from incidents import triage
from incidents.decisions import LONGEST_COMMENT, MOST_TAGS, MOST_TARGETS

Tags = Annotated[list[str], Meta(max_length=MOST_TAGS)]


class NewTarget(Given):
    """One incident."""

    tenant: Annotated[str, Meta(description="The tenant's slug.", max_length=80, pattern="^[-a-zA-Z0-9_]+$")]
    number: Annotated[int, Meta(description="Microsoft's incident id.", ge=0, le=2**63 - 1)]
    seen: Annotated[
        str, Meta(description="As read with the incident: what was changed since is not overwritten.", max_length=4_000)
    ] = ""
    to_merged: (
        Annotated[int, Meta(description="merged_into as a refusal told it: the change goes there.", ge=0)] | None
    ) = None


class NewValues(Given):
    """What shall be changed; what is left out stays as it is."""

    assigned_to: Annotated[str | None, Meta(description="The address written at Microsoft; empty is nobody.")] = None
    status: Literal["active", "in-progress", "resolved"] | None = None
    classification: Annotated[str | None, Meta(description="Always with a determination that goes with it.")] = None
    determination: str | None = None
    add_tags: Tags = []
    remove_tags: Tags = []
    comment: Annotated[str, Meta(max_length=LONGEST_COMMENT)] = ""


class NewDecision(Given):
    """A decision and the incidents it is about."""

    incidents: Annotated[list[NewTarget], Meta(min_length=1, max_length=MOST_TARGETS)]
    decision: NewValues


class ItemAnswer(Struct, kw_only=True):
    """What came of one incident."""

    tenant: str
    number: int
    accepted: Annotated[bool, Meta(description="Something is on its way.")]
    code: Annotated[
        str, Meta(description="Empty, or a word such as not-found, not-allowed, read-only, merged, conflict.")
    ]
    sentence: str
    step: Annotated[str, Meta(description="What to do next.")]
    merged_into: int | None
    changes: Annotated[list[int], Meta(description="Ids of the changes, as the decision's state lists them.")]


class Decided(Struct, kw_only=True):
    """The decision as it was accepted."""

    key: str
    is_repeat: Annotated[bool, Meta(description="True: it had been made before, and nothing was done twice.")]
    undo_until: datetime | None
    answers: list[ItemAnswer]


class ChangeState(Struct, kw_only=True):
    """One change and where it stands."""

    id: int
    tenant: str
    number: int
    field: str
    wanted: Any
    state: Literal[
        "queued", "sending", "sent", "confirmed", "uncertain", "held", "conflict", "refused", "exceeded", "cancelled"
    ]
    sentence: str
    detail: str
    step: str
    remote: Annotated[Any, Meta(description="What stands at Microsoft, where that is a conflict.")]
    may_cancel: bool


class Refusal(Struct):
    """An incident on which nothing was decided."""

    tenant: str
    number: int
    code: str
    sentence: str
    step: str


class Progress(Struct, kw_only=True):
    """A decision and what has become of it."""

    key: str
    decided_at: datetime
    undo_until: datetime
    is_settled: Annotated[bool, Meta(description="Nothing is on its way, and nothing waits for a choice.")]
    changes: list[ChangeState]
    refused: list[Refusal]


class TakenBack(Struct, kw_only=True):
    """What was cancelled, and the decision as it stands."""

    cancelled: int
    too_late: int
    decision: Progress


def targets_of(asked: NewDecision) -> list[triage.Target]:
    """The incidents as triage knows them."""
    return [triage.Target(one.tenant, one.number, one.seen, one.to_merged) for one in asked.incidents]


def decision_of(values: NewValues) -> triage.Decision:
    """The decision as triage knows it."""
    return triage.Decision(
        assigned_to=values.assigned_to,
        status=values.status,
        classification=values.classification,
        determination=values.determination,
        add_tags=tuple(values.add_tags),
        remove_tags=tuple(values.remove_tags),
        comment=values.comment,
    )


def answer_of(answer: triage.Answer) -> ItemAnswer:
    """One incident's answer. Accepted is where something goes, also beside a conflict."""
    return ItemAnswer(
        tenant=answer.target.tenant,
        number=answer.target.number,
        accepted=any(intent.state != "conflict" for intent in answer.intents),
        code=answer.code,
        sentence=answer.sentence,
        step=answer.step,
        merged_into=answer.merged_into,
        changes=[intent.pk for intent in answer.intents],
    )
