"""Numbered system checks with hints. What one of them calls an error stops production at start: see ``unsafe``."""

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

# What stands between a request and a page, without which a page would be open, forged, or opened by another's script.
GUARDS: Final = (
    "csp.middleware.CSPMiddleware",
    "portal.middleware.HeadersMiddleware",
    "api.middleware.CookielessMiddleware",
    "portal.limits.LimitMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "accounts.session_limits.SessionLimitsMiddleware",
    "api.middleware.BearerMiddleware",
    "accounts.denials.DenialMiddleware",
    "tenants.middleware.ScopeMiddleware",
)
# What the content policy must say at least, and what no directive of it may say.
POLICY: Final = {
    "default-src": {"'none'"},
    "base-uri": {"'none'"},
    "frame-ancestors": {"'none'"},
    "form-action": {"'self'"},
    "require-trusted-types-for": {"'script'"},
}
HOLES: Final = frozenset({"*", "'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "http:", "https:", "blob:"})


@register("portal", deploy=True)
def production_is_safe(**kwargs: Any) -> list[CheckMessage]:
    """What must not be in production."""
    found: list[CheckMessage] = []
    if not settings.IS_HTTPS:
        found.append(Error("PORTAL_BASE_URL is not https.", hint="Put TLS in front and name it.", id="portal.E001"))
    if settings.IS_SANDBOX:
        found.append(Error("The sandbox is configured.", hint="Unset MICROSOFT_CLOUD=sandbox.", id="portal.E002"))
    if "ENTRA_CLIENT_SECRET" in settings.ENTRA_CREDENTIAL:
        found.append(
            Warning(
                "The partner credential is a client secret.",
                hint="A certificate or a federated credential is safer: docs/operations.md says how to change over.",
                id="portal.W001",
            )
        )
    if settings.PORTAL_PROCESS not in {"web", "beat"} and not settings.AUDIT_SIGNING_KEY:
        hint = "Without anchors a cut end of the log cannot be found. docs/operations.md says how to make the key."
        found.append(Warning("AUDIT_SIGNING_KEY is not set.", hint=hint, id="portal.W003"))
    if settings.SIGN_IN_SECOND_FACTOR == "policy":
        found.append(
            Warning(
                "The portal does not look whether people used a second factor.",
                hint="SIGN_IN_SECOND_FACTOR=c1 does: docs/how-to/register-the-sign-in-app.md.",
                id="portal.W004",
            )
        )
    if not settings.ALARM_EMAIL:
        found.append(Warning("ALARM_EMAIL is not set.", hint="Alarms then show in the portal only.", id="portal.W002"))
    return found


@register("portal", deploy=True)
def the_guards_stand(**kwargs: Any) -> list[CheckMessage]:
    """Settings that no environment changes; here an edited settings file is noticed."""
    return [
        Error(sentence, hint="portal/settings.py as it is delivered is safe.", id=id) for id, sentence in _missing()
    ]


def _missing() -> Iterator[tuple[str, str]]:
    for guard in GUARDS:
        if guard not in settings.MIDDLEWARE:
            yield "portal.E003", f"{guard} is missing from MIDDLEWARE."
    if settings.PASSWORD_HASHERS != ["django.contrib.auth.hashers.Argon2PasswordHasher"]:
        yield "portal.E004", "Passwords are not hashed with Argon2id alone."
    if not any("MinimumLength" in str(validator) for validator in settings.AUTH_PASSWORD_VALIDATORS):
        yield "portal.E005", "Passwords of any length are accepted."
    if not (settings.SESSION_COOKIE_NAME.startswith("__Host-") and settings.CSRF_COOKIE_NAME.startswith("__Host-")):
        yield "portal.E006", "A cookie is not bound to this host by the prefix __Host-."
    if not (settings.SESSION_COOKIE_HTTPONLY and settings.SESSION_COOKIE_SAMESITE in {"Lax", "Strict"}):
        yield "portal.E007", "The session's cookie can be read by scripts or sent by other sites."
    if settings.SECRET_KEY.startswith("placeholder"):
        yield "portal.E009", "SECRET_KEY is the placeholder that images are built with."
    yield from _holes()


def _holes() -> Iterator[tuple[str, str]]:
    policy = (getattr(settings, "CONTENT_SECURITY_POLICY", None) or {}).get("DIRECTIVES", {})
    for directive, wanted in POLICY.items():
        if not wanted <= set(policy.get(directive, ())):
            yield "portal.E008", f"The content policy's {directive} does not say {' '.join(wanted)}."
    for directive, sources in policy.items():
        if HOLES & {str(source) for source in sources}:
            yield "portal.E008", f"The content policy's {directive} lets foreign or inline content in."
