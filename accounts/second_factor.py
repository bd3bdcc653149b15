"""The second factor of local accounts: a one-time code (TOTP, RFC 6238) or one of ten recovery codes.

A local account with a right password is not signed in yet: the browser's session is only *half open*, which lets it ask
for the page that takes a code, or, the first time, the page that sets the authenticator up, and nothing else. People
from Entra ID bring their second factor along.
"""

import hashlib
import secrets
import time
from base64 import b32encode, urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import qrcode
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from audit.record import Actor, Event, record

GIVEN = "second_factor"  # in the session: which second factor was given at sign-in
HALF_OPEN = "half_open"
HALF_OPEN_SECONDS = 600  # our own limit: long enough to install an authenticator
RECOVERY_CODES = 10
# 120 random bits: a plain hash is enough from 112 on (ASVS 5.0, 6.5.2).
RECOVERY_BYTES = 15
# An authenticator that is being set up, and in which place. One that was reset has another name; neither it nor one of
# another place is ever offered again, for somebody may have seen its secret.
NEW = "new {place}"


@dataclass(frozen=True, slots=True)
class Picture:
    """A QR code as one path of an SVG picture; ``size`` is its edge in modules, with the quiet zone around it."""

    path: str
    size: int


def is_demanded_of(user: User) -> bool:
    """Whether this person needs a second factor of ours."""
    return bool(settings.LOCAL_SECOND_FACTOR and user.is_local)


def open_half(request: HttpRequest, user: User, next_url: str) -> None:
    """The password was right: remember whose, for a short time, in a session with a new id."""
    request.session.flush()
    request.session[HALF_OPEN] = {
        "user": user.pk, "hash": user.get_session_auth_hash(), "at": int(time.time()), "next": next_url,
        "place": secrets.token_urlsafe(12),
    }  # fmt: skip


def half_open_for(request: HttpRequest) -> User | None:
    """Who gave the right password in this browser a short time ago, if they may still sign in."""
    held = request.session.get(HALF_OPEN) or {}
    if not 0 <= time.time() - held.get("at", 0) <= HALF_OPEN_SECONDS:
        return None
    user = User.objects.filter(pk=held["user"], is_active=True, oid=None).first()
    same = user and secrets.compare_digest(user.get_session_auth_hash(), held["hash"])
    return user if same else None


def is_set_up(user: User) -> bool:
    """Whether the person has an authenticator that has proved itself."""
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def verify(user: User, text: str) -> str:
    """Which factor the code proves ("authenticator", "recovery code"), or nothing. A code is right once."""
    code = "".join(text.split()).replace("-", "").lower()
    if not code.isascii():
        return ""
    with transaction.atomic():
        # Locked, so that the same code, sent twice at once, is looked at one after the other.
        for device in TOTPDevice.objects.select_for_update().filter(user=user, confirmed=True):
            if code.isdigit() and len(code) == device.digits and device.verify_token(code):
                return "authenticator"
        for static in StaticDevice.objects.select_for_update().filter(user=user, confirmed=True):
            if static.verify_token(digest(code)):
                return "recovery code"
    return ""


def new_authenticator(user: User, place: str) -> TOTPDevice:
    """The authenticator that is being set up in this place, which is one sign-in or one visit of the person.

    It counts for nothing until a code of it was right.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two pages opened at once show one secret
        name = NEW.format(place=place)
        device: TOTPDevice = TOTPDevice.objects.get_or_create(user=user, confirmed=False, name=name)[0]
    return device


def confirm(*, user: User, place: str, code: str, by: Actor) -> list[str]:
    """A first code proves the new authenticator: it replaces any before it. Returns fresh recovery codes, or none."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # of two places at once, one comes first
        name = NEW.format(place=place)
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False, name=name).first()
        if device is None or not device.verify_token("".join(code.split())):
            return []
        TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
        device.confirmed, device.name = True, "authenticator"
        device.save()
        codes = _new_recovery_codes(user)
        record(Event(by=by, action="set up second factor", subject=str(user)))
    return codes


def forget(*, user: User, by: Actor) -> None:
    """The person has lost their authenticator: the next sign-in sets up a new one."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user).update(confirmed=False)
        StaticDevice.objects.filter(user=user).update(confirmed=False)
        record(Event(by=by, action="reset second factor", subject=str(user)))


def recovery_codes_left(user: User) -> int:
    """How many recovery codes the person has not used."""
    return int(StaticToken.objects.filter(device__user=user, device__confirmed=True).count())


def address_of(device: TOTPDevice) -> str:
    """What the picture says to an authenticator: the key URI that its makers agreed on."""
    label = quote(f"{settings.PORTAL_NAME}:{device.user.get_username()}")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret_of(device), 'issuer': settings.PORTAL_NAME})}"


def secret_of(device: TOTPDevice) -> str:
    """The secret as people type it into an authenticator that has no camera."""
    return b32encode(device.bin_key).decode()


def picture_of(text: str) -> Picture:
    """The text as a QR code."""
    code = qrcode.QRCode(border=4)
    code.add_data(text)
    rows = code.get_matrix()
    dark = [f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark]
    return Picture("".join(dark), len(rows))


def digest(code: str) -> str:
    """What is stored of a recovery code: 96 bits of its hash, for the table has room for sixteen characters."""
    return urlsafe_b64encode(hashlib.sha256(code.encode()).digest()[:12]).decode()


def _new_recovery_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery codes", confirmed=True)
    codes = [b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create([StaticToken(device=device, token=digest(code)) for code in codes])
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]
