"""One file of settings, read from the environment; .env.example explains each name.

Three things decide: ``PORTAL_ENV`` (local, test, production; unset means production), ``PORTAL_PROCESS`` (web, worker,
beat, owner: which database role, and which credential may be read, if any) and ``MICROSOFT_CLOUD``.
"""

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from csp.constants import NONCE

from defender.permissions import CAPABILITIES
from defender.vault_address import WANTED, is_vault_address
from portal.environment import Environment
from portal.local import local_addresses, local_secret_key, local_signing_key
from portal.unsafe import unsafe_local, unsafe_values

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_DIR = Path(os.environ.get("PORTAL_LOCAL_DIR", BASE_DIR / ".local"))

env = Environment(BASE_DIR / ".env" if os.environ.get("PORTAL_ENV") in (None, "local") else None)

PORTAL_ENV = env.text("PORTAL_ENV", "production", choices=("production", "local", "test"))
PORTAL_PROCESS = env.text("PORTAL_PROCESS", "worker", choices=("worker", "web", "beat", "owner"))
IS_PRODUCTION = PORTAL_ENV == "production"

local = None if IS_PRODUCTION else local_addresses(LOCAL_DIR, PORTAL_ENV)

# --- who we are -------------------------------------------------------------------------------------------------------

PORTAL_BASE_URL = env.base_url("PORTAL_BASE_URL", None if IS_PRODUCTION else "http://localhost:8000")
PORTAL_NAME = env.text("PORTAL_NAME", "Defender Portal")
IS_HTTPS = PORTAL_BASE_URL.startswith("https://")
SECRET_KEY = env.text("SECRET_KEY", None if IS_PRODUCTION else local_secret_key(LOCAL_DIR)) or "missing"
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS")
DEBUG = False
ALLOWED_HOSTS = [urlsplit(PORTAL_BASE_URL).hostname or "", *env.names("ALLOWED_HOSTS")]
if not IS_PRODUCTION:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PORTAL_BASE_URL] if PORTAL_BASE_URL else []

# --- PostgreSQL and Redis ---------------------------------------------------------------------------------------------

# Beat opens no connection; if it ever did, it could do no more than the web.
DATABASE_ROLES = {"owner": "portal_owner", "web": "portal_web", "beat": "portal_web", "worker": "portal_worker"}
LOGINS = {"owner": "DATABASE_OWNER_URL", "web": "DATABASE_URL", "beat": "DATABASE_URL", "worker": "DATABASE_WORKER_URL"}
OWN_LOGIN = LOGINS[PORTAL_PROCESS]
if not (os.environ.get(OWN_LOGIN) or os.environ.get(f"{OWN_LOGIN}_FILE")):
    OWN_LOGIN = "DATABASE_URL"
database = env.database(OWN_LOGIN, local.database_url if local else None)
database["OPTIONS"] = {
    **database.get("OPTIONS", {}),
    # As a start-up option and not as Django's assume_role, which waits for itself where a pool configures connections;
    # RESET ROLE then leads back here and not to the login.
    "options": f"-c role={DATABASE_ROLES[PORTAL_PROCESS]}",
    # pg_stat_activity then says which process it is; a lease's owner begins with the same words.
    "application_name": f"portal-{PORTAL_PROCESS} {socket.gethostname()}:{os.getpid()}"[:63],
}
DATABASE_POOL_SIZE = env.whole("DATABASE_POOL_SIZE", 16, low=1, high=200)
if PORTAL_PROCESS != "owner" and PORTAL_ENV != "test":
    # A pool saves a connect per task: 6.6 s became 4.5 s for 1,000 short tasks where it was measured.
    database["OPTIONS"]["pool"] = {"min_size": 1, "max_size": DATABASE_POOL_SIZE, "timeout": 20}
