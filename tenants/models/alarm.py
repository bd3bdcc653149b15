"""Alarms for the portal's own staff: a row, a banner, a log line, an e-mail."""

from django.db import models
from django.db.models import Q


class Alarm(models.Model):
    """Something the MSSP itself must mend. One open alarm per key; it is not tenant-owned."""

    key = models.CharField(max_length=120)
    sentence = models.CharField(max_length=500)
    step = models.CharField(max_length=500, blank=True, help_text="What to do next.")
    raised_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-raised_at"]
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=Q(cleared_at=None), name="an_alarm_is_open_once")
        ]

    def __str__(self) -> str:
        return self.sentence
