"""Anchors and the commands around them: signed lines outside the database, and an exit status that can be relied on."""

import json
import random
import stat
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from django.core.management import CommandError, call_command
from pytest_django import Settings

from audit.anchors import Anchor, Unreadable, read_anchors
from audit.record import WORKER, Event, record
from audit.signing import NoKey, fingerprint, private_key, public_keys, public_pem, sign
from audit.tasks import anchor
from portal.local import local_signing_key
from tests.audit.tampering import ACTS, insider

pytestmark = pytest.mark.short


def pem_of(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def file(db: None, settings: Settings, tmp_path: Path, key: Ed25519PrivateKey) -> Path:
    """Where anchors go; the log has six rows, and rows three and six are anchored."""
    settings.AUDIT_SIGNING_KEY = pem_of(key)
    file = tmp_path / "outside" / "anchors.jsonl"
    settings.AUDIT_ANCHOR_FILE = file
    for _ in range(2):
        record(*[Event(by=WORKER, action="test") for _ in range(3)])
        anchor()
    return file


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("verify_audit", *arguments)
    return capsys.readouterr().out


def test_the_workers_task_signs_the_newest_row_once(file: Path, key: Ed25519PrivateKey) -> None:
    anchor()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["seq"] for line in lines] == [3, 6]
    assert {line["key"] for line in lines} == {fingerprint(key.public_key())}
    assert list(read_anchors(file.read_text().splitlines(), public_keys(public_pem(key)))) == [3, 6]


