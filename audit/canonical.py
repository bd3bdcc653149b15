"""The bytes of a row that are hashed, and the hash that ties it to the row before. Nothing here may ever change.

A row's ``canonical`` is one JSON object, kept as text because ``jsonb`` would rewrite it. Its hash is SHA-256 over the
hash of the row before (64 hexadecimal digits) and that text, so that anybody can repeat it:
``printf '%s%s' "$prev" "$canonical" | sha256sum``. A later format gets another ``v`` and an expression of its own.
"""

from hashlib import sha256
from typing import Final

GENESIS: Final = "0" * 64  # stands before the first row
TEXTS: Final = ("actor", "action", "subject", "outcome", "request_id", "address")
FIELDS: Final = ("seq", "at", "actor", "action", "tenant", "subject", "outcome", "details", "request_id", "address")


def canonical_sql(row: str) -> str:
    """The canonical text of the row that SQL calls ``row``, as an expression over its columns."""
    parts = [f"""'"{name}": ' || {_value(f"{row}.{name}", name)}""" for name in FIELDS]
    return """'{"v": 1, ' || """ + " || ', ' || ".join(parts) + " || '}'"


def hash_sql(prev: str, canonical: str) -> str:
    """The hash of a row as an SQL expression."""
    return f"encode(sha256(convert_to({prev} || {canonical}, 'UTF8')), 'hex')"


def hash_of(prev: str, canonical: str) -> str:
    """The same in Python, so that a check does not ask the database about itself."""
    return sha256((prev + canonical).encode()).hexdigest()


def _value(column: str, name: str) -> str:
    if name in TEXTS:
        return f"to_json({column})::text"
    if name == "at":
        return f"""'"' || to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"'"""
    if name == "tenant":
        return f"coalesce(to_json({column})::text, 'null')"
    return f"{column}::text"
