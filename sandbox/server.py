"""The server: routes, the log of calls, and a way to run it inside a test."""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.answers import CutOff
from sandbox.consent import ConsentPages
from sandbox.control import Control
from sandbox.entra import Entra
from sandbox.life import live
from sandbox.others import OtherApis
from sandbox.world import World
from sandbox.xdr import IncidentsApi

START_SECONDS = 20.0


def build_app(world: World) -> Starlette:
    """The whole sandbox cloud as one ASGI application, under the paths that Microsoft's hosts serve."""
    control, entra, pages = Control(world), Entra(world), ConsentPages(world)
    incidents, others = IncidentsApi(world), OtherApis(world)
    own, one = "/_sandbox", "/_sandbox/tenants/{tenant}"
    acts = {"methods": ["POST", "DELETE"]}
    routes = [
        Route(f"{own}/", control.home),
        Route(f"{own}/health", control.health),
        Route(f"{own}/tenants", control.tenants),
        Route(f"{own}/calls", control.calls),
        Mount(f"{own}/static", StaticFiles(directory=Path(__file__).parent / "static")),
        Route(f"{one}/truth", control.truth),
        Route(f"{one}/incidents/{{incident:int}}", _changing(control), methods=["POST"]),
        Route(f"{one}/{{action}}", control.act, **acts),
        Route(f"{own}/{{action}}", control.act, **acts),
        Route("/api/incidents", incidents.list),
        Route("/api/incidents/", incidents.list),
        Route("/api/incidents/{incident_id}", incidents.one, methods=["GET", "PATCH"]),
        Route("/api/machines", others.machines),
        Route("/v1.0/security/incidents", others.graph_incidents),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", entra.discovery),
        Route("/{tenant}/.well-known/openid-configuration", entra.discovery),
        Route("/{tenant}/discovery/v2.0/keys", entra.keys),
        Route("/{tenant}/discovery/keys", entra.keys),
        Route("/{tenant}/oauth2/v2.0/token", entra.token, methods=["POST"]),
        Route("/{tenant}/oauth2/token", entra.token, methods=["POST"]),
        Route("/{tenant}/v2.0/adminconsent", pages.v2, methods=["GET", "POST"]),
        Route("/{tenant}/adminconsent", pages.v1, methods=["GET", "POST"]),
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        pulse = asyncio.create_task(live(world))
        yield
        pulse.cancel()
        with suppress(asyncio.CancelledError):
            await pulse

    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _nothing, 405: _nothing})
    app.router.redirect_slashes = False
    app.add_middleware(CallLog, world=world)
    return app


def _changing(control: Control) -> object:
    async def change(request: Request) -> Response:
        request.scope["path_params"]["action"] = "change"
        return await control.act(request)

    return change


async def _nothing(request: Request, problem: Exception) -> Response:
    message = f"No resource at {request.url.path[:200]}"
    status = getattr(problem, "status_code", 404)
    return JSONResponse({"error": {"code": "NotFound", "message": message, "target": "sandbox"}}, status)


class CallLog:
    """Notes every call to what stands in for Microsoft, and drops connections that a fault cuts off."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self.app, self.world = app, world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            return await self.app(scope, receive, send)
        began, status = time.perf_counter(), [0]
        scope.setdefault("state", {})

        async def noting(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                status[0] = int(str(message["status"]))
            await send(message)

        try:
            await self.app(scope, receive, noting)  # type: ignore[arg-type]
        finally:
            self._note(scope, status[0], time.perf_counter() - began)
        return None

    def _note(self, scope: Scope, status: int, took: float) -> None:
        state, headers = scope.get("state", {}), dict(scope["headers"])
        bearer = headers.get(b"authorization", b"")
        self.world.calls.note(
            at=self.world.clock.seconds(),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            status=status,
            took=took,
            operation=state.get("operation", ""),
            tenant_id=state.get("tenant_id"),
            token=hashlib.sha256(bearer.partition(b" ")[2]).hexdigest()[:12] if bearer else "",
            faults=state.get("faults", ()),
        )


@dataclass(frozen=True)
class Running:
    """A sandbox that answers."""

    url: str
    world: World


class Server(uvicorn.Server):
    """A server whose dropped connections are meant, so that the log stays quiet about them."""

    def __init__(self, world: World, *, host: str, port: int) -> None:
        config = uvicorn.Config(
            Dropping(build_app(world)),
            host=host,
            port=port,
            log_level="critical",
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=2,
            server_header=False,
        )
        super().__init__(config)


class Dropping:
    """Ends a connection without a word where a fault cuts the answer off."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except CutOff:
            transport = scope.get("extensions", {}).get("transport")
            if transport is not None:
                transport.close()


@contextmanager
def running(world: World, *, port: int = 0, host: str = "127.0.0.1") -> Iterator[Running]:
    """The sandbox in a thread, until the block ends. ``port`` 0 takes a free one."""
    server = Server(world, host=host, port=port)
    thread = threading.Thread(target=server.run, name="sandbox", daemon=True)
    thread.start()
    until = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise RuntimeError("The sandbox did not start.")
        time.sleep(0.01)
    bound = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Running(f"http://{host}:{bound}", world)
    finally:
        server.should_exit = True
        thread.join(10)
