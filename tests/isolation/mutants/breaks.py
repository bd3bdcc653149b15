"""What a break is: what is changed where, and the tests that must fail for it.

A break no longer fits when the text it replaces is gone: write it anew for the code as it is.
"""

from dataclasses import dataclass

DOORS = "tests/isolation/test_doors.py::"
PAST = f"{DOORS}test_nobody_gets_past_the_door_with_the_other_sides_ids"
BYTES = f"{DOORS}test_what_is_refused_answers_byte_for_byte_like_what_does_not_exist"
OPERATIONS = "tests/isolation/test_operations.py::"
BY_MANAGER = f"{OPERATIONS}test_the_manager_alone_keeps_every_operation_of_a"
BY_DATABASE = f"{OPERATIONS}test_the_database_alone_keeps_every_operation_of_a"
SCHEMA = "tests/isolation/test_schema.py::"
MANAGERS = "tests/isolation/test_managers.py::"
TIME = "tests/isolation/test_time.py::"
SAME = "tests/isolation/test_interference.py::"


@dataclass(frozen=True, slots=True)
class Edit:
    """``old`` stands once in ``path`` and becomes ``new``."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Break:
    """A wall with a hole, and the tests, each of which must notice.

    ``brings_its_case``: the test has this case only where the break is, so it cannot be tried without.
    """

    name: str
    edits: tuple[Edit, ...]
    killed_by: tuple[str, ...]
    brings_its_case: bool = False


def edit(path: str, old: str, new: str) -> Edit:
    """Shorter to write."""
    return Edit(path, old, new)
