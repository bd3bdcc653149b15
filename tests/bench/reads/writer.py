"""``python -m tests.bench.reads.writer``: one worker that stores pages without a pause, until its input ends.

It says "ready" once the first page is in, and at the end how many incidents it has stored. They go into the tenant with
the fewest, under numbers below all others, and are taken away before the next run.
"""

import sys
import threading
from datetime import datetime
from typing import Any

SEED = 20


def main() -> int:
    """Store until told to stop."""
    import django

    django.setup()
    from django.utils import timezone

    from incidents.store import store_page
    from tenants import leases, scope
    from tenants.models import Tenant
    from tests.bench.pages import changed, pages
    from tests.bench.reads.data import TENANTS

    ended = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    with scope.operations():
        tenant = Tenant.objects.get(pk=TENANTS)
    many, stored, turn = pages(SEED, count=10, at=timezone.now()), 0, 0
    while not ended.is_set():
        lease = leases.claim(tenant, owner="bench")
        assert lease is not None

        def fence(lease: Any = lease) -> None:
            leases.fence(lease)

        for page in many:
            items = changed(page, share=1.0, turn=turn) if turn else page
            now: datetime = timezone.now()
            store_page(tenant=tenant, items=items, now=now, fence=fence)
            if not stored:
                sys.stdout.write("ready\n")
                sys.stdout.flush()
            stored += len(items)
            if ended.is_set():
                break
        leases.hand_back([lease])
        turn += 1
    sys.stdout.write(f"{stored}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
