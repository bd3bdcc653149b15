"""What may go into a column: no NUL, no lone surrogate, no endless text.

PostgreSQL refuses U+0000 in text and lone surrogates in UTF-8, so both become U+FFFD; what is not a number in JSON
(NaN, Infinity) becomes null. Bounds are ours, one per kind of column; the raw incident keeps everything.
"""

import re
from hashlib import blake2b
from typing import Any, Final

import msgspec

# Bounds in characters, ours; columns are declared from them.
MAX_NAME: Final = 512
MAX_TITLE: Final = 512
MAX_DESCRIPTION: Final = 16_000
MAX_WORD: Final = 128
MAX_PERSON: Final = 256
MAX_HOST: Final = 255
MAX_TAG: Final = 255
MAX_COMMENT: Final = 16_000
MAX_ALERT_ID: Final = 128
MAX_LINK: Final = 2_048
MAX_DATA_TEXT: Final = 4_096
MAX_SEARCH_TEXT: Final = 16_000
# In bytes of UTF-8: PostgreSQL's B-tree takes at most 2,704 bytes per entry, and two more columns share the entry.
MAX_VALUE_BYTES: Final = 2_000

REPLACEMENT: Final = "\ufffd"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def clean_text(text: str) -> str:
    """The text with NUL and lone surrogates replaced by U+FFFD."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def clean_tree(tree: Any) -> tuple[Any, bool]:
    """A decoded JSON value with every text in it cleaned, keys too, and whether anything was replaced.

    Recurses as deep as the value is nested, which the decoder has bounded.
    """
    if isinstance(tree, str):
        cleaned = clean_text(tree)
        return cleaned, cleaned != tree
    if isinstance(tree, list):
        items = [clean_tree(item) for item in tree]
        return [item for item, _ in items], any(changed for _, changed in items)
    if isinstance(tree, dict):
        pairs = [(clean_text(key), key, *clean_tree(value)) for key, value in tree.items()]
        changed = any(changed or key != sent for key, sent, _, changed in pairs)
        return {key: value for key, _, value, _ in pairs}, changed
    return tree, False


def text_or_none(value: Any, limit: int) -> str | None:
    """A value of whatever type as text of at most `limit` characters; None for null, blank or nothing."""
    if value is None:
        return None
    text = value if isinstance(value, str) else _as_text(value)
    return text[:limit] if text and not text.isspace() else None


def text_or_blank(value: Any, limit: int) -> str:
    """As `text_or_none`, with the empty text for nothing."""
    return text_or_none(value, limit) or ""


def _as_text(value: Any) -> str:
    """Numbers and booleans as JSON writes them, anything nested as compact JSON."""
    return msgspec.json.encode(value).decode() if value not in ([], {}) else ""


def bounded_value(text: str) -> str:
    """At most MAX_VALUE_BYTES of UTF-8, cut between characters, so that an index can hold it."""
    if len(text) * 4 <= MAX_VALUE_BYTES:
        return text
    return text.encode()[:MAX_VALUE_BYTES].decode(errors="ignore")


def bounded_id(text: str, limit: int) -> str:
    """An identifier within `limit` characters; a longer one ends in a digest, so that two never become one."""
    if len(text) <= limit:
        return text
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: limit - 33]}~{digest}"


def as_list(value: Any) -> list[Any]:
    """A list without its nulls; a lone value as a list of one; nothing as no entries."""
    if isinstance(value, list):
        return [entry for entry in value if entry is not None]
    return [] if value is None or value == "" or value == {} else [value]


def as_texts(value: Any, limit: int) -> list[str]:
    """A list of texts, without blanks and repeats, in the order sent."""
    texts = (text_or_none(entry, limit) for entry in as_list(value))
    return list(dict.fromkeys(text for text in texts if text))


def as_identity(value: Any) -> int | None:
    """A positive number that a bigint column can hold, from a number or from its digits as text."""
    if isinstance(value, str):
        value = int(value) if len(value) <= 19 and value.isascii() and value.isdigit() else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < 2**63 else None


def searchable(text: str) -> str:
    """Lower case, without invisible characters, blanks collapsed. Use it on what is stored and on what is asked."""
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
    return " ".join(text.lower().split())
