"""A person's tokens as their page lists them."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from api.models import Token, Verb
from api.tokens import groups_for
from tenants import scope
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Line:
    """``reach`` names what the person may still see of it."""

    token: Token
    state: str
    verbs: str
    reach: str


def lines_for(user: User, now: datetime) -> list[Line]:
    """The newest first, those that are over at the end."""
    mine = list(Token.objects.filter(owner=user).select_related("owner"))
    tenants = dict(Tenant.objects.filter(pk__in=scope.member_tenants(user.pk)).values_list("pk", "name"))
    groups = {group.pk: group.name for group in groups_for(user)}
    lines = [Line(one, one.state(now), _verbs(one), _reach(one, tenants, groups)) for one in mine]
    return sorted(lines, key=lambda line: line.state != "in use")


def _verbs(token: Token) -> str:
    return ", ".join(Verb(verb).label.lower() for verb in token.verbs if verb in Verb.values)


def _reach(token: Token, tenants: dict[int, str], groups: dict[int, str]) -> str:
    if token.is_everywhere:
        return "every tenant of mine"
    named = [tenants[pk] for pk in token.tenant_ids if pk in tenants]
    named += [f"group {groups[pk]}" for pk in token.group_ids if pk in groups]
    return ", ".join(named) or "no tenant of mine any more"
