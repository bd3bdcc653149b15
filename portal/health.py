"""``/livez`` says the process answers; ``/readyz`` says it can do its work: database, migrations, Redis.

Both are served before anything else so that load balancers may ask with any Host header, and they tell nothing but
"ok" or the name of what is missing.
"""

from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse


class HealthMiddleware:
    """Answers the two health paths; everything else goes on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Only exact paths, only reading methods."""
        if request.method in {"GET", "HEAD"} and request.path in {"/livez", "/readyz"}:
            return live() if request.path == "/livez" else ready()
        return self.get_response(request)


def live() -> HttpResponse:
    """200 as long as the process can answer at all."""
    return JsonResponse({"status": "ok"})


def ready() -> HttpResponse:
    """200 when database, migrations and Redis are there, else 503 naming what is not."""
    checks = {"database": database_answers, "migrations": migrations_done, "redis": redis_answers}
    results = {name: "ok" if check() else "failing" for name, check in checks.items()}
    ok = set(results.values()) == {"ok"}
    return JsonResponse({"status": "ok" if ok else "failing", **results}, status=200 if ok else 503)


def database_answers() -> bool:
    """One trivial query."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def migrations_done() -> bool:
    """No migration waits to be applied."""
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return False


def redis_answers() -> bool:
    """PING within two seconds."""
    import redis

    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
