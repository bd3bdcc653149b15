"""Reads settings from the environment and says, in one go, everything that is wrong with them.

``NAME_FILE`` may stand for ``NAME`` everywhere: the value is then the content of that file. Problems are collected and
shown together as sentences; nobody has to repair settings one traceback at a time.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import environ

T = TypeVar("T")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


class Environment:
    """One reading of the environment; ``problems`` grows until ``stop_if_wrong`` is called."""

    def __init__(self, dotenv: Path | None = None) -> None:
        self.env = environ.FileAwareEnv()
        self.problems: list[str] = []
        if dotenv and dotenv.is_file():
            environ.Env.read_env(str(dotenv))

    def text(self, name: str, default: str | None = None, *, choices: tuple[str, ...] = ()) -> str:
        """The value of ``name``; a problem is noted where it is missing without default or not among ``choices``."""
        value = self._read(name, default)
        if value is None:
            return self._problem(f"{name} is not set. .env.example says what it is for.", "")
        if choices and value not in choices:
            return self._problem(f"{name} is {value!r}; it must be one of: {', '.join(choices)}.", choices[0])
        return value

    def number(self, name: str, default: float, *, low: float, high: float) -> float:
        """A number between ``low`` and ``high`` (inclusive)."""
        value = self._read(name, str(default))
        try:
            number = float(value or "")
        except ValueError:
            return self._problem(f"{name} is {value!r}; it must be a number.", default)
        if not low <= number <= high:
            return self._problem(f"{name} is {value}; it must lie between {low:g} and {high:g}.", default)
        return number

    def whole(self, name: str, default: int, *, low: int, high: int) -> int:
        """A whole number between ``low`` and ``high`` (inclusive)."""
        return int(self.number(name, default, low=low, high=high))

    def guid(self, name: str, default: str | None) -> UUID:
        """A GUID such as an application id."""
        value = self.text(name, default)
        try:
            return UUID(value)
        except ValueError:
            nobody = UUID(int=0)
            return nobody if not value else self._problem(f"{name} is {value!r}; it must be a GUID.", nobody)

    def guids(self, name: str) -> list[UUID]:
        """A comma-separated list of GUIDs."""
        try:
            return [UUID(part) for part in self.names(name)]
        except ValueError:
            return self._problem(f"{name} must name GUIDs, separated by commas.", [])

    def day(self, name: str) -> datetime | None:
        """A day such as 2027-03-31 (midnight UTC), or None where it is not set."""
        value = self._read(name, "")
        if not value:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return self._problem(f"{name} is {value!r}; it must be a day such as 2027-03-31.", None)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def names(self, name: str) -> list[str]:
        """A comma-separated list."""
        return [part.strip() for part in (self._read(name, "") or "").split(",") if part.strip()]

    def yes(self, name: str, default: bool) -> bool:
        """A switch: true/false, yes/no, on/off, 1/0."""
        value = (self._read(name, str(default)) or "").lower()
        if value not in {"true", "yes", "on", "1", "false", "no", "off", "0"}:
            return bool(self._problem(f"{name} is {value!r}; write true or false.", default))
        return value in {"true", "yes", "on", "1"}

    def base_url(self, name: str, default: str | None, *, plain_http_on_loopback_only: bool = True) -> str:
        """An http(s) URL without path, query or trailing slash; plain http is for loopback unless said otherwise."""
        value = self.text(name, default).rstrip("/")
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
            return self._problem(f"{name} is {value!r}; it must look like https://portal.example.com.", value)
        if plain_http_on_loopback_only and parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            return self._problem(f"{name} is {value!r}; plain http is accepted on loopback only. Use https.", value)
        return value

    def database(self, name: str, default: str | None) -> dict[str, Any]:
        """Django's database dictionary from a ``postgres://`` URL."""
        url = self.text(name, default)
        if not url:
            return {}
        try:
            config: dict[str, Any] = environ.Env.db_url_config(url)
        except (ValueError, KeyError):
            config = {}
        if "postgresql" not in str(config.get("ENGINE", "")):
            return self._problem(f"{name} must be a PostgreSQL URL such as postgres://user@host:5432/portal.", {})
        options = config.get("OPTIONS", {})
        for option in ("host", "port"):
            if option in options:  # a socket's folder can only be written as an option of the URL
                config[option.upper()] = str(options.pop(option))
        return config

    def credential(self, names: tuple[str, ...]) -> dict[str, str]:
        """The one of these settings that is set and its value, and beside it ``NAME_FILE`` where it came from a file.

        Empty where none is set; more than one is a problem.
        """
        given = [name for name in names if os.environ.get(name) or os.environ.get(f"{name}_FILE")]
        found = {name: self.text(name) for name in given}
        if len(found) > 1:
            return self._problem(f"Set exactly one of {', '.join(found)}.", {})
        return found | {f"{name}_FILE": os.environ[f"{name}_FILE"] for name in found if os.environ.get(f"{name}_FILE")}

    def wrong(self, sentence: str) -> None:
        """Note a problem found by the caller, once."""
        if sentence not in self.problems:
            self.problems.append(sentence)

    def stop_if_wrong(self) -> None:
        """End the process with every sentence noted so far; no traceback."""
        if self.problems:
            refuse(self.problems)

    def _read(self, name: str, default: str | None) -> str | None:
        convert: Callable[..., str | None] = self.env.str
        try:
            value = convert(name, default=default)
        except (OSError, environ.ImproperlyConfigured):
            self.problems.append(f"{name}_FILE names a file that cannot be read.")
            return default
        return value.strip() if isinstance(value, str) and value.strip() else default

    def _problem(self, sentence: str, instead: T) -> T:
        self.problems.append(sentence)
        return instead


def refuse(problems: list[str]) -> NoReturn:
    """Print why the portal does not start and end with status 2."""
    lines = "\n".join(f"  - {problem}" for problem in problems)
    sys.stderr.write(f"The portal does not start, because of its settings:\n{lines}\n")
    raise SystemExit(2)
