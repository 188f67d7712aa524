"""A mail server for any test: real SMTP on a free port. A test that asks for `inbox` finds the settings pointing at it.

Every test writes its mails as rows, as the application does; nothing goes out before the test says so.
"""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_django import Settings

from simulators import inbox as simulator
from tests.simulation import served


class Inbox:
    """What the server received, and the faults it can be told to have."""

    def __init__(self, url: str, smtp_port: int):
        self.url = url
        self.smtp_port = smtp_port

    def messages(self) -> list[dict[str, Any]]:
        """Oldest first; see `describe` in the simulator."""
        received: list[dict[str, Any]] = requests.get(f"{self.url}/_sim/messages", timeout=10).json()
        return received

    def received(self) -> list[tuple[list[str], str]]:
        """The mails in short: (recipients, subject), oldest first."""
        return [(one["to"], one["subject"]) for one in self.messages()]

    def fault(self, kind: str, match: str = "", times: int = 1, **more: Any) -> None:
        """refuse_temporary, refuse_permanent, hang or drop; `times=0` until cleared."""
        asked = {"kind": kind, "match": match, "times": times, **more}
        requests.post(f"{self.url}/_sim/faults", json=asked, timeout=10).raise_for_status()

    def faults(self) -> list[dict[str, Any]]:
        """Those that have not struck yet."""
        waiting: list[dict[str, Any]] = requests.get(f"{self.url}/_sim/faults", timeout=10).json()["faults"]
        return waiting

    def clear_faults(self) -> None:
        requests.delete(f"{self.url}/_sim/faults", timeout=10).raise_for_status()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(autouse=True)
def outbox(settings: Settings) -> None:
    """pytest-django keeps mails in memory; ours are rows, also in the tests."""
    settings.EMAIL_BACKEND = "grouped_orders.outgoing.OutboxBackend"


@pytest.fixture
def inbox(settings: Settings) -> Iterator[Inbox]:
    stage = simulator.build()
    port = free_port()
    controller = simulator.listen(stage, port)
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_TIMEOUT = 5
    with served(stage.app) as url:
        yield Inbox(url, port)
    controller.stop()
