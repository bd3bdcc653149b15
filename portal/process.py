"""What a process of production does to itself before it reads anything: its memory, which holds tokens, stays inside.

A crash leaves no core file, and on Linux no other process of the same user may read this one's memory or environment
(``/proc/<pid>/mem``, ``environ``, ptrace). Root still can.
"""

import ctypes
import resource
import sys
from typing import Final

PR_SET_DUMPABLE: Final = 4  # linux/prctl.h
PR_GET_DUMPABLE: Final = 3


def close_memory() -> None:
    """No core files, not dumpable. What the system does not know is left out."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _prctl(PR_SET_DUMPABLE, 0)


def is_dumpable() -> bool | None:
    """Whether others may read this process; None where the system cannot say."""
    return bool(_prctl(PR_GET_DUMPABLE, 0)) if sys.platform == "linux" else None


def _prctl(option: int, argument: int) -> int:
    return int(ctypes.CDLL(None).prctl(option, argument, 0, 0, 0))
