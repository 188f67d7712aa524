"""LIBRISOFT for any test: real HTTP on a free port. The settings point at it.

Whatever is said on the wire meanwhile, by the application or by the simulator, is judged by the contract: a breach
fails the test that made it.
"""

import argparse
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Response, g, request
from pytest_django import Settings

from simulators import librisoft
from simulators.stage import Fault, Stage
from tests.librisoft_contract import PUSH, Exchange
from tests.simulation import served

TOKEN = "jeton"
# What these answer is no word of LIBRISOFT's.
NOISE = ("html", "status")


class LibrisoftSimulator:
    def __init__(self, url: str) -> None:
        self.url = url
        self.exchanges: list[Exchange] = []
        self.wrong: list[str] = []

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
        return [f"{exchange.method} {exchange.path}" for exchange in self.exchanges]

    def forgive(self) -> None:
        """For a test that breaks the contract on purpose."""
        self.wrong.clear()

    def _sim(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = requests.request(method, self.url + path, json=body, timeout=10)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said


@pytest.fixture
def librisoft_simulator(settings: Settings) -> Iterator[LibrisoftSimulator]:
    stage = librisoft.build(argparse.Namespace(state=None, token=TOKEN))
    simulator = LibrisoftSimulator("")
    _listen(stage, simulator)
    with served(stage.app) as simulator.url:
        settings.LIBRISOFT_URL, settings.LIBRISOFT_TOKEN = simulator.url, TOKEN
        yield simulator
    assert simulator.wrong == []


def _listen(stage: Stage, simulator: LibrisoftSimulator) -> None:
    """Write down each exchange of the contract before a fault cuts it, and what breaks the contract in it."""
    strikes = stage.strikes

    def noted(*kinds: str, on: str | None = None) -> Fault | None:
        fault = strikes(*kinds, on=on)
        if fault is not None and fault["kind"] in NOISE:
            g.noise = True
        return fault

    def write_down(response: Response) -> Response:
        dropped = response.status_code == 204
        if request.path.startswith("/v1/") and not dropped:
            exchange = Exchange(
                method=request.method,
                path=request.path,
                query=request.args.to_dict(),
                headers={name.lower(): value for name, value in request.headers},
                request=request.get_json(silent=True),
                status=response.status_code,
                response=response.get_json(silent=True),
            )
            simulator.exchanges.append(exchange)
            if not g.get("noise"):
                simulator.wrong.extend(PUSH.breaches(exchange))
        return response

    stage.strikes = noted  # type: ignore[method-assign]
    stage.app.after_request(write_down)
