"""Everything the portal consists of on one machine: sandbox cloud, web, one worker, beat. Used by the demo and by
journey tests alike, so that what the tests drive is what people try."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demo.processes import Ended, Process, Waiter, wait_until

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Stack:
    """Ports, environment and log folder of one running portal."""

    web_port: int
    sandbox_port: int
    logs: Path
    base_env: Mapping[str, str]
    workers: int = 8
    processes: list[Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the portal answers."""
        return f"http://localhost:{self.web_port}"

    @property
    def sandbox_url(self) -> str:
        """Where the sandbox cloud answers."""
        return f"http://localhost:{self.sandbox_port}"

    def env(self, process: str) -> dict[str, str]:
        """The environment of one process; web gets no partner credential whatever the shell has."""
        env = {**os.environ, **self.base_env, "PORTAL_BASE_URL": self.url, "PORTAL_PROCESS": process}
        env |= {"MICROSOFT_CLOUD": "sandbox", "SANDBOX_LOGIN_URL": self.sandbox_url}
        # Workers go straight to the address that the sandbox listens on; only browsers need the name.
        direct = f"http://127.0.0.1:{self.sandbox_port}"
        env |= {f"SANDBOX_{name}_URL": direct for name in ("XDR", "MDE", "GRAPH")}
        if process == "web":
            kinds = ("CLIENT_SECRET", "CLIENT_CERTIFICATE", "FEDERATED_TOKEN_FILE", "VAULT_SECRET")
            for name in kinds:
                env.pop(f"ENTRA_{name}", None)
        return env

    def command(self, *arguments: str, process: str = "worker") -> None:
        """Run a ``manage.py`` command to its end, on this terminal. Raises Ended where it fails."""
        done = subprocess.run([sys.executable, "manage.py", *arguments], env=self.env(process), cwd=ROOT, check=False)
        if done.returncode:
            raise Ended(f"manage.py {' '.join(arguments)} ended with status {done.returncode}.")

    def start_sandbox(self, *extra: str) -> None:
        """The sandbox cloud, answering."""
        self._start("sandbox", ["-m", "sandbox", "--port", str(self.sandbox_port), *extra], "worker")
        self._await(f"{self.sandbox_url}/_sandbox/health")

    def start_portal(self) -> None:
        """Web, worker and beat; returns when the web answers that it is ready."""
        bind = f"127.0.0.1:{self.web_port}"
        gunicorn = ["-m", "gunicorn", "portal.wsgi", "--bind", bind, "--workers", "2", "--threads", "8"]
        celery = ["-m", "celery", "-A", "portal.celery", "--quiet"]
        self._start("web", [*gunicorn, "--worker-class", "gthread", "--log-level", "warning"], "web")
        pool = ["-P", "threads", "-c", str(self.workers), "--without-gossip", "--without-mingle"]
        self._start("worker", [*celery, "worker", *pool, "--loglevel", "INFO"], "worker")
        self._start("beat", [*celery, "beat", "--loglevel", "WARNING"], "worker")
        self._await(f"http://127.0.0.1:{self.web_port}/readyz")

    def check(self) -> None:
        """Raise Ended where a process is gone."""
        for process in self.processes:
            process.check()

    def stop(self) -> None:
        """End what was started, the last first."""
        while self.processes:
            self.processes.pop().stop()

    def _start(self, name: str, arguments: list[str], process: str) -> None:
        log = self.logs / f"{name}.log"
        self.processes.append(Process(name, arguments, env=self.env(process), log=log, cwd=ROOT))

    def _await(self, url: str) -> None:
        if not wait_until(Waiter(url), seconds=60, watching=self.processes):
            last = self.processes[-1]
            raise Ended(f"{url} does not answer after 60 s. The end of {last.log}:\n{last.last_words()}")
