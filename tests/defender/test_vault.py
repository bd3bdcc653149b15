"""The partner credential out of Azure Key Vault: the real SDK against a stand-in on loopback."""

import base64
import logging
import pickle
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from defender.credentials import Certificate, ClientSecret
from defender.errors import CredentialFault
from defender.rotation import REST, Live, Rotation
from defender.vault import FAULT_RESTS, PKCS12, READ_EVERY, VaultSecret, credential_in
from tests.defender.certificates import elliptic_key, self_signed
from tests.defender.loopback import Answer, answer
from tests.defender.vaults import ADDRESS, LOGIN, TENANT, TOKEN, Identity, Vault, vault_on_loopback

CANARY = "canary-first-value"


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    with vault_on_loopback(tmp_path, monkeypatch) as found:
        yield found


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def packed(key: str, certificate: str, password: bytes | None = None) -> str:
    """Base64 of a PKCS#12 container, as Key Vault gives a certificate out."""
    private = load_pem_private_key(key.encode(), None)
    assert isinstance(private, RSAPrivateKey)
    wrap = BestAvailableEncryption(password) if password else NoEncryption()
    parsed = x509.load_pem_x509_certificate(certificate.encode())
    return base64.b64encode(serialize_key_and_certificates(b"partner", private, parsed, None, wrap)).decode()


def fault_of(secret: VaultSecret) -> CredentialFault:
    with pytest.raises(CredentialFault) as raised:
        secret.load()
    assert raised.value.step.endswith(".")
    return raised.value


# --- three kinds of value ---------------------------------------------------------------------------------------------


