"""``manage.py export_audit``: the audit log, or a part of it, as JSON Lines."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.forms import SearchForm
from audit.record import COMMAND_LINE, Event, record
from audit.search import Search, lines_of

FILTERS = {
    "tenant": "Entra tenant id (GUID).",
    "person": "Part of the name of whoever acted.",
    "action": "Such as 'read incident'.",
    "kind": "'looked' or 'changed'.",
    "outcome": "'done', 'denied' or 'failed'.",
    "since": "First day (UTC), as 2026-01-31.",
    "until": "Last day (UTC).",
}


class Command(BaseCommand):
    """JSON Lines on standard output; how many on standard error."""

    help = "Write the audit log as JSON Lines, oldest first, with the hashes that tie each row to the one before."

    def add_arguments(self, parser: CommandParser) -> None:
        """The filters of the page."""
        for name, text in FILTERS.items():
            parser.add_argument(f"--{name}", default="", help=text)

    def handle(self, *args: Any, **options: Any) -> None:
        """The export itself is recorded first."""
        asked = {name: options[name] for name in FILTERS if options[name]}
        search = _search(asked)
        record(Event(by=COMMAND_LINE, action="export audit log", tenant=search.tenant, details=asked))
        count = 0
        try:
            for count, line in enumerate(lines_of(search), start=1):  # noqa: B007  the count is used below
                self.stdout.write(line, ending="")
            self.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has read enough, as `head` does. Python would complain once more at its own end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        self.stderr.write(f"{count:,} rows.")


def _search(asked: dict[str, str]) -> Search:
    form = SearchForm(asked)
    if not form.is_valid():
        name, sentences = next(iter(form.errors.items()))
        raise CommandError(f"--{name}: {' '.join(map(str, sentences))}", returncode=2)
    return form.search()
