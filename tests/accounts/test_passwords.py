"""Passwords that an attacker of this very portal would try first are refused."""

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from pytest_django import Settings

from accounts.passwords import KNOWN


@pytest.fixture
def portal_of_northwind(settings: Settings) -> None:
    settings.PORTAL_NAME = "Northwind Watch"
    settings.PASSWORD_WORDS = ["Nightingale", "Tailspin Toys", "of"]


@pytest.mark.parametrize(
    "password",
    [
        "DefenderPortal2026",
        "northwind-NORTHWIND-1",
        "watchwatchwatchwatch",
        "Nightingale!2026!",
        "TailspinToysTailspin",
        "security.incident.mssp",
    ],
)
def test_a_password_made_of_known_words_is_refused(portal_of_northwind: None, password: str) -> None:
    with pytest.raises(ValidationError, match="mostly made of words that anybody would try here"):
        validate_password(password)


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "Defender of seven purple kettles", "kettle-of-often-quiet"]
)
def test_other_words_beside_them_are_enough(portal_of_northwind: None, password: str) -> None:
    validate_password(password)


def test_our_own_words_are_in_small_letters() -> None:
    assert all(word == word.casefold() for word in KNOWN)
