"""``python -m tests.canaries.commands "one --option" "other"``: several management commands, one start of Python."""

import shlex
import sys


def main(lines: list[str]) -> int:
    """All of them, one after the other; as many as have failed."""
    import django
    from django.core.management import call_command

    django.setup()
    failed = 0
    for line in lines:
        try:
            call_command(*shlex.split(line))
        except SystemExit as ended:
            failed += bool(ended.code)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
