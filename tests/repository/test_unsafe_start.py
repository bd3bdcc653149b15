"""An edited settings file stops production at start; and what a process of production does to its own memory."""

import json
from pathlib import Path

import pytest
from django.test import override_settings

from portal.unsafe import unsafe_checks
from tests.repository.production import copy_of_the_product, environment, run
from tests.repository.tree import PRODUCT

# Each of them alone; the value is what somebody might write into the settings.
EDITED: dict[str, object] = {
    "DEBUG": True,
    "ALLOWED_HOSTS": [],
    "SESSION_COOKIE_SECURE": False,
    "CSRF_COOKIE_SECURE": False,
    "SESSION_COOKIE_HTTPONLY": False,
    "SESSION_COOKIE_SAMESITE": "None",
    "SESSION_COOKIE_NAME": "session",
    "SECURE_SSL_REDIRECT": False,
    "SECURE_HSTS_SECONDS": 0,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": False,
    "SECURE_CONTENT_TYPE_NOSNIFF": False,
    "SECURE_REFERRER_POLICY": None,
    "SECURE_CROSS_ORIGIN_OPENER_POLICY": "anything",
    "X_FRAME_OPTIONS": "SAMEORIGIN",
    "SECRET_KEY": "placeholder-while-the-image-is-built-and-never-afterwards",
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "AUTH_PASSWORD_VALIDATORS": [],
    "CONTENT_SECURITY_POLICY": None,
    "IS_SANDBOX": True,
}
GUARDS = (
    "csp.middleware.CSPMiddleware",
    "portal.middleware.HeadersMiddleware",
    "portal.limits.LimitMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "accounts.session_limits.SessionLimitsMiddleware",
    "accounts.denials.DenialMiddleware",
    "tenants.middleware.ScopeMiddleware",
)
# Reads the settings of production, edits one, and says what a start would say about each.
PROGRAM = """
import json, django
django.setup()
from django.conf import settings
from django.test import override_settings
from portal.unsafe import unsafe_checks
from tests_edited import EDITED, GUARDS
said = {"nothing": unsafe_checks()}
for name, value in EDITED.items():
    with override_settings(**{name: value}):
        said[name] = unsafe_checks()
for guard in GUARDS:
    with override_settings(MIDDLEWARE=[one for one in settings.MIDDLEWARE if one != guard]):
        said[guard] = unsafe_checks()
for hole in ("'unsafe-inline'", "'unsafe-eval'", "*", "https:"):
    policy = {**settings.CONTENT_SECURITY_POLICY["DIRECTIVES"], "script-src": [hole]}
    with override_settings(CONTENT_SECURITY_POLICY={"DIRECTIVES": policy}):
        said[hole] = unsafe_checks()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the production image has."""
    return copy_of_the_product(tmp_path_factory.mktemp("image"), *PRODUCT, "templates")


def test_p3_each_edited_setting_alone_stops_the_start(image: Path) -> None:
    (image / "tests_edited.py").write_text(f"EDITED = {EDITED!r}\nGUARDS = {GUARDS!r}\n")
    env = environment(PORTAL_PROCESS="web", DJANGO_SETTINGS_MODULE="portal.settings")
    done = run("-c", PROGRAM, env=env, cwd=image)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.pop("nothing") == []
    assert len(said) == len(EDITED) + len(GUARDS) + 4 >= 15
    assert [what for what, sentences in said.items() if not sentences] == []


STARTS = {
    "web": ["-c", "import portal.wsgi"],
    "worker": ["-m", "celery", "-A", "portal.celery", "worker", "-P", "threads"],
    "beat": ["-m", "celery", "-A", "portal.celery", "beat"],
}


@pytest.mark.parametrize("process", STARTS)
def test_p3_web_worker_and_beat_end_with_a_sentence_where_the_settings_file_was_edited(
    process: str, image: Path
) -> None:
    (image / "edited.py").write_text("from portal.settings import *\nSESSION_COOKIE_SECURE = False\n")
    env = environment(DJANGO_SETTINGS_MODULE="edited", PORTAL_PROCESS="worker" if process == "worker" else "web")
    done = run(*STARTS[process], env=env, cwd=image)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "The portal does not start, because of its settings:\n" in done.stderr
    assert "SESSION_COOKIE_SECURE" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "chosen",
    [
        {"PORTAL_PROCESS": "worker", "AUDIT_SIGNING_KEY": None},
        {"PORTAL_PROCESS": "web", "SIGN_IN_SECOND_FACTOR": "policy"},
        {"PORTAL_PROCESS": "beat", "ALARM_EMAIL": None},
    ],
    ids=["nothing is anchored", "Entra ID alone looks at the second factor", "no mail"],
)
def test_what_is_only_warned_of_starts(image: Path, chosen: dict[str, str | None]) -> None:
    program = "from portal import start\nstart.production()\nprint('started')"
    done = run("-c", program, env=environment(DJANGO_SETTINGS_MODULE="portal.settings", **chosen), cwd=image)
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


def test_k5_a_web_process_of_production_leaves_no_core_and_lets_nobody_read_its_memory(image: Path) -> None:
    program = (
        "import portal.wsgi, resource\nfrom portal.process import is_dumpable\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), is_dumpable())"
    )
    done = run("-c", program, env=environment(), cwd=image)
    assert done.stdout == "(0, 0) False\n", done.stderr


def test_k5_the_process_that_runs_this_test_can_be_read_so_that_the_one_above_says_something() -> None:
    from portal.process import is_dumpable

    assert is_dumpable() is True


def test_p3_the_test_setting_itself_would_not_do_for_production() -> None:
    with override_settings(DEBUG=True):
        assert any("DEBUG" in sentence for sentence in unsafe_checks())
