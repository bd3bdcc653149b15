"""`python -m embedded`: starts the supervisor (programs do that), or `--status` and `--stop` for people."""

import argparse
import logging
import os
import signal
import sys
import time
from pathlib import Path

from embedded import locks, postgres, valkey
from embedded.errors import EmbeddedError
from embedded.holding import tell
from embedded.places import Places, addresses, default_data_dir, places
from embedded.server import wait_for
from embedded.supervisor import Supervisor

_STOP_SECONDS = 50.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m embedded", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=default_data_dir(), help="default: %(default)s")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--status", action="store_true", help="say whether the servers are up, and where")
    what.add_argument("--stop", action="store_true", help="stop the servers, whoever uses them")
    given = parser.parse_args()
    found = places(given.data_dir)
    if given.status:
        return _status(found)
    return _stop(found) if given.stop else _supervise(found)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _status(found: Places) -> int:
    """0 when both answer, 3 (the init scripts' "not running") otherwise."""
    supervisor = locks.supervisor(found.supervisor_lock)
    where = addresses(found.data)
    up = {
        "PostgreSQL": (postgres.answers(found), where.database_url),
        "Valkey": (valkey.answers(found), where.redis_url),
    }
    state = f"{supervisor[1]}, pid {supervisor[0]}" if supervisor else "not running"
    _say(f"supervisor: {state} ({found.data})")
    for name, (answers, url) in up.items():
        _say(f"{name}: {'answers' if answers else 'does not answer'} at {url}")
    return 0 if all(answers for answers, _url in up.values()) else 3


def _stop(found: Places) -> int:
    supervisor = locks.supervisor(found.supervisor_lock)
    if supervisor is None:
        _say(f"No servers are running in {found.data}.")
        return 0
    tell(supervisor[0], signal.SIGTERM)
    if not wait_for(lambda: locks.supervisor(found.supervisor_lock) is None, seconds=_STOP_SECONDS):
        _say(f"The servers in {found.data} did not stop within {_STOP_SECONDS:.0f} s; look at {found.supervisor_log}.")
        return 1
    _say(f"The servers in {found.data} are stopped.")
    return 0


def _supervise(found: Places) -> int:
    """Take the supervisor's lock, detach, supervise. Where there is a supervisor already, this is the quiet second."""
    found.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = locks.open_lock(found.supervisor_lock)
    if not locks.try_lock(lock, exclusive=True, seconds=0.5):
        return 0
    if os.fork() > 0:
        os._exit(0)  # The child shares the lock; nothing may be flushed or closed twice.
    os.setsid()
    logging.basicConfig(level=logging.INFO, format="%(asctime)sZ [%(process)d] %(message)s", stream=sys.stderr)
    logging.Formatter.converter = time.gmtime
    return Supervisor(found, lock).run()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
