"""Making, finding and revoking tokens, and what of its owner's rights a token leaves.

The value is 256 random bits behind a word by which scanners for leaked secrets know it. It is shown once, to whoever
made it; the database holds its SHA-256, which is enough for a value that nobody can guess. Everything is looked at
again on every request: whether the token holds, whether its owner may sign in, and what the owner may see.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.actor import person_name
from accounts.models import User
from accounts.roles import Permission, Role, role_allows
from api.models import Token, Verb
from audit.models import AuditEvent, Outcome
from audit.record import Actor, Event, record
from tenants import scope
from tenants.models import Grant, Membership, Tenant, TenantGroup, TenantGroupMember

PREFIX: Final = "portal_"
RANDOM_BYTES: Final = 32
# Ours: longer lives are for nobody to remember.
LONGEST_LIFE: Final = timedelta(days=366)
MOST_PER_OWNER: Final = 50
USED_EVERY: Final = timedelta(minutes=1)
REFUSED: Final = "use API token"
REFUSED_AGAIN: Final = timedelta(hours=1)  # ours: a program that goes on asking does not flood the log


class NotMade(Exception):
    """The token cannot be made; the text is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which of the owner's tenants a token is for: all, or those named and those in the groups named."""

    is_everywhere: bool = False
    tenants: tuple[Tenant, ...] = ()
    groups: tuple[TenantGroup, ...] = ()


def make(
    *, owner: User, name: str, verbs: list[Verb], reach: Reach, expires_at: datetime, by: Actor, now: datetime
) -> tuple[Token, str]:
    """A new token and its value, which exists nowhere else. Raises NotMade."""
    _check(owner, name, verbs, reach, expires_at, now)
    value = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    with transaction.atomic():
        token = Token.objects.create(
            owner=owner, name=name, digest=digest_of(value), verbs=[verb.value for verb in verbs],
            is_everywhere=reach.is_everywhere, tenant_ids=[tenant.pk for tenant in reach.tenants],
            group_ids=[group.pk for group in reach.groups], created_at=now, created_by=by.name[:200],
            expires_at=expires_at,
        )  # fmt: skip
        details = {"verbs": token.verbs, "for": words_for(reach), "expires": expires_at.isoformat()}
        record(Event(by=by, action="create API token", subject=_subject(token), details=details))
    return token, value


def revoke(*, token: Token, by: Actor, now: datetime) -> bool:
    """From the next request on it opens nothing. Returns False where it was revoked already."""
    with transaction.atomic():
        if not Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now, revoked_by=by.name[:200]):
            return False
        record(Event(by=by, action="revoke API token", subject=_subject(token)))
    return True


def digest_of(value: str) -> str:
    """What is kept of a value."""
    return sha256(value.encode("utf-8", "replace")).hexdigest()


def find(value: str) -> Token | None:
    """The token with that value, whether or not it still holds."""
    if not value.startswith(PREFIX) or len(value) > 200:
        return None
    return Token.objects.select_related("owner").filter(digest=digest_of(value)).first()


def holds(token: Token, now: datetime) -> bool:
    """Whether the token still holds, read anew: for work that goes on longer than a look."""
    found = Token.objects.select_related("owner").filter(pk=token.pk).first()
    return found is not None and found.state(now) == "in use"


def only_tenants(token: Token) -> frozenset[int] | None:
    """Ids of the tenants that the token is for; None where it is for all that its owner may see."""
    if token.is_everywhere:
        return None
    groups = TenantGroup.objects.filter(pk__in=token.group_ids)
    if any(group.covers_all for group in groups):
        return None
    with scope.person(token.owner):
        members = TenantGroupMember.objects.filter(group_id__in=[group.pk for group in groups])
        return frozenset(token.tenant_ids) | frozenset(members.values_list("tenant_id", flat=True))


def note_use(token: Token, *, address: str, now: datetime) -> None:
    """When it was last used, to the minute: one write a minute at most."""
    old = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
    Token.objects.filter(old, pk=token.pk).update(last_used_at=now, last_used_from=address[:64])


def note_refusal(token: Token, why: str, *, by: Actor, now: datetime) -> None:
    """A token that no longer holds was shown: one line an hour."""
    same = AuditEvent.objects.filter(action=REFUSED, subject=_subject(token), outcome=Outcome.DENIED)
    if not same.filter(at__gt=now - REFUSED_AGAIN).exists():
        details = {"why": why}
        record(Event(by=by, action=REFUSED, subject=_subject(token), outcome=Outcome.DENIED, details=details))


def groups_for(user: User) -> list[TenantGroup]:
    """Groups that a person may name: those they hold a role over, and those with a tenant of theirs in them."""
    mine = TenantGroupMember.objects.filter(tenant_id__in=scope.member_tenants(user.pk)).values("group_id")
    held = Grant.objects.filter(user=user, group__isnull=False).values("group_id")
    return list(TenantGroup.objects.filter(Q(pk__in=mine) | Q(pk__in=held)))


def may_triage(user: User) -> bool:
    """Whether the person may decide on incidents anywhere."""
    roles = Membership.objects.filter(user=user).values_list("role", flat=True).distinct()
    return any(role_allows(role, Permission.TRIAGE) for role in roles)


def words_for(reach: Reach) -> str:
    """The reach for the audit log."""
    if reach.is_everywhere:
        return "every tenant of its owner"
    named = [tenant.slug for tenant in reach.tenants] + [f"group {group.name}" for group in reach.groups]
    return ", ".join(named)[:500]


def _check(owner: User, name: str, verbs: list[Verb], reach: Reach, expires_at: datetime, now: datetime) -> None:
    if not name.strip():
        raise NotMade("Give the token a name by which you will know it again.")
    if not verbs:
        raise NotMade("Choose at least one thing that the token may do.")
    if not (reach.is_everywhere or reach.tenants or reach.groups):
        raise NotMade("Choose the tenants or groups that the token is for.")
    if not now < expires_at <= now + LONGEST_LIFE:
        raise NotMade(f"Choose a day within the next {LONGEST_LIFE.days} days on which the token expires.")
    if Verb.TRIAGE in verbs and not may_triage(owner):
        raise NotMade(
            f"Deciding on incidents takes the role {Role.ANALYST.label.lower()}, which the owner does not hold."
        )
    if Token.objects.filter(owner=owner, revoked_at=None, expires_at__gt=now).count() >= MOST_PER_OWNER:
        raise NotMade(f"There are {MOST_PER_OWNER} tokens in use already: revoke one that is not needed any more.")


def _subject(token: Token) -> str:
    return f"{token.name} (#{token.pk}) of {person_name(token.owner)}"
