"""What could not be read or stored: its bytes and a reason, a stub to show, another try by a newer parser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import F

from defender.decoding import MAX_INCIDENT_BYTES
from defender.errors import plain
from defender.times import parse_time
from defender.wire import PARSER_VERSION, content_hash
from incidents import rows
from incidents.entries import Entry
from incidents.models import Quarantine
from incidents.rows import Version
from tenants import scope
from tenants.models import Tenant

# As much of one incident as is ever kept. Ours; it is also the most that the parser reads.
BYTES_KEPT: Final = MAX_INCIDENT_BYTES


@dataclass(frozen=True, slots=True)
class Poisoned:
    """An entry that is put aside, with a short stable reason and a sentence for people."""

    entry: Entry
    number: int | None
    reason: str
    sentence: str


def known(tenant_id: int, digests: Sequence[bytes]) -> set[bytes]:
    """Those of the digests that were put aside before by this parser, so that reading them again is of no use."""
    found = Quarantine.objects.filter(
        tenant_id=tenant_id, content_hash__in=digests, parser_version__gte=PARSER_VERSION
    ).values_list("content_hash", flat=True)
    return {bytes(digest) for digest in found}


def put_aside(*, tenant_id: int, poisoned: Sequence[Poisoned], now: datetime) -> None:
    """Keep the bytes. The same bytes again bring reason and parser version up to date."""
    for aside in poisoned:
        Quarantine.objects.update_or_create(
            tenant_id=tenant_id,
            content_hash=aside.entry.digest,
            defaults={
                "number": aside.number,
                "reason": aside.reason[:60],
                "sentence": plain(aside.sentence, 500),
                "parser_version": PARSER_VERSION,
                "settled_at": None,
            },
            create_defaults={
                "number": aside.number,
                "reason": aside.reason[:60],
                "sentence": plain(aside.sentence, 500),
                "body": aside.entry.raw[:BYTES_KEPT],
                "size": len(aside.entry.raw),
                "parser_version": PARSER_VERSION,
                "seen_at": now,
            },
        )


def not_served(
    *, tenant: Tenant, place: str, sentence: str, now: datetime, fence: Callable[[], None], number: int | None = None
) -> None:
    """Note an incident that Microsoft fails to serve, known by its ``place`` or number: there are no bytes to keep."""
    entry = Entry(b"", content_hash(f"not served {place}".encode()), number, "")
    with scope.tenant(tenant.pk):
        fence()
        put_aside(tenant_id=tenant.pk, poisoned=[Poisoned(entry, number, "not-served", sentence)], now=now)


def settle(*, tenant_id: int, numbers: Sequence[int], now: datetime) -> int:
    """A later version of these incidents could be read."""
    if not numbers:
        return 0
    waiting = Quarantine.objects.filter(tenant_id=tenant_id, number__in=numbers, settled_at=None)
    return waiting.update(settled_at=now)


def stub(aside: Poisoned, *, now: datetime) -> Version:
    """The row that the queue shows instead."""
    if aside.number is None:
        raise ValueError("An incident without a number cannot be shown.")
    updated_at = parse_time(aside.entry.updated_text) or now
    return rows.stub_of(aside.entry, aside.number, updated_at=updated_at)


def to_try_again(tenant_id: int, *, limit: int) -> list[bytes]:
    """Bytes put aside by an older parser, whole and not settled since."""
    waiting = Quarantine.objects.filter(
        tenant_id=tenant_id, settled_at=None, parser_version__lt=PARSER_VERSION, size__lte=BYTES_KEPT
    ).exclude(size=0)
    return [bytes(body) for body in waiting.order_by(F("seen_at")).values_list("body", flat=True)[:limit]]
