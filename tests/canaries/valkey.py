"""A Redis server of this run's own, with a password, that is overheard and dumped."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis

from embedded import programs


class Valkey:
    """One server: its address, everything that was said to it, and what it holds."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self.folder, self.port, self.password = folder, port, password
        self.heard: list[bytes] = []

    def client(self) -> Any:
        """A connection that the portal knows nothing of."""
        return redis.Redis(port=self.port, password=self.password, socket_timeout=10)

    def listen(self) -> None:
        """Write down every command, until the server ends. The server itself leaves out what a login says."""
        line = socket.create_connection(("127.0.0.1", self.port))
        words = [b"AUTH", self.password.encode()]
        line.sendall(b"*2\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words) + b"MONITOR\r\n")

        def keep() -> None:
            with line, contextlib.suppress(OSError):
                while said := line.recv(65536):
                    self.heard.append(said)

        threading.Thread(target=keep, name="overhearing", daemon=True).start()

    def dump(self) -> bytes:
        """Every key with all that it holds, and the file in which the server keeps it."""
        with self.client() as client:
            client.config_set("rdbcompression", "no")
            client.save()
            keys = sorted(client.scan_iter(count=1000))
            held = [b"%s: %s" % (key, contents(client, key)) for key in keys]
        files = [path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return b"\n".join([*held, *files])


def contents(client: Any, key: bytes) -> bytes:
    """What one key holds, whatever its kind."""

    def as_dumped() -> list[bytes]:
        return [client.dump(key) or b""]

    read: dict[bytes, Callable[[], list[bytes]]] = {
        b"string": lambda: [client.get(key) or b""],
        b"list": lambda: client.lrange(key, 0, -1),
        b"set": lambda: sorted(client.smembers(key)),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"hash": lambda: [name + b"=" + value for name, value in client.hgetall(key).items()],
    }
    return b" ".join(read.get(client.type(key), as_dumped)())


@contextlib.contextmanager
def own_valkey(folder: Path, port: int, password: str) -> Iterator[Valkey]:
    """The server, answering. Its password comes by standard input, since a command line can be read by everybody."""
    folder.mkdir()
    quoted = "".join(f"\\x{byte:02x}" for byte in password.encode())
    words = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "save": '""', "requirepass": f'"{quoted}"'}
    given = "".join(f"{name} {value}\n" for name, value in words.items())
    with (folder.parent / "valkey.log").open("wb") as log:
        server = subprocess.Popen([programs.redis_server(), "-"], stdin=subprocess.PIPE, stdout=log, stderr=log)
    assert server.stdin
    server.stdin.write(given.encode())
    server.stdin.close()
    made = Valkey(folder, port, password)
    try:
        _await(made)
        made.listen()
        yield made
    finally:
        server.terminate()
        server.wait(10)


def _await(server: Valkey) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            with server.client() as client:
                client.ping()
                return
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
