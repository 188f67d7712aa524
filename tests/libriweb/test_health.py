"""What a load balancer asks."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from tests.simulation_inbox import free_port


@pytest.fixture
def public(settings: Settings) -> None:
    """A public site: another host is refused, plain HTTP is sent to https."""
    settings.ALLOWED_HOSTS = ["commandes.dlivre.example"]
    settings.SECURE_SSL_REDIRECT = True


@pytest.mark.usefixtures("public")
def test_healthz_answers_whatever_the_host_and_without_a_database(client: Client) -> None:
    answer = client.get("/healthz", headers={"Host": "10.0.0.7:8000"})
    assert (answer.status_code, answer.content, answer["Cache-Control"]) == (200, b"ok\n", "no-store")


@pytest.mark.django_db
@pytest.mark.usefixtures("public")
def test_readyz_says_that_all_is_there(client: Client) -> None:
    answer = client.get("/readyz", headers={"Host": "10.0.0.7:8000"})
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert answer.json() == {"database": "ok", "migrations": "ok", "broker": "files"}


@pytest.mark.logs_errors  # Django's own line of a 503
@pytest.mark.django_db
def test_readyz_waits_for_the_migrations(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'libriweb'")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["migrations"]) == (503, "missing")


@pytest.mark.django_db
def test_readyz_does_without_redis(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["broker"]) == (200, "unreachable")


@pytest.fixture
def no_database(django_db_blocker: pytest.FixtureRequest, settings: Settings) -> Iterator[None]:
    """The server is gone; what was connected to it is put back afterwards."""
    connected, port = connection.connection, connection.settings_dict["PORT"]
    connection.connection, connection.settings_dict["PORT"] = None, free_port()
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        yield
    connection.connection, connection.settings_dict["PORT"] = connected, port


@pytest.mark.logs_errors
def test_readyz_says_that_the_database_is_gone(client: Client, no_database: None) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503,
        {"database": "unreachable", "migrations": "unknown", "broker": "files"},
    )
