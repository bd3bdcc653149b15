"""The portal's processes with canaries for secrets: web, worker, beat and commands, in a folder of their own.

Secrets come from files, as operations tell people to do. The processes get a clean environment and a working folder,
so that whatever they leave behind lies there.
"""

import os
import resource
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psutil

from demo.processes import Ended, Process, Waiter, wait_until
from demo.stack import ROOT
from tests.canaries.canaries import Canaries

INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "HOME")
# Seconds; far more than any of them takes, for machines that have much else to do.
COMMAND_SECONDS = 240
LISTENING = "tests.canaries.listening"


@dataclass
class Portal:
    """Folders, addresses and processes of one run."""

    folder: Path
    port: int
    cloud: str
    canaries: Canaries
    processes: list[Process] = field(default_factory=list)
    lists: dict[str, bytes] = field(default_factory=dict)
    environments: dict[str, bytes] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where browsers reach it."""
        return f"http://localhost:{self.port}"

    def prepare(self) -> None:
        """The folders."""
        for name in ("secrets", "local", "work", "temporary", "mail", "logs", "records"):
            (self.folder / name).mkdir(mode=0o700)

    def secret_file(self, name: str, content: str) -> Path:
        """A file outside the folders that are searched."""
        path = self.folder / "secrets" / name
        path.write_text(content)
        path.chmod(0o600)
        return path

    def env(self, process: str, **more: str) -> dict[str, str]:
        """The environment of one process, without any secret in it."""
        env = {name: os.environ[name] for name in INHERITED if name in os.environ}
        env |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder / "temporary"), "PYTHONFAULTHANDLER": "1"}
        env |= {"PORTAL_ENV": "test", "PORTAL_PROCESS": process, "PORTAL_BASE_URL": self.url}
        env |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "PORTAL_LOCAL_DIR": str(self.folder / "local")}
        env |= {"MICROSOFT_CLOUD": "sandbox", "LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json"}
        env |= {f"SANDBOX_{name}_URL": self.cloud for name in ("LOGIN", "XDR", "MDE", "GRAPH")}
        env |= {"SYNC_POLL_SECONDS": "2", "SYNC_WAKE_SECONDS": "1", "CONSENT_CHECK_MINUTES": "0.5"}
        env |= {"LOCAL_SECOND_FACTOR": "true", "AUDIT_ANCHOR_FILE": str(self.folder / "local" / "anchors.jsonl")}
        env |= {"SYNC_FIRST_WAIT_SECONDS": "0.2", "SYNC_LONGEST_WAIT_SECONDS": "1"}
        env |= {"ALARM_EMAIL": "soc@example.com", "EMAIL_URL": f"filemail:///{self.folder / 'mail'}"}
        for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
            env[f"{name}_FILE"] = str(self.folder / "secrets" / name.lower())
        return env | self._credential(process) | more

    def _credential(self, process: str) -> dict[str, str]:
        """Web holds that of the sign-in app only; workers and commands that of the partner app; beat none."""
        secrets = self.folder / "secrets"
        if process == "web":
            return {"SIGN_IN_CLIENT_SECRET_FILE": str(secrets / "sign_in_secret")}
        if process == "beat":
            return {}
        partner = {"ENTRA_CLIENT_CERTIFICATE": str(secrets / "certificate.pem")}
        return partner | {"AUDIT_SIGNING_KEY_FILE": str(secrets / "audit_signing_key")}

    def start(self) -> None:
        """Web, worker and beat; returns when the web is ready."""
        web = ["gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{self.port}", "--workers", "1", "--threads", "4"]
        celery = ["celery", "-A", "portal.celery", "--quiet"]
        pool = ["-P", "threads", "-c", "4", "-E", "--without-gossip", "--without-mingle"]
        talkative = ["--log-level", "debug", "--access-logfile", "-"]
        self._start("web", [*web, "--worker-class", "gthread", *talkative], "web")
        self._start("worker", [*celery, "worker", *pool], "worker", LOG_FORMAT="console")
        self._start("beat", [*celery, "beat"], "beat")
        if not wait_until(Waiter(f"http://127.0.0.1:{self.port}/readyz"), seconds=180, watching=self.processes):
            raise Ended(f"The web is not ready: {self.processes[0].last_words()}")

    def _start(self, name: str, arguments: list[str], process: str, **more: str) -> None:
        ear = ["-m", LISTENING, str(self.folder / "records" / name), "-m", *arguments]
        log, work = self.folder / "logs" / f"{name}.log", self.folder / "work"
        self.processes.append(Process(name, ear, env=self.env(process, **more), log=log, cwd=work))

    def look_at_processes(self) -> None:
        """What ``ps`` and ``/proc`` show of every process and its children."""
        for process in self.processes:
            parent = psutil.Process(process.pid)
            for one in (parent, *parent.children(recursive=True)):
                self.look_at(process.name, one.pid)

    def look_at(self, name: str, pid: int) -> None:
        """One process; one that has ended shows nothing."""
        with suppress(OSError):
            self.lists[name] = self.lists.get(name, b"") + Path(f"/proc/{pid}/cmdline").read_bytes() + b"\n"
            found = Path(f"/proc/{pid}/environ").read_bytes()
            self.environments[name] = self.environments.get(name, b"") + found + b"\n"

    def crash(self) -> None:
        """The worker is hit in the middle of its work and tells where it was; as in production, without a core file."""
        worker = next(process for process in self.processes if process.name == "worker")
        resource.prlimit(worker.pid, resource.RLIMIT_CORE, (0, 0))
        os.kill(worker.pid, signal.SIGABRT)
        psutil.Process(worker.pid).wait(20)

    def stop(self) -> None:
        """All of it, the last first."""
        while self.processes:
            self.processes.pop().stop()

    def commands(self, *lines: str, name: str, **more: str) -> "Said":
        """Several management commands in one process."""
        return self._run(["tests.canaries.commands", *lines], name, more)

    def command(self, *arguments: str, name: str = "", **more: str) -> "Said":
        """A management command by itself."""
        return self._run(["manage", *arguments], name or f"command {arguments[0]}", more)

    def _run(self, module: list[str], name: str, more: dict[str, str]) -> "Said":
        """A program to its end. It holds both live credentials, and uses the secret first."""
        env = self.env("worker", **more)
        env["ENTRA_NEXT_CLIENT_CERTIFICATE"] = env.pop("ENTRA_CLIENT_CERTIFICATE")
        env["ENTRA_CLIENT_SECRET_FILE"] = str(self.folder / "secrets" / "client_secret")
        ear = ["-m", LISTENING, str(self.folder / "records" / name.replace(" ", "-")), "-m", *module]
        child = subprocess.Popen(
            [sys.executable, *ear], env=env, cwd=self.folder / "work", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        looking = threading.Timer(0.3, self.look_at, (name, child.pid))
        looking.start()
        try:
            out, err = child.communicate(timeout=COMMAND_SECONDS)
        finally:
            child.kill()
            looking.join()
        return Said(name, child.returncode, out, err)


@dataclass(frozen=True)
class Said:
    """How a command ended and what it wrote."""

    name: str
    status: int
    out: bytes
    err: bytes


def with_password(url: str, user: str, password: str) -> str:
    """A database URL with a login of its own."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}"))
