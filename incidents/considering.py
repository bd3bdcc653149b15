"""What the form for changing incidents shows before anything is decided: what stands there, what cannot be changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accounts.models import User
from incidents.assignees import Person, people_for
from incidents.decisions import Decision, Ground, Target, seen_token
from incidents.ground import Found, look
from incidents.models import Field
from incidents.triage import refusal
from incidents.values import words_for


@dataclass(frozen=True, slots=True)
class Line:
    """One chosen incident. ``value`` is what goes into the form; ``code`` says why it cannot be changed.

    ``merged_into`` is set where a change would go to another incident, which the person then has to confirm.
    """

    tenant_slug: str
    tenant_name: str
    number: int
    name: str
    value: str
    place: str
    assigned_to: str
    status: str
    classification: str
    tags: Sequence[str]
    code: str
    sentence: str
    step: str
    merged_into: int | None
    needs_consent: bool

    @property
    def is_open(self) -> bool:
        """Whether it can be changed, be it after a yes to where it was merged."""
        return not self.code or (self.code == "merged" and self.merged_into is not None)


@dataclass(frozen=True, slots=True)
class Consideration:
    """``lines`` can be changed, some after a confirmation; ``barred`` cannot. ``people`` may be assigned somewhere."""

    lines: Sequence[Line]
    barred: Sequence[Line]
    people: Sequence[tuple[int, str, int]]
    tags: Sequence[str]
    tenants: int

    @property
    def reasons(self) -> list[tuple[Line, int]]:
        """Of what is barred: the first line of each reason, and how many others have the same."""
        first: dict[tuple[str, str], Line] = {}
        for line in self.barred:
            first.setdefault((line.sentence, line.step), line)
        counts = Counter((line.sentence, line.step) for line in self.barred)
        return [(line, counts[reason] - 1) for reason, line in first.items()]


def consider(user: User, targets: Sequence[Target], *, people: bool = False) -> Consideration:
    """The targets as they stand, with tokens of what is shown. A bounded number of queries, whatever their number."""
    grounds = look(user, targets, Decision(add_tags=("",)))
    lines = [_line(one, grounds.found[one.tenant, one.number], grounds.ground) for one in targets]
    open_ones = [line for line in lines if line.is_open]
    keys = {found.incident.tenant_id for found in grounds.found.values() if found.incident and found.may_triage}
    return Consideration(
        lines=open_ones,
        barred=[line for line in lines if not line.is_open],
        people=_people(people_for(sorted(keys))) if people else (),
        tags=sorted({tag for line in open_ones for tag in line.tags}),
        tenants=len(keys),
    )


def _people(by_tenant: Mapping[int, Sequence[Person]]) -> list[tuple[int, str, int]]:
    """(key, name, in how many of the tenants), by name."""
    found: dict[int, tuple[str, int]] = {}
    for people in by_tenant.values():
        for person in people:
            found[person.user_id] = (person.name, found.get(person.user_id, ("", 0))[1] + 1)
    return sorted(((key, name, count) for key, (name, count) in found.items()), key=lambda one: one[1].casefold())


def _line(target: Target, found: Found, grounds: Mapping[int, Ground]) -> Line:
    refused = refusal(target, found)
    incident, end = found.incident, found.target
    shown = grounds[end.pk].shown if end and end.pk in grounds else None
    place = f"{target.tenant}:{target.number}"
    token = seen_token(end, grounds[end.pk].pending) if end and end.pk in grounds else ""
    return Line(
        tenant_slug=target.tenant,
        tenant_name=incident.tenant.name if incident else "",
        number=target.number,
        name=incident.name if incident else "",
        value=f"{place}:{token}",
        place=place,
        assigned_to=shown.assigned_to if shown else "",
        status=words_for(Field.STATUS, shown.status) if shown else "",
        classification=words_for(Field.CLASSIFICATION, shown.classification) if shown else "",
        tags=shown.tags if shown else (),
        code=refused.code if refused else "",
        sentence=refused.sentence if refused else "",
        step=refused.step if refused else "",
        merged_into=refused.merged_into if refused and found.target else None,
        needs_consent=bool(incident) and not found.access.is_open,
    )
