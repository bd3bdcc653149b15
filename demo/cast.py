"""The demo's people, who sign in at the sandbox's own tenant, and one local account for emergencies.

The password is for trying out only: these accounts exist in the local setting alone.
"""

from accounts.roles import Role
from sandbox.home import PEOPLE as DIRECTORY
from sandbox.home import STAFF, TENANT_ID, Person

PASSWORD = "try-the-portal-now"  # noqa: S105  printed for everybody to see, refused elsewhere
EMERGENCY = "emergency"

# Grants by user name: (role, customer name), or (role, None) for every tenant.
GRANTS: dict[str, tuple[tuple[Role, str | None], ...]] = {
    "admin": ((Role.ANALYST, None),),
    "alice": ((Role.ANALYST, "Contoso"), (Role.ANALYST, "Fabrikam")),
    "bob": ((Role.VIEWER, "Contoso"),),
    "charlie": ((Role.ANALYST, "Northwind Traders"),),
}
PEOPLE = tuple(person for person in DIRECTORY if person.user_name in GRANTS)
REFUSED = tuple(person for person in DIRECTORY if person.user_name not in GRANTS)

__all__ = ["EMERGENCY", "GRANTS", "PASSWORD", "PEOPLE", "REFUSED", "STAFF", "TENANT_ID", "Person"]
