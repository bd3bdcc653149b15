"""The two ways in: through Microsoft, and with a password and a second factor. Each is also tried wrongly."""

import html
import re
from base64 import b32decode
from urllib.parse import parse_qs, urlsplit

import requests
from django_otp.oath import totp

from tests.canaries.canaries import Canaries
from tests.canaries.visitor import Visitor


def by_microsoft(visitor: Visitor, canaries: Canaries, user: str = "admin") -> None:
    """Code flow: out with state, nonce and challenge, back with a code; the same answer a second time is refused."""
    page = visitor.post("/sign-in/microsoft/", seen_on="/sign-in/")
    found = re.search(r'href="([^"]+/authorize[^"]*)"', page.text)
    assert found, page.text[:2000]
    address = html.unescape(found[1])
    for name in ("state", "nonce"):
        canaries.add(f"sign-in {name}", parse_qs(urlsplit(address).query)[name][0])
    chosen = requests.post(address, data={"user": user}, timeout=20, allow_redirects=False)
    assert chosen.status_code == 302, chosen.text[:500]
    back = chosen.headers["Location"]
    arrived = visitor.get(back)
    assert arrived.status_code == 302, arrived.text[:2000]
    assert visitor.get("/tenants/").status_code == 200
    assert visitor.get(back).status_code >= 400


def by_password(visitor: Visitor, canaries: Canaries, password: str) -> None:
    """A wrong password, a form of another site, a wrong code; then the authenticator is set up."""
    wrong = canaries.plant("password")
    assert visitor.post("/sign-in/", {"username": "admin", "password": wrong}).status_code == 403
    assert visitor.bare_post("/sign-in/", {"username": "admin", "password": wrong}).status_code == 403
    half = visitor.post("/sign-in/", {"username": "admin", "password": password})
    assert half.status_code == 302, half.text[:500]
    seed = _seed_on(visitor.get("/sign-in/authenticator/"), canaries)
    assert visitor.post("/sign-in/authenticator/", {"code": "000000"}).status_code in {403, 200}
    code = f"{totp(seed):06d}"
    shown = visitor.post("/sign-in/authenticator/", {"code": code})
    assert shown.status_code == 200, shown.text[:2000]
    for recovery in re.findall(r"<li>([a-z2-7]{4}(?:-[a-z2-7]{4})+)</li>", shown.text):
        canaries.add("recovery code", recovery)
    assert visitor.get("/tenants/").status_code == 200


def _seed_on(page: requests.Response, canaries: Canaries) -> bytes:
    found = re.search(r"<dt>Secret</dt><dd[^>]*>([A-Z2-7]+=*)</dd>", page.text)
    assert found, page.text[:2000]
    seed = b32decode(found[1])
    canaries.add("TOTP seed", found[1])
    canaries.add("TOTP seed", seed)
    return seed
