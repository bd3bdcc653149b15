"""What a password may not be made of: words that an attacker of this very portal would try first."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

# What everybody who attacks a portal like this one knows.
KNOWN = ("admin", "administrator", "analyst", "defender", "incident", "microsoft", "mssp", "password", "portal",
         "security", "sentinel", "tenant")  # fmt: skip
LEAST_LEFT = 10  # characters, our own limit
SHORTEST_WORD = 3  # letters: shorter ones stand in any text


class KnownWordsValidator:
    """Refuses a password that is little more than known words: ours, ``PORTAL_NAME`` and ``PASSWORD_WORDS``."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError where fewer than ``LEAST_LEFT`` characters are left without the words."""
        rest = password.casefold()
        for word in sorted(words(), key=len, reverse=True):
            rest = rest.replace(word, "")
        if len(rest) < min(LEAST_LEFT, len(password)):
            raise ValidationError(
                "This password is mostly made of words that anybody would try here. Use other words, or more of them.",
                code="known_words",
            )

    def get_help_text(self) -> str:
        """For the forms of the administration."""
        return "Names of the company, of this portal and of what it does count for nothing in a password."


def words() -> set[str]:
    """All the words, in small letters."""
    own = " ".join([settings.PORTAL_NAME, *settings.PASSWORD_WORDS]).casefold().split()
    return {*KNOWN, *(word for word in own if len(word) >= SHORTEST_WORD)}
