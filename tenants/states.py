"""Each state of a connection in words: what it means for a person, and the one next step."""

from dataclasses import dataclass

from tenants.models import Tenant, TenantState

# What Entra ID answers for a tenant in which the application has never been consented to.
NOT_INSTALLED = frozenset({"AADSTS700016", "AADSTS7000229", "AADSTS700011"})


@dataclass(frozen=True, slots=True)
class StateWords:
    """A sentence and the next step, for staff."""

    sentence: str
    step: str


WORDS: dict[str, StateWords] = {
    TenantState.INVITED: StateWords(
        "Nobody has consented in this tenant yet.", "Send the connect link to the customer's administrator."
    ),
    TenantState.WAITING: StateWords(
        "The customer has consented, but the token does not carry the role that reads incidents.",
        "Wait a few minutes; if it stays, ask the customer to consent again, with a new connect link.",
    ),
    TenantState.REVIEW: StateWords(
        "The customer granted more than the portal asked for.",
        "Look at the roles below; accept them, or ask the customer to remove them.",
    ),
    TenantState.CONNECTED: StateWords("Incidents are read.", ""),
    TenantState.DEGRADED: StateWords(
        "The tenant is connected, but reading does not fully work at the moment.",
        "The portal goes on trying by itself; look again once the reason is out of the way.",
    ),
    TenantState.CONSENT_LOST: StateWords(
        "The customer's consent is gone; what was read before is kept.",
        "Ask the customer, then send a new connect link.",
    ),
    TenantState.DISCONNECTED: StateWords(
        "Staff disconnected this tenant; nothing is read.", "Make a new connect link to connect it again."
    ),
}


def words_for(tenant: Tenant) -> StateWords:
    """The sentence and step of the tenant's state, the recorded reason going before the general one."""
    general = WORDS[tenant.state]
    # Before anybody was asked, Entra ID's "not installed here" is no trouble and "again" would be untrue.
    expected = tenant.state == TenantState.INVITED and tenant.state_code in NOT_INSTALLED
    return StateWords(general.sentence if expected else tenant.state_detail or general.sentence, general.step)
