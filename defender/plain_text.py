"""Text that others wrote, as people may look at it. Incident content comes from attackers: it is only ever plain text.

Every function returns an ordinary string, which templates escape like any other; none returns markup.
"""

import re
import unicodedata

# Ours: what a page shows of one text. The raw view has the rest.
SHOWN = 500
SHOWN_LINES = 4_000
# Ours: more accents than this on one letter are a drawing, not a language.
MARKS_IN_A_ROW = 3

# Control, format (bidi, zero width, soft hyphen, tags), surrogate, private use, not assigned, separators of lines.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Characters of other categories that nevertheless draw nothing.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = (range(0xFE00, 0xFE0F), range(0xE0100, 0xE01F0))
_LINE = frozenset("\n\t")
_URL = re.compile(r"\b(https?|ftps?|wss?)(://)([^\s/?#\"'<>\\]+)", re.IGNORECASE)
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]{0,20}:/*)(.*)$", re.IGNORECASE | re.DOTALL)


def shown(text: object, limit: int = SHOWN) -> str:
    """One line of foreign text: hidden characters as ``⟨U+202E⟩``, web addresses defanged, bounded by ``limit``."""
    return _shown(text, limit, frozenset())


def shown_lines(text: object, limit: int = SHOWN_LINES) -> str:
    """As ``shown``, with line breaks and tabs kept; for descriptions and command lines."""
    return _shown(str(text if text is not None else "").replace("\r\n", "\n"), limit, _LINE)


def visible_lines(text: object, limit: int) -> str:
    """Exactly what was sent, line breaks kept, addresses as they are; only hidden characters become visible."""
    return _visible(str(text if text is not None else ""), limit, _LINE)


def defanged(address: object) -> str:
    """A web address or host name that nothing turns into a link: ``hxxps://evil[.]example/path``."""
    text = str(address if address is not None else "")
    found = _SCHEME.match(text)
    scheme, rest = (found[1], found[2]) if found else ("", text)
    end = next((i for i, c in enumerate(rest) if c in "/?#\\"), len(rest))
    host = rest[:end].replace(".", "[.]").replace("@", "[@]")
    return _visible(_URL.sub(_disarm_match, _disarmed(scheme) + host + rest[end:]), SHOWN, frozenset())


def _shown(text: object, limit: int, kept: frozenset[str]) -> str:
    value = "" if text is None else str(text)
    if len(value) <= limit and value.isascii() and value.isprintable() and "://" not in value:
        return value
    # Cut first, with room to spare: a megabyte of text must not cost a megabyte of work.
    head = _URL.sub(_disarm_match, value[: limit + 200])
    rest = len(value) - limit
    visible = _visible(head, limit, kept)
    return f"{visible} … ({rest:,} more characters)" if rest > 0 else visible


def _disarm_match(found: re.Match[str]) -> str:
    return _disarmed(found[1]) + found[2] + found[3].replace(".", "[.]")


def _disarmed(scheme: str) -> str:
    return re.sub(r"^(h|f)t+", lambda found: found[1] + "x" * (len(found[0]) - 1), scheme, flags=re.IGNORECASE)


def _visible(text: str, limit: int, kept: frozenset[str]) -> str:
    if text.isascii() and text.isprintable():
        return text[:limit]
    out: list[str] = []
    marks = 0
    for character in text[:limit]:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if character not in kept and (marks > MARKS_IN_A_ROW or _is_hidden(character, category)):
            out.append(f"⟨U+{ord(character):04X}⟩")
        else:
            out.append(character)
    return "".join(out)


def _is_hidden(character: str, category: str) -> bool:
    if character.isascii():
        return category == "Cc"
    return (
        category in _HIDDEN_CATEGORIES or character in _BLANKS or any(ord(character) in block for block in _SELECTORS)
    )
