"""``manage.py resume_calls``: takes ``stop_calls`` back."""

from typing import Any

from django.core.management.base import BaseCommand

from audit.record import COMMAND_LINE
from tenants.stop import resume_calls


class Command(BaseCommand):
    """Lets calls to Microsoft go out again."""

    help = "Let calls to Microsoft go out again after stop_calls."

    def handle(self, *args: Any, **options: Any) -> None:
        """Resume."""
        stopped = resume_calls(by=COMMAND_LINE)
        self.stdout.write("Calls go out again within a minute." if stopped else "Calls were not stopped.")