DATABASES = {"default": database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL", local.redis_url if local else None)
REDIS_KEY_PREFIX = env.text("REDIS_KEY_PREFIX", "portal:")
if REDIS_URL and urlsplit(REDIS_URL).scheme not in {"redis", "rediss", "unix"}:
    env.wrong("REDIS_URL must start with redis://, rediss:// or unix://.")

# --- Microsoft --------------------------------------------------------------------------------------------------------

MICROSOFT_CLOUD = env.text(
    "MICROSOFT_CLOUD",
    "global" if IS_PRODUCTION else "sandbox",
    choices=("global", "gcc", "gcc-high", "dod", "sandbox"),
)
SANDBOX_URLS: dict[str, str] = {}
if MICROSOFT_CLOUD == "sandbox":
    sandbox_default = None if IS_PRODUCTION else "http://localhost:9400"
    for part in ("LOGIN", "XDR", "MDE", "GRAPH"):
        SANDBOX_URLS[part.lower()] = env.base_url(f"SANDBOX_{part}_URL", sandbox_default)
if IS_PRODUCTION:
    if MICROSOFT_CLOUD == "sandbox":
        env.wrong("MICROSOFT_CLOUD is sandbox; production talks to Microsoft's own clouds only.")
    for name in ("SANDBOX_LOGIN_URL", "SANDBOX_XDR_URL", "SANDBOX_MDE_URL", "SANDBOX_GRAPH_URL"):
        if os.environ.get(name):
            env.wrong(f"{name} is set; production refuses to start with any of the sandbox configured.")

IS_SANDBOX = MICROSOFT_CLOUD == "sandbox"
ENTRA_CLIENT_ID = env.guid("ENTRA_CLIENT_ID", "5a11db0c-0000-4000-8000-00000000c0de" if IS_SANDBOX else None)
# What the portal wants to do for customers; roles that open more than this put a connection in review.
ASKED_CAPABILITIES = env.names("PORTAL_CAPABILITIES") or ["sync_incidents", "triage"]
if unknown := sorted(set(ASKED_CAPABILITIES) - set(CAPABILITIES)):
    env.wrong(f"PORTAL_CAPABILITIES names {', '.join(unknown)}; it may name: {', '.join(CAPABILITIES)}.")
# The partner credential is read by workers and the command line only; the web process never holds it. A second one is
# live beside it while one is replaced.
ENTRA_CREDENTIAL: dict[str, str] = {}
ENTRA_NEXT_CREDENTIAL: dict[str, str] = {}
ALLOW_SECRET_IN_ENVIRONMENT = env.yes("ALLOW_SECRET_IN_ENVIRONMENT", False)
if PORTAL_PROCESS == "worker":
    ENTRA_CREDENTIAL = env.credential(
        ("ENTRA_CLIENT_SECRET", "ENTRA_CLIENT_CERTIFICATE", "ENTRA_FEDERATED_TOKEN_FILE", "ENTRA_VAULT_SECRET")
    )
    ENTRA_NEXT_CREDENTIAL = env.credential(("ENTRA_NEXT_CLIENT_SECRET", "ENTRA_NEXT_CLIENT_CERTIFICATE"))
    if not ENTRA_CREDENTIAL and IS_SANDBOX and not IS_PRODUCTION:
        ENTRA_CREDENTIAL["ENTRA_CLIENT_SECRET"] = "sandbox-secret"  # noqa: S105  the sandbox's own, refused elsewhere
    if not ENTRA_CREDENTIAL:
        env.wrong(
            "Set exactly one of ENTRA_CLIENT_SECRET, ENTRA_CLIENT_CERTIFICATE (a path to a PEM file), "
            "ENTRA_FEDERATED_TOKEN_FILE and ENTRA_VAULT_SECRET."
        )
    if "ENTRA_VAULT_SECRET" in ENTRA_CREDENTIAL and not is_vault_address(ENTRA_CREDENTIAL["ENTRA_VAULT_SECRET"]):
        env.wrong(f"ENTRA_VAULT_SECRET is not the address of a secret in Azure Key Vault; it must look like {WANTED}.")
SECRETS_IN_ENVIRONMENT = [name for name in ("ENTRA_CLIENT_SECRET", "ENTRA_NEXT_CLIENT_SECRET") if os.environ.get(name)]
if IS_PRODUCTION and SECRETS_IN_ENVIRONMENT:
    if PORTAL_PROCESS != "worker":
        env.wrong(f"{SECRETS_IN_ENVIRONMENT[0]} is in this process's environment; only workers may hold it.")
    elif not ALLOW_SECRET_IN_ENVIRONMENT:
        env.wrong(
            f"{SECRETS_IN_ENVIRONMENT[0]} is in the environment, where it is seen too easily. Give it as "
            f"{SECRETS_IN_ENVIRONMENT[0]}_FILE, use a certificate, or set ALLOW_SECRET_IN_ENVIRONMENT=true."
        )
ENTRA_CLIENT_SECRET_EXPIRES = env.day("ENTRA_CLIENT_SECRET_EXPIRES")

# Sign-in of the MSSP's own people: a registration of its own in the home tenant. Only web needs it and reads it.
SIGN_IN_CREDENTIAL: dict[str, str] = {}
SIGN_IN_TENANT_ID = SIGN_IN_CLIENT_ID = UUID(int=0)
if PORTAL_PROCESS == "web" or PORTAL_ENV == "test":
    SIGN_IN_TENANT_ID = env.guid("SIGN_IN_TENANT_ID", "5a11db0c-0000-4000-8000-000000000401" if IS_SANDBOX else None)
    SIGN_IN_CLIENT_ID = env.guid("SIGN_IN_CLIENT_ID", "5a11db0c-0000-4000-8000-0000000051f1" if IS_SANDBOX else None)
    for name in ("SIGN_IN_CLIENT_SECRET", "SIGN_IN_CLIENT_CERTIFICATE"):
        if os.environ.get(name) or os.environ.get(f"{name}_FILE"):
            SIGN_IN_CREDENTIAL[name] = env.text(name)
    if not SIGN_IN_CREDENTIAL and IS_SANDBOX and not IS_PRODUCTION:
        SIGN_IN_CREDENTIAL["SIGN_IN_CLIENT_SECRET"] = "sandbox-sign-in-secret"  # noqa: S105  the sandbox's own
    if len(SIGN_IN_CREDENTIAL) != 1:
        env.wrong("Set exactly one of SIGN_IN_CLIENT_CERTIFICATE (a path to a PEM file) and SIGN_IN_CLIENT_SECRET.")
    if ENTRA_CLIENT_ID == SIGN_IN_CLIENT_ID != UUID(int=0):
        env.wrong("SIGN_IN_CLIENT_ID is ENTRA_CLIENT_ID; sign-in needs a registration of its own.")
SIGN_IN_GUESTS = env.guids("SIGN_IN_GUESTS")
# What proves a second factor: an authentication context (c1 to c99), "amr", or "policy" (nothing is looked at here).
SIGN_IN_SECOND_FACTOR = env.text("SIGN_IN_SECOND_FACTOR", "c1")
if SIGN_IN_SECOND_FACTOR not in {"amr", "policy", *(f"c{number}" for number in range(1, 100))}:
    env.wrong(f"SIGN_IN_SECOND_FACTOR is {SIGN_IN_SECOND_FACTOR!r}; it must be c1 to c99, amr or policy.")
MICROSOFT_POOL_SIZE = env.whole("MICROSOFT_POOL_SIZE", 32, low=1, high=500)

# --- numbers of the sync: each is a setting ---------------------------------------------------------------------------

SYNC_POLL = timedelta(seconds=env.number("SYNC_POLL_SECONDS", 60 if IS_PRODUCTION else 10, low=1, high=3600))
SYNC_OVERLAP = timedelta(minutes=env.number("SYNC_OVERLAP_MINUTES", 15, low=0, high=1440))
SYNC_LEASE = timedelta(seconds=env.number("SYNC_LEASE_SECONDS", 45, low=1, high=3600))
# A shard is as many due tenants as one statement claims; threads are how many of them one process reads at once.
SYNC_SHARD = env.whole("SYNC_SHARD", 64, low=1, high=100)
SYNC_THREADS = env.whole("SYNC_THREADS", 32, low=1, high=200)
# Tenants whose passes take longer than the quick limit go on in the slow lane, which has threads of its own.
SYNC_SLOW_THREADS = env.whole("SYNC_SLOW_THREADS", 8, low=1, high=100)
SYNC_QUICK_LIMIT = timedelta(seconds=env.number("SYNC_QUICK_LIMIT_SECONDS", 20, low=1, high=3600))
SYNC_PASS_BYTES = 1_000_000 * env.whole("SYNC_PASS_MEGABYTES", 512, low=1, high=100_000)
SYNC_FIRST_WAIT = timedelta(seconds=env.number("SYNC_FIRST_WAIT_SECONDS", 5, low=0.1, high=600))
SYNC_LONGEST_WAIT = timedelta(seconds=env.number("SYNC_LONGEST_WAIT_SECONDS", 900, low=1, high=86400))
CREDENTIAL_WAIT = timedelta(seconds=env.number("CREDENTIAL_WAIT_SECONDS", 60, low=1, high=3600))
SYNC_PASS_LIMIT = timedelta(seconds=env.number("SYNC_PASS_LIMIT_SECONDS", 240, low=5, high=3600))
SYNC_SWEEP = timedelta(hours=env.number("SYNC_SWEEP_HOURS", 24, low=0.01, high=24 * 30))
SYNC_SWEEP_WINDOW = timedelta(days=env.number("SYNC_SWEEP_WINDOW_DAYS", 30, low=1, high=180))
# Microsoft keeps incidents for 180 days, so a first pass can ask for no more.
SYNC_BACKFILL = timedelta(days=env.number("SYNC_BACKFILL_DAYS", 180, low=1, high=180))
SYNC_WAKE = timedelta(seconds=env.number("SYNC_WAKE_SECONDS", 5 if IS_PRODUCTION else 2, low=0.2, high=600))
SYNC_RUNS_KEPT = timedelta(days=env.number("SYNC_RUNS_KEPT_DAYS", 30, low=1, high=3650))
CONSENT_LINK_LIFE = timedelta(hours=env.number("CONSENT_LINK_HOURS", 72, low=1, high=24 * 30))
CONSENT_CHECK = timedelta(minutes=env.number("CONSENT_CHECK_MINUTES", 60 if IS_PRODUCTION else 5, low=0.05, high=10080))
STALE_AFTER = timedelta(seconds=env.number("STALE_AFTER_SECONDS", 300, low=5, high=86400))
# Whether "seen elsewhere" also counts tenants that the person may not see: a number, never a name.
SEEN_ELSEWHERE_COUNTS_ALL = env.yes("SEEN_ELSEWHERE_COUNTS_ALL", False)
ALARM_EMAIL = env.text("ALARM_EMAIL", "")

# --- changes on their way to Microsoft --------------------------------------------------------------------------------

# Nothing that an analyst decides leaves before this is over.
TRIAGE_UNDO = timedelta(seconds=env.number("TRIAGE_UNDO_SECONDS", 10, low=0, high=600))
# Before a change whose answer was lost is looked up: Microsoft may still be at work on it.
TRIAGE_LOOK = timedelta(seconds=env.number("TRIAGE_LOOK_SECONDS", 15, low=0.1, high=600))
# A change that no sync has shown by then is looked up by its incident's number.
TRIAGE_CONFIRM = timedelta(minutes=env.number("TRIAGE_CONFIRM_MINUTES", 15, low=0.01, high=1440))

# --- the audit log ----------------------------------------------------------------------------------------------------

# Anchors are lines in a file outside the database; whoever holds the key can vouch for a chain, so the web never does.
AUDIT_ANCHOR_FILE = Path(
    env.text("AUDIT_ANCHOR_FILE", "audit-anchors.jsonl" if IS_PRODUCTION else str(LOCAL_DIR / "audit-anchors.jsonl"))
)
AUDIT_SIGNING_KEY = ""
if PORTAL_PROCESS != "web":
    AUDIT_SIGNING_KEY = env.text("AUDIT_SIGNING_KEY", "" if IS_PRODUCTION else local_signing_key(LOCAL_DIR))
AUDIT_KEPT = timedelta(days=env.whole("AUDIT_KEPT_DAYS", 365, low=365 if IS_PRODUCTION else 0, high=36500))

# --- Django -----------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "portal.apps.PortalAdminConfig",
    "django_htmx",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "audit.apps.AuditConfig",
    "accounts.apps.AccountsConfig",
    "tenants.apps.TenantsConfig",
    "incidents.apps.IncidentsConfig",
    "api.apps.ApiConfig",
]
if not IS_PRODUCTION:
    INSTALLED_APPS.append("demo.apps.DemoConfig")

MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",
    "portal.middleware.HeadersMiddleware",
    "portal.health.HealthMiddleware",
    "portal.middleware.ClientAddressMiddleware",
    "portal.logs.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.VisibleTextMiddleware",
    "portal.middleware.StorableCookiesMiddleware",
    "api.middleware.CookielessMiddleware",
    "portal.limits.LimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.session_limits.SessionLimitsMiddleware",  # signs out before the next one asks for sign-in
    "api.middleware.BearerMiddleware",  # the API's people come by their tokens
    "accounts.denials.DenialMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "accounts.time_zones.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tenants.middleware.ScopeMiddleware",  # last: it runs the view inside the person's scope
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "incidents:queue"
LOGOUT_REDIRECT_URL = "accounts:sign_in"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 15}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "accounts.passwords.KnownWordsValidator"},
]
# Words of the company's own that count for nothing in a password.
PASSWORD_WORDS = env.names("PASSWORD_WORDS")

# Whether local accounts need a one-time code as well: always in production.
LOCAL_SECOND_FACTOR = env.yes("LOCAL_SECOND_FACTOR", IS_PRODUCTION)
if IS_PRODUCTION and not LOCAL_SECOND_FACTOR:
    env.wrong("LOCAL_SECOND_FACTOR is switched off; production demands a second factor of local accounts.")
