"""The breaker in front of Entra ID: one row while our own credential is refused."""

from django.db import models


class Breaker(models.Model):
    """Open while something that all tenants share is out of order; no row means closed. It is not tenant-owned.

    Nobody asks before ``open_until``; then one worker may, and it says so in ``probed_until`` so that the others wait.
    """

    key = models.CharField(max_length=60, unique=True)
    opened_at = models.DateTimeField()
    open_until = models.DateTimeField()
    probed_until = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=60, help_text="What Entra ID answered, such as AADSTS7000222.")
    sentence = models.CharField(max_length=500)
    step = models.CharField(max_length=500, blank=True)
    refusals = models.IntegerField(default=1, help_text="How often it was asked and refused.")

    def __str__(self) -> str:
        return f"{self.key}: {self.sentence}"
