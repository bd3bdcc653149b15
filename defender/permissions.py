"""What each capability of the portal needs from a customer, and what a token's roles say about it.

Role values are compared, never their GUIDs. A token only lists the roles of the API it is made out to, so an assessment
is made per resource.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from defender.clouds import GRAPH, MDE, XDR, Resource

State = Literal["present", "missing", "excess"]


@dataclass(frozen=True, slots=True)
class Capability:
    """Something the portal can do for a customer. Any one of `any_of` is enough; the first is the smallest."""

    key: str
    title: str
    resource: Resource
    any_of: tuple[str, ...]

    @property
    def role(self) -> str:
        """The role to ask a customer for."""
        return self.any_of[0]


@dataclass(frozen=True, slots=True)
class RoleFact:
    """One role of one API: whether the token has it, and which asked-for capabilities hang on it.

    `excess` is a role that nobody asked for, or that opens a capability nobody asked for.
    """

    role: str
    capabilities: tuple[str, ...]
    state: State


CAPABILITIES: Final = {
    capability.key: capability
    for capability in (
        Capability("sync_incidents", "Read incidents", XDR, ("Incident.Read.All", "Incident.ReadWrite.All")),
        Capability("triage", "Change and comment incidents", XDR, ("Incident.ReadWrite.All",)),
        Capability("devices", "Read devices", MDE, ("Machine.Read.All", "Machine.ReadWrite.All")),
        Capability("follow_actions", "Follow response actions", MDE, ("Machine.ReadWrite.All",)),
        Capability("isolate", "Isolate and release devices", MDE, ("Machine.Isolate",)),
        Capability("scan", "Run antivirus scans", MDE, ("Machine.Scan",)),
        Capability("restrict", "Restrict app execution", MDE, ("Machine.RestrictExecution",)),
        Capability("collect", "Collect investigation packages", MDE, ("Machine.CollectForensics",)),
        # The hunting roles of the two Defender APIs end on 1 February 2027; only Graph's is asked for.
        Capability("hunting", "Run hunting queries", GRAPH, ("ThreatHunting.Read.All",)),
    )
}


def assess(roles: Iterable[str], asked: Collection[str], *, resource: Resource = XDR) -> list[RoleFact]:
    """Facts about the roles of one resource's token, missing ones first, then present, then excess.

    `asked` are capability keys; those of other resources are left aside. An unknown key raises KeyError.
    """
    held = set(roles)
    wanted = [CAPABILITIES[key] for key in asked if CAPABILITIES[key].resource == resource]
    missing = {need.role for need in wanted if held.isdisjoint(need.any_of)}
    beyond = _smallest_of_unasked(asked, resource)
    known = {role for need in wanted for role in need.any_of} - beyond
    states: list[tuple[State, set[str]]] = [("missing", missing), ("present", held & known), ("excess", held - known)]
    return [RoleFact(role, _served(role, wanted), state) for state, names in states for role in sorted(names)]


def unserved(roles: Iterable[str], asked: Collection[str], *, resource: Resource = XDR) -> tuple[Capability, ...]:
    """The asked-for capabilities of one resource that these roles do not open."""
    held = set(roles)
    wanted = (CAPABILITIES[key] for key in asked)
    return tuple(need for need in wanted if need.resource == resource and held.isdisjoint(need.any_of))


def resources_for(asked: Collection[str]) -> tuple[Resource, ...]:
    """The resources a set of capabilities needs tokens for, each once."""
    return tuple(dict.fromkeys(CAPABILITIES[key].resource for key in asked))


def approving_role(asked: Collection[str]) -> str:
    """The least powerful Entra role whose holder can consent: Graph's application permissions need a higher one."""
    return "Privileged Role Administrator" if GRAPH in resources_for(asked) else "Cloud Application Administrator"


def _smallest_of_unasked(asked: Collection[str], resource: Resource) -> set[str]:
    """Roles that open something nobody asked for, unless something asked for can be had in no smaller way."""
    asked_roles = {CAPABILITIES[key].role for key in asked}
    others = (need for key, need in CAPABILITIES.items() if key not in asked and need.resource == resource)
    return {need.role for need in others} - asked_roles


def _served(role: str, wanted: Iterable[Capability]) -> tuple[str, ...]:
    return tuple(need.key for need in wanted if role in need.any_of)
