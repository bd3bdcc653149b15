"""``python -m tests.canaries.listening FILE -m PROGRAM …``: a program of the portal with an ear on its log records.

What any handler could see is written to FILE: message, arguments, everything that was attached, and exceptions. The
portal's own handler hides more as it writes a line; others that somebody might add, of an error tracker for instance,
get the record.
"""

import logging
import os
import runpy
import sys
import traceback
from typing import Any


def listen(path: str) -> None:
    """Every record from now on is also written to the file, one after the other, whatever handlers there are."""
    ear = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    call_handlers = logging.Logger.callHandlers

    def heard(self: logging.Logger, record: logging.LogRecord) -> None:
        os.write(ear, described(record).encode("utf-8", "backslashreplace") + b"\n")
        call_handlers(self, record)

    logging.Logger.callHandlers = heard  # type: ignore[method-assign]


def described(record: logging.LogRecord) -> str:
    """All of a record as text."""
    said = {name: value for name, value in vars(record).items() if name != "exc_info"}
    lines = [record.name, shown(said), shown(record.msg), shown(record.args)]
    if record.exc_info and record.exc_info[1]:
        lines.append(everything_said(record.exc_info[1]))
    return " | ".join(lines)


def shown(thing: Any) -> str:
    """``repr``, also of what has none that works."""
    try:
        return repr(thing)
    except Exception as broken:  # noqa: BLE001  whatever a repr may do wrong
        return f"no repr: {type(broken).__name__}"


def everything_said(error: BaseException) -> str:
    """What could be shown of an exception and of all that it is chained to."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    said: list[str] = []
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        said += [str(one), shown(one), shown(one.args), shown(vars(one)), *traceback.format_exception(one)]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(said)


if __name__ == "__main__":
    listen(sys.argv[1])
    module = sys.argv[3]
    sys.argv = [module, *sys.argv[4:]]
    sys.path.insert(0, os.environ["PYTHONPATH"])
    runpy.run_module(module, run_name="__main__", alter_sys=True)
