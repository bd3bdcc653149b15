"""What workers do for the audit log."""

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from audit.anchors import make_anchor, write_anchor
from audit.signing import NoKey, private_key

log = structlog.get_logger("portal.audit")


@shared_task(name="audit.anchor")
def anchor() -> None:
    """Sign the newest row and write it outside the database: to the file and, for those who ship logs, to the log."""
    try:
        key = private_key(settings.AUDIT_SIGNING_KEY)
    except NoKey as sentence:
        log.warning("audit log not anchored", reason=str(sentence))
        return
    made = make_anchor(key=key, now=timezone.now())
    if made and write_anchor(settings.AUDIT_ANCHOR_FILE, made):
        log.info("audit anchor", seq=made.seq, hash=made.hash, at=made.at, key=made.key, signature=made.signature)
