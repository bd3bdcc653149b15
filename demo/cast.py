"""The demo's people. The password is for trying out only: these accounts exist in the local setting alone."""

from dataclasses import dataclass

from accounts.roles import Role

PASSWORD = "try-the-portal-now"  # noqa: S105  printed for everybody to see, refused elsewhere


@dataclass(frozen=True, slots=True)
class Person:
    """One account: grants are (role, customer name), or (role, None) for every tenant."""

    username: str
    name: str
    about: str
    grants: tuple[tuple[Role, str | None], ...]
    is_staff: bool = False


PEOPLE = (
    Person("admin", "Ada", "staff; reads every tenant, connects new ones", ((Role.ANALYST, None),), True),
    Person(
        "alice", "Alice", "analyst for Contoso and Fabrikam", ((Role.ANALYST, "Contoso"), (Role.ANALYST, "Fabrikam"))
    ),
    Person("bob", "Bob", "may only read Contoso", ((Role.VIEWER, "Contoso"),)),
    Person("charlie", "Charlie", "analyst for Northwind Traders", ((Role.ANALYST, "Northwind Traders"),)),
)
