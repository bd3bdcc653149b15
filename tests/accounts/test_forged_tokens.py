"""Every forged ID token and every bent way back is refused: nobody is signed in, and one line in the log says so."""

import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session

from accounts import flows
from accounts.models import User
from sandbox.forgeries import FORMS, NONCES, ORIGINS, PEOPLE, SIGNATURES, TIMES, WAYS
from tests.accounts.door import Visitor, log, sessions_with_somebody

Bend = Callable[[Visitor], Any]


def replayed(visitor: Visitor) -> Any:
    """The very same way back, after it has served once and its person has left."""
    query = visitor.choose(visitor.begin())
    assert visitor.come_back(query).status_code == 302
    visitor.portal.post("/sign-out/")
    return visitor.come_back(query)


def with_query(change: Callable[[dict[str, str]], dict[str, str]]) -> Bend:
    """The way back with its query changed."""
    return lambda visitor: visitor.come_back(change(visitor.choose(visitor.begin())))


def in_another_browser(visitor: Visitor) -> Any:
    """An attacker's own way back, sent to somebody as a link."""
    query = visitor.choose(visitor.begin())
    return Visitor(visitor.sandbox).come_back(query)


def in_another_browser_that_began_one_too(visitor: Visitor) -> Any:
    query = visitor.choose(visitor.begin())
    other = Visitor(visitor.sandbox)
    other.begin()
    return other.come_back(query)


def state_of_another_tab(visitor: Visitor) -> Any:
    """Two sign-ins of one browser: the code of one with the state of the other fails by its verifier."""
    first, second = (visitor.choose(visitor.begin()) for _ in range(2))
    return visitor.come_back(first | {"state": second["state"]})


def code_of_another_browser(visitor: Visitor) -> Any:
    """A stolen code put into one's own way back: code injection."""
    stolen = Visitor(visitor.sandbox)
    code = stolen.choose(stolen.begin())["code"]
    return visitor.come_back(visitor.choose(visitor.begin()) | {"code": code})


def state_twice(visitor: Visitor) -> Any:
    query = visitor.choose(visitor.begin())
    return visitor.come_back("&".join(f"{name}={value}" for name, value in query.items()) + "&state=other")


def too_late(visitor: Visitor) -> Any:
    query = visitor.choose(visitor.begin())
    with time_machine.travel(time.time() + flows.LIFE_SECONDS + 1, tick=True):
        return visitor.come_back(query)


def spent_code(visitor: Visitor) -> Any:
    """Somebody has redeemed the code before the portal does."""
    query = visitor.choose(visitor.begin())
    visitor.sandbox.world.home.spend(query["code"])
    return visitor.come_back(query)


WAYS_BACK: dict[str, Bend] = {
    "the same way back twice": replayed,
    "a state that was never given": with_query(lambda query: query | {"state": "x" * 22}),
    "no state": with_query(lambda query: {"code": query["code"]}),
    "no code": with_query(lambda query: {"state": query["state"]}),
    "an invented code": with_query(lambda query: query | {"code": "0.invented"}),
    "an issuer that is another tenant": with_query(lambda query: query | {"iss": "https://evil.example/v2.0"}),
    "an error beside the code": with_query(lambda query: query | {"error": "access_denied"}),
    "a query of a hundred kilobytes": with_query(lambda query: query | {"code": "x" * 100_000}),
    "nothing at all": lambda visitor: visitor.come_back({}),
    "a way back in another browser": in_another_browser,
    "a way back in another browser with a sign-in of its own": in_another_browser_that_began_one_too,
    "the state of another tab": state_of_another_tab,
    "a stolen code": code_of_another_browser,
    "two states": state_twice,
    "a way back too late": too_late,
    "a code that was spent elsewhere": spent_code,
}


# For which reasons a kind of forgery may be refused: another would say that the check in question does nothing.
REASONS = {
    **{key: {"form", "algorithm", "header", "key", "signature"} for key in SIGNATURES},
    **{key: {"form", "signature"} for key in FORMS},
    **{key: {"issuer", "tenant", "audience", "kind"} for key in ORIGINS},
    **{key: {"times", "expired", "early", "life"} for key in TIMES},
    **{key: {"nonce"} for key in NONCES},
    **{key: {"person", "guest", "second-factor", "no-role"} for key in PEOPLE},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_forged_id_token_signs_nobody_in(visitor: Visitor, way: str) -> None:
    visitor.forge(way)
    answer = visitor.sign_in("alice")
    assert_refused(visitor, answer)
    assert log()[-1][2].removeprefix("id-token-") in REASONS[way]
    assert User.objects.count() == 0
    assert visitor.sandbox.world.faults.active() == [], "the forgery was handed out"


@pytest.mark.parametrize("way", WAYS_BACK)
def test_a_bent_way_back_signs_nobody_in(visitor: Visitor, way: str) -> None:
    assert_refused(visitor, WAYS_BACK[way](visitor))


def assert_refused(visitor: Visitor, answer: Any) -> None:
    """A page that tells nothing, no session, and one line in the audit log."""
    assert answer.status_code == 403
    assert "Not signed in" in answer.text
    assert answer.headers["X-Request-ID"] in answer.text
    assert sessions_with_somebody() == 0
    assert not visitor.is_signed_in()
    denied = [row for row in log() if row[1] == "denied"]
    assert len(denied) == 1
    assert denied[0][2]
    assert denied[0][2] not in answer.text.replace(answer.headers["X-Request-ID"], "")


def test_the_same_way_without_a_forgery_signs_in(visitor: Visitor) -> None:
    """The positive control: what is refused above is refused for the forgery alone."""
    assert visitor.sign_in("alice").status_code == 302
    assert visitor.is_signed_in()
    assert (sessions_with_somebody(), log()) == (1, [("", "done", "")])


def test_a_refused_sign_in_leaves_no_session_behind(visitor: Visitor) -> None:
    visitor.forge("alg none")
    visitor.sign_in()
    assert Session.objects.count() == 0


def test_every_forgery_is_one_of_its_own_and_there_are_enough_of_them(
    visitor: Visitor, capsys: pytest.CaptureFixture[str]
) -> None:
    """Distinct as tokens, not only as names: no two ways make the same out of one draft."""
    from sandbox.forgeries import Draft

    claims = {"iss": "i", "aud": "a", "nonce": "n", "oid": "o", "tid": "t", "roles": ["r"], "iat": 1, "exp": 2}
    claims |= {"acrs": ["c1"], "nbf": 1, "sub": "s", "ver": "2.0"}
    with time_machine.travel(1_800_000_000, tick=False):
        made = {way: forge(Draft(claims, visitor.sandbox.world.keys.current)) for way, forge in WAYS.items()}
        good = Draft(claims, visitor.sandbox.world.keys.current).signed()
    assert len({repr(token) for token in made.values()} | {repr(good)}) == len(made) + 1
    assert len(made) >= 40
    with capsys.disabled():
        sys.stdout.write(f"\n{len(made)} forged tokens and {len(WAYS_BACK)} bent ways back are refused\n")
