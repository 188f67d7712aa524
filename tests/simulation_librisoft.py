"""LIBRISOFT for any test: real HTTP on a free port. The settings point at it.

Whatever is said on the wire meanwhile, by the application or by the simulator, is judged by the contract: a breach
fails the test that made it.
"""

import argparse
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_django import Settings

from simulators import librisoft
from simulators.stage import Stage
from tests.contracts.exchanges import Exchange, read
from tests.contracts.judging import librisoft_breaches
from tests.simulation import served

TOKEN = "jeton"


class LibrisoftSimulator:
    def __init__(self, url: str, stage: Stage) -> None:
        self.url = url
        self.stage = stage

    @property
    def exchanges(self) -> list[Exchange]:
        return read(self.stage.exchanges, "")

    def orders(self) -> list[dict[str, Any]]:
        """Every order it took: {"key", "body", "state"}."""
        found: list[dict[str, Any]] = self._sim("GET", "/_sim/orders")["orders"]
        return found

    def set_status(self, number: str, code: str, **more: Any) -> None:
        """`more`: label, sequence, received (copies of each line), expected_date."""
        self._sim("POST", f"/_sim/orders/{number}/status", {"code": code, **more})

    def fault(self, kind: str, match: str = "", times: int = 1, **more: Any) -> None:
        self._sim("POST", "/_sim/faults", {"kind": kind, "match": match, "times": times, **more})

    def faults(self) -> list[str]:
        """The kinds that have not struck yet."""
        return [fault["kind"] for fault in self._sim("GET", "/_sim/faults")["faults"]]

    def clear_faults(self) -> None:
        self._sim("DELETE", "/_sim/faults")

    def asked(self) -> list[str]:
        """What it was asked, oldest first: "POST /v1/orders"."""
        return [f"{said['method']} {said['path']}" for said in self.stage.exchanges]

    def forgive(self) -> None:
        """For a test that breaks the contract on purpose."""
        self.stage.exchanges.clear()

    def _sim(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = requests.request(method, self.url + path, json=body, timeout=10)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said


@pytest.fixture
def librisoft_simulator(settings: Settings) -> Iterator[LibrisoftSimulator]:
    stage = librisoft.build(argparse.Namespace(state=None, token=TOKEN))
    with served(stage.app) as url:
        settings.LIBRISOFT_URL, settings.LIBRISOFT_TOKEN = url, TOKEN
        yield LibrisoftSimulator(url, stage)
    assert librisoft_breaches(stage.exchanges) == []
