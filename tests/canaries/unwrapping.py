"""Opens what is compressed, wherever it lies in other bytes, also where it was written as base64 or hex."""

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Final

DEEPEST: Final = 3
LARGEST: Final = 20_000_000  # bytes of one stream; ours, so that no stream can fill the memory

# zlib's header is two bytes, of which the first is nearly always this; the second is one of four.
_GZIP = re.compile(rb"\x1f\x8b\x08")
_ZLIB = re.compile(rb"x[\x01\x5e\x9c\xda]")
_GZIP_BASE64 = re.compile(rb"H4sI[A-Za-z0-9+/_-]{16,}={0,2}")
_ZLIB_BASE64 = re.compile(rb"eJ[wxyzA-Za-z0-9+/_-]{12,}={0,2}")
_GZIP_HEX = re.compile(rb"1[fF]8[bB]08(?:[0-9a-fA-F]{2}){10,}")
_GZIP_STREAM, _ZLIB_STREAM = 31, 15


def layers(data: bytes, depth: int = DEEPEST) -> Iterator[bytes]:
    """The bytes themselves, and whatever comes out of them."""
    yield data
    if depth:
        for inner in _streams(data):
            yield from layers(inner, depth - 1)


def _streams(data: bytes) -> Iterator[bytes]:
    for pattern, window in ((_GZIP, _GZIP_STREAM), (_ZLIB, _ZLIB_STREAM)):
        for match in pattern.finditer(data):
            yield from _inflated(data[match.start() :], window)
    for pattern, decode, window in (
        (_GZIP_BASE64, _from_base64, _GZIP_STREAM),
        (_ZLIB_BASE64, _from_base64, _ZLIB_STREAM),
        (_GZIP_HEX, bytes_of_hex, _GZIP_STREAM),
    ):
        yield from _written(data, pattern, decode, window)


def _written(data: bytes, pattern: re.Pattern[bytes], decode: Callable[[bytes], bytes], window: int) -> Iterator[bytes]:
    for match in pattern.finditer(data):
        yield from _inflated(decode(match[0]), window)


def _inflated(stream: bytes, window: int) -> Iterator[bytes]:
    """What can be read of a stream, also of one that was cut off; nothing where it is none."""
    try:
        found = zlib.decompressobj(window).decompress(stream, LARGEST)
    except zlib.error:
        return
    if found:
        yield found


def _from_base64(text: bytes) -> bytes:
    clean = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    clean = clean[: len(clean) - (len(clean) % 4 == 1)]
    try:
        return base64.b64decode(clean + b"=" * (-len(clean) % 4))
    except binascii.Error:
        return b""


def bytes_of_hex(text: bytes) -> bytes:
    """The bytes of an even number of hexadecimal digits."""
    return bytes.fromhex(text.decode())
