"""Settings that production refuses although they have the right shape: each says, in a sentence, why.

Two moments. As settings are read, values from the environment are looked at (``unsafe_values``). As a web process, a
worker or beat starts, Django's deployment checks and ours run over what came of them (``unsafe_checks``), so that an
edited settings file is noticed as well. Django's warnings stop the start as errors do.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from portal.environment import LOOPBACK_HOSTS

# Django's own measure (security.W009) and ours; both are below what `openssl rand -base64 48` makes.
SHORTEST_KEY: Final = 50
FEWEST_CHARACTERS: Final = 10
# Our own warnings are choices that a portal may start with: `check --deploy` shows them, and documents say what to do.
CHOICES: Final = "portal.W"
_ADMINISTRATORS: Final = frozenset({"postgres", "root", "admin"})


def unsafe_values(values: dict[str, Any]) -> Iterator[str]:
    """Sentences about the names of portal/settings.py that production refuses. Never a secret among the words."""
    if not values["IS_HTTPS"]:
        yield "PORTAL_BASE_URL is not https; cookies and links would travel in clear."
    if any(host.startswith(("*", ".")) for host in values["ALLOWED_HOSTS"]):
        yield "ALLOWED_HOSTS holds a wildcard; name each host."
    yield from _keys("SECRET_KEY", [values["SECRET_KEY"]])
    yield from _keys("SECRET_KEY_FALLBACKS", values["SECRET_KEY_FALLBACKS"])
    yield from _database(values["OWN_LOGIN"], values["database"])
    yield from _redis(values["REDIS_URL"])
    if values.get("EMAIL_HOST_PASSWORD") and not (values.get("EMAIL_USE_TLS") or values.get("EMAIL_USE_SSL")):
        yield "EMAIL_URL sends a password in clear; write smtp+tls:// or smtp+ssl://."
    if values["LOG_LEVEL"] == "DEBUG":
        yield "LOG_LEVEL is DEBUG; libraries then log what they send. INFO is the most that production logs."
    if values["LOG_FORMAT"] != "json":
        yield "LOG_FORMAT is not json; hostile text could forge lines in any other."


def unsafe_local(values: dict[str, Any]) -> Iterator[str]:
    """What the local and the test setting refuse: to be reached from elsewhere, with keys made for trying."""
    if (urlsplit(values["PORTAL_BASE_URL"]).hostname or "") not in LOOPBACK_HOSTS:
        yield f"PORTAL_ENV is {values['PORTAL_ENV']}, but PORTAL_BASE_URL is not this machine; use production."


def unsafe_checks() -> list[str]:
    """What Django's deployment checks and ours say about the settings as they are now, one sentence each."""
    from django.core import checks

    found = checks.run_checks(tags=[checks.Tags.security, "portal"], include_deployment_checks=True)
    return [f"{one.msg.splitlines()[0]} ({one.id})." for one in found if not (one.id or "").startswith(CHOICES)]


def _keys(name: str, keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        if len(key) < SHORTEST_KEY:
            yield f"{name} must have at least {SHORTEST_KEY} characters; `openssl rand -base64 48` makes one."
        elif len(set(key)) < FEWEST_CHARACTERS or key.startswith("django-insecure-"):
            yield f"{name} can be guessed; `openssl rand -base64 48` makes one that cannot."


def _database(name: str, database: dict[str, Any]) -> Iterator[str]:
    if database.get("USER") in _ADMINISTRATORS:
        yield f"{name} signs in as an administrator of PostgreSQL; docs/operations.md makes a login per process."
    host = str(database.get("HOST", ""))
    is_near = not host or host.startswith("/") or host in LOOPBACK_HOSTS
    if database.get("OPTIONS", {}).get("sslmode") in {"disable", "allow"} and not is_near:
        yield f"{name} switches encryption off on the way to another machine; leave sslmode out or write verify-full."


def _redis(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.scheme == "rediss" and "ssl_cert_reqs=none" in parts.query.lower():
        yield "REDIS_URL does not check the server's certificate; leave ssl_cert_reqs out."
