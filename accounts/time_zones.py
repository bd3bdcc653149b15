"""Times in the zone of whoever looks: which zones there are, and the one that is in force during a request.

Names and rules are those of the IANA time zone database, from the system or from the package tzdata.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import User

# Places. The database's other names are aliases from before 1993, fixed offsets, or files of the operating system.
_REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
UTC = "UTC"


@cache
def zone_names() -> tuple[str, ...]:
    """Every zone that a person may choose: UTC first, then places by name."""
    return (UTC, *sorted(name for name in available_timezones() if name.split("/")[0] in _REGIONS and "/" in name))


def zone_choices(now: datetime) -> list[tuple[str, list[tuple[str, str]]]]:
    """(region, [(name, words)]) for a list to choose from; the words have the offset as it is at ``now``."""
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in zone_names():
        region, _, place = name.partition("/")
        words = f"{place.replace('_', ' ') or name} (UTC{now.astimezone(ZoneInfo(name)).isoformat()[-6:]})"
        regions.setdefault(region, []).append((name, words))
    return list(regions.items())


def zone_of(user: User) -> ZoneInfo:
    """The person's zone; UTC where the database has dropped the name since it was chosen."""
    return ZoneInfo(user.time_zone if user.time_zone in zone_names() else UTC)


class TimeZoneMiddleware:
    """Puts the signed-in person's zone in force while their request is answered. Everybody else gets UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Taken back afterwards: the thread goes on to answer somebody else."""
        zone = zone_of(request.user) if isinstance(request.user, User) else ZoneInfo(UTC)
        with timezone.override(zone):
            return self.get_response(request)
