"""What an insider with every right over the database can do to the audit log, one random act at a time.

Each act changes the table, as the role that owns it and with its triggers off, and says from which row on the log no
longer holds. ``Act.needs_anchor`` marks those that leave a whole chain behind.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from audit.canonical import TEXTS, canonical_sql, hash_sql

Do = Callable[[random.Random, int], int]


@dataclass(frozen=True)
class Act:
    """``do`` tampers with a log of ``n`` rows and returns the first row that is no longer what it was."""

    do: Do
    needs_anchor: bool = False


@contextmanager
def insider() -> Iterator[None]:
    """The rights of whoever owns the table, its triggers off. Everything done inside is undone at the end."""
    with undone():
        run("SET LOCAL ROLE portal_audit")
        run("GRANT ALL ON audit_auditevent, audit_segment TO portal_audit")
        run("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
        run("ALTER TABLE audit_segment DISABLE TRIGGER USER")
        yield


@contextmanager
def undone() -> Iterator[None]:
    """Everything done inside is undone at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def run(statement: str, *parameters: str | int | float | UUID) -> None:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def edit_text(chance: random.Random, n: int) -> int:
    """One character more in one column of one row."""
    seq, column = chance.randint(1, n), chance.choice(TEXTS)
    run(f"UPDATE audit_auditevent SET {column} = left({column}, 9) || %s WHERE seq = %s", chance.choice("xyz"), seq)
    return seq


def edit_other(chance: random.Random, n: int) -> int:
    """Another time, tenant or detail."""
    seq = chance.randint(1, n)
    changes: list[tuple[str, str | float | UUID]] = [
        ("at = at + make_interval(secs => %s)", chance.choice([-1e-6, 1e-6, 3600])),
        ("tenant = %s", UUID(int=chance.getrandbits(128))),
        ("details = details || %s::jsonb", json.dumps({"n": chance.getrandbits(40)})),
        ("details = details - %s", "n"),
    ]
    change, value = chance.choice(changes)
    run(f"UPDATE audit_auditevent SET {change} WHERE seq = %s", value, seq)
    return seq


def edit_bytes(chance: random.Random, n: int) -> int:
    """One character of the canonical text, the hash or the previous hash."""
    seq, column = chance.randint(1, n), chance.choice(["canonical", "hash", "prev"])
    at = chance.randint(1, 64)
    run(
        f"UPDATE audit_auditevent SET {column} = overlay({column} placing CASE substr({column}, %s, 1) "
        f"WHEN 'a' THEN 'b' ELSE 'a' END from %s for 1) WHERE seq = %s",
        at, at, seq,
    )  # fmt: skip
    return seq


def edit_and_rehash_one(chance: random.Random, n: int) -> int:
    """A row with a text and a hash that fit it; only the row after it tells."""
    seq = chance.randint(1, n - 1)
    run("UPDATE audit_auditevent SET actor = 'nobody' WHERE seq = %s", seq)
    rehash(seq, seq)
    return seq + 1


def delete_some(chance: random.Random, n: int) -> int:
    """One to three rows gone, not the newest."""
    seq = chance.randint(1, n - 3)
    run("DELETE FROM audit_auditevent WHERE seq BETWEEN %s AND %s", seq, seq + chance.randint(0, 2))
    return seq


def insert_between(chance: random.Random, n: int) -> int:
    """A copy of a row put in, and all later rows moved up by one."""
    seq, source = chance.sample(range(1, n + 1), 2)
    _shift(seq, n, 1)
    source += source >= seq
    run(
        "INSERT INTO audit_auditevent SELECT (json_populate_record(a, json_build_object('seq', %s::bigint))).* "
        "FROM audit_auditevent a WHERE a.seq = %s",
        seq, source,
    )  # fmt: skip
    return seq


def insert_at_the_end(chance: random.Random, n: int) -> int:
    """A row added with a hash that is made up."""
    run(
        "INSERT INTO audit_auditevent SELECT (json_populate_record(a, json_build_object('seq', %s::bigint, 'prev', "
        "a.hash, 'hash', %s::text))).* FROM audit_auditevent a WHERE a.seq = %s",
        n + 1, f"{chance.getrandbits(256):064x}", n,
    )  # fmt: skip
    return n + 1


def swap(chance: random.Random, n: int) -> int:
    """Two rows change places."""
    one, other = sorted(chance.sample(range(1, n + 1), 2))
    for old, new in ((one, -1), (other, one), (-1, other)):
        run("UPDATE audit_auditevent SET seq = %s WHERE seq = %s", new, old)
    return one


def close_a_gap(chance: random.Random, n: int) -> int:
    """A row gone, and all later rows moved down by one, so that the numbers are whole again."""
    seq = chance.randint(1, n - 1)
    run("DELETE FROM audit_auditevent WHERE seq = %s", seq)
    _shift(seq + 1, n, -1)
    return seq


def cut_the_end(chance: random.Random, n: int) -> int:
    """The newest rows gone."""
    seq = chance.randint(1, n)
    run("DELETE FROM audit_auditevent WHERE seq >= %s", seq)
    return seq


def rehash_the_rest(chance: random.Random, n: int) -> int:
    """A row edited and every hash from it on made anew: a perfect chain that tells another story."""
    seq = chance.randint(1, n)
    run("UPDATE audit_auditevent SET subject = 'harmless' WHERE seq = %s", seq)
    rehash(seq, n)
    return seq


ACTS: dict[str, Act] = {
    "edit text": Act(edit_text),
    "edit time, tenant or details": Act(edit_other),
    "edit bytes": Act(edit_bytes),
    "edit and rehash one": Act(edit_and_rehash_one),
    "delete": Act(delete_some),
    "insert between": Act(insert_between),
    "insert at the end": Act(insert_at_the_end),
    "swap": Act(swap),
    "delete and renumber": Act(close_a_gap),
    "cut the end": Act(cut_the_end, needs_anchor=True),
    "rehash the rest": Act(rehash_the_rest, needs_anchor=True),
}


def rehash(first: int, last: int) -> None:
    """Canonical text, previous hash and hash of these rows made to fit their columns, in order."""
    for seq in range(first, last + 1):
        run(
            f"UPDATE audit_auditevent a SET canonical = {canonical_sql('a')}, "
            "prev = coalesce((SELECT p.hash FROM audit_auditevent p WHERE p.seq = a.seq - 1), a.prev) WHERE seq = %s",
            seq,
        )
        run(f"UPDATE audit_auditevent a SET hash = {hash_sql('a.prev', 'a.canonical')} WHERE seq = %s", seq)


def _shift(first: int, last: int, by: int) -> None:
    order = range(last, first - 1, -1) if by > 0 else range(first, last + 1)
    for seq in order:
        run("UPDATE audit_auditevent SET seq = seq + %s WHERE seq = %s", by, seq)