def test_the_command_says_what_it_did(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("anchor_audit")
    assert capsys.readouterr().out == f"Row 6 is anchored in {file} already.\n"
    record(Event(by=WORKER, action="test"))
    call_command("anchor_audit")
    assert capsys.readouterr().out == f"Row 7 is anchored in {file}.\n"


def test_a_whole_log_ends_with_a_sentence_and_status_0(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "whole: 6 rows up to number 6, 0 more in sealed segments, 2 anchors" in said(capsys)


@pytest.mark.parametrize("name", ["cut the end", "rehash the rest"])
def test_what_the_chain_cannot_tell_ends_with_status_1_where_anchors_are_read(
    file: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with insider():
        first = ACTS[name].do(random.Random(3), 6)
        assert "whole" in said(capsys, "--no-anchors")
        with pytest.raises(CommandError, match="is the first that does not hold") as ended:
            call_command("verify_audit")
    assert ended.value.returncode == 1
    assert first <= int(str(ended.value).split()[1]) <= 6


def test_the_first_bad_row_and_the_reason_are_said(file: Path) -> None:
    with insider():
        ACTS["edit text"].do(random.Random(1), 6)
        with pytest.raises(CommandError, match=r"^Row \d is the first that does not hold: its columns say something"):
            call_command("verify_audit")


def test_without_a_file_the_check_says_what_it_could_not_tell(
    file: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    file.unlink()
    call_command("verify_audit")
    printed = capsys.readouterr()
    assert "0 anchors" in printed.out
    assert "whether the end was cut off cannot be told" in printed.err


def test_a_file_that_was_asked_for_must_be_there(file: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as ended:
        call_command("verify_audit", "--anchors", str(tmp_path / "nowhere"))
    assert ended.value.returncode == 2


def forged(line: str) -> dict[str, str]:
    """Ways to damage a line."""
    anchor = json.loads(line)
    other = Ed25519PrivateKey.generate()
    return {
        "another number": json.dumps(anchor | {"seq": 2}),
        "another hash": json.dumps(anchor | {"hash": "0" * 64}),
        "another time": json.dumps(anchor | {"at": "2020-01-01T00:00:00+00:00"}),
        "another key's name": json.dumps(anchor | {"key": fingerprint(other.public_key())}),
        "no signature": json.dumps(anchor | {"signature": ""}),
        "a wrong type": json.dumps(anchor | {"seq": "3"}),
        "one field more": json.dumps(anchor | {"x": 1}),
        "half a line": line[: len(line) // 2],
        "no JSON": "hello",
        "no object": "[1]",
        "nothing": "",
    }


@pytest.mark.parametrize("what", forged('{"seq": 1}'))
def test_a_forged_or_damaged_anchor_is_no_anchor(file: Path, what: str) -> None:
    good = file.read_text().splitlines()
    file.write_text("\n".join([good[0], forged(good[1])[what], ""]))
    with pytest.raises(CommandError, match="Line 2 of the anchors") as ended:
        call_command("verify_audit")
    assert ended.value.returncode == 1


def test_two_anchors_of_one_row_must_agree(key: Ed25519PrivateKey) -> None:
    lines = []
    for digit in "01":
        bare = Anchor(1, digit * 64, "2026-01-01T00:00:00+00:00", fingerprint(key.public_key()))
        lines.append(json.dumps(asdict(replace(bare, signature=sign(key, bare.message())))))
    with pytest.raises(Unreadable, match="another hash than a line before"):
        read_anchors(lines, public_keys(public_pem(key)))


def test_after_a_change_of_keys_a_file_of_both_public_keys_checks_all(
    file: Path, key: Ed25519PrivateKey, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Ed25519PrivateKey.generate()
    settings.AUDIT_SIGNING_KEY = pem_of(other)
    record(Event(by=WORKER, action="test"))
    anchor()
    with pytest.raises(CommandError, match="Line 1 of the anchors is not signed by a known key"):
        call_command("verify_audit")
    both = tmp_path / "both.pem"
    both.write_text(public_pem(key) + public_pem(other))
    assert "3 anchors" in said(capsys, "--public-key", str(both))


def test_those_who_check_need_no_private_key(
    file: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("anchor_audit", "--public-key")
    public = tmp_path / "public.pem"
    public.write_text(capsys.readouterr().out)
    assert "PRIVATE" not in public.read_text()
    settings.AUDIT_SIGNING_KEY = ""
    assert "2 anchors" in said(capsys, "--public-key", str(public))


def test_without_a_key_the_task_warns_and_the_command_refuses(
    file: Path, settings: Settings, written_log: Callable[[], str]
) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    record(Event(by=WORKER, action="test"))
    anchor()
    assert "audit log not anchored" in written_log()
    assert len(file.read_text().splitlines()) == 2
    with pytest.raises(CommandError, match="AUDIT_SIGNING_KEY is not set") as ended:
        call_command("anchor_audit")
    assert ended.value.returncode == 2


def test_a_key_of_another_kind_is_refused_and_never_shown() -> None:
    rsa = generate_private_key(public_exponent=65537, key_size=2048)
    pem = rsa.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    for wrong in (pem, "canary-of-a-key"):
        with pytest.raises(NoKey, match="Ed25519") as refused:
            private_key(wrong)
        assert wrong not in str(refused.value)


def test_outside_production_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    made = local_signing_key(tmp_path / "local")
    assert local_signing_key(tmp_path / "local") == made
    assert private_key(made)
    (path,) = (tmp_path / "local").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_public_keys_are_ed25519_or_none(key: Ed25519PrivateKey) -> None:
    rsa = generate_private_key(public_exponent=65537, key_size=2048).public_key()
    other = rsa.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    assert list(public_keys(other + public_pem(key))) == [fingerprint(key.public_key())]
    for wrong in (other, "", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(NoKey, match="Ed25519"):
            public_keys(wrong)


def test_public_keys_that_cannot_be_read_end_the_check_with_status_2(file: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no key")
    for path, sentence in ((tmp_path / "nothing.pem", "cannot be read"), (junk, "no Ed25519 public key")):
        with pytest.raises(CommandError, match=sentence) as ended:
            call_command("verify_audit", "--public-key", str(path))
        assert ended.value.returncode == 2


def test_a_log_without_anchors_is_checked_without_any_key(
    db: None, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    record(Event(by=WORKER, action="test"))
    assert "whole" in said(capsys, "--no-anchors")


def test_an_empty_log_has_nothing_to_anchor(
    db: None, settings: Settings, tmp_path: Path, key: Ed25519PrivateKey, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_ANCHOR_FILE = pem_of(key), tmp_path / "anchors.jsonl"
    call_command("anchor_audit")
    assert "nothing to anchor" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
