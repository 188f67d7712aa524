"""Whether this process lives, and whether it can serve: for a load balancer, before any other middleware."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

OK = "ok"
# Seconds: whoever asks is in a hurry.
BROKER_PATIENCE = 1.0


class Health:
    """`/healthz` and `/readyz`, whatever the Host header, and over plain HTTP."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match request.path:
            case "/healthz":
                return _uncached(HttpResponse("ok\n", content_type="text/plain"))
            case "/readyz":
                return _uncached(ready())
        return self.get_response(request)


def ready() -> JsonResponse:
    """503 until the database answers and every migration is applied.

    Redis is told, not required: without it everything still works, by the clock, only later.
    """
    database = _database()
    found = {
        "database": database,
        "migrations": _migrations() if database == OK else "unknown",
        "broker": broker(),
    }
    return JsonResponse(found, status=200 if found["database"] == found["migrations"] == OK else 503)


def broker() -> str:
    """Whether Redis answers: "ok" or "unreachable"; "files" where there is none."""
    if not settings.REDIS_URL:
        return "files"
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=BROKER_PATIENCE, socket_timeout=BROKER_PATIENCE
        ) as client:
            client.ping()
    except redis.RedisError:
        return "unreachable"
    return OK


def missing_migrations() -> list[str]:
    """The migrations this code knows and the database does not have: ["grouped_orders.0002_…"]."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return "unreachable"
    return OK


def _migrations() -> str:
    return "missing" if missing_migrations() else OK


def _uncached(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
