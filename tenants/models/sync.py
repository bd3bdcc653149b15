"""What is due, who works on it, what each pass did, and how many calls are left."""

from typing import ClassVar, Self

from django.db import models

from tenants.models.customer import Tenant
from tenants.scope import ConnectionManager


class SyncState(models.Model):
    """One row per tenant: when its next pass is due, who holds the lease, how far the last complete pass came.

    ``watermark_text`` keeps Microsoft's text with all its digits; ``watermark`` is the same, cut to microseconds.
    ``lease_epoch`` grows with every claim; each page's transaction checks it, so a zombie writes nothing.
    The ``pass_*`` fields are the pass that runs or was broken off; a later one goes on where it stopped.
    ``breaker_until`` is set after failures in a row: until then only a person's wish starts a pass. ``is_slow`` puts a
    tenant whose last pass took long into a lane of its own, where it holds up nobody.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="sync_state")
    next_due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_epoch = models.BigIntegerField(default=0)
    watermark = models.DateTimeField(null=True, blank=True)
    watermark_text = models.CharField(max_length=40, blank=True)
    backfilled_at = models.DateTimeField(null=True, blank=True, help_text="When the first complete pass ended.")
    sweep_due_at = models.DateTimeField(null=True, blank=True)
    sweep_cursor = models.BigIntegerField(null=True, help_text="Last incident (key) that the running sweep looked at.")
    gaps_left = models.IntegerField(default=0, help_text="Numbers without an incident that may still be asked for.")
    pass_started_at = models.DateTimeField(null=True, blank=True)
    pass_kind = models.CharField(max_length=10, blank=True, help_text="Blank where no pass waits to be continued.")
    pass_since = models.CharField(max_length=40, blank=True)
    pass_skip = models.IntegerField(default=0)
    pass_newest = models.CharField(max_length=40, blank=True, help_text="Newest time of the pass so far, as sent.")
    pass_missing = models.IntegerField(default=0, help_text="Incidents of the pass that we should have held already.")
    pass_outdated = models.IntegerField(default=0, help_text="Incidents of which we should have held a later version.")
    pass_silent = models.IntegerField(default=0, help_text="Incidents that had changed without a new date.")
    last_ok_at = models.DateTimeField(null=True, blank=True, help_text="End of the last complete pass.")
    failures = models.IntegerField(default=0, help_text="Failed passes in a row.")
    breaker_until = models.DateTimeField(null=True, blank=True)
    is_slow = models.BooleanField(default=False)
    last_error_code = models.CharField(max_length=60, blank=True)
    last_error = models.CharField(max_length=500, blank=True, help_text="One sentence for a person.")
    progress_pages = models.IntegerField(default=0)
    progress_seen = models.IntegerField(default=0)
    progress_reached = models.CharField(max_length=40, blank=True, help_text="Time of the last incident read, as sent.")

    objects: ClassVar[ConnectionManager[Self]] = ConnectionManager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"sync state of tenant {self.tenant_id}"


class SyncRun(models.Model):
    """One pass that changed something or went wrong, as a person reads it. Idle passes leave no row."""

    class Kind(models.TextChoices):
        BACKFILL = "backfill", "First sync"
        POLL = "poll", "Poll"
        SWEEP = "sweep", "Sweep"

    class Ended(models.TextChoices):
        RUNNING = "running", "Running"
        COMPLETE = "complete", "Complete"
        THROTTLED = "throttled", "Waiting for Microsoft"
        TRANSIENT = "transient", "Will be tried again"
        CONSENT = "consent", "Consent missing"
        CREDENTIAL = "credential", "Our credential was refused"
        FORBIDDEN = "forbidden", "Permission missing"
        REJECTED = "rejected", "Refused by Microsoft"
        FENCED = "fenced", "Another worker took over"
        STOPPED = "stopped", "Handed back"
        INTERNAL = "internal", "Fault of the portal"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="sync_runs")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    window_from = models.CharField(max_length=40, blank=True, help_text="Oldest last-update time asked for.")
    pages = models.IntegerField(default=0)
    seen = models.IntegerField(default=0)
    new = models.IntegerField(default=0)
    changed = models.IntegerField(default=0)
    merged = models.IntegerField(default=0)
    quarantined = models.IntegerField(default=0)
    ended = models.CharField(max_length=12, choices=Ended.choices, default=Ended.RUNNING)
    detail = models.CharField(max_length=500, blank=True)
    reference = models.CharField(max_length=120, blank=True)

    objects: ClassVar[ConnectionManager[Self]] = ConnectionManager()

    class Meta:
        ordering = ["-started_at"]
        base_manager_name = "objects"
        indexes = [models.Index(fields=["tenant", "-started_at"], name="sync_run_newest_first")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.started_at:%Y-%m-%d %H:%M:%S}"

    @property
    def seconds(self) -> float | None:
        """How long the pass took, or None while it runs."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


class CompletenessCheck(models.Model):
    """What one sweep found: how many incidents of its window we should have held and did not. One row per sweep.

    ``held`` are the incidents of the window once it was over. ``missing`` and ``outdated`` have been read again by
    then. ``silent`` had changed without a new date, which no poll can see and which is no fault. ``by_number`` are
    those that no list showed and that were found in a gap between two numbers; they count as missing too.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="completeness_checks")
    checked_at = models.DateTimeField()
    days = models.IntegerField(help_text="Length of the window, in days.")
    held = models.IntegerField()
    missing = models.IntegerField(default=0)
    outdated = models.IntegerField(default=0)
    silent = models.IntegerField(default=0)
    by_number = models.IntegerField(default=0)

    objects: ClassVar[ConnectionManager[Self]] = ConnectionManager()

    class Meta:
        ordering = ["-checked_at"]
        base_manager_name = "objects"
        indexes = [models.Index(fields=["tenant", "-checked_at"], name="completeness_newest_first")]

    def __str__(self) -> str:
        return f"checked {self.checked_at:%Y-%m-%d %H:%M}, {self.sentence}"

    @property
    def is_complete(self) -> bool:
        """Whether nothing had been missed."""
        return not (self.missing or self.outdated)

    @property
    def sentence(self) -> str:
        """As a person reads it: "0 missing of 3,412 in the last 30 days"."""
        old = f", {self.outdated:,} in an old version" if self.outdated else ""
        again = "" if self.is_complete else "; read again"
        return f"{self.missing:,} missing{old} of {self.held:,} in the last {self.days} days{again}"


class Budget(models.Model):
    """Calls spent per tenant and kind of call; until when Microsoft asked to wait.

    ``paced_at`` and ``background_paced_at`` are the accounts (see ``tenants.budget``): the moments at which they would
    be full again. The counts of the current minute and hour are for people to read.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="budgets")
    verb = models.CharField(max_length=10, help_text="list, get or patch")
    minute_started_at = models.DateTimeField()
    minute_used = models.IntegerField(default=0)
    hour_started_at = models.DateTimeField()
    hour_used = models.IntegerField(default=0)
    paced_at = models.DateTimeField(null=True, blank=True)
    background_paced_at = models.DateTimeField(null=True, blank=True)
    blocked_until = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[ConnectionManager[Self]] = ConnectionManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "verb"], name="a_tenant_has_one_budget_per_verb")]

    def __str__(self) -> str:
        return f"{self.verb} budget of tenant {self.tenant_id}"
