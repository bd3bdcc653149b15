"""``manage.py anchor_audit``: sign the newest row of the audit log and write it outside the database."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.anchors import make_anchor, write_anchor
from audit.signing import NoKey, private_key, public_pem


class Command(BaseCommand):
    """Workers do the same every ten minutes."""

    help = "Write a signed anchor of the audit log's newest row to AUDIT_ANCHOR_FILE, or print the public key."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to."""
        parser.add_argument("--file", type=Path, help="Another file than AUDIT_ANCHOR_FILE.")
        parser.add_argument("--public-key", action="store_true", help="Only print the public key, for those who check.")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line more, or none where nothing has happened since the last."""
        try:
            key = private_key(settings.AUDIT_SIGNING_KEY)
        except NoKey as sentence:
            raise CommandError(str(sentence), returncode=2) from None
        if options["public_key"]:
            self.stdout.write(public_pem(key), ending="")
            return
        file = options["file"] or settings.AUDIT_ANCHOR_FILE
        anchor = make_anchor(key=key, now=timezone.now())
        if anchor is None:
            self.stdout.write("The audit log is empty; there is nothing to anchor.")
        elif write_anchor(file, anchor):
            self.stdout.write(f"Row {anchor.seq:,} is anchored in {file}.")
        else:
            self.stdout.write(f"Row {anchor.seq:,} is anchored in {file} already.")