def test_plain_text_is_a_client_secret_that_ends_when_the_vault_says_so(vault: Vault) -> None:
    vault.value, vault.attributes = f"{CANARY}\n", {"exp": 1893456000}
    credential = vault.secret(Identity()).load()
    assert credential == ClientSecret(CANARY, expires_at=datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("content_type", [None, "application/x-pem-file"])
def test_pem_is_a_certificate_with_its_key_whatever_comes_first(vault: Vault, content_type: str | None) -> None:
    key, certificate = self_signed()
    expected = x509.load_pem_x509_certificate(certificate.encode())
    for vault.value in (key + certificate, certificate + key):
        vault.content_type = content_type
        credential = vault.secret(Identity()).load()
        assert isinstance(credential, Certificate)
        assert credential.expires_at == expected.not_valid_after_utc


def test_pkcs12_is_a_certificate_with_its_key(vault: Vault) -> None:
    key, certificate = self_signed()
    vault.value, vault.content_type = packed(key, certificate), PKCS12
    credential = vault.secret(Identity()).load()
    assert credential == Certificate(key, certificate)


def test_values_that_are_no_credential_are_told_without_repeating_them() -> None:
    key, certificate = self_signed()
    other, _ = self_signed()
    late = self_signed(first=timedelta(days=-9), last=timedelta(days=-1))
    wrong = {
        "secret-empty": (" \n", ""),
        "pkcs12-unreadable": (CANARY, PKCS12),
        "key-unreadable": (certificate, ""),
        "certificate-unreadable": (key, "application/x-pem-file"),
        "key-mismatch": (other + certificate, ""),
        "key-kind": (elliptic_key() + certificate, ""),
        "certificate-expired": (packed(*late), f"{PKCS12}; charset=utf-8"),
    }
    for code, (value, content_type) in wrong.items():
        with pytest.raises(CredentialFault) as raised:
            credential_in(value, content_type=content_type, where="the secret p of h")
        assert raised.value.code == code
        assert "the secret p of h" in raised.value.sentence
        assert CANARY not in raised.value.sentence
    with pytest.raises(CredentialFault, match="no password"):
        credential_in(packed(key, certificate, b"open sesame"), content_type=PKCS12, where="x")


# --- how it is asked --------------------------------------------------------------------------------------------------


def test_the_challenge_is_answered_with_a_token_for_vaults_and_one_connection_is_enough(vault: Vault) -> None:
    identity = Identity()
    secret = vault.secret(identity)
    secret.load()
    secret.load()
    assert [asked.path for asked in vault.server.asked] == ["/secrets/portal-partner/"] * 3
    assert vault.tokens_seen == [f"Bearer {TOKEN}"] * 2
    assert identity.asked == [("https://vault.azure.net/.default",)], "the token is kept between two reads"
    assert vault.server.connections == 1


def test_one_version_can_be_asked_for(vault: Vault) -> None:
    vault.secret(Identity(), f"{ADDRESS}/{'b' * 32}").load()
    assert {asked.path for asked in vault.server.asked} == {f"/secrets/portal-partner/{'b' * 32}"}


@pytest.mark.parametrize("resource", ["https://graph.microsoft.com", "https://vault.azure.net.example.com", "nonsense"])
def test_a_challenge_that_wants_a_token_for_something_else_gets_none(vault: Vault, resource: str) -> None:
    identity = Identity()
    vault.first = f'Bearer authorization="https://{LOGIN}/{TENANT}", resource="{resource}"'
    assert fault_of(vault.secret(identity)).code == "vault-unreadable"
    assert (identity.asked, vault.tokens_seen) == ([], [])


def test_a_redirect_is_not_followed(vault: Vault) -> None:
    vault.instead = Answer(307, b"", {"Location": "https://thief.vault.azure.net/secrets/portal-partner"})
    assert fault_of(vault.secret(Identity())).code == "vault-307"
    assert {asked.headers["host"] for asked in vault.server.asked} == {"ours.vault.azure.net"}


def test_a_host_without_the_vaults_certificate_sees_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = Identity()
    with vault_on_loopback(tmp_path, monkeypatch, hosts=("thief.vault.azure.net",)) as thief:
        assert fault_of(thief.secret(identity)).code == "vault-unreachable"
        assert (thief.server.asked, identity.asked) == ([], [])


def test_the_environment_brings_neither_a_password_nor_other_certificates(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine ours.vault.azure.net login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    vault.secret(Identity()).load()
    assert vault.tokens_seen == [f"Bearer {TOKEN}"]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", vault.ca)
    vault.ca = ""
    assert fault_of(vault.secret(Identity())).code == "vault-unreachable"


def test_without_an_identity_of_its_own_the_machines_environment_signs_in(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = {"TENANT_ID": TENANT, "CLIENT_ID": TENANT, "CLIENT_SECRET": "canary-machine"}
    for name, value in machine.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    assert vault.secret(None).load() == ClientSecret(CANARY)
    asked = [asked for asked in vault.server.asked if asked.headers["host"] == LOGIN and asked.method == "POST"]
    assert [one.form["scope"] for one in asked] == ["https://vault.azure.net/.default"]
    assert vault.tokens_seen == [f"Bearer {TOKEN}"]


def test_a_machine_without_any_identity_is_told_so_and_starts_no_program(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(f"AZURE_{name}", raising=False)
    for program in ("az", "azd", "pwsh"):
        (tmp_path / program).write_text(f"#!/bin/sh\ntouch {tmp_path}/was-started\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert fault_of(vault.secret(None)).code == "vault-sign-in"
    assert not (tmp_path / "was-started").exists()


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instead", "code"),
    [
        (answer({"error": {"code": "Forbidden", "message": CANARY}}, 403), "vault-forbidden"),
        (answer({"error": {"code": "SecretNotFound", "message": CANARY}}, 404), "vault-not-found"),
        (answer({"error": {"message": CANARY}}, 401), "vault-sign-in"),
        (answer({"error": {"message": CANARY}}, 429, Retry_After="3600"), "vault-429"),
        (answer({}, 503, Retry_After="3600"), "vault-503"),
        (answer(b"<html>" + CANARY.encode()), "vault-unreadable"),
        (answer([CANARY]), "vault-unreadable"),
        (answer({"value": CANARY, "id": "nonsense"}), "vault-unreadable"),
        (answer({"value": CANARY, "attributes": {"exp": "soon"}}), "vault-unreadable"),
        (answer({"value": None}), "secret-empty"),
        (Answer(raw=b""), "vault-unreachable"),
        (Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"), "vault-unreachable"),
    ],
)
def test_an_answer_without_a_secret_is_told_at_once_and_nothing_of_it_is_repeated(
    vault: Vault, instead: Answer, code: str
) -> None:
    vault.instead, began = instead, time.monotonic()
    fault = fault_of(vault.secret(Identity()))
    assert fault.code == code
    assert CANARY not in f"{fault.sentence}{fault.step}"
    assert time.monotonic() - began < 5, "no wait that an answer asks for"


def test_a_vault_that_drips_is_left_when_the_time_is_over(vault: Vault) -> None:
    vault.instead = Answer(drip=b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 100)
    began = time.monotonic()
    assert fault_of(vault.secret(Identity(), deadline=0.5)).code == "vault-unreachable"
    assert time.monotonic() - began < 3


def test_when_the_time_is_over_no_further_request_begins(vault: Vault) -> None:
    assert fault_of(vault.secret(Identity(), deadline=0)).code == "vault-unreachable"
    assert vault.server.connections == 0


def test_a_vault_that_failed_is_left_alone_for_a_while(vault: Vault) -> None:
    clock = Clock()
    secret = vault.secret(Identity(), clock=clock)
    vault.instead = answer({}, 503)
    fault_of(secret)
    asked = len(vault.server.asked)
    clock.now += FAULT_RESTS - 1
    assert fault_of(secret).code == "vault-503"
    assert len(vault.server.asked) == asked, "a thousand tenants do not wait for it one after the other"
    vault.instead = None
    clock.now += 2
    assert secret.load() == ClientSecret(CANARY)


@pytest.mark.parametrize("package", ["azure.core.exceptions", "azure.identity", "azure.keyvault.secrets"])
def test_missing_packages_are_told_with_the_command_that_installs_them(
    vault: Vault, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    fault = fault_of(vault.secret(Identity()))
    assert fault.code == "vault-packages"
    assert "python -m pip install --require-hashes -r requirements-vault.txt" in fault.step
    assert vault.server.asked == []


# --- rotation ---------------------------------------------------------------------------------------------------------


def test_a_new_version_is_used_after_ten_minutes_and_the_same_one_is_not_parsed_anew(vault: Vault) -> None:
    clock = Clock()
    secret = vault.secret(Identity(), clock=clock)
    rotation = Rotation([Live("vault", secret.load, every=READ_EVERY)], clock=clock)
    vault.value = "".join(self_signed())
    (first,) = rotation.candidates()
    clock.now += READ_EVERY + 1
    assert rotation.candidates()[0] is first
    vault.value = "".join(self_signed())
    clock.now += READ_EVERY - 1
    assert rotation.candidates()[0] is first, "the vault is not asked before the time"
    clock.now += 2
    assert rotation.candidates()[0].thumbprint != first.thumbprint


def test_while_the_vault_is_away_the_last_credential_stays_and_it_is_asked_each_minute(vault: Vault) -> None:
    clock, told = Clock(), []
    secret = vault.secret(Identity(), clock=clock)
    live = Live("vault", secret.load, every=READ_EVERY)
    rotation = Rotation([live], clock=clock, on_refused=lambda name, fault: told.append(fault.code))
    first = rotation.candidates()
    vault.value, vault.instead = "second", Answer(raw=b"")
    clock.now += READ_EVERY + 1
    asked = len(vault.server.asked)
    for _ in range(5):
        assert rotation.candidates() == first
    assert len(vault.server.asked) == asked + 1
    assert told == ["vault-unreachable"]
    vault.instead = None
    clock.now += REST + 1
    assert rotation.candidates() == [ClientSecret("second")]


def test_a_new_version_that_is_broken_leaves_the_last_in_use(vault: Vault) -> None:
    clock = Clock()
    rotation = Rotation([Live("vault", vault.secret(Identity(), clock=clock).load, every=READ_EVERY)], clock=clock)
    first = rotation.candidates()
    vault.value = self_signed()[1]
    clock.now += READ_EVERY + 1
    assert rotation.candidates() == first


def test_a_vault_that_was_never_reached_gives_a_fault_and_no_credential(vault: Vault) -> None:
    vault.instead = answer({}, 403)
    with pytest.raises(CredentialFault, match="no reading the secret portal-partner of ours"):
        Rotation([Live("vault", vault.secret(Identity()).load, every=READ_EVERY)]).candidates()


# --- nothing shows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instead", [None, answer({"error": {"message": CANARY}}, 403), answer([CANARY])])
def test_neither_value_nor_token_is_in_logs_errors_or_reprs(
    vault: Vault, instead: Answer | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("azure", "urllib3", "urllib3.connectionpool", "msal"):  # quieter otherwise: portal/logs.py
        caplog.set_level(logging.DEBUG, logger=name)
    vault.instead, secret, said = instead, vault.secret(Identity()), []
    try:
        said.append(repr(secret.load()))
    except CredentialFault as fault:
        said.append("".join(traceback.format_exception(fault)) + repr(fault.__context__))
    assert caplog.records, "the SDK logs something at this level"
    said += [caplog.text, repr(secret), repr(Live("vault", secret.load, every=1)), repr(vars(secret))]
    assert [text for text in said if CANARY in text or TOKEN in text] == []
    with pytest.raises(TypeError, match="stays in this process"):
        pickle.dumps(secret)
