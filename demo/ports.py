"""Ports of the try-out: the wanted one, or the next free one."""

import socket

TRIES = 50


class NoFreePort(Exception):
    """Every port that was tried is in use."""


def free_port(wanted: int) -> int:
    """``wanted`` or the next port after it that nothing listens on, on both loopback addresses."""
    for port in range(wanted, min(wanted + TRIES, 65536)):
        if _is_free(port):
            return port
    raise NoFreePort(f"Ports {wanted} to {wanted + TRIES - 1} are all in use. Name another with --port.")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
