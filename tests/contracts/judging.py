"""Every exchange of a test is handed to its judge when the test is over; what was judged, and what not, is counted.

A breach fails the test that made it. The counts stand at the end of every run of pytest: nothing is left out in
silence.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from xdist.workermanage import WorkerController

from tests.contracts import card, librisoft, paypal
from tests.contracts.exchanges import SPECS, Exchange, read

Kept = Iterable[Mapping[str, Any]]
# A test that uses one of these talks to a simulator: `make contracts` runs it.
FIXTURES = {"paypal_simulator", "card_simulator", "librisoft_simulator", "carrier", "by_pull", "demo"}

judged: Counter[str] = Counter()
unjudged: Counter[str] = Counter()


def paypal_breaches(kept: Kept, events: Iterable[Any] = ()) -> list[str]:
    """What client, simulator or webhooks say that PayPal's own files do not allow."""
    exchanges = [exchange for exchange in read(kept, paypal.CLIENT) if exchange.path.startswith(("/v1/", "/v2/"))]
    if not SPECS.exists():
        unjudged["PayPal: its OpenAPI files are not next to the repository"] += len(exchanges)
        return []
    wrong = []
    for exchange in exchanges:
        if exchange.path in paypal.UNJUDGED:
            unjudged[f"PayPal {exchange.path}: {paypal.UNJUDGED[exchange.path]}"] += 1
        else:
            judged["PayPal"] += 1
            wrong += paypal.contract().breaches(exchange)
    for event in events:
        judged["PayPal’s webhooks"] += 1
        wrong += paypal.contract().event_breaches(event)
    return wrong


def card_breaches(kept: Kept, events: Iterable[Any] = ()) -> list[str]:
    """What client, simulator or webhooks say that Stripe's own types do not allow."""
    exchanges = [exchange for exchange in read(kept, card.CLIENT) if exchange.path.startswith("/v1/")]
    judged["Stripe"] += len(exchanges)
    wrong = [breach for exchange in exchanges for breach in card.breaches(exchange)]
    for event in events:
        judged["Stripe’s webhooks"] += 1
        wrong += card.event_breaches(event)
    return wrong


def librisoft_breaches(kept: Kept) -> list[str]:
    """What client or simulator says that the contract with LIBRISOFT does not allow."""
    exchanges = [exchange for exchange in read(kept, "") if exchange.path.startswith("/v1/")]
    judged["LIBRISOFT"] += len(exchanges)
    return [breach for exchange in exchanges for breach in librisoft.PUSH.breaches(exchange)]


def pull_breaches(exchange: Exchange) -> list[str]:
    """What LIBRISOFT, when it fetches its orders itself, or the shop says that their contract does not allow."""
    judged["LIBRISOFT, by pull"] += 1
    return librisoft.PULL.breaches(exchange)


# Told at the end of the run, whichever process judged --------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("contract")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["contracts"] = (dict(judged), dict(unjudged))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    for counter, counted in zip((judged, unjudged), node.workeroutput.get("contracts", ()), strict=False):
        counter.update(counted)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if +judged or +unjudged:
        terminalreporter.section("contracts")
    for name, count in sorted((+judged).items()):
        terminalreporter.line(f"{count:6} judged        {name}")
    for name, count in sorted((+unjudged).items()):
        terminalreporter.line(f"{count:6} NOT judged    {name}")
