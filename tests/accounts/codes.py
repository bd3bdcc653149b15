"""What an authenticator shows, and a local account that has one."""

import re
from urllib.parse import unquote

from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import second_factor
from accounts.models import User
from audit.record import WORKER
from tests.conftest import WebClient


def code_of(user: User, *, confirmed: bool = True, steps: int = 0) -> str:
    """The code that the authenticator shows now, or that many times thirty seconds later."""
    device = TOTPDevice.objects.get(user=user, confirmed=confirmed)
    return f"{totp(device.bin_key, drift=steps):06}"


def set_up(user: User) -> list[str]:
    """Give the person an authenticator; returns the recovery codes. Its first code was used half a minute ago."""
    device = second_factor.new_authenticator(user, "a test")
    code = f"{totp(device.bin_key, drift=-1):06}"
    codes = second_factor.confirm(user=user, place="a test", code=code, by=WORKER)
    assert len(codes) == 10
    return codes


def age_sign_in(client: WebClient, seconds: float) -> None:
    """The person proved who they are that long ago."""
    session = client.session
    session["signed_in_at"] = int(timezone.now().timestamp() - seconds)
    session.save()


def hidden_fields(page: str) -> dict[str, list[str]]:
    """The hidden fields of a page, but for the CSRF token."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page):
        if name != "csrfmiddlewaretoken":
            found.setdefault(name, []).append(unquote(value))
    return found
