"""Slows down guessing without giving anybody the means to lock somebody else out.

Tries are counted in buckets. A stranger to an account has one per account *and* network address, and one per address;
no bucket of passwords is an account alone. A browser from which the account has been signed in before carries a signed
cookie and has a bucket of its own, which nobody without that cookie can fill: an attacker, even one behind the same
address, does not stand in its person's way. (OWASP calls this device cookies.)

A try is counted before the password is looked at, so that many tries at once are not more than the limit. Names that
nobody has are counted like others. A full bucket waits a minute, then two, four, eight and at most fifteen; an hour
without a try empties it.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from accounts.models import Tries, User
from accounts.networks import network_of

# Our own limits. Five wrong passwords are a person's bad morning; a shared address has more people behind it.
TRIES = 5
TRIES_PER_ADDRESS = 20
# Of codes there are few: who knows the password could guess them from many addresses at once. Only they fill this one.
CODES_PER_ACCOUNT = 20
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)
COOKIE_LIFE = timedelta(days=90)
SALT = "accounts.lockout"
PASSWORD = "password"  # noqa: S105  the name of a bucket
CODE = "code"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a try is counted, and how many it holds. ``is_shared`` ones hold other people's tries too."""

    key: str
    limit: int
    is_shared: bool = False


def cookie_name() -> str:
    """``__Host-`` binds the cookie to this host over https; browsers refuse that prefix on plain http."""
    return "__Host-known" if settings.IS_HTTPS else "known"


def buckets_for(request: HttpRequest, *, what: str, name: str) -> list[Bucket]:
    """The buckets of a try with ``what`` (password, code) for the account of that name, whether or not it exists."""
    if browser := _known_browser(request, name):
        return [Bucket(_key(what, "browser", browser), TRIES)]
    place = network_of(request.META.get("REMOTE_ADDR", ""))
    found = [
        Bucket(_key(what, "account and address", name, place), TRIES),
        Bucket(_key(what, "address", place), TRIES_PER_ADDRESS, is_shared=True),
    ]
    if what == CODE:
        found.append(Bucket(_key(what, "account", name), CODES_PER_ACCOUNT))
    return found


def count(buckets: list[Bucket], *, now: datetime) -> timedelta | None:
    """Count a try, in a transaction of its own. Returns how long to wait where it may not be made; then none counts."""
    with transaction.atomic():
        rows = [_locked(bucket, now) for bucket in sorted(buckets, key=lambda bucket: bucket.key)]
        waits: list[timedelta] = [
            row.blocked_until - now for row in rows if row.blocked_until and row.blocked_until > now
        ]
        if waits:
            return max(waits)
        limits = {bucket.key: bucket.limit for bucket in buckets}
        for row in rows:
            row.tries += 1
            row.tried_at = now
            row.blocked_until = _blocked_until(row.tries, limits[row.key], now)
            row.save()
    return None


def forgive(buckets: list[Bucket]) -> None:
    """The try was right: it does not count, and what the person got wrong before is forgotten."""
    Tries.objects.filter(key__in=[bucket.key for bucket in buckets if not bucket.is_shared]).delete()
    with transaction.atomic():
        for bucket in (bucket for bucket in buckets if bucket.is_shared):
            row = Tries.objects.select_for_update().filter(key=bucket.key, tries__gt=0).first()
            if row:
                row.tries -= 1
                row.blocked_until = None if row.tries < bucket.limit else row.blocked_until
                row.save()


def remember_browser(response: HttpResponse, user: User) -> None:
    """Give the browser, in which the account has just been signed in wholly, a bucket of its own."""
    value = signing.dumps([user.username, secrets.token_urlsafe(12)], salt=SALT)
    life = int(COOKIE_LIFE.total_seconds())
    response.set_cookie(
        cookie_name(), value, max_age=life, secure=settings.IS_HTTPS, httponly=True, samesite="Lax", path="/"
    )


def wait_after(tries: int, limit: int) -> timedelta | None:
    """How long a bucket is closed after that many tries: not at all below the limit, then doubling to the longest."""
    if tries < limit:
        return None
    doubled: timedelta = FIRST_WAIT * 2 ** min(tries - limit, 10)
    return min(doubled, LONGEST_WAIT)


def drop_old(*, now: datetime) -> None:
    """Buckets that are empty by now."""
    Tries.objects.filter(tried_at__lt=now - FORGOTTEN_AFTER).delete()


def _blocked_until(tries: int, limit: int, now: datetime) -> datetime | None:
    wait = wait_after(tries, limit)
    return now + wait if wait else None


def _locked(bucket: Bucket, now: datetime) -> Tries:
    Tries.objects.bulk_create([Tries(key=bucket.key, tried_at=now)], ignore_conflicts=True)
    row = Tries.objects.select_for_update().get(key=bucket.key)
    if row.tried_at < now - FORGOTTEN_AFTER:
        row.tries = 0
    return row


def _known_browser(request: HttpRequest, name: str) -> str:
    try:
        known, browser = signing.loads(request.COOKIES.get(cookie_name(), ""), salt=SALT, max_age=COOKIE_LIFE)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(browser) if known == name else ""


def _key(*parts: str) -> str:
    return salted_hmac(SALT, "\0".join(parts), algorithm="sha256").hexdigest()
