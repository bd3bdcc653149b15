"""Where a secret lies in Azure Key Vault: the address that settings give, checked and taken apart.

Only addresses of Key Vault itself are taken, since whoever is asked gets a token of this machine's identity. Imports
nothing but the standard library, because settings are read with it in every process.
"""

import re
from dataclasses import dataclass
from typing import Final

# What a vault's host ends in → the host that signs in there. Microsoft's: public, US government, China (21Vianet).
AUTHORITIES: Final = {
    ".vault.azure.net": "login.microsoftonline.com",
    ".vault.usgovcloudapi.net": "login.microsoftonline.us",
    ".vault.azure.cn": "login.chinacloudapi.cn",
}
# Names as Microsoft limits them: a vault's 3 to 24 characters, a secret's 1 to 127; a version is 32 hexadecimal digits.
_ADDRESS: Final = re.compile(
    r"https://(?P<vault>[a-z][a-z0-9-]{1,22}[a-z0-9])"
    rf"(?P<cloud>{'|'.join(map(re.escape, AUTHORITIES))})"
    r"/secrets/(?P<name>[A-Za-z0-9-]{1,127})(?:/(?P<version>[0-9a-f]{32}))?/?"
)
WANTED: Final = "https://NAME.vault.azure.net/secrets/NAME (or .vault.usgovcloudapi.net, .vault.azure.cn)"


@dataclass(frozen=True, slots=True)
class VaultAddress:
    """One secret: its vault's host, its name, and one version of it or None for the newest."""

    host: str
    name: str
    version: str | None
    authority: str

    @classmethod
    def parse(cls, text: str) -> "VaultAddress":
        """Raises ValueError, which never repeats the text: somebody may have put the secret itself there."""
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise ValueError(f"It must look like {WANTED}.")
        return cls(found["vault"] + found["cloud"], found["name"], found["version"], AUTHORITIES[found["cloud"]])

    @property
    def vault_url(self) -> str:
        return f"https://{self.host}"


def is_vault_address(text: str) -> bool:
    """Whether `VaultAddress.parse` takes it."""
    return _ADDRESS.fullmatch(text) is not None
