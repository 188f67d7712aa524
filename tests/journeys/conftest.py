"""The whole demo, as `make demo` starts it: its own database, its own ports, each process for real."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings

from tests.contracts.judging import card_breaches, librisoft_breaches, paypal_breaches

SECONDS_TO_START = 120


class Demo:
    def __init__(self, addresses: dict[str, str]) -> None:
        self.web = addresses["web"]
        self.addresses = addresses

    def wait_for_mail(self, to: str, subject: str) -> dict[str, Any]:
        """The one mail with this subject; a worker sends it, so it takes a moment."""
        for _ in range(200):
            received = [mail for mail in self._inbox() if to in mail["to"]]
            found = [mail for mail in received if mail["subject"].replace("\u00a0", " ") == subject]
            if found:
                assert len(found) == 1
                return found[0]
            time.sleep(0.2)
        raise AssertionError(f"no mail « {subject} » for {to}: {[mail['subject'] for mail in received]}")

    def moved(self, provider: str) -> list[tuple[str, str]]:
        """The money that really moved: (kind, amount), oldest first."""
        ledger = requests.get(f"{self.addresses[provider]}/_sim/ledger", timeout=10).json()
        return [(entry["kind"], entry["amount"]) for entry in ledger["entries"]]

    def librisoft_orders(self) -> dict[str, dict[str, Any]]:
        """What LIBRISOFT took over, by our classic number."""
        answer = requests.get(f"{self.addresses['librisoft']}/_sim/orders", timeout=10).json()
        return {order["body"]["web_order_number"]: order for order in answer["orders"]}

    def fault(self, process: str, **what: Any) -> None:
        requests.post(f"{self.addresses[process]}/_sim/faults", json=what, timeout=10).raise_for_status()

    def said(self, process: str) -> list[dict[str, Any]]:
        """What was said to a simulator on the wire, and what it answered."""
        answer = requests.get(f"{self.addresses[process]}/_sim/exchanges", timeout=10)
        exchanges: list[dict[str, Any]] = answer.json()["exchanges"]
        return exchanges

    def _inbox(self) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.addresses['inbox']}/_sim/messages", timeout=10).json()
        messages: list[dict[str, Any]] = answer["messages"] if isinstance(answer, dict) else answer
        return messages


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    ours = ("DATABASE_URL", "SECRET_KEY", "STATIC_MANIFEST", "REDIS_URL", "RESET", "DEBUG")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    ports = dict.fromkeys(["PORT", "PAYPAL_PORT", "CARD_PORT", "LIBRISOFT_PORT", "INBOX_PORT", "SMTP_PORT"], "0")
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.demo"],
        cwd=settings.BASE_DIR,
        env={**environment, **ports, "DEMO_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        demo = Demo(_addresses(folder / "addresses.json", process))
        yield demo
        wrong = paypal_breaches(demo.said("paypal")) + card_breaches(demo.said("card"))
        wrong += librisoft_breaches(demo.said("librisoft"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert wrong == []


def _addresses(written: Path, process: subprocess.Popen[str]) -> dict[str, str]:
    for _ in range(SECONDS_TO_START * 5):
        if written.exists():
            addresses: dict[str, str] = json.loads(written.read_text())
            return addresses
        if process.poll() is not None:
            break
        time.sleep(0.2)
    process.terminate()
    raise AssertionError(f"the demo did not start: {process.communicate()[0]}")
