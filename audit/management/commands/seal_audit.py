"""``manage.py seal_audit --before DATE --to FOLDER``: old rows into a sealed file, then out of the table."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.record import COMMAND_LINE
from audit.sealing import NotSealed, seal
from audit.signing import NoKey, private_key


class Command(BaseCommand):
    """Runs as the database role of the owner, the only one that may; web and workers cannot remove a row."""

    help = "Write the audit log's oldest rows to a sealed file, then remove them. Keep the file: it is the evidence."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which rows and where to."""
        parser.add_argument("--before", required=True, metavar="DATE", help="Rows written before this day (UTC).")
        parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="Where the file goes.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Status 2 where it is too early or there is no key, 1 where the rows do not hold."""
        now = timezone.now()
        before = _day(options["before"])
        if before > now - settings.AUDIT_KEPT:
            raise CommandError(f"Rows are kept for {settings.AUDIT_KEPT.days} days (AUDIT_KEPT_DAYS).", returncode=2)
        try:
            key = private_key(settings.AUDIT_SIGNING_KEY)
            segment = seal(before=before, folder=options["to"], key=key, by=COMMAND_LINE, now=now)
        except NoKey as sentence:
            raise CommandError(str(sentence), returncode=2) from None
        except NotSealed as sentence:
            raise CommandError(str(sentence)) from sentence
        if segment is None:
            self.stdout.write("There is nothing to seal.")
        else:
            self.stdout.write(f"Rows {segment.first_seq:,} to {segment.last_seq:,} are in {segment.file_name}.")


def _day(typed: str) -> datetime:
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise CommandError(f"{typed!r} is no day; write it as 2026-01-31.", returncode=2) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
