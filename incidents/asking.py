"""What pages ask about changing incidents: which actions there are, and how a sent form becomes targets and a decision.

Nothing in a form is trusted: what names no incident is left out, and whatever is left goes through ``triage.decide``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict

from accounts.models import User
from defender import vocabulary
from incidents.decisions import LONGEST_KEY, MOST_TARGETS, Decision, Target
from incidents.values import STATUS_WORDS

NOBODY: Final = "nobody"
ME: Final = "me"
_LONGEST_NUMBER: Final = 19
_SLUG: Final = re.compile(r"[-\w]{1,80}", re.ASCII)
_KEY: Final = re.compile(rf"[-\w]{{1,{LONGEST_KEY}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done with incidents: the button's words, its key, and the fields of its form."""

    do: str
    words: str
    key: str
    fields: tuple[str, ...] = ()

    @property
    def is_direct(self) -> bool:
        """Whether it needs no form: it can be undone, and there is nothing to choose."""
        return not self.fields


ACTIONS: Final[Mapping[str, Action]] = {
    action.do: action
    for action in (
        Action("assign-to-me", "Assign to me", "a"),
        Action("assign", "Assign …", "A", ("assignee",)),
        Action("status", "Status …", "s", ("status",)),
        Action("classify", "Classify …", "v", ("verdict",)),
        Action("tags", "Tags …", "t", ("tags",)),
        Action("comment", "Comment …", "c", ("comment",)),
        Action("resolve", "Resolve …", "r", ("verdict", "comment")),
    )
}
STATUSES: Final = tuple((key, vocabulary.STATUSES[word]) for key, word in STATUS_WORDS.items())
# Only valid pairs can be chosen, so a person never learns of a wrong one from Microsoft.
VERDICTS: Final = tuple(
    (
        vocabulary.CLASSIFICATIONS[classification],
        tuple((f"{classification}/{one}", vocabulary.DETERMINATIONS[one]) for one in determinations),
    )
    for classification, determinations in vocabulary.DETERMINATIONS_OF.items()
)


def action_in(data: QueryDict) -> Action | None:
    """The action that was asked for, None where there is no such."""
    return ACTIONS.get(data.get("do", ""))


def key_in(data: QueryDict) -> str:
    """The form's key; blank where there is none that could be one, of which ``triage.decide`` tells."""
    key = data.get("key", "")
    return key if _KEY.fullmatch(key) else ""


def targets_in(data: QueryDict) -> list[Target]:
    """Every ``incident`` of the form: ``slug:number`` or ``slug:number:token``, each incident once, in their order.

    ``to_merged`` is ``slug:number:target``: what was merged, and where the person says that the change shall go.
    """
    confirmed = dict(text.rpartition(":")[::2] for text in data.getlist("to_merged")[:MOST_TARGETS])
    found: dict[tuple[str, int], Target] = {}
    for text in data.getlist("incident")[: MOST_TARGETS + 1]:
        slug, _, rest = text.partition(":")
        number, _, token = rest.partition(":")
        if _SLUG.fullmatch(slug) and number_in(number) is not None:
            to_merged = number_in(confirmed.get(f"{slug}:{number}", ""))
            found.setdefault((slug, int(number)), Target(slug, int(number), token, to_merged))
    return list(found.values())


def number_in(text: str) -> int | None:
    """An incident's number or a person's key; None where the text is neither."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def decision_in(data: QueryDict, action: Action, user: User) -> Decision:
    """What the form says of the action's own fields; everything else in it is left aside."""
    if action.do == "assign-to-me":
        return Decision(assignee=user.pk)
    chosen = data.get("assignee", "") if "assignee" in action.fields else ""
    classification, determination = _verdict(data) if "verdict" in action.fields else (None, None)
    tags = "tags" in action.fields
    return Decision(
        assigned_to="" if chosen == NOBODY else None,
        assignee=_person(chosen, user),
        status="resolved" if action.do == "resolve" else data.get("status") if "status" in action.fields else None,
        classification=classification,
        determination=determination,
        add_tags=_listed(data.get("add_tags", "")) if tags else (),
        remove_tags=tuple(data.getlist("remove_tags")) if tags else (),
        comment=data.get("comment", "") if "comment" in action.fields else "",
    )


def summary_of(action: Action, decision: Decision, count: int, name: str = "") -> str:
    """What was decided, for the line that tells: "Resolved: 3 incidents"."""
    what = {
        "assign-to-me": "Assigned to you",
        "assign": "Assignment taken away" if decision.assigned_to == "" else f"Assigned to {name or 'somebody'}",
        "status": f"Status {dict(STATUSES).get(decision.status or '', '')}",
        "classify": "Classified",
        "tags": "Tags changed",
        "comment": "Commented",
        "resolve": "Resolved",
    }[action.do]
    return f"{what}: {count:,} incident{'' if count == 1 else 's'}"


def _person(chosen: str, user: User) -> int | None:
    if chosen == ME:
        return user.pk
    return number_in(chosen)


def _verdict(data: QueryDict) -> tuple[str | None, str | None]:
    """(classification, determination) as ``decide`` checks them; nothing chosen is (None, None)."""
    classification, _, determination = data.get("verdict", "").partition("/")
    return classification or None, determination or None


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", ",").split(",") if part.strip())


def chosen_in(data: QueryDict) -> Mapping[str, str | Sequence[str]]:
    """What somebody has typed and chosen so far, to show it again."""
    names = ("assignee", "status", "verdict", "add_tags", "comment")
    return {**{name: data.get(name, "") for name in names}, "remove_tags": data.getlist("remove_tags")}
