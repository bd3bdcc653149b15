"""Valkey (or Redis): how the server is started, and whether it answers."""

import os
import signal
import socket

from embedded import account, programs
from embedded.places import Places
from embedded.server import Server, Steps, wait_out

_STOPPING: Steps = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


def server(places: Places) -> Server:
    """The server over its append-only file. Raises EmbeddedError where no program is found."""
    program = programs.redis_server()
    who = account.current()
    folder = who.give(places.valkey)
    _clear_up(places)
    # The folder of the socket is what keeps others out; only a root without capabilities needs the wider mode.
    mode = "777" if who.outside else "700"
    appendfsync = "no" if os.environ.get("EMBEDDED_FSYNC") == "off" else "everysec"
    argv = [str(program), "--port", "0", "--unixsocket", str(places.valkey_socket), "--unixsocketperm", mode]
    argv += ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", appendfsync, "--save", ""]
    argv += ["--maxmemory-policy", "noeviction", "--daemonize", "no"]
    return Server(
        name="valkey",
        argv=argv,
        log=places.log("valkey"),
        at_parents_death="TERM",
        stopping=_STOPPING,
    )


def answers(places: Places) -> bool:
    """True once it says PONG: while it still loads its file it says LOADING."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(places.valkey_socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def remember(running: Server, places: Places) -> None:
    """Keep the pid, so that a later supervisor can wait for a server that this one left behind."""
    if running.process:
        places.valkey_pid.write_text(f"{running.process.pid}\n")


def _clear_up(places: Places) -> None:
    """Two servers must never write to one append-only file: Valkey itself does not lock it."""
    try:
        pid = int(places.valkey_pid.read_text())
    except (FileNotFoundError, ValueError):
        return
    wait_out(pid, (str(places.valkey_socket),), _STOPPING)
