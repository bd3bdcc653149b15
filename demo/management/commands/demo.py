"""``manage.py demo``: the whole portal on this machine, with a made-up cloud. Ctrl-C ends every process it started."""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from demo import story
from demo.overview import Overview
from demo.ports import NoFreePort, free_port
from demo.processes import Ended
from demo.stack import Stack


class Stopped(Exception):
    """Somebody asked the demo to end."""


class Command(BaseCommand):
    """Starts PostgreSQL, Valkey, the sandbox cloud, web, a worker and beat, and says what to try."""

    help = "Try the portal on this machine, with a made-up cloud. Data stays in .local/ for the next start."

    def add_arguments(self, parser: CommandParser) -> None:
        """Ports; the next free one is taken where a port is in use."""
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--sandbox-port", type=int, default=9400)
        parser.add_argument("--once", action="store_true", help="End when every connected tenant has been read once.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Start, tell, watch; and in the end stop what was started."""
        if settings.PORTAL_ENV != "local":
            raise CommandError("The demo runs in the local setting only (PORTAL_ENV=local).")
        self.console = Console(highlight=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _stop)
        self._only_one()
        stack: Stack | None = None
        try:
            stack = self._stack(options)
            self._run(stack, once=options["once"])
        except Stopped:
            self.console.print("\nStopping …")
        except (Ended, NoFreePort) as sentence:
            raise CommandError(str(sentence)) from sentence
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            if stack:
                stack.stop()
            self._release_servers()
        self.console.print("Everything is stopped. The data stays in .local/ for next time; make clean removes it.")

    def _only_one(self) -> None:
        path = Path(settings.LOCAL_DIR) / "demo.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            self._lock.seek(0)
            raise CommandError(
                f"The demo is already running at {self._lock.read().strip() or 'another port'}."
            ) from held

    def _stack(self, options: dict[str, Any]) -> Stack:
        self._servers()
        web, sandbox = free_port(options["port"]), free_port(options["sandbox_port"])
        for name, wanted, port in (("portal", options["port"], web), ("sandbox", options["sandbox_port"], sandbox)):
            if wanted != port:
                self.console.print(f"Port {wanted} is in use; the {name} takes {port}.")
        stack = Stack(web, sandbox, Path(settings.LOCAL_DIR) / "logs", {"PORTAL_ENV": "local"})
        self._lock.truncate(0)
        self._lock.write(stack.url)
        self._lock.flush()
        return stack

    def _run(self, stack: Stack, *, once: bool) -> None:
        began = time.monotonic()
        self.console.print("Preparing the database …")
        stack.command("migrate", "--verbosity", "0", process="owner")
        self.console.print("Starting the sandbox cloud, web, worker and beat …")
        stack.start_sandbox("--state", str(Path(settings.LOCAL_DIR) / "sandbox-state"))
        stack.command("seed_demo")
        fickle = story.never_connected(stack)
        story.let_them_connect(stack, fickle)
        stack.start_portal()
        overview = Overview(stack, self.console)
        overview.introduce(seconds=time.monotonic() - began)
        overview.first_sync(until=stack.check)
        story.take_consent_back(stack, fickle)
        overview.all_read()
        while not once:
            stack.check()
            time.sleep(0.5)

    def _servers(self) -> None:
        if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
            return
        import embedded

        try:
            embedded.ensure(Path(settings.LOCAL_DIR) / "servers", say=self.console.print)
        except embedded.EmbeddedError as sentence:
            raise CommandError(str(sentence)) from sentence

    def _release_servers(self) -> None:
        if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
            import embedded

            embedded.release(Path(settings.LOCAL_DIR) / "servers")


def _stop(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    if number == signal.SIGINT and sys.stdout.isatty():
        sys.stdout.write("\r")
    raise Stopped
