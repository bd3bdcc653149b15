"""Where everything lives, worked out from the data directory alone, without starting or creating anything."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from embedded import account

# sun_path of Linux's unix(7) holds 108 bytes, the last of them NUL.
LONGEST_SOCKET_PATH = 107
PORT = 5432  # Names PostgreSQL's socket file; nothing listens on TCP.
_POSTGRES_SOCKET = f".s.PGSQL.{PORT}"
_VALKEY_SOCKET = "valkey.sock"


@dataclass(frozen=True)
class Addresses:
    """`database_url` and `redis_url`, in the forms that libpq, django-environ and redis-py read alike."""

    database_url: str
    redis_url: str


@dataclass(frozen=True)
class Places:
    """The folders and files below one data directory."""

    data: Path
    base: Path
    sockets: Path
    short: Path

    @property
    def postgres(self) -> Path:
        return self.base / "postgres"

    @property
    def valkey(self) -> Path:
        return self.base / "valkey"

    @property
    def postgres_socket_lock(self) -> Path:
        return self.sockets / f"{_POSTGRES_SOCKET}.lock"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / _VALKEY_SOCKET

    @property
    def holders_lock(self) -> Path:
        return self.data / "holders.lock"

    @property
    def supervisor_lock(self) -> Path:
        return self.data / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        return self.data / "supervisor.log"

    @property
    def valkey_pid(self) -> Path:
        return self.data / "valkey.pid"

    def log(self, server: str) -> Path:
        return self.data / f"{server}.log"

    def url(self, *, user: str, database: str) -> str:
        """A URL for PostgreSQL. The folder stands in the query: django-environ lower-cases a host and does not decode
        it, but hands `?host=` to libpq through OPTIONS. The port stands there so that a PGPORT cannot mislead libpq."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.sockets))}&port={PORT}"


def places(data_dir: Path) -> Places:
    """The places below `data_dir`, which need not exist yet."""
    data = data_dir.resolve()
    short = _short_folder(data)
    base = short if account.current().outside else data
    sockets = base / "run"
    # libpq reads a comma in a host as the start of the next host.
    if len(os.fsencode(sockets / _POSTGRES_SOCKET)) > LONGEST_SOCKET_PATH or "," in str(sockets):
        sockets = short / "run"
    return Places(data=data, base=base, sockets=sockets, short=short)


def addresses(data_dir: Path) -> Addresses:
    """Where the servers of `data_dir` answer once they are up: always the same for the same folder and user."""
    found = places(data_dir)
    redis_url = f"unix://{quote(str(found.valkey_socket))}?db=0"
    return Addresses(database_url=found.url(user="portal", database="portal"), redis_url=redis_url)


def default_data_dir(name: str = "servers") -> Path:
    """`servers` (for the demo and commands) or `test` below PORTAL_LOCAL_DIR, which is `.local` beside this package."""
    given = os.environ.get("PORTAL_LOCAL_DIR")
    return (Path(given) if given else Path(__file__).resolve().parent.parent / ".local") / name


def _short_folder(data: Path) -> Path:
    """A folder of this user's own below /tmp. TMPDIR is not asked where /tmp exists: two processes that disagree on
    TMPDIR have to agree on the address."""
    shared = Path("/tmp")  # noqa: S108 - the name is a hash, and the owner is checked before use
    root = shared if shared.is_dir() else Path(tempfile.gettempdir())
    name = hashlib.sha256(f"{os.geteuid()}:{data}".encode(errors="surrogateescape")).hexdigest()[:12]
    return root / f"portal-{name}"
