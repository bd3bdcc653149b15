"""Customers and their Entra tenants."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse

from tenants.scope import ConnectionManager, current, member_tenants


class CustomerManager(models.Manager["Customer"]):
    """Customers are seen through their tenants; staff and operations see all."""

    def get_queryset(self) -> models.QuerySet["Customer"]:
        """Narrowed to the open scope; raises NoScope outside one."""
        scope = current()
        everything = super().get_queryset()
        if scope.is_staff or scope.is_operations:
            return everything
        if scope.user_id is not None:
            return everything.filter(
                pk__in=Tenant.objects.filter(pk__in=member_tenants(scope.user_id)).values("customer_id")
            )
        if scope.tenant_id is not None or scope.link_key is not None:
            return everything.filter(pk__in=Tenant.objects.values("customer_id"))
        return everything.none()


class Customer(models.Model):
    """A company the MSSP looks after. It has one or more tenants."""

    name = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[CustomerManager] = CustomerManager()

    class Meta:
        ordering = ["name"]
        base_manager_name = "objects"

    def __str__(self) -> str:
        return self.name


class TenantState(models.TextChoices):
    """Where a tenant's connection stands. ``tenants.states`` has the sentence and the next step of each."""

    INVITED = "invited", "Invited"
    WAITING = "waiting", "Consented – waiting for roles"
    REVIEW = "review", "Review"
    CONNECTED = "connected", "Connected"
    DEGRADED = "degraded", "Degraded"
    CONSENT_LOST = "consent_lost", "Consent lost"
    DISCONNECTED = "disconnected", "Disconnected"


# The states in which workers read a tenant's incidents.
SYNCING = (TenantState.CONNECTED, TenantState.DEGRADED)


class TenantManager(ConnectionManager["Tenant"]):
    """Tenants of the open scope."""

    tenant_path = "pk"

    def behind_link(self, everything: models.QuerySet["Tenant"], link_key: str) -> models.QuerySet["Tenant"]:
        """The one tenant that a link or a state was made for."""
        from tenants.models.consent import ConsentRequest

        return everything.filter(pk__in=ConsentRequest.objects.values("tenant_id"))


class Tenant(models.Model):
    """One Entra tenant of a customer. ``entra_id`` is pinned by staff before any link exists."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="tenants")
    entra_id = models.UUIDField("Entra tenant id", unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    domain = models.CharField(max_length=253, blank=True, help_text="The domain staff typed, where they typed one.")
    state = models.CharField(max_length=20, choices=TenantState.choices, default=TenantState.INVITED)
    state_code = models.CharField(max_length=60, blank=True, help_text="Short id of the reason, such as AADSTS7000229.")
    state_detail = models.CharField(max_length=500, blank=True, help_text="One sentence for a person.")
    state_reference = models.CharField(
        max_length=120, blank=True, help_text="Microsoft's trace id, for a support case."
    )
    state_since = models.DateTimeField()
    accepted_roles = models.JSONField(
        default=list, blank=True, help_text="Roles beyond those asked for that staff accepted."
    )
    check_due_at = models.DateTimeField(null=True, blank=True, help_text="When consent is to be proved again.")
    checked_at = models.DateTimeField(null=True, blank=True)
    connected_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[TenantManager] = TenantManager()

    class Meta:
        ordering = ["name"]
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(
                condition=~Q(state=TenantState.CONNECTED) | Q(connected_at__isnull=False),
                name="a_connected_tenant_knows_since_when",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The tenant's page, by slug."""
        return reverse("tenants:tenant", args=[self.slug])

    @property
    def is_syncing(self) -> bool:
        """Whether workers read this tenant's incidents."""
        return self.state in SYNCING
