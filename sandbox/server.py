"""The server: routes, the log of calls, and a way to run it inside a test. It listens on loopback only."""

import asyncio
import hashlib
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox import answers
from sandbox.consent import ConsentPages
from sandbox.control import Control
from sandbox.entra import Entra
from sandbox.life import live
from sandbox.others import OtherApis
from sandbox.panel import Panel
from sandbox.sign_in import SignInPages
from sandbox.world import World
from sandbox.xdr import IncidentsApi

START_SECONDS = 20.0
# Seconds that calls under way are given when the server ends; a dripping answer must not hold it up.
GRACE_SECONDS = 1
TICK_SECONDS = 0.01


class CannotListen(Exception):
    """The address cannot be used; the text is a sentence for whoever gave it."""


def build_app(world: World) -> ASGIApp:
    """The whole sandbox cloud as one ASGI application, under the paths that Microsoft's hosts serve."""
    panel = Panel(world)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        pulse = asyncio.create_task(live(world))
        yield
        pulse.cancel()
        with suppress(asyncio.CancelledError):
            await pulse

    routes = [*_control_routes(Control(world, panel), panel), *_api_routes(world), *_entra_routes(world)]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _nothing, 405: _nothing})
    app.router.redirect_slashes = False
    return CallLog(app, world)


def _control_routes(control: Control, panel: Panel) -> list[Route | Mount]:
    own, one = "/_sandbox", "/_sandbox/tenants/{tenant}"
    acts = ["POST", "DELETE"]
    return [
        Route("/", _to_panel),
        Route(own, _to_panel),
        Route(f"{own}/", panel.home),
        Route(f"{own}/health", control.health),
        Route(f"{own}/tenants", control.tenants),
        Route(f"{own}/calls", control.calls),
        Route(f"{own}/counters", control.counters),
        Route(f"{own}/digest", control.digest),
        Mount(f"{own}/static", StaticFiles(directory=Path(__file__).parent / "static")),
        Route(f"{one}/truth", control.truth),
        Route(f"{one}/incidents/{{incident:int}}", control.change, methods=["POST"]),
        Route(f"{one}/{{action}}", control.act, methods=acts),
        Route(f"{own}/{{action}}", control.act, methods=acts),
    ]


def _api_routes(world: World) -> list[Route]:
    incidents, others = IncidentsApi(world), OtherApis(world)
    return [
        Route("/api/incidents", incidents.list),
        Route("/api/incidents/", incidents.list),
        Route("/api/incidents/{incident_id}", incidents.one, methods=["GET", "PATCH"]),
        Route("/api/machines", others.machines),
        Route("/api/machines/{machine_id}", others.machine),
        Route("/v1.0/security/incidents", others.graph_incidents),
    ]


def _entra_routes(world: World) -> list[Route]:
    entra, pages, people = Entra(world), ConsentPages(world), SignInPages(world)
    return [
        Route("/{tenant}/v2.0/.well-known/openid-configuration", entra.discovery),
        Route("/{tenant}/.well-known/openid-configuration", entra.discovery),
        Route("/{tenant}/discovery/v2.0/keys", entra.keys),
        Route("/{tenant}/discovery/keys", entra.keys),
        Route("/{tenant}/oauth2/v2.0/token", entra.token, methods=["POST"]),
        Route("/{tenant}/oauth2/token", entra.token, methods=["POST"]),
        Route("/{tenant}/oauth2/v2.0/authorize", people.authorize, methods=["GET", "POST"]),
        Route("/{tenant}/v2.0/adminconsent", pages.v2, methods=["GET", "POST"]),
        Route("/{tenant}/adminconsent", pages.v1, methods=["GET", "POST"]),
    ]


async def _to_panel(_: Request) -> Response:
    return RedirectResponse("/_sandbox/", 307)


async def _nothing(request: Request, problem: Exception) -> Response:
    status = getattr(problem, "status_code", 404)
    if status == 405:
        return answers.error(405, "MethodNotAllowed", "This method is not offered here")
    return answers.error(404, "NotFound", f"There is nothing at {request.url.path[:200]}")


class CallLog:
    """Notes every call to what stands in for Microsoft; sends the world's time as Date, so a moved clock is seen."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self.app, self.world = app, world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status, is_noted = time.perf_counter(), 0, scope["path"].startswith("/_sandbox")
        scope.setdefault("state", {})

        def note() -> None:
            nonlocal is_noted
            if not is_noted:
                is_noted = True
                self._note(scope, status, time.perf_counter() - began)

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                stamp = formatdate(self.world.clock.seconds(), usegmt=True).encode()
                message["headers"] = [*message["headers"], (b"date", stamp)]
            elif not message.get("more_body"):
                # Before the last byte leaves: whoever has the answer finds the call in the log.
                note()
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            note()
        return None

    def _note(self, scope: Scope, status: int, took: float) -> None:
        state = scope["state"]
        bearer = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")[2]
        # The query of a consent link holds the portal's state, which is a secret while it lasts.
        shows_query = scope["path"].startswith(("/api/", "/v1.0/"))
        self.world.calls.note(
            at=self.world.clock.seconds(),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1") if shows_query else "",
            status=status,
            took=round(took, 6),
            operation=state.get("operation", ""),
            tenant_id=state.get("tenant_id"),
            token=hashlib.sha256(bearer).hexdigest()[:12] if bearer else "",
            faults=state.get("faults", ()),
        )


class Server(uvicorn.Server):
    """A server that is quiet about connections dropped on purpose, and ends well on SIGTERM and SIGINT."""

    def __init__(self, world: World) -> None:
        config = uvicorn.Config(
            build_app(world),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="on",
            ws="none",
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=30,
            server_header=False,
            date_header=False,
        )
        super().__init__(config)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike the parent's, a signal that ended the server is not raised again: the end was wanted."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._end) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def main_loop(self) -> None:
        """Wait for the end. The parent looks ten times a second, which hundreds of short-lived test servers feel."""
        await self.on_tick(0)
        while not self.should_exit:
            await asyncio.sleep(TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Idle connections are closed at once, calls under way get their grace; the parent pauses for nothing too."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if tasks := set(self.server_state.tasks):
            _, late = await asyncio.wait(tasks, timeout=0 if self.force_exit else GRACE_SECONDS)
            for task in late:
                task.cancel()
        # One turn of the loop in which the connections learn that they are closed.
        await asyncio.sleep(TICK_SECONDS)
        await self.lifespan.shutdown()

    def _end(self, _: int, __: FrameType | None) -> None:
        self.force_exit, self.should_exit = self.should_exit, True


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; ``port`` 0 takes a free one. CannotListen for other hosts than loopback or a used port."""
    if not _is_loopback(host):
        raise CannotListen(f"The sandbox has a well-known secret, so it listens on loopback only, not on {host}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once only on sockets that say they are TCP; others wait 40 ms for the peer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise CannotListen(f"Port {port} is in use on {host}. Name another with --port.") from None
    return listener


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Running:
    """A sandbox that answers at ``url`` (no trailing slash)."""

    url: str
    world: World


@contextmanager
def running(world: World, *, port: int = 0, host: str = "127.0.0.1") -> Iterator[Running]:
    """The sandbox in a thread, until the block ends. ``port`` 0 takes a free one."""
    listener = bind(host, port)
    server = Server(world)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        _await(server, thread)
        shown = f"[{host}]" if ":" in host else host
        yield Running(f"http://{shown}:{listener.getsockname()[1]}", world)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def _await(server: Server, thread: threading.Thread) -> None:
    until = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise RuntimeError("The sandbox did not start.")
        time.sleep(0.005)
