"""Everything that can go wrong between us and Microsoft, as one small family of exceptions.

Each carries a sentence and a next step that may be shown to a person, a short stable code for tables and alarms, a
reference for a support case, and whose move it is. Text that came over the wire is escaped and bounded here, once, so
that no caller has to remember it; tokens are cut out of it.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, Self

Who = Literal["customer", "partner", "setup", "microsoft", "us"]

# Longest piece of foreign text that reaches a screen, a log line or a database column. Our own limit.
SENTENCE_LIMIT: Final = 600
REFERENCE_LIMIT: Final = 128

_BIDI_AND_INVISIBLE = "\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_UNSAFE = re.compile(rf"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_BIDI_AND_INVISIBLE}]")
_TOKEN_LIKE = re.compile(r"\bey[JK][A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}|(?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{16,}")


def plain(text: object, limit: int = SENTENCE_LIMIT, *, hide: tuple[str, ...] = ()) -> str:
    """Text for people: control, bidi and invisible characters escaped, tokens cut out, at most `limit` characters."""
    raw = text if isinstance(text, str) else repr(text)
    for secret in filter(None, hide):
        raw = raw.replace(secret, "[hidden]")
    raw = _TOKEN_LIKE.sub("[hidden]", raw[: limit * 8])
    safe = _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", raw)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


class DefenderError(Exception):
    """Base of all: `sentence` for a person, `step` to take next, stable `code`, `reference` for support, and `who`."""

    default_who: ClassVar[Who] = "us"

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        step: str = "",
        reference: str | None = None,
        who: Who | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        self.sentence = plain(sentence)
        self.step = plain(step)
        self.code = plain(code, 64)
        self.reference = plain(reference, REFERENCE_LIMIT) if reference else None
        self.who: Who = who or self.default_who
        self.details = {plain(key, 40): plain(value) for key, value in (details or {}).items()}
        super().__init__(self.sentence)

    def __str__(self) -> str:
        return f"{self.sentence} [{self.code}]"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, who={self.who!r}, reference={self.reference!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process hands its exceptions to its parent by pickle; keyword-only arguments would not survive that.
        return _revive, (type(self), self.args, self.__dict__.copy())

    @classmethod
    def _bare(cls) -> Self:
        return cls.__new__(cls)


def _revive(kind: type[DefenderError], args: tuple[Any, ...], state: dict[str, Any]) -> DefenderError:
    error = kind._bare()
    error.args = args
    error.__dict__.update(state)
    return error


class Throttled(DefenderError):
    """Microsoft asks us to wait. `retry_after` is in seconds (1 to 3600), or None: the caller's back-off decides."""

    default_who = "microsoft"

    def __init__(self, sentence: str, *, code: str, retry_after: float | None = None, **rest: Any) -> None:
        super().__init__(sentence, code=code, **rest)
        self.retry_after = retry_after


class Transient(DefenderError):
    """Worth another try later: time-outs, 5xx, resets, answers that cannot be read. `retry_after` as in Throttled."""

    default_who = "microsoft"

    def __init__(self, sentence: str, *, code: str, retry_after: float | None = None, **rest: Any) -> None:
        super().__init__(sentence, code=code, **rest)
        self.retry_after = retry_after


class Unauthorized(DefenderError):
    """The API refused a fresh token (401)."""

    default_who = "microsoft"


class ConsentMissing(DefenderError):
    """Our app is not installed, is disabled, or its consent is gone in this tenant."""

    default_who = "customer"


class CredentialFault(DefenderError):
    """Our own secret, certificate or federation is wrong or expired: every tenant is affected alike."""

    default_who = "partner"


class ResourceMissing(DefenderError):
    """The API does not exist in this tenant or is switched off there: usually no Defender licence."""

    default_who = "customer"


class TenantUnknown(DefenderError):
    """No such tenant in this cloud."""

    default_who = "setup"


class Forbidden(DefenderError):
    """This one call is not allowed: a role is missing, a feature is off, or a policy of the tenant forbids it."""

    default_who = "customer"


class NotFound(DefenderError):
    """The object is not, or no longer, there."""

    default_who = "microsoft"


class Rejected(DefenderError):
    """Microsoft will not take this request, now or later. `detail` is its own sentence, made safe to show."""

    default_who = "us"

    def __init__(self, sentence: str, *, code: str, detail: str = "", **rest: Any) -> None:
        super().__init__(sentence, code=code, **rest)
        self.detail = plain(detail)


class Stale(DefenderError):
    """Somebody changed the object since we read it."""

    default_who = "us"


class WrongToken(DefenderError):
    """A token or an answer names another tenant, app or API than we asked for. It is thrown away unused."""

    default_who = "us"


class BadInput(DefenderError):
    """What a person typed cannot be a tenant, or what a caller passed cannot be sent. Nothing was sent."""

    default_who = "setup"
