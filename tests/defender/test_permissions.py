"""What a token's roles mean for what the portal may do."""

import pytest

from defender.clouds import GRAPH, MDE, XDR
from defender.permissions import CAPABILITIES, RoleFact, approving_role, assess, resources_for, unserved

READ, WRITE = "Incident.Read.All", "Incident.ReadWrite.All"


@pytest.mark.parametrize(
    ("roles", "asked", "expected"),
    [
        ([READ], ["sync_incidents"], [RoleFact(READ, ("sync_incidents",), "present")]),
        ([], ["sync_incidents"], [RoleFact(READ, ("sync_incidents",), "missing")]),
        (
            [READ],
            ["sync_incidents", "triage"],
            [RoleFact(WRITE, ("sync_incidents", "triage"), "missing"), RoleFact(READ, ("sync_incidents",), "present")],
        ),
        ([WRITE], ["sync_incidents", "triage"], [RoleFact(WRITE, ("sync_incidents", "triage"), "present")]),
        ([WRITE], ["sync_incidents"], [RoleFact(WRITE, ("sync_incidents",), "excess")]),
        (
            [READ, "CustomDetections.ReadWrite.All"],
            ["sync_incidents"],
            [RoleFact(READ, ("sync_incidents",), "present"), RoleFact("CustomDetections.ReadWrite.All", (), "excess")],
        ),
        ([READ], ["sync_incidents", "hunting", "isolate"], [RoleFact(READ, ("sync_incidents",), "present")]),
    ],
)
def test_roles_are_present_missing_or_beyond_what_was_asked(
    roles: list[str], asked: list[str], expected: list[RoleFact]
) -> None:
    assert assess(roles, asked) == expected


def test_writing_opens_reading_too() -> None:
    assert unserved([WRITE], ["sync_incidents"]) == ()
    assert unserved([READ], ["sync_incidents", "triage"]) == (CAPABILITIES["triage"],)


def test_each_api_is_assessed_with_its_own_token() -> None:
    facts = assess(["Machine.Isolate"], ["sync_incidents", "isolate", "scan"], resource=MDE)
    assert [(fact.role, fact.state) for fact in facts] == [("Machine.Scan", "missing"), ("Machine.Isolate", "present")]
    assert resources_for(["sync_incidents", "isolate", "scan", "hunting"]) == (XDR, MDE, GRAPH)


def test_only_graph_needs_the_most_powerful_approver() -> None:
    assert approving_role(["sync_incidents", "triage", "isolate"]) == "Cloud Application Administrator"
    assert approving_role(["sync_incidents", "hunting"]) == "Privileged Role Administrator"
