"""Finds what a decision is about: incidents, who may change them, what they were merged into, what is on its way."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db.models import Q

from accounts.models import User
from accounts.roles import Permission, role_allows
from incidents.assignees import people_for
from incidents.decisions import Decision, Ground, Target
from incidents.models import Incident, IncidentTag
from incidents.pending import NOTHING, pending_for
from incidents.writing import OPEN, WriteAccess, write_access_of
from tenants.models import Membership, Tenant

# Longest chain of merges that is followed. Ours: longer ones have never been seen, and a circle must end.
LONGEST_CHAIN: Final = 10

Place = tuple[int, int]  # tenant key, incident number


@dataclass(frozen=True, slots=True)
class Found:
    """One target. ``incident`` is None where it does not exist or may not be read; ``target`` is the end of its chain
    of merges, the incident itself where it was not merged, None where we do not hold the end."""

    incident: Incident | None
    target: Incident | None = None
    may_triage: bool = False
    access: WriteAccess = OPEN

    @property
    def is_merged(self) -> bool:
        """Whether a change of it would go to another incident."""
        return self.incident is not None and self.incident.redirect_number is not None


@dataclass(slots=True)
class Grounds:
    """What was found for several targets; ``ground`` is by the key of the incident that is written to."""

    found: dict[tuple[str, int], Found] = field(default_factory=dict)
    ground: dict[int, Ground] = field(default_factory=dict)


def look(user: User, targets: Sequence[Target], decision: Decision) -> Grounds:
    """Everything about the targets in a bounded number of queries, whatever their number."""
    tenants, triaged = tenants_of(user, {target.tenant for target in targets})
    places = {(tenants[one.tenant].pk, one.number) for one in targets if one.tenant in tenants}
    held = _held(places)
    _follow(held)
    access = write_access_of(tenants.values())
    grounds = Grounds()
    for one in targets:
        tenant = tenants.get(one.tenant)
        incident = held.get((tenant.pk, one.number)) if tenant else None
        if tenant is None or incident is None:
            grounds.found[one.tenant, one.number] = Found(None)
            continue
        incident.tenant = tenant
        end = end_of_chain(incident, held)
        grounds.found[one.tenant, one.number] = Found(incident, end, tenant.pk in triaged, access[tenant.pk])
    ends = [one.target for one in grounds.found.values() if one.target is not None]
    grounds.ground = _ground(ends, decision, {tenant.pk: tenant for tenant in tenants.values()})
    return grounds


def of_one(incident: Incident) -> Ground:
    """One incident as it stands, for a change that was decided before."""
    return _ground([incident], Decision(add_tags=("",)), {incident.tenant_id: incident.tenant})[incident.pk]


def end_of(incident: Incident) -> Incident | None:
    """The end of an incident's chain of merges, itself where it was not merged; None where we do not hold it."""
    held = {(incident.tenant_id, incident.number): incident}
    _follow(held)
    return end_of_chain(incident, held)


def end_of_chain(incident: Incident, held: Mapping[Place, Incident]) -> Incident | None:
    """As ``end_of``, among incidents in hand. A circle, or a chain that is too long, has no end."""
    passed = {incident.number}
    while incident.redirect_number is not None:
        following = held.get((incident.tenant_id, incident.redirect_number))
        if following is None or following.number in passed or len(passed) > LONGEST_CHAIN:
            return None
        passed.add(following.number)
        incident = following
    return incident


def tenants_of(user: User, slugs: Collection[str]) -> tuple[dict[str, Tenant], set[int]]:
    """Tenants (by slug) whose incidents the person may read, and keys of those that the person may triage."""
    known = {tenant.pk: tenant for tenant in Tenant.objects.filter(slug__in=slugs)}
    rows = Membership.objects.filter(user_id=user.pk, tenant_id__in=known).values_list("tenant_id", "role")
    roles = [(tenant, role) for tenant, role in rows if user.is_active]
    readable = {tenant for tenant, role in roles if role_allows(role, Permission.READ_INCIDENTS)}
    triaged = {tenant for tenant, role in roles if role_allows(role, Permission.TRIAGE)}
    return {tenant.slug: tenant for key, tenant in known.items() if key in readable}, triaged


def _held(places: Iterable[Place]) -> dict[Place, Incident]:
    by_tenant: dict[int, list[int]] = {}
    for tenant, number in places:
        if 0 < number < 2**63:
            by_tenant.setdefault(tenant, []).append(number)
    if not by_tenant:
        return {}
    wanted = Q()
    for tenant, numbers in by_tenant.items():
        wanted |= Q(tenant_id=tenant, number__in=numbers)
    return {(one.tenant_id, one.number): one for one in Incident.objects.filter(wanted)}


def _follow(held: dict[Place, Incident]) -> None:
    """Fetch what the incidents in hand were merged into, link by link."""
    for _ in range(LONGEST_CHAIN):
        wanted = {(one.tenant_id, one.redirect_number) for one in held.values() if one.redirect_number is not None}
        missing = {(tenant, number) for tenant, number in wanted if number is not None} - set(held)
        if not missing:
            return
        fetched = _held(missing)
        if not fetched:
            return
        held |= fetched


def _ground(ends: Sequence[Incident], decision: Decision, tenants: Mapping[int, Tenant]) -> dict[int, Ground]:
    keys = [end.pk for end in ends]
    pending = pending_for(keys) if keys else {}
    tags = _tags(ends) if decision.add_tags or decision.remove_tags else {}
    wants_people = decision.assignee is not None or bool(decision.assigned_to)
    people = people_for(list(tenants)) if wants_people and keys else {}
    grounds = {}
    for end in ends:
        end.tenant = tenants[end.tenant_id]
        addresses = {person.user_id: person.address for person in people.get(end.tenant_id, ())}
        grounds[end.pk] = Ground(end, tags.get(end.pk, ()), pending.get(end.pk, NOTHING), addresses)
    return grounds


def _tags(ends: Sequence[Incident]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    rows = IncidentTag.objects.filter(
        tenant_id__in={end.tenant_id for end in ends}, incident_id__in=[end.pk for end in ends]
    )
    for key, tag in rows.order_by("id").values_list("incident_id", "tag"):
        found.setdefault(key, []).append(tag)
    return found
