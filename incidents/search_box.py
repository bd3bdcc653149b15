"""What somebody typed into the queue's one search box: numbers, exact values of evidence, and words.

A value in one of the usual shapes (hash, address, mail, host, URL, id) is looked up exactly, in all of history;
whatever is in quotes, and everything else, is a word. Defanged spellings (``hxxps``, ``[.]``) are understood. Nothing
here is an error: what has no shape is a word.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from defender.cleaning import MAX_VALUE_BYTES, searchable

MAX_WORDS = 8  # ours
# Incident numbers are bigint here.
_NUMBER = re.compile(r"#(\d{1,18})")
_PART = re.compile(r'"([^"]*)"|(\S+)')
_HASHES = {32: "MD5", 40: "SHA-1", 64: "SHA-256"}
_HEX = re.compile(r"[0-9a-f]+", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://\S+", re.IGNORECASE)
_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
_DOTTED = re.compile(r"[\w-]+(\.[\w-]+)+")
# A name such as DESKTOP-4F2A1: with a dash and a digit, so that ordinary words stay words.
_NAME = re.compile(r"(?=.*\d)[\w]+(-[\w]+)+")


@dataclass(frozen=True, slots=True)
class Exact:
    """A value to be looked up as it is. ``spellings`` are those it may have in evidence."""

    kind: str
    text: str
    spellings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """All must be met: one of ``numbers`` where there are any, each of ``exact``, each of ``words``.

    ``words`` are in the spelling of the search text.
    """

    numbers: tuple[int, ...] = ()
    exact: tuple[Exact, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether anything can be looked up instead of being searched for."""
        return bool(self.numbers or self.exact)

    @property
    def sentence(self) -> str:
        """How the input was understood; blank where all of it is words."""
        if not self.is_exact:
            return ""
        parts = ["number " + " or ".join(f"#{number}" for number in self.numbers)] if self.numbers else []
        parts += [f"{one.kind} {one.text}" for one in self.exact]
        parts += [("the words " if len(self.words) > 1 else "the word ") + " ".join(self.words)] if self.words else []
        return " and ".join(parts)


@lru_cache(maxsize=256)
def understood(text: str) -> Asked:
    """What the text asks for."""
    numbers: list[int] = []
    exact: list[Exact] = []
    words: list[str] = []
    for part, is_quoted in _parts(text):
        number = None if is_quoted else _NUMBER.fullmatch(part)
        value = None if is_quoted or number else _exact(part)
        if number:
            numbers.append(int(number[1]))
        elif value:
            exact.append(value)
        else:
            words += [searchable(part)] if is_quoted else searchable(part).split()
    bounded = tuple(dict.fromkeys(word for word in words if word))[:MAX_WORDS]
    return Asked(tuple(dict.fromkeys(numbers)), tuple(dict.fromkeys(exact))[:MAX_WORDS], bounded)


def all_words(text: str) -> tuple[str, ...]:
    """The text as nothing but words, for what was not found exactly. Defanged spellings are looked for as sent."""
    parts = [searchable(part if quoted else refanged(part)) for part, quoted in _parts(text)]
    return tuple(dict.fromkeys(part.lstrip("#") if part[1:].isdigit() else part for part in parts if part))[:MAX_WORDS]


def refanged(text: str) -> str:
    """``hxxps://evil[.]example`` as it was before somebody made it harmless."""
    text = re.sub(r"\[(\.|@|:|:/?/?)\]|\((\.|@)\)", lambda found: found[1] or found[2], text)
    text = re.sub(r"^hxxp", "http", text, flags=re.IGNORECASE)
    return re.sub(r"^fxp", "ftp", text, flags=re.IGNORECASE)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    for found in _PART.finditer(text):
        quoted = found[1] is not None
        yield (found[1] if quoted else found[2]), quoted


def _exact(part: str) -> Exact | None:
    # Everything invisible is dropped as in the search text, but the case of a URL's path counts.
    text = refanged(part).strip(".,;<>()\"'")
    if not text.isprintable() or not text or len(text.encode()) > MAX_VALUE_BYTES:
        return None
    return next((found for look in _LOOKS if (found := look(text))), None)


def _hash(text: str) -> Exact | None:
    kind = _HASHES.get(len(text))
    return Exact(kind, text.lower(), (text.lower(),)) if kind and _HEX.fullmatch(text) else None


def _address(text: str) -> Exact | None:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    spellings = {str(address), address.exploded, text.strip("[]").lower()}
    return Exact("IP address", str(address), tuple(sorted(spellings)))


def _url(text: str) -> Exact | None:
    if not _URL.fullmatch(text):
        return None
    bare = text.rstrip("/")
    return Exact("URL", text, tuple(sorted({text, bare, f"{bare}/"})))


def _shaped(kind: str, shape: re.Pattern[str]) -> Callable[[str], Exact | None]:
    def look(text: str) -> Exact | None:
        return Exact(kind, text.lower(), (text.lower(),)) if shape.fullmatch(text) else None

    return look


_LOOKS: tuple[Callable[[str], Exact | None], ...] = (
    _hash,
    _address,
    _url,
    _shaped("mail address or user", _MAIL),
    _shaped("id", _GUID),
    _shaped("host, domain or file", _DOTTED),
    _shaped("host", _NAME),
)
