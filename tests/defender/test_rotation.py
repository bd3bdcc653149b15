"""S1: two credentials are live at once, so that one can be replaced without a gap and without a restart."""

from pathlib import Path

import pytest

from defender.auth import ClientSecret, TokenSource
from defender.credentials import load_credential, read_secret
from defender.errors import CredentialFault
from defender.rotation import LOOK_EVERY, REST, Live, Rotation
from defender.transport import Transport
from tests.defender.certificates import self_signed
from tests.defender.loopback import Answer, Asked
from tests.defender.microsoft import CONTOSO, FABRIKAM, PARTNER_APP, Microsoft, oauth_error


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Registration:
    """Takes the secrets in ``good``, as Entra ID does while several are valid."""

    def __init__(self, ms: Microsoft, *good: str) -> None:
        self.good = set(good)
        self.asked_with: list[str] = []
        ms.on_token = self.check

    def check(self, asked: Asked) -> Answer | None:
        secret = asked.form["client_secret"]
        self.asked_with.append(secret)
        return None if secret in self.good else oauth_error(7000215, "invalid_client", 401)

    def count(self) -> dict[str, int]:
        counted = {secret: self.asked_with.count(secret) for secret in self.asked_with}
        self.asked_with.clear()
        return counted


def secret_in(path: Path) -> Live:
    return Live(path.name, lambda: load_credential(secret=read_secret(path)), path)


def fixed(value: str) -> Live:
    return Live(value, lambda: ClientSecret(value))


def source(ms: Microsoft, transport: Transport, rotation: Rotation) -> TokenSource:
    return TokenSource(ms.cloud, PARTNER_APP, rotation, transport)


def test_s1_the_newest_that_works_is_used_and_a_refused_one_rests(ms: Microsoft, transport: Transport) -> None:
    clock, registration = Clock(), Registration(ms, "old")
    told: list[tuple[str, str]] = []
    rotation = Rotation(
        [fixed("new"), fixed("old")],
        clock=clock,
        on_refused=lambda name, fault: told.append((name, fault.code)),
        on_accepted=lambda name: told.append((name, "accepted")),
    )
    tokens = source(ms, transport, rotation)
    tokens.token(CONTOSO)
    assert registration.count() == {"new": 1, "old": 1}
    tokens.token(FABRIKAM)
    assert registration.count() == {"old": 1}, "the other tenants do not ask with a secret that was just refused"
    registration.good = {"new", "old"}
    clock.now += REST + 1
    tokens.token(FABRIKAM, fresh=True)
    assert registration.count() == {"new": 1}
    assert told == [("new", "AADSTS7000215"), ("old", "accepted"), ("new", "accepted")]


def test_s1_where_none_is_taken_the_newest_ones_refusal_is_told(ms: Microsoft, transport: Transport) -> None:
    registration = Registration(ms)
    with pytest.raises(CredentialFault):
        source(ms, transport, Rotation([fixed("new"), fixed("old")])).token(CONTOSO)
    assert registration.count() == {"new": 1, "old": 1}


def test_s1_a_file_that_changes_is_read_anew_without_a_restart(
    ms: Microsoft, transport: Transport, tmp_path: Path
) -> None:
    clock, registration, path = Clock(), Registration(ms, "first"), tmp_path / "secret"
    path.write_text("first\n")
    tokens = source(ms, transport, Rotation([secret_in(path)], clock=clock))
    tokens.token(CONTOSO)
    registration.good = {"second"}
    replaced = tmp_path / "replaced"
    replaced.write_text("second\n")
    replaced.replace(path)
    clock.now += LOOK_EVERY + 1
    tokens.token(CONTOSO, fresh=True)
    assert registration.count() == {"first": 1, "second": 1}


def test_s1_a_file_that_becomes_unreadable_leaves_the_one_before_in_use_and_is_told_once(tmp_path: Path) -> None:
    clock, path, told = Clock(), tmp_path / "secret", []
    path.write_text("first")
    rotation = Rotation([secret_in(path)], clock=clock, on_refused=lambda name, fault: told.append(fault.code))
    first = rotation.candidates()
    path.unlink()
    for _ in range(3):
        clock.now += LOOK_EVERY + 1
        assert rotation.candidates() == first
    assert told == ["file-unreadable"]
    path.write_text("")
    clock.now += LOOK_EVERY + 1
    assert rotation.candidates() == first
    path.write_text("second")
    clock.now += LOOK_EVERY + 1
    (second,) = rotation.candidates()
    assert second == ClientSecret("second")


def test_a_next_credential_that_is_not_there_yet_stops_nobody(tmp_path: Path) -> None:
    clock = Clock()
    rotation = Rotation([secret_in(tmp_path / "next"), fixed("old")], clock=clock)
    assert rotation.candidates() == [ClientSecret("old")]
    (tmp_path / "next").write_text("next")
    clock.now += LOOK_EVERY + 1
    assert rotation.candidates() == [ClientSecret("next"), ClientSecret("old")]
    with pytest.raises(CredentialFault, match="cannot be read"):
        Rotation([secret_in(tmp_path / "nowhere")]).candidates()


def test_a_certificate_that_was_renewed_in_place_is_used(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "app.pem"
    path.write_text("".join(self_signed()))
    rotation = Rotation([Live("certificate", lambda: load_credential(certificate=path), path)], clock=clock)
    (first,) = rotation.candidates()
    assert rotation.candidates()[0] is first, "a key is parsed once and not for every tenant"
    path.write_text("".join(self_signed()))
    clock.now += LOOK_EVERY + 1
    assert rotation.candidates()[0].thumbprint != first.thumbprint


def test_k1_a_rotation_does_not_show_what_it_holds(tmp_path: Path) -> None:
    rotation = Rotation([fixed("canary-of-rotation")])
    rotation.candidates()
    said = f"{rotation!r} {[repr(live.credential) for live in rotation._live]} {Live('x', lambda: ClientSecret('y'))!r}"
    assert "canary-of-rotation" not in said
