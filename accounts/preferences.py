"""How a person wants the portal to look and to listen. None of it opens or closes anything."""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction

from accounts.models import User
from audit.record import Actor, Event, record


@dataclass(frozen=True, slots=True)
class Preferences:
    """``time_zone`` is one of ``time_zones.zone_names``, ``theme`` a value of ``models.Theme``."""

    time_zone: str
    theme: str
    high_contrast: bool
    single_keys: bool


def preferences_of(user: User) -> Preferences:
    """What the person has chosen, or the defaults."""
    return Preferences(user.time_zone, user.theme, user.high_contrast, user.single_keys)


def prefer(*, user: User, wanted: Preferences, by: Actor, now: datetime) -> list[str]:
    """Keep what the person wants; the names of what differs from before, none where nothing does."""
    before, after = asdict(preferences_of(user)), asdict(wanted)
    changed = [name for name, value in after.items() if value != before[name]]
    if not changed:
        return []
    for name in changed:
        setattr(user, name, after[name])
    with transaction.atomic():
        user.save(update_fields=changed)
        details = {name: after[name] for name in changed} | {"at": now.isoformat()}
        record(Event(by=by, action="set preferences", subject=str(user), details=details))
    return changed
