"""What the terminal says: where to go, who to be, what to try, and how the first sync comes along."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from demo.cast import EMERGENCY, PASSWORD, PEOPLE, REFUSED
from demo.stack import Stack

FIRST_SYNC_SECONDS = 180.0

TRY = (
    "Open the queue as alice, then as charlie: each sees only their own tenants.",
    "As admin, open Tenants, pick one that is only invited, make its link and approve it as the customer would.",
    "On the sandbox's own page, make a new incident and watch it arrive in an open queue; switch faults on and off.",
    "In a second terminal, one incident as JSON with Microsoft's own bytes:\n"
    ".venv/bin/python manage.py export_incidents | head -1",
)


class Overview:
    """Talks to the person at the terminal."""

    def __init__(self, stack: Stack, console: Console) -> None:
        self.stack, self.console = stack, console

    def introduce(self, *, seconds: float) -> None:
        """Address, sign-ins, and what to try."""
        say = self.console.print
        say(f"\n[bold]The portal is up[/bold] after {seconds:.0f} s:  [bold cyan]{self.stack.url}[/bold cyan]")
        say(f"The sandbox cloud, with its faults:  {self.stack.sandbox_url}/_sandbox/\n")
        title = "Sign in with Microsoft: the sandbox plays Entra ID and asks for no password"
        table = Table("choose", "who that is", title=title, title_justify="left")
        for person in (*PEOPLE, *REFUSED):
            table.add_row(person.user_name, person.about)
        say(table)
        say(f"The emergency account, without Microsoft:  {EMERGENCY}, password {PASSWORD}")
        say("\nTo try:")
        points = Table.grid(padding=(0, 1), pad_edge=True)
        for line in TRY:
            points.add_row("·", line)
        say(points)
        say("\nLogs are in .local/logs/. Ctrl-C ends everything.\n")

    def first_sync(self, *, until: Callable[[], None]) -> None:
        """Progress of the first sync, until every connected tenant has been read once or some minutes have passed."""
        from django.db import connection

        end = time.monotonic() + FIRST_SYNC_SECONDS
        columns = (
            TextColumn("Reading tenants"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[incidents]} incidents"),
        )
        with Progress(*columns, console=self.console, transient=False, disable=not self.console.is_terminal) as bar:
            task = bar.add_task("", total=1, incidents=0)
            while time.monotonic() < end:
                until()
                connected, done, incidents, unchecked = counts()
                bar.update(task, total=max(connected, 1), completed=done, incidents=incidents)
                if connected and done == connected and not unchecked:
                    break
                time.sleep(0.5)
        connection.close()

    def all_read(self) -> None:
        """The first sync is over."""
        connected, done, incidents, _ = counts()
        # Tenants read in an earlier start have no first sync in this one, so nothing was counted.
        what = f": {incidents:,} incidents" if incidents else ", most of them in an earlier start"
        self.console.print(f"{done} of {connected} connected tenants have been read{what}. More keep arriving.")


def counts() -> tuple[int, int, int, int]:
    """Connected tenants, those of them read at least once, incidents seen in first syncs, tenants not checked yet."""
    from django.db.models import Sum

    from tenants import scope
    from tenants.models import SyncState, Tenant, TenantState

    with scope.operations():
        connected = Tenant.objects.filter(state=TenantState.CONNECTED)
        states = SyncState.objects.filter(tenant__in=connected)
        seen = states.aggregate(n=Sum("progress_seen"))["n"] or 0
        return (
            connected.count(),
            states.filter(last_ok_at__isnull=False).count(),
            seen,
            Tenant.objects.filter(checked_at=None).count(),
        )
