"""``manage.py sync_now [--tenant ID]``: one pass over every connected tenant, or one of them, without a broker."""

import io
import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from audit.record import COMMAND_LINE, Event, record
from incidents.ending import SyncOutcome
from incidents.shard import read_claimed
from tenants import leases, scope
from tenants.lookup import find_tenant
from tenants.models import SYNCING, SyncRun, SyncState, Tenant

LOOK_AGAIN = 0.2  # seconds between two looks at a lease that a worker holds
# Endings that a short wait may be enough for.
PASSING = frozenset({SyncRun.Ended.THROTTLED, SyncRun.Ended.TRANSIENT})
TRIES = 3  # how often in a row a passing fault may break a pass off before any page was read
WAIT_LIMIT = 75.0  # seconds that one wait may take: Microsoft's and our own minute is over by then
WIDE = 132  # characters that the whole table needs with names of ordinary length


@dataclass(frozen=True, slots=True)
class Line:
    """One tenant in the summary. ``outcome`` is None where a worker's own pass counted, or nothing could be done."""

    tenant: Tenant
    is_complete: bool
    seconds: float
    outcome: SyncOutcome | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the summary; ``is_first`` ones are shown on narrow terminals too."""

    heading: str
    cell: Callable[[Line], object]
    is_first: bool = False
    is_number: bool = True


def count(field: str) -> Callable[[Line], object]:
    """A count of the pass, or nothing where this process made none."""
    return lambda line: getattr(line.outcome, field) if line.outcome else ""


def kind(line: Line) -> str:
    """Which kind of pass it was."""
    return str(SyncRun.Kind(line.outcome.kind).label) if line.outcome else ""


def ended(line: Line) -> str:
    """How it ended."""
    if line.outcome:
        return str(SyncRun.Ended(line.outcome.ended).label)
    return "Complete" if line.is_complete else "Not read"


COLUMNS = (
    Column("Tenant", lambda line: line.tenant.name, is_first=True, is_number=False),
    Column("Pass", kind, is_number=False),
    Column("Ended", ended, is_first=True, is_number=False),
    Column("Pages", count("pages")),
    Column("Seen", count("seen"), is_first=True),
    Column("New", count("new"), is_first=True),
    Column("Changed", count("changed"), is_first=True),
    Column("Merged", count("merged")),
    Column("Quarantined", count("quarantined")),
    Column("Seconds", lambda line: f"{line.seconds:.1f}", is_first=True),
)


class Command(BaseCommand):
    """Reads incidents now, in this process, and says what came of it."""

    help = "Run one pass over every connected tenant; the exit status is 0 only if every pass completed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which tenant."""
        parser.add_argument("--tenant", metavar="ID", help="Entra tenant id (GUID), slug or domain; default: all.")

    def handle(self, *args: Any, **options: Any) -> None:
        """A progress bar on standard error where that is a terminal, the summary on standard output."""
        began = timezone.now()
        tenants = wanted(options["tenant"])
        if not tenants:
            self.stderr.write("No tenant is connected yet, so there is nothing to read.")
            return
        note_wish(tenants)
        lines = []
        errors = Console(stderr=True)
        if errors.is_terminal:  # the summary says the same; log lines would cut the progress bar to pieces
            logging.getLogger("portal.sync").setLevel(logging.ERROR)
        with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
            task = bar.add_task("Reading incidents", total=len(tenants))
            for tenant in tenants:
                bar.update(task, description=f"Reading {Text(tenant.name).plain}")
                lines.append(read(tenant, began))
                bar.advance(task)
        self.stdout.write(drawn(lines) + notes(lines))
        if not all(line.is_complete for line in lines):
            sys.exit(1)


def note_wish(tenants: Iterable[Tenant]) -> None:
    """One line a tenant in the audit log, as for the button on the tenant's page."""
    asked = (Event(by=COMMAND_LINE, action="ask for a pass", tenant=t.entra_id, subject=t.name) for t in tenants)
    with transaction.atomic():
        record(*asked)


def drawn(lines: Sequence[Line]) -> str:
    """The table as text, as wide as the terminal, or wide enough for a log."""
    width = shutil.get_terminal_size((160, 24)).columns
    console = Console(file=io.StringIO(), width=width, no_color=True)
    with console.capture() as captured:
        console.print(summary(lines, is_wide=width >= WIDE))
    return captured.get()


