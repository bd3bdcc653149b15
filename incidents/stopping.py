"""Whether this worker has been told to end: passes then stop at their next page and the rest is handed back."""

import threading

_told = threading.Event()


def stop() -> None:
    """This process is about to end."""
    _told.set()


def is_stopping() -> bool:
    """Asked between two pages and before a claim."""
    return _told.is_set()


def go_on() -> None:
    """Take it back."""
    _told.clear()
