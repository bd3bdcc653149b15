"""What every call of an API passes before its endpoint: the token, faults, the roles, the quota, in this order.

Where a call does not pass, ``Turned`` carries the whole answer.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sandbox import answers, cast
from sandbox.faults import INSTEAD, Fault
from sandbox.resources import Resource
from sandbox.tokens import Caller, NotAToken
from sandbox.world import World

# A slow tenant takes this long over every call, in seconds: noticeable, and far below any client's time-out.
SLOW_SECONDS = 2.0
# In a throttling tenant somebody else uses up the minute's calls: its last seconds are always refused. The rest of the
# minute is enough to read everything, so the tenant becomes current although every third poll is turned down.
BUSY_SECONDS = 25


class Turned(Exception):
    """A call that ends at the gate; ``response`` is its answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True)
class Admitted:
    """A call that may go on to its endpoint, with the faults that bend what the endpoint does."""

    tenant: cast.Tenant
    faults: dict[str, Fault]

    def finished(self, response: Response) -> Response:
        """The endpoint's answer, cut off or dripping where a fault says so."""
        return answers.spoiled(response, list(self.faults.values()))


async def admit(
    world: World, request: Request, *, operation: str, resource: Resource, roles: frozenset[str]
) -> Admitted:
    """Let a call of ``operation`` pass whose token is for ``resource`` and carries one of ``roles``; else Turned."""
    request.state.operation = operation
    caller = _caller(world, request, resource)
    tenant = world.tenants[caller.tenant_id]
    request.state.tenant_id = tenant.tenant_id
    world.quotas.note_arrival(tenant.tenant_id, operation, now=world.clock.seconds())
    faults = world.faults.draw(tenant.tenant_id, operation)
    request.state.faults = tuple(fault.kind for fault in faults)
    await answers.wait(faults, at_least=SLOW_SECONDS if tenant.manner == cast.SLOW else 0.0)
    for fault in faults:
        if fault.kind in INSTEAD:
            _remember_wait(world, tenant, operation, fault)
            raise Turned(answers.instead(fault, tenant_id=tenant.tenant_id, now=world.clock.seconds()))
    if not caller.roles & roles:
        message = "The application does not have any of the required application permissions."
        raise Turned(answers.error(403, "Forbidden", message))
    _spend(world, tenant, operation)
    return Admitted(tenant, {fault.kind: fault for fault in faults})


def _remember_wait(world: World, tenant: cast.Tenant, operation: str, fault: Fault) -> None:
    """A plain throttle tells how long to wait; nonsense in its place tells nothing."""
    seconds = fault.options.get("seconds", 5)
    if fault.kind == "throttle" and isinstance(seconds, int | float) and "message" not in fault.options:
        world.quotas.tell(tenant.tenant_id, operation, until=world.clock.seconds() + seconds)


def _caller(world: World, request: Request, resource: Resource) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise NotAToken
        caller = world.tokens.read(token.strip())
    except NotAToken:
        raise Turned(answers.error(401, "Unauthorized", "The token is missing, expired or not valid.")) from None
    if caller.audience.rstrip("/").lower() not in resource.identifiers:
        raise Turned(answers.error(403, "Forbidden", "The token is for another API."))
    return caller


def _spend(world: World, tenant: cast.Tenant, operation: str) -> None:
    now = world.clock.seconds()
    message, seconds = "", 0
    if tenant.manner == cast.THROTTLING and (left := busy_for(tenant, now)):
        message, seconds = _said(50, left), left
    elif exceeded := world.quotas.spend(tenant.tenant_id, operation, now=now):
        message, seconds = exceeded.message, exceeded.seconds
        world.quotas.tell(tenant.tenant_id, operation, until=now + seconds)
    if message:
        with_header = tenant.number % 2 == 0 if world.retry_after is None else world.retry_after
        header = str(seconds) if with_header else None
        raise Turned(answers.throttled(message, header, tenant_id=tenant.tenant_id))


def busy_for(tenant: cast.Tenant, now: float) -> int:
    """Whole seconds until a throttling tenant takes calls again; 0 while it does. ``now`` in seconds."""
    into_minute = (int(now) + tenant.number * 17) % 60
    return 60 - into_minute if into_minute >= 60 - BUSY_SECONDS else 0


def _said(allowed: int, seconds: int) -> str:
    return (
        f"API calls quota exceeded! Maximum allowed {allowed} per 00:01:00 for the key "
        f"Destination+TenantID+AppID. You can send requests again in {seconds} seconds."
    )
