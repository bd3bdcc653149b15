"""The cast, with a program that holds a token for each of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from api import tokens
from api.models import Token, Verb
from audit.record import Actor
from tests.cast import Cast, make_cast
from tests.conftest import WebClient


def make_token(owner: User, *verbs: Verb, reach: tokens.Reach | None = None, days: int = 30) -> tuple[Token, str]:
    """A token with all verbs where none is named, for every tenant of its owner where no reach is given."""
    now = timezone.now()
    return tokens.make(
        owner=owner,
        name=f"{owner.username}'s program",
        verbs=list(verbs or (verb for verb in Verb if verb != Verb.TRIAGE or tokens.may_triage(owner))),
        reach=reach or tokens.Reach(is_everywhere=True),
        expires_at=now + timedelta(days=days),
        by=Actor("test"),
        now=now,
    )


class Program(WebClient):
    """What asks with a token."""

    def __init__(self, value: str) -> None:
        super().__init__(headers={"Authorization": f"Bearer {value}"})


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def program() -> Callable[..., Program]:
    """A program of a person, with a token made as ``make_token`` makes it."""

    def of(owner: User, *verbs: Verb, **more: Any) -> Program:
        return Program(make_token(owner, *verbs, **more)[1])

    return of
