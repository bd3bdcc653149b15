"""Credentials as operators get them wrong, each with a sentence that says what to do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from defender.auth import Certificate, load_credential
from defender.errors import CredentialFault
from tests.defender.certificates import elliptic_key, self_signed

Files = Callable[..., dict[str, Any]]


def test_a_pem_file_with_both_is_enough_and_says_when_it_ends(tmp_path: Path) -> None:
    key, certificate = self_signed(last=timedelta(days=30))
    (tmp_path / "app.pem").write_text(certificate + key)
    credential = load_credential(certificate=tmp_path / "app.pem")
    assert isinstance(credential, Certificate)
    assert abs(credential.expires_at - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)
    expected = x509.load_pem_x509_certificate(certificate.encode()).fingerprint(SHA256()).hex().upper()
    assert credential.thumbprint == expected
    assert expected in repr(credential)


def test_key_and_certificate_may_lie_apart_and_the_key_be_encrypted(tmp_path: Path) -> None:
    key, certificate = self_signed(passphrase=b"open sesame")
    (tmp_path / "app.crt").write_text(certificate)
    (tmp_path / "app.key").write_text(key)
    credential = load_credential(
        certificate=tmp_path / "app.crt", private_key=tmp_path / "app.key", passphrase=b"open sesame"
    )
    assert isinstance(credential, Certificate)
    assert "BEGIN PRIVATE KEY" in credential.private_key_pem


def test_a_secret_that_looks_like_the_id_of_one_is_for_entra_id_to_judge() -> None:
    assert load_credential(secret=" 0f0f0f0f-1111-4222-8333-444444444444\n").kind == "secret"


def _pem(tmp_path: Path, text: str) -> dict[str, Any]:
    (tmp_path / "app.pem").write_text(text)
    return {"certificate": tmp_path / "app.pem"}


def _mixed(tmp_path: Path) -> dict[str, Any]:
    return _pem(tmp_path, self_signed()[0] + self_signed()[1])


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: {}, "setting"),
        (lambda path: {"secret": "x", "certificate": path / "a.pem"}, "setting"),
        (lambda path: {"certificate": path / "none.pem"}, "file-unreadable"),
        (lambda path: {"certificate": path}, "file-unreadable"),
        (lambda path: _pem(path, "hello"), "certificate-unreadable"),
        (lambda path: _pem(path, self_signed()[1]), "key-unreadable"),
        (lambda path: _pem(path, self_signed()[0]), "certificate-unreadable"),
        (lambda path: _pem(path, "".join(self_signed(last=timedelta(hours=-1)))), "certificate-expired"),
        (lambda path: _pem(path, "".join(self_signed(first=timedelta(hours=1)))), "certificate-not-yet-valid"),
        (_mixed, "key-mismatch"),
        (lambda path: _pem(path, "".join(self_signed(passphrase=b"x"))), "key-passphrase"),
        (lambda path: {**_pem(path, "".join(self_signed(passphrase=b"x"))), "passphrase": b"y"}, "key-unreadable"),
        (lambda path: {**_pem(path, "".join(self_signed())), "passphrase": b"y"}, "key-passphrase"),
        (lambda path: _pem(path, "".join(self_signed(bits=1024))), "key-kind"),
        (lambda path: _pem(path, elliptic_key() + self_signed()[1]), "key-kind"),
        (lambda path: _pem(path, "x" * 300_000), "file-too-large"),
        (lambda path: {"federated_token": path / "none"}, "file-unreadable"),
        (lambda path: {"federated_token": _pem(path, "no token")["certificate"]}, "federated-token"),
    ],
)
def test_each_mistake_has_its_own_sentence(tmp_path: Path, make: Files, code: str) -> None:
    with pytest.raises(CredentialFault) as caught:
        load_credential(**make(tmp_path))
    assert caught.value.code == code
    assert caught.value.who == "partner"
    assert caught.value.sentence.endswith(".")
    assert caught.value.__context__ is None
    assert "PRIVATE KEY" not in str(caught.value)
