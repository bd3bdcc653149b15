"""`python -m sandbox`: the sandbox cloud as a process of its own, on loopback only."""

import argparse
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from sandbox import cast
from sandbox.journal import open_world
from sandbox.registration import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from sandbox.server import CannotListen, Server, bind
from sandbox.world import World


def arguments() -> argparse.Namespace:
    """The command line; SANDBOX_PORT, SANDBOX_SEED, SANDBOX_TENANTS and SANDBOX_PACE set defaults."""
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    # Texts as defaults, so that what the environment says is checked like what is typed.
    parser.add_argument(
        "--port", type=_number(0, 65535), default=env("SANDBOX_PORT", "9400"), help="0 takes a free one"
    )
    parser.add_argument("--seed", type=int, default=env("SANDBOX_SEED", "7"))
    parser.add_argument("--tenants", type=_number(1, 20_000), default=env("SANDBOX_TENANTS", "25"))
    parser.add_argument("--pace", type=_pace, default=env("SANDBOX_PACE", "1"), help="0 is quiet, 1000 the most")
    parser.add_argument("--incidents", type=_bounds, default=(40, 400), metavar="LOW-HIGH", help="per tenant")
    parser.add_argument("--big", type=int, default=0, help="so many tenants have several pages of incidents")
    parser.add_argument("--connected", action="store_true", help="every tenant has consented already")
    parser.add_argument("--ascending", action="store_true", help="lists come oldest first, which Microsoft's never do")
    parser.add_argument("--client-id", default=DEFAULT_CLIENT_ID)
    parser.add_argument("--client-secret", default=DEFAULT_CLIENT_SECRET)
    parser.add_argument("--state", type=Path, help="a file that lets the world outlive the process")
    return parser.parse_args()


def _number(least: int, most: int) -> Any:
    def number(text: str) -> int:
        if not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must lie between {least} and {most}")
        return int(text)

    return number


def _bounds(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not 0 < int(low) <= int(high) <= 10_000:
        raise argparse.ArgumentTypeError("must be two numbers, such as 5-40")
    return int(low), int(high)


def _pace(text: str) -> float:
    if not 0 <= float(text) <= 1000:
        raise argparse.ArgumentTypeError("must lie between 0 and 1000")
    return float(text)


def main() -> int:
    """Serve until SIGTERM or SIGINT. 0 after a wanted end, 1 with a sentence where it cannot start."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    given = arguments()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            _serve(given)
    except (CannotListen, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


_WORLD = ("seed", "tenants", "pace", "client_id", "client_secret", "incidents", "big")


def _serve(given: argparse.Namespace) -> None:
    listener = bind(given.host, given.port)
    port = listener.getsockname()[1]
    settings = {name: getattr(given, name) for name in _WORLD}
    world, journal = open_world(given.state, **settings) if given.state else (World(**settings), None)
    world.ascending = given.ascending
    for tenant in world.tenants.values() if given.connected else ():
        world.set_state(tenant, cast.CONNECTED)
    host = f"[{given.host}]" if ":" in given.host else given.host
    sys.stdout.write(f"Sandbox cloud at http://{host}:{port}/_sandbox/ (seed {given.seed})\n")
    sys.stdout.flush()
    try:
        Server(world).run(sockets=[listener])
    finally:
        listener.close()
        if journal:
            journal.close()


if __name__ == "__main__":
    sys.exit(main())
