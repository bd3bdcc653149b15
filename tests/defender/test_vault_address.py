"""Only addresses of Azure Key Vault are taken: whoever is asked gets a token of this machine's identity."""

import pytest

from defender.vault_address import AUTHORITIES, VaultAddress, is_vault_address

VERSION = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("end", AUTHORITIES)
def test_each_cloud_has_its_vaults_and_its_sign_in(end: str) -> None:
    address = VaultAddress.parse(f"https://ours-1{end}/secrets/portal-partner")
    assert (address.vault_url, address.name, address.version) == (f"https://ours-1{end}", "portal-partner", None)
    assert address.authority == AUTHORITIES[end]


def test_a_version_may_be_named() -> None:
    assert VaultAddress.parse(f"https://ours.vault.azure.net/secrets/p/{VERSION}").version == VERSION
    assert VaultAddress.parse("https://ours.vault.azure.net/secrets/p/").version is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "http://ours.vault.azure.net/secrets/p",
        "https://vault.azure.net/secrets/p",
        "https://.vault.azure.net/secrets/p",
        "https://ours.vault.azure.net.example.com/secrets/p",
        "https://example.com/.vault.azure.net/secrets/p",
        "https://example.com#.vault.azure.net/secrets/p",
        "https://example.com\\.vault.azure.net/secrets/p",
        "https://a.b.vault.azure.net/secrets/p",
        "https://oursvault.azure.net/secrets/p",
        "https://oursXvaultXazureXnet/secrets/p",
        "https://hunter2@ours.vault.azure.net/secrets/p",
        "https://ours.vault.azure.net:8443/secrets/p",
        "https://ours.vault.azure.net/keys/p",
        "https://ours.vault.azure.net/secrets/",
        "https://ours.vault.azure.net/secrets/../keys/p",
        "https://ours.vault.azure.net/secrets/p/newest",
        "https://ours.vault.azure.net/secrets/p?api-version=7.0",
        "https://ours.vault.azure.net/secrets/p\n",
        "https://ours.managedhsm.azure.net/secrets/p",
        "https://öurs.vault.azure.net/secrets/p",
    ],
)
def test_anything_else_is_refused_in_words_that_do_not_repeat_it(text: str) -> None:
    assert not is_vault_address(text)
    with pytest.raises(ValueError, match="must look like https://") as refused:
        VaultAddress.parse(text)
    assert "hunter2" not in str(refused.value)
