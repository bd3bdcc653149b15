"""Who the servers run as: never root.

PostgreSQL refuses to run as root, and Valkey should not. An ordinary user simply runs them. Root hands them to
`nobody` through util-linux's setpriv, which also ties every server to the life of its supervisor (`--pdeathsig`).

`nobody` must reach binaries and data below folders that only root may enter, such as /root. Instead of opening
those folders, the servers keep one capability: reading past permissions (`dac_read_search`), or, where a container
has cut that one off, `dac_override`. Where neither can be passed on, the data moves to a folder below /tmp.
"""

import os
import pwd
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from embedded.errors import EmbeddedError

# Numbers from linux/capability.h.
_CHOWN, _DAC_OVERRIDE, _DAC_READ_SEARCH, _KILL, _SETGID, _SETUID, _SETPCAP = 0, 1, 2, 5, 6, 7, 8


@dataclass(frozen=True)
class Account:
    """How to start a server: `uid`/`gid` own its files (None: the current user), `capability` is what it keeps."""

    uid: int | None = None
    gid: int | None = None
    capability: str | None = None

    @property
    def outside(self) -> bool:
        """True where the servers cannot reach the data directory and live below /tmp instead."""
        return self.uid is not None and self.capability is None

    def command(self, argv: list[str], *, at_parents_death: str) -> list[str]:
        """`argv` wrapped so that it runs as this account and gets a signal when its parent dies."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            if self.uid is not None:
                raise EmbeddedError(
                    "Root needs the setpriv command to start PostgreSQL. Try: apt-get install util-linux"
                )
            return argv  # Not Linux: the next start then clears up after a supervisor that was killed.
        return [setpriv, *self._switches(), "--pdeathsig", at_parents_death, "--", *argv]

    def _switches(self) -> list[str]:
        if self.uid is None:
            return []
        identity = ["--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups"]
        if self.capability is None:
            return identity
        kept = f"-all,+{self.capability}"
        # Without no_setuid_fixup access(2) ignores the kept capability, and PostgreSQL calls its own binary invalid.
        keep = ["--securebits", "+no_setuid_fixup", "--inh-caps", kept, "--ambient-caps", kept, "--bounding-set", kept]
        return identity + keep

    def give(self, folder: Path) -> Path:
        """Make `folder` if need be and hand it to the account, closed to everybody else."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = os.geteuid() if self.uid is None else self.uid
        if folder.stat().st_uid == owner and self.uid is not None:
            return folder  # Given before; without capabilities root may not change it any more.
        folder.chmod(0o750 if self.outside else 0o700)
        if self.uid is not None:
            group = 0 if self.outside else self.gid  # Root without capabilities enters by its group.
            os.chown(folder, self.uid, -1 if group is None else group)
        return folder


def claim(folder: Path) -> None:
    """Make a folder below /tmp that is ours. Raises EmbeddedError if somebody else was there first."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedError(f"{folder} belongs to somebody else. Remove it, or choose another data directory.")
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # Root's servers pass through it to their own folders.


@cache
def current() -> Account:
    """The account for this process: itself, or `nobody` for root. Raises EmbeddedError where root may not change."""
    if os.geteuid() != 0:
        return Account()
    nobody = pwd.getpwnam("nobody")
    able = _capabilities()
    if not {_SETUID, _SETGID, _CHOWN, _KILL} <= able:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and this root may not become another user. Run this as an ordinary user."
        )
    return Account(nobody.pw_uid, nobody.pw_gid, _passed_on(able))


def _passed_on(able: set[int]) -> str | None:
    if _SETPCAP not in able or _DAC_OVERRIDE not in able:
        return None
    return "dac_read_search" if _DAC_READ_SEARCH in able else "dac_override"


def _capabilities() -> set[int]:
    """The capabilities that this process has and may pass on; all of them where the system has no such notion."""
    status = Path("/proc/self/status")
    if not status.exists():
        return set(range(64))
    fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
    bits = int(fields["CapEff"], 16) & int(fields["CapBnd"], 16)
    return {number for number in range(64) if bits >> number & 1}
