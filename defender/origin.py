"""Whose incidents an answer holds: where an incident links to Microsoft's portal, the link names its tenant.

An answer that names another tenant than was asked about is refused whole, before anybody reads on in it: one wrong
answer, of a proxy or a cache in between, must not carry one customer's incidents to another. A link is no proof of the
contrary, and many incidents have none.
"""

import re
from typing import Final
from uuid import UUID

from defender.errors import WrongToken

# In JSON the quotes of a text are escaped, so only a key can stand here, never what somebody wrote into an incident.
# The ampersand before the name may be escaped in several ways and is not looked at.
_LINKED: Final = re.compile(
    rb'"incidentUri"\s*:\s*"[^"]{0,2000}?tid=([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})'
)


def refuse_other_tenant(body: bytes, tenant_id: UUID) -> None:
    """Raises WrongToken with code `wrong-tenant` where an incident of the body links to another tenant."""
    ours = str(tenant_id).encode()
    if any(found[1].lower() != ours for found in _LINKED.finditer(body)):
        raise WrongToken(
            "Microsoft's answer holds incidents of another tenant than was asked for; it was thrown away.",
            step="Report this: incidents of another tenant must never reach this one.",
            code="wrong-tenant",
        )
