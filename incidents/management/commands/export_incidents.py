"""``manage.py export_incidents``: every incident as one JSON object a line, with the object as Microsoft sent it.

Or as CSV, without that object.
"""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.record import COMMAND_LINE, Event, record
from incidents.export import lines_of
from incidents.models import Incident
from incidents.spreadsheet import heading, row_of
from tenants import scope
from tenants.lookup import find_tenant
from tenants.models import Tenant


class Command(BaseCommand):
    """Lines on standard output; how many incidents of which tenants on standard error."""

    help = "Write all incidents, of all tenants or one, as JSON Lines ('raw' is what Microsoft sent) or as CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which tenant."""
        parser.add_argument("--tenant", metavar="ID", help="Entra tenant id (GUID), slug or domain; default: all.")
        parser.add_argument("--format", choices=("jsonl", "csv"), default="jsonl", help="Default: jsonl.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Streamed: neither we nor the database's cursor hold more than some hundred incidents at a time."""
        total, tenants, as_csv = 0, wanted(options["tenant"]), options["format"] == "csv"
        try:
            if as_csv:
                self.stdout.write(heading(), ending="\r\n")
            for tenant in tenants:
                total += self._write(tenant, as_csv=as_csv)
            self.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has read enough, as `head` does. Python would complain once more at its own end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        self.stderr.write(f"{total:,} incidents of {len(tenants):,} tenants.")

    def _write(self, tenant: Tenant, *, as_csv: bool) -> int:
        """Recorded before the first line, in a transaction of its own: a reader that goes away has read what it has,
        and the log must not be locked while somebody reads slowly.
        """
        count = 0
        with scope.tenant(tenant.pk):
            details = {"incidents": Incident.objects.count()}
            record(Event(by=COMMAND_LINE, action="export incidents", tenant=tenant.entra_id, details=details))
        with scope.tenant(tenant.pk):
            for count, line in enumerate(lines_of(tenant), start=1):  # noqa: B007  the count is used below
                self.stdout.write(row_of(line) if as_csv else line, ending="\r\n" if as_csv else "\n")
        return count


def wanted(typed: str | None) -> list[Tenant]:
    """The tenants to write, whatever their state. Raises CommandError where the one asked for is unknown."""
    with scope.operations():
        if typed is None:
            return list(Tenant.objects.order_by("slug"))
        tenant = find_tenant(typed)
    if tenant is None:
        raise CommandError(
            f"The portal knows no tenant {typed!r}. Give its Entra tenant id, slug or domain.", returncode=2
        )
    return [tenant]
