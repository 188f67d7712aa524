"""LIBRISOFT for any test: real HTTP on a free port. The settings point at it."""

import argparse
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_django import Settings

from simulators import librisoft
from tests.simulation import served

TOKEN = "jeton"


class LibrisoftSimulator:
    def __init__(self, url: str) -> None:
        self.url = url

    def orders(self) -> list[dict[str, Any]]:
        """Every order it took: {"key", "body", "state"}."""
        found: list[dict[str, Any]] = self._sim("GET", "/_sim/orders")["orders"]
        return found

    def set_status(self, number: str, code: str, **more: Any) -> None:
        self._sim("POST", f"/_sim/orders/{number}/status", {"code": code, **more})

    def fault(self, kind: str, match: str = "", times: int = 1, **more: Any) -> None:
        self._sim("POST", "/_sim/faults", {"kind": kind, "match": match, "times": times, **more})

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
        yield LibrisoftSimulator(url)
