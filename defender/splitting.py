"""One page of a list answer into its entries, each as the very bytes that were sent.

The envelope is read by msgspec, which leaves each entry untouched. A page that it refuses, because the JSON inside
one entry is broken, is walked by a small scanner that knows strings and brackets only: it finds where each entry
begins and ends without understanding it, so one poisoned entry does not take its neighbours with it.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)
# How much of an unreadable body is kept for people to look at, in characters: ours.
HEAD_LENGTH = 200


class UnreadablePage(Exception):
    """An answer that is no page at all. `reason` is a stable id, `sentence` is for people, `head` the escaped start.

    Reasons: empty, html, syntax, truncated, not_an_object, error_object, no_value, value_not_a_list.
    """

    def __init__(self, reason: str, sentence: str, body: bytes = b"") -> None:
        super().__init__(reason, sentence)
        self.reason = reason
        self.sentence = sentence
        self.head = ascii(body[: HEAD_LENGTH * 2].decode(errors="replace"))[1:-1][:HEAD_LENGTH]
        self.body_hash = blake2b(body, digest_size=16).hexdigest()

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class SplitPage:
    """The entries of one page as sent, newest first, and the link to the next page if the answer named one."""

    items: list[bytes]
    next_link: str | None


class _Envelope(msgspec.Struct):
    value: msgspec.Raw = msgspec.Raw()
    next_link: Any = msgspec.field(name="@odata.nextLink", default=None)
    error: msgspec.Raw = msgspec.Raw()


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def split_page(body: bytes) -> SplitPage:
    """The page's entries, each as its own bytes. Raises UnreadablePage."""
    body = body.removeprefix(_BYTE_ORDER_MARK).strip()
    _refuse_what_is_no_object(body)
    try:
        envelope = _ENVELOPE.decode(body)
        _refuse_what_has_no_list(body, value=bytes(envelope.value), error=bytes(envelope.error))
        return SplitPage([bytes(item) for item in _ITEMS.decode(envelope.value)], _link(envelope.next_link))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _scan(body)


def _refuse_what_is_no_object(body: bytes) -> None:
    if not body:
        raise UnreadablePage("empty", "The answer was empty.")
    if body.startswith(b"<"):
        raise UnreadablePage("html", "The answer was a web page instead of JSON.", body)
    if not body.startswith(b"{"):
        raise UnreadablePage("not_an_object", "The answer was not a JSON object.", body)


def _refuse_what_has_no_list(body: bytes, *, value: bytes, error: bytes) -> None:
    if value.startswith(b"["):
        return
    if error and error != b"null":
        raise UnreadablePage("error_object", "The answer was an error although its status said success.", body)
    if value:
        raise UnreadablePage("value_not_a_list", "The answer holds no list under “value”.", body)
    raise UnreadablePage("no_value", "The answer holds nothing under “value”.", body)


def _link(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _scan(body: bytes) -> SplitPage:
    """The page split by brackets alone. Raises UnreadablePage if they do not close."""
    scanner = _Scanner(body)
    for token in _TOKEN.finditer(body):
        scanner.take(token)
    if scanner.depth != 0:
        raise UnreadablePage("truncated", "The answer was cut off or its brackets do not close.", body)
    if scanner.end != len(body):
        raise UnreadablePage("syntax", "The answer goes on after its end.", body)
    _refuse_what_has_no_list(body, value=b"[" if scanner.items is not None else scanner.other, error=scanner.error)
    return SplitPage(scanner.items or [], scanner.next_link)


class _Scanner:
    """Where in the body we are: the depth, the key last named by the outermost object, the start of an entry."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.depth = 0
        self.end = 0
        self.items: list[bytes] | None = None
        self.next_link: str | None = None
        self.other = self.error = b""
        self._key = self._previous = b""
        self._in_list = False
        self._start = 0

    def take(self, token: re.Match[bytes]) -> None:
        text = token[0]
        if text in b"[{":
            self._open(text, token.end())
        elif text in b"]}":
            self._close(token.start())
        elif text == b"," and self.depth == 2 and self._in_list:
            self._end_item(token.start())
            self._start = token.end()
        elif text != b"," and self.depth == 1:
            self._name(text)
        self._previous = text

    def _open(self, bracket: bytes, end: int) -> None:
        if self.depth == 1 and self._key == b'"value"':
            self._in_list = bracket == b"["
            self.items, self._start = ([], end) if self._in_list else (None, end)
            self.other = bracket
        elif self.depth == 1 and self._key == b'"error"':
            self.error = bracket
        self.depth += 1

    def _close(self, start: int) -> None:
        if self.depth == 2 and self._in_list:
            self._end_item(start)
            self._in_list = False
        self.depth -= 1
        if self.depth == 0 and not self.end:
            self.end = start + 1

    def _end_item(self, end: int) -> None:
        item = self.body[self._start : end].strip()
        if item and self.items is not None:
            self.items.append(item)

    def _name(self, text: bytes) -> None:
        """A text in the outermost object is a key after a bracket or a comma, and otherwise a value."""
        if self._previous in (b"{", b","):
            self._key = text
        elif self._key == b'"@odata.nextLink"':
            try:
                self.next_link = _link(msgspec.json.decode(text))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self.next_link = None
