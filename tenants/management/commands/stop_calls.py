"""``manage.py stop_calls``: the kill switch."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit.record import COMMAND_LINE
from tenants.stop import stop_calls


class Command(BaseCommand):
    """Stops every call to Microsoft."""

    help = "Stop every call to Microsoft, in all processes, within seconds. resume_calls takes it back."

    def add_arguments(self, parser: CommandParser) -> None:
        """Why: staff see it on every page."""
        parser.add_argument("reason", help='Shown to staff, such as "the certificate may have been copied".')

    def handle(self, *args: Any, **options: Any) -> None:
        """Stop."""
        stop_calls(by=COMMAND_LINE, reason=options["reason"])
        self.stdout.write("Stopped. No process calls Microsoft any more after five seconds; nothing is lost.")
        self.stdout.write("manage.py resume_calls lets them go on.")
