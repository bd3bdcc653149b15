"""Under which names a person is assigned incidents: what the queue's filter "me" stands for."""

from accounts.models import User


def names_of(user: User) -> tuple[str, ...]:
    """The person's names at Microsoft, in lower case; none where the portal knows of none.

    A local account's user name is one where it is an address. People from Entra ID are kept without their address.
    """
    name = (user.username or "").lower()
    return (name,) if "@" in name else ()
