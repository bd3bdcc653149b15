"""A production-like environment, and the portal's settings read in it by a process of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.repository.tree import ROOT

PRODUCTION = {
    "PORTAL_ENV": "production",
    "PORTAL_BASE_URL": "https://portal.example.com",
    "SECRET_KEY": "R3pzVxY1qkQm8nB2tWc7LdJf5hGs9uXa4eKi6oPy0TwZrNvMbEjUlC",
    "DATABASE_URL": "postgres://portal_web_login@db.example.com:5432/portal",
    "REDIS_URL": "redis://redis.example.com:6379/0",
    "ENTRA_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
    "ENTRA_CLIENT_CERTIFICATE": "/run/secrets/entra_certificate.pem",
    "SIGN_IN_TENANT_ID": "66666666-7777-4888-9999-000000000000",
    "SIGN_IN_CLIENT_ID": "22222222-3333-4444-8555-666666666666",
    "SIGN_IN_CLIENT_CERTIFICATE": "/run/secrets/sign_in_certificate.pem",
    "ALARM_EMAIL": "soc@example.com",
}
# What a shell or a test run may have set and production would read.
INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "HOME", "LD_LIBRARY_PATH")


def environment(**changed: str | None) -> dict[str, str]:
    """The production-like environment with some names changed, or left out where the value is None."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    values: dict[str, str | None] = {**inherited, **PRODUCTION, **changed}
    return {name: value for name, value in values.items() if value is not None}


def copy_of_the_product(folder: Path, *packages: str) -> Path:
    """A checkout without .env and without what production images do not contain."""
    for package in packages:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", folder)
    return folder


def run(
    *arguments: str, env: dict[str, str], cwd: Path = ROOT, seconds: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Python with these arguments, nothing inherited but ``env``."""
    return subprocess.run(
        [sys.executable, *arguments], env=env, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False
    )