def wanted(typed: str | None) -> list[Tenant]:
    """The tenants to read. Raises CommandError where the one asked for is unknown or not connected."""
    with scope.operations():
        if typed is None:
            return list(Tenant.objects.filter(state__in=SYNCING).order_by("name"))
        tenant = find_tenant(typed)
    if tenant is None:
        raise CommandError(
            f"The portal knows no tenant {typed!r}. Give its Entra tenant id, slug or domain.", returncode=2
        )
    if not tenant.is_syncing:
        raise CommandError(f"{tenant.name} is not connected ({tenant.get_state_display()}), so nothing can be read.")
    return [tenant]


def read(tenant: Tenant, began: datetime) -> Line:
    """One whole pass. Waits while a worker holds the tenant, and where Microsoft asks for patience or a fault passes.

    A worker's pass counts if it began after the command. Parts of a pass that was broken off are added up.
    """
    started, parts, in_vain = time.monotonic(), list[SyncOutcome](), 0
    length = (settings.SYNC_PASS_LIMIT + settings.SYNC_LEASE).total_seconds()
    patience = started + length
    while time.monotonic() < patience:
        if lease := leases.claim(tenant, owner=leases.owner()):
            part = read_claimed(lease, background=False)
            if part is None:  # the database was away; the lease runs out
                continue
            parts.append(part)
            in_vain = 0 if parts[-1].pages else in_vain + 1
            if parts[-1].pages:  # a pass that gets on may take as long as it needs
                patience = time.monotonic() + length
            if parts[-1].ended in PASSING and in_vain < TRIES and wait_until_due(tenant, patience):
                continue
            if parts[-1].ended not in {SyncRun.Ended.STOPPED, SyncRun.Ended.FENCED}:
                return Line(tenant, parts[-1].is_complete, time.monotonic() - started, joined(parts), parts[-1].detail)
            continue
        if read_since(tenant, began):
            return Line(tenant, True, time.monotonic() - started, note="A worker has just read it.")
        if not connected(tenant):
            return Line(tenant, False, time.monotonic() - started, note="It is no longer connected.")
        time.sleep(LOOK_AGAIN)
    return Line(tenant, False, time.monotonic() - started, note="A worker held it all the time.")


def wait_until_due(tenant: Tenant, patience: float) -> bool:
    """Wait for the time that was set for the next try; False at once where that is too far away."""
    with scope.operations():
        due = SyncState.objects.filter(tenant=tenant).values_list("next_due_at", flat=True).first()
    seconds = max((due - timezone.now()).total_seconds(), 0.0) if due else WAIT_LIMIT + 1
    if seconds > min(WAIT_LIMIT, patience - time.monotonic()):
        return False
    time.sleep(seconds)
    return True


def joined(parts: Sequence[SyncOutcome]) -> SyncOutcome:
    """One outcome of several parts: the last one's ending, everybody's counts."""
    counts = ("pages", "seen", "new", "changed", "merged", "quarantined")
    return replace(parts[-1], **{name: sum(getattr(part, name) for part in parts) for name in counts})


def read_since(tenant: Tenant, began: datetime) -> bool:
    """Whether a pass that began after the command has been completed by somebody else."""
    with scope.operations():
        return SyncState.objects.filter(
            tenant=tenant, pass_started_at__gte=began, last_ok_at__gte=F("pass_started_at")
        ).exists()


def connected(tenant: Tenant) -> bool:
    """Whether the tenant is still read at all."""
    with scope.operations():
        return Tenant.objects.filter(pk=tenant.pk, state__in=SYNCING).exists()


def summary(lines: Sequence[Line], *, is_wide: bool) -> Table:
    """One row per tenant; a narrow terminal gets the columns that matter most."""
    table = Table()
    for column in (column for column in COLUMNS if is_wide or column.is_first):
        table.add_column(column.heading, justify="right" if column.is_number else "left")
    for line in lines:
        cells = (column.cell(line) for column in COLUMNS if is_wide or column.is_first)
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def notes(lines: Iterable[Line]) -> str:
    """What there is to say about single tenants, a line each: a cell of the table would break sentences to pieces."""
    said = []
    for line in lines:
        if line.note:
            said.append(f"{line.tenant.name}: {line.note}\n")
        if line.outcome and line.outcome.quarantined:
            said.append(f"{line.tenant.name}: {line.outcome.quarantined} could not be read and lie in quarantine.\n")
    return "".join(said)
