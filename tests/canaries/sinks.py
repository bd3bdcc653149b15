"""What a run has left everywhere, gathered as sinks."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.canaries.journey import MARK, Journey
from tests.canaries.microsoft import Overheard
from tests.canaries.scanner import Sink

_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname = 'public' ORDER BY 1
"""
_BODY = re.compile(rb'\\"body\\": \\"([A-Za-z0-9+/=]+)\\"')
# What has to stand in a table if the journey was one.
_PROOFS = {
    "audit_auditevent": b"consent returned",
    "django_admin_log": b"Dana",
    "django_session": b":",
    "incidents_incident": MARK.encode(),
    "tenants_alarm": b"credential",
    "tenants_tokenfacts": b"Incident.Read",
}


def collect(journey: Journey, ear: Overheard, redis_dump: bytes, redis_heard: bytes, administrator: str) -> list[Sink]:
    """Every sink of a run that has ended."""
    folder = journey.portal.folder
    return [
        *_logs(folder / "logs"),
        *_records(folder / "records"),
        *_commands(journey),
        Sink("answers: headers", b"\n".join(journey.answers.headers), b"X-Request-ID"),
        Sink("answers: bodies", b"\n".join(journey.answers.bodies), MARK.encode()),
        Sink("Redis: what it keeps", redis_dump, b"_kombu.binding"),
        Sink("Redis: all that was said to it", redis_heard, b"incidents.sync_due"),
        Sink("Celery messages", _lines_with(redis_heard, b"argsrepr"), b"incidents.sync_due"),
        Sink("Celery events", _bodies(_lines_with(redis_heard, b"celeryev")), b'"task-received"'),
        *_tables(administrator),
        Sink("mails", _unfolded(_files(folder / "mail")), b"To: soc@example.com"),
        *_processes(journey),
        Sink("files: local folder", _files(folder / "local"), b""),
        Sink("files: working folder and temporary files", _files(folder / "work") + _files(folder / "temporary")),
        Sink("files: log of Redis", (folder / "valkey.log").read_bytes(), b"Ready to accept connections"),
        Sink("Microsoft: what it was sent", b"\n".join(ear.calls), b"Bearer"),
    ]


def _logs(folder: Path) -> Iterator[Sink]:
    proofs = {"web": b"GET /connect/[hidden]/", "worker": b"Fatal Python error: Aborted", "beat": b"Sending due task"}
    for path in sorted(folder.iterdir()):
        yield Sink(f"log of {path.stem}", path.read_bytes(), proofs[path.stem])


def _records(folder: Path) -> Iterator[Sink]:
    for path in sorted(folder.iterdir()):
        # Most commands log nothing.
        proof = b"" if path.name.startswith("command") else b"'levelname'"
        yield Sink(f"log records of {path.name}", path.read_bytes(), proof)


def _commands(journey: Journey) -> Iterator[Sink]:
    for said in journey.said:
        proof = MARK.encode() if "export" in said.name else b""
        yield Sink(f"{said.name}: standard output", said.out, proof)
        yield Sink(f"{said.name}: standard error", said.err)


def _lines_with(heard: bytes, word: bytes) -> bytes:
    return b"\n".join(line for line in heard.splitlines() if word in line)


def _bodies(heard: bytes) -> bytes:
    """What messages carry, which is base64 in Redis."""
    return b"\n".join(base64.b64decode(body) for body in _BODY.findall(heard))


def _unfolded(mails: bytes) -> bytes:
    """Mails as they are, and without the line breaks that their encodings put into long words."""
    return mails + b"\n" + mails.replace(b"=\n", b"") + b"\n" + mails.replace(b"\n", b"")


def _tables(administrator: str) -> Iterator[Sink]:
    with psycopg.connect(administrator) as connection:
        for (table,) in connection.execute(_TABLES).fetchall():
            yield Sink(f"database: {table}", _copied(connection, table), _PROOFS.get(table, b""))


def _copied(connection: "psycopg.Connection[Any]", table: str) -> bytes:
    statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(table))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(bytes(part) for part in copy)


def _processes(journey: Journey) -> Iterator[Sink]:
    for name, shown in journey.portal.lists.items():
        yield Sink(f"process list: {name}", shown, b"python")
    for name, shown in journey.portal.environments.items():
        yield Sink(f"environment: {name}", shown, b"PORTAL_ENV=test")


def _files(folder: Path) -> bytes:
    return b"\n".join(
        str(path).encode() + b"\n" + path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    )
