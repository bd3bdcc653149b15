"""The tables of this app, by subject."""

from tenants.models.access import Grant, Membership, TenantGroup, TenantGroupMember
from tenants.models.alarm import Alarm
from tenants.models.breaker import Breaker
from tenants.models.consent import ConsentForm, ConsentRequest, TokenFacts
from tenants.models.customer import SYNCING, Customer, Tenant, TenantState
from tenants.models.relink import Relink
from tenants.models.sync import Budget, CompletenessCheck, SyncRun, SyncState

__all__ = [
    "SYNCING",
    "Alarm",
    "Breaker",
    "Budget",
    "CompletenessCheck",
    "ConsentForm",
    "ConsentRequest",
    "Customer",
    "Grant",
    "Membership",
    "Relink",
    "SyncRun",
    "SyncState",
    "Tenant",
    "TenantGroup",
    "TenantGroupMember",
    "TenantState",
    "TokenFacts",
]
