"""Requests for consent and what the tokens said."""

from typing import ClassVar, Self

from django.db import models

from tenants.models.customer import Tenant
from tenants.scope import ConnectionManager


class ConsentForm(models.TextChoices):
    """Which of Microsoft's two admin-consent pages a link leads to."""

    V2 = "v2", "v2: the permissions of one API"
    V1 = "v1", "v1: all permissions of the registration at once"


class ConsentRequestManager(ConnectionManager["ConsentRequest"]):
    """Requests of the open scope; the holder of a link or state sees that one request."""

    def behind_link(
        self, everything: models.QuerySet["ConsentRequest"], link_key: str
    ) -> models.QuerySet["ConsentRequest"]:
        """By the hash of the link's secret or of the state."""
        return everything.filter(models.Q(link_hash=link_key) | models.Q(state_hash=link_key))


class ConsentRequest(models.Model):
    """One link sent to a customer. Secrets are kept as SHA-256 (hex) only; a state is spent once."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="consent_requests")
    link_hash = models.CharField(max_length=64, unique=True)
    state_hash = models.CharField(max_length=64, unique=True)
    form = models.CharField(max_length=2, choices=ConsentForm.choices, default=ConsentForm.V2)
    asked_by = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    browser_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the cookie that our page sets.")
    returned_at = models.DateTimeField(null=True, help_text="When Microsoft sent the customer back to us.")
    spent_at = models.DateTimeField(null=True, help_text="When the state was used up by a confirmed answer.")
    withdrawn_at = models.DateTimeField(null=True, help_text="When a newer link or staff took its place.")
    outcome = models.CharField(max_length=40, blank=True)
    outcome_detail = models.CharField(max_length=500, blank=True)

    objects: ClassVar[ConsentRequestManager] = ConsentRequestManager()

    class Meta:
        ordering = ["-asked_at"]
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"consent request {self.pk}"


class TokenFacts(models.Model):
    """What Entra put into the last token for one API: facts only; the token itself is never stored."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="token_facts")
    resource = models.CharField(max_length=10, help_text="xdr, mde or graph")
    readable = models.BooleanField()
    audience = models.CharField(max_length=300, blank=True)
    issuer = models.CharField(max_length=300, blank=True)
    token_tenant = models.CharField("tenant in the token", max_length=100, blank=True)
    app_id = models.CharField(max_length=100, blank=True)
    roles = models.JSONField(default=list)
    issued_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    obtained_at = models.DateTimeField()
    proven_at = models.DateTimeField(null=True, help_text="Last live read that answered.")

    objects: ClassVar[ConnectionManager[Self]] = ConnectionManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name_plural = "token facts"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "resource"], name="a_tenant_has_one_set_of_token_facts_per_api")
        ]

    def __str__(self) -> str:
        return f"{self.resource} token facts"
