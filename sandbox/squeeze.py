"""JSON as it goes over the wire, and compressed pages without compressing on every call.

Each incident is deflated once and ends on a byte boundary (a full flush), so a page is a join of ready pieces with a
header before and a checksum behind.
"""

import json
import struct
import zlib

_FLATE = -15
_LEVEL = 3
_END = b"\x03\x00"
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_ZLIB_HEAD = b"\x78\x01"


def serialise(raw: object) -> bytes:
    """JSON as sent. UTF-8 where possible; text that UTF-8 cannot carry (a lone surrogate) goes out escaped."""
    try:
        return json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(raw, separators=(",", ":")).encode()


def segment(data: bytes) -> bytes:
    """Raw deflate of `data` that can be followed by other segments."""
    squeezer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _FLATE)
    return squeezer.compress(data) + squeezer.flush(zlib.Z_FULL_FLUSH)


def wrap(segments: list[bytes], plain: bytes, encoding: str) -> bytes:
    """The body for `Content-Encoding: encoding` (gzip or deflate) whose content is `plain`."""
    if encoding == "gzip":
        return b"".join([_GZIP_HEAD, *segments, _END, struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)])
    return b"".join([_ZLIB_HEAD, *segments, _END, struct.pack(">I", zlib.adler32(plain))])


def accepted(header: str) -> str:
    """deflate (what the recorded service prefers), gzip or nothing, for an Accept-Encoding header."""
    offered = set()
    for item in header.lower().split(","):
        name, _, weight = item.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            offered.add(name.strip())
    return next((name for name in ("deflate", "gzip") if name in offered), "")
