"""PostgreSQL: makes the cluster once, says how the server is started, and makes the login role and its database."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg

from embedded import account, programs
from embedded.errors import EmbeddedError
from embedded.places import PORT, Places
from embedded.server import Server, Steps, clean_environment, logger, wait_out

# SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one (the next start replays the log).
_STOPPING: Steps = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
_ROLE = "CREATE ROLE portal LOGIN NOSUPERUSER CREATEROLE CREATEDB NOBYPASSRLS"
_DATABASE = "CREATE DATABASE portal OWNER portal"


def server(places: Places) -> Server:
    """The server over a cluster that is made now if there is none. Raises EmbeddedError."""
    programs_folder = programs.postgres_bin()
    check_version(places, programs_folder)
    if not places.postgres.exists():
        _initialise(places.postgres, programs_folder)
    _clear_up(places)
    argv = [str(programs_folder / "postgres"), "-D", str(places.postgres)]
    for name, value in _settings(places).items():
        argv += ["-c", f"{name}={value}"]
    return Server(
        name="postgres",
        argv=argv,
        log=places.log("postgres"),
        at_parents_death="INT",
        stopping=_STOPPING,
    )


def check_version(places: Places, programs_folder: Path) -> None:
    """Raises EmbeddedError if the cluster was made by another major version than the programs are of."""
    try:
        made_by = (places.postgres / "PG_VERSION").read_text().strip()
    except (FileNotFoundError, PermissionError):
        return
    major = programs.postgres_major(programs_folder)
    if made_by != str(major):
        raise EmbeddedError(
            f"The data in {places.postgres} was made by PostgreSQL {made_by}, but {programs_folder} is of {major}. "
            f"Name the programs of version {made_by} in EMBEDDED_POSTGRES_BIN, or remove {places.data} to start anew "
            "without its content."
        )


def answers(places: Places, *, user: str = "portal", database: str = "portal") -> bool:
    """True if this user can log in and ask something."""
    try:
        with psycopg.connect(places.url(user=user, database=database), connect_timeout=5) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def make_ready(places: Places) -> None:
    """Make the login role and its database unless they are there."""
    with psycopg.connect(places.url(user="postgres", database="postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'portal'").fetchone():
            connection.execute(_ROLE)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'portal'").fetchone():
            connection.execute(_DATABASE)


def _settings(places: Places) -> dict[str, str]:
    """For a small machine with one user; everything else is PostgreSQL's own default."""
    sockets = str(places.sockets).replace('"', '""')
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": f'"{sockets}"',
        "port": str(PORT),
        # Benchmarks hold more than a demo does.
        "shared_buffers": os.environ.get("EMBEDDED_SHARED_BUFFERS", "128MB"),
        "max_connections": "100",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if os.environ.get("EMBEDDED_FSYNC") == "off":  # Tests only: a power cut may then spoil the cluster.
        settings |= {"fsync": "off", "full_page_writes": "off"}
    return settings


def _initialise(cluster: Path, programs_folder: Path) -> None:
    """initdb beside the final place, then one rename: a half-made cluster is never taken for a whole one."""
    unfinished = cluster.with_name("postgres.new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    who = account.current()
    who.give(unfinished)
    argv = [str(programs_folder / "initdb"), "-D", str(unfinished), "-U", "postgres", "-A", "trust", "--no-sync"]
    argv += ["--locale=C.UTF-8", "--encoding=UTF8"]
    made = subprocess.run(
        who.command(argv, at_parents_death="TERM"),
        cwd="/", env=clean_environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if made.returncode != 0:
        last = (made.stderr.strip() or made.stdout.strip()).splitlines()[-3:]
        raise EmbeddedError(f"{argv[0]} could not make a cluster in {cluster}: {' '.join(last)}")
    unfinished.rename(cluster)
    logger.info("a new cluster was made in %s", cluster)


def _clear_up(places: Places) -> None:
    """After a kill -9 of everything: wait for the old postmaster, and keep its pid from standing in the way.

    PostgreSQL refuses to start while any process has the pid that its lock files name, be it a zombie or a stranger.
    The file in the cluster stays, because it also names the shared memory that leftover backends may still use: only
    the pid is replaced, by that of the postmaster's parent, which PostgreSQL does not take for a rival."""
    pid_file = places.postgres / "postmaster.pid"
    with suppress(FileNotFoundError, PermissionError, ValueError, IndexError):
        old, rest = pid_file.read_text().split("\n", 1)
        wait_out(int(old), ("postgres", str(places.postgres)), _STOPPING)
        pid_file.write_text(f"{os.getpid()}\n{rest}")
    with suppress(FileNotFoundError, PermissionError):
        places.postgres_socket_lock.unlink()
