"""``manage.py verify_audit``: whether the audit log is whole.

Exit status 0: it is. 1: it is not, and the first row that does not hold is named. 2: it could not be checked.
"""

import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.anchors import Unreadable, read_anchors
from audit.models import Segment
from audit.sealing import file_fault
from audit.signing import NoKey, PublicKeys, private_key, public_keys, public_pem
from audit.verify import Finding, verify


class Command(BaseCommand):
    """Reads every row; says the first that does not hold and why."""

    help = "Check the audit log's chain, its signed anchors and sealed segments. Exit status 0 only if all holds."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to check against."""
        parser.add_argument("--anchors", type=Path, metavar="FILE", help="Default: AUDIT_ANCHOR_FILE, where it exists.")
        parser.add_argument("--no-anchors", action="store_true", help="The chain alone: a cut end cannot be found.")
        parser.add_argument(
            "--public-key", type=Path, metavar="FILE", help="Public keys in PEM; default: that of AUDIT_SIGNING_KEY."
        )
        parser.add_argument("--segments", type=Path, metavar="FOLDER", help="Also check the files of sealed segments.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Anchors are read before the rows, so that a row they know of must be there."""
        keys = _keys(options["public_key"])
        anchors = {} if options["no_anchors"] else self._anchors(options["anchors"], keys)
        if options["segments"]:
            self._check_files(options["segments"])
        began = time.monotonic()
        finding = verify(anchors=anchors, keys=keys)
        self._say(finding, time.monotonic() - began)

    def _anchors(self, file: Path | None, keys: PublicKeys) -> dict[int, str]:
        path = file or settings.AUDIT_ANCHOR_FILE
        if file is None and not path.exists():
            self.stderr.write(f"There are no anchors at {path}: whether the end was cut off cannot be told.")
            return {}
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                return read_anchors(lines, keys)
        except OSError as failure:
            raise CommandError(f"The anchors cannot be read: {failure}.", returncode=2) from failure
        except Unreadable as sentence:
            raise CommandError(str(sentence)) from sentence

    def _check_files(self, folder: Path) -> None:
        for segment in Segment.objects.all():
            if fault := file_fault(segment, folder):
                raise CommandError(f"Row {segment.first_seq:,} is the first that does not hold: {fault}.")

    def _say(self, finding: Finding, seconds: float) -> None:
        if finding.bad is not None:
            raise CommandError(f"Row {finding.bad:,} is the first that does not hold: {finding.why}.")
        self.stdout.write(
            f"The audit log is whole: {finding.rows:,} rows up to number {finding.last:,}, {finding.sealed:,} more in "
            f"sealed segments, {finding.anchors:,} anchors, {seconds:.1f} s."
        )


def _keys(file: Path | None) -> PublicKeys:
    """Without any key everything that is signed fails, as it should; a log without signatures can still be checked."""
    try:
        if file:
            return public_keys(file.read_text())
        return public_keys(public_pem(private_key(settings.AUDIT_SIGNING_KEY)))
    except OSError as failure:
        raise CommandError(f"The public keys cannot be read: {failure}.", returncode=2) from failure
    except NoKey as sentence:
        if file or settings.AUDIT_SIGNING_KEY:
            raise CommandError(str(sentence), returncode=2) from None
        return {}