# The portal's own lock-out counts tries (accounts/lockout.py); the library's could be used to lock others out.
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.page",
            ],
        },
    }
]

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
# Outside production files are found where they lie and nothing is collected.
static_root = env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles") if IS_PRODUCTION else "")
STATIC_ROOT = Path(static_root) if static_root else None
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

EMAIL_URL = env.text("EMAIL_URL", "consolemail://" if IS_PRODUCTION else "memorymail://")
vars().update(env.env.email_url_config(EMAIL_URL))
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "portal@localhost")

# --- security headers and cookies -------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        # Only scripts that our own templates name; the administration's pages, which are Django's, get 'self' instead.
        "script-src": [NONCE],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        # Text becomes markup only through the gate in static/portal/trusted.js.
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["default", "portal-gate"],
    }
}
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_IDLE = timedelta(minutes=env.number("SESSION_IDLE_MINUTES", 30, low=1, high=720))
SESSION_ABSOLUTE = timedelta(hours=env.number("SESSION_HOURS", 10, low=0.1, high=24))
# A little longer than the session, so that the portal itself ends it and writes that down.
SESSION_COOKIE_AGE = int(SESSION_ABSOLUTE.total_seconds()) + 3600
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = IS_HTTPS and IS_PRODUCTION
SECURE_HSTS_SECONDS = 31536000 if IS_HTTPS and IS_PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = bool(SECURE_HSTS_SECONDS)
TRUST_PROXY = env.yes("TRUST_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
# A decision about as many incidents as incidents.decisions allows, each with what was seen of it (2,000 bytes at most)
# and a yes to where it was merged.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_100
# Per network address and door: sign-in; connect page and callback. Tests call these pages a thousand times a minute.
RATE_LIMIT_PER_MINUTE = env.whole(
    "RATE_LIMIT_PER_MINUTE",
    {"production": 60, "local": 600}.get(PORTAL_ENV, 1_000_000),
    low=1,
    high=1_000 if IS_PRODUCTION else 1_000_000,
)
# Per API token; also per network address for requests without a token that holds.
API_RATE_LIMIT_PER_MINUTE = env.whole("API_RATE_LIMIT_PER_MINUTE", 300, low=1, high=100_000)

LOG_LEVEL = env.text("LOG_LEVEL", "INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = env.text("LOG_FORMAT", "json" if IS_PRODUCTION else "console", choices=("json", "console"))
LOGGING_CONFIG = "portal.logs.configure"
LOGGING: dict[str, Any] = {"level": LOG_LEVEL, "format": LOG_FORMAT}
DEFAULT_EXCEPTION_REPORTER = "portal.reports.QuietReporter"

# --- what is refused although it has the right shape ------------------------------------------------------------------

for sentence in unsafe_values(vars()) if IS_PRODUCTION else unsafe_local(vars()):
    env.wrong(sentence)
env.stop_if_wrong()
