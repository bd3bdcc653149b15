"""The forms in which a secret may lie somewhere.

``forms_of`` gives what to search for; ``WAYS`` write a value down as a program would, among other text, so that the
search can be proved on it. What is compressed cannot be searched for: ``tests.canaries.unwrapping`` opens it first.
"""

import base64
import gzip
import html
import json
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

Way = Callable[[bytes], bytes]


def forms_of(value: bytes) -> dict[str, set[bytes]]:
    """Every uncompressed form of a value, by name. Forms that are the value itself are left out of the others."""
    found = {
        "raw": {value},
        "base64": set(_base64(value)),
        "hex": {value.hex().encode(), value.hex().upper().encode()},
        "URL": set(_url(value)),
        "JSON": set(_json(value)),
        "HTML": set(_html(value)),
        "Python": set(_python(value)),
        "UTF-16": {_text(value).encode("utf-16-le"), _text(value).encode("utf-16-be")},
    }
    return {name: forms - {value} if name != "raw" else forms for name, forms in found.items()}


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _base64(value: bytes) -> Iterator[bytes]:
    """Three alignments in two alphabets, each without the letters that depend on what stands before or behind."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + value + bytes(2))
        known = encoded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
        yield known
        yield known.translate(bytes.maketrans(b"+/", b"-_"))


def _url(value: bytes) -> Iterator[bytes]:
    once = quote(value, safe="")
    for escaped in (once, quote(value), quote_plus(value), quote(once, safe=""), _lower_escapes(once)):
        yield escaped.encode()
    yield b"".join(b"%%%02X" % byte for byte in value)


def _lower_escapes(escaped: str) -> str:
    parts = escaped.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def _json(value: bytes) -> Iterator[bytes]:
    once = json.dumps(_text(value))[1:-1]
    for escaped in (once, once.replace("/", "\\/"), json.dumps(once)[1:-1]):
        yield escaped.encode()
    yield b"".join(b"\\u%04x" % byte for byte in value)


def _html(value: bytes) -> Iterator[bytes]:
    once = html.escape(_text(value))
    for escaped in (once, once.replace("&#x27;", "&#39;"), html.escape(once)):
        yield escaped.encode("latin-1")


def _python(value: bytes) -> Iterator[bytes]:
    """``repr`` escapes one kind of quote or none, depending on what else is in the text."""
    once = _text(value).encode("unicode_escape").decode()
    for escaped in (once, once.replace("'", "\\'"), once.replace('"', '\\"')):
        yield escaped.encode()
        yield escaped.encode("unicode_escape")
        yield escaped.replace("\\", "\\\\").replace("'", "\\'").encode()


WAYS: dict[str, Way] = {
    "raw": lambda value: b"key=" + value + b" end",
    "base64, first alignment": lambda value: base64.b64encode(value + b" end"),
    "base64, second alignment": lambda value: base64.b64encode(b"x" + value + b" end"),
    "base64, third alignment": lambda value: base64.b64encode(b"xy" + value + b" end"),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(b"x" + value + b" end"),
    "basic authentication": lambda value: b"Basic " + base64.b64encode(b"portal:" + value),
    "hex": lambda value: (b"{" + value + b"}").hex().encode(),
    "hex, capital letters": lambda value: (b"{" + value + b"}").hex().upper().encode(),
    "URL-escaped": lambda value: b"?key=" + quote(value, safe="").encode() + b"&end=1",
    "URL-escaped, as a form": lambda value: b"key=" + quote_plus(value).encode() + b"&end=1",
    "URL-escaped twice": lambda value: b"?next=" + quote(quote(value, safe=""), safe="").encode(),
    "JSON-escaped": lambda value: json.dumps({"key": _text(value)}).encode(),
    "JSON-escaped twice": lambda value: json.dumps({"body": json.dumps({"key": _text(value)})}).encode(),
    "JSON-escaped, letter by letter": lambda value: b'"' + b"".join(b"\\u%04x" % byte for byte in value) + b'"',
    "HTML-escaped": lambda value: b"<p>" + html.escape(_text(value)).encode() + b"</p>",
    "repr of a text": lambda value: repr({"key": _text(value)}).encode(),
    "repr of bytes": lambda value: repr([value]).encode(),
    "UTF-16": lambda value: ("key=" + _text(value)).encode("utf-16-le"),
    "gzip": lambda value: gzip.compress(b"key=" + value),
    "gzip in base64": lambda value: base64.b64encode(gzip.compress(b"key=" + value)),
    "gzip in hex": lambda value: gzip.compress(b"key=" + value).hex().encode(),
    "zlib": lambda value: zlib.compress(b"key=" + value),
    "zlib in base64 for addresses": lambda value: base64.urlsafe_b64encode(zlib.compress(b"key=" + value)).rstrip(b"="),
    "gzip of JSON": lambda value: gzip.compress(json.dumps({"key": _text(value)}).encode()),
}
