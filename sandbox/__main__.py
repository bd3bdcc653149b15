"""`python -m sandbox`: the sandbox cloud as a process of its own, on loopback only."""

import argparse
import os
import socket
import sys
from ipaddress import ip_address
from pathlib import Path

from sandbox.journal import open_world
from sandbox.registration import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from sandbox.server import Server
from sandbox.world import World


def arguments() -> argparse.Namespace:
    """The command line; SANDBOX_PORT, SANDBOX_SEED, SANDBOX_TENANTS and SANDBOX_PACE set defaults."""
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=int(env("SANDBOX_PORT", "9400")))
    parser.add_argument("--seed", type=int, default=int(env("SANDBOX_SEED", "7")))
    parser.add_argument("--tenants", type=int, default=int(env("SANDBOX_TENANTS", "25")))
    parser.add_argument("--pace", type=float, default=float(env("SANDBOX_PACE", "1")), help="0 is quiet")
    parser.add_argument("--client-id", default=DEFAULT_CLIENT_ID)
    parser.add_argument("--client-secret", default=DEFAULT_CLIENT_SECRET)
    parser.add_argument("--state", type=Path, help="a file that lets the world outlive the process")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    problem = _problem(given.host, given.port)
    if problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    settings = {
        "seed": given.seed,
        "tenants": given.tenants,
        "pace": given.pace,
        "client_id": given.client_id,
        "client_secret": given.client_secret,
    }
    world, journal = open_world(given.state, **settings) if given.state else (World(**settings), None)
    sys.stdout.write(f"Sandbox cloud at http://{given.host}:{given.port}/_sandbox/ (seed {given.seed})\n")
    sys.stdout.flush()
    Server(world, host=given.host, port=given.port).run()
    if journal:
        journal.close()
    return 0


def _problem(host: str, port: int) -> str:
    """Why the sandbox does not start, or nothing."""
    try:
        is_loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        return f"The sandbox listens on loopback only, not on {host}."
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return f"Port {port} is in use. Name another with --port."
    return ""


if __name__ == "__main__":
    sys.exit(main())
