"""PayPal and the card provider for any test: real HTTP on a free port, and a hand for the payer.

A test that asks for `paypal_simulator` or `card_simulator` finds the settings pointing at it. Whatever is said on
the wire meanwhile, webhooks included, is judged by the provider's contract: a breach fails the test that made it.
"""

import argparse
import html
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import requests
from pytest_django import Settings
from werkzeug.serving import make_server

from simulators import card, paypal
from simulators.paypal_signature import new_key
from simulators.stage import Stage
from tests.contracts.judging import card_breaches, paypal_breaches

PAYPAL = argparse.Namespace(
    state=None,
    client_id="client-id",
    client_secret="client-secret",
    merchant_id="SHPMERCHANT22",
    merchant_name="Librairie D Livre",
    webhook_id="WEBHOOK1",
    webhook_url=None,
)
CARD = argparse.Namespace(
    state=None,
    secret_key="sk_test_shop",
    webhook_secret="whsec_shop",
    merchant_name="Librairie D Livre",
    webhook_url=None,
)


class Simulator:
    """A running provider. The payer's verbs take the provider's page and return where his browser is sent."""

    def __init__(self, url: str, stage: Stage, webhooks: Any):
        self.url = url
        self.stage = stage
        self._webhooks = webhooks

    def send_webhooks_to(self, url: str | None) -> None:
        self._webhooks.url = url

    def pay(self, page: str) -> str:
        return self._press(page, "pay")

    def cancel(self, page: str) -> str:
        return self._press(page, "cancel")

    def refuse(self, page: str) -> str:
        """« Carte refusée »: the text of the page the payer then sees."""
        return html.unescape(requests.get(self._press(page, "refuse"), timeout=10).text)

    def ledger(self) -> dict[str, Any]:
        """{"entries": […], "total": "74.50"}: the money that really moved."""
        return self._sim("GET", "/_sim/ledger")

    def moved(self) -> list[tuple[str, str, str]]:
        """The ledger in short: (kind, amount, our reference), oldest first."""
        return [(e["kind"], e["amount"], e["reference"]) for e in self.ledger()["entries"]]

    def fault(self, kind: str, match: str = "", times: int = 1, **more: Any) -> None:
        self._sim("POST", "/_sim/faults", {"kind": kind, "match": match, "times": times, **more})

    def clear_faults(self) -> None:
        self._sim("DELETE", "/_sim/faults")

    def advance(self, seconds: float) -> None:
        """Set the provider's clock this far ahead of ours."""
        self._sim("POST", "/_sim/clock", {"ahead": seconds})

    def decide(self, path: str, **what: Any) -> dict[str, Any]:
        """What the provider itself does later: see `/_sim/` in the simulator's own page."""
        return self._sim("POST", f"/_sim/{path}", what)

    def events(self) -> list[dict[str, Any]]:
        """Every webhook it ever made, sent or not."""
        events: list[dict[str, Any]] = self._webhooks.events()
        return events

    def message(self, event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """A webhook as it would come now: its bytes, and the headers that prove them."""
        body = json.dumps(event).encode()
        headers: dict[str, str] = self._webhooks._sign(body, self.stage.now())
        return body, headers

    def _sim(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = requests.request(method, self.url + path, json=body, timeout=10)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    def _press(self, page: str, action: str) -> str:
        answer = requests.post(page, data={"action": action}, timeout=10, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        location = answer.headers["Location"]
        return location if "://" in location else self.url + location


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve a WSGI application on a free port of 127.0.0.1; its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_signing_key = cache(new_key)  # RSA keys are slow to make


@pytest.fixture
def paypal_simulator(settings: Settings) -> Iterator[Simulator]:
    stage = Stage("paypal", start=lambda: {"key": _signing_key()})
    provider = paypal.PayPal(stage, PAYPAL)
    with served(stage.app) as url:
        settings.PAYPAL_API_URL = settings.PAYPAL_PAGE_ORIGIN = url
        settings.PAYPAL_CLIENT_ID = PAYPAL.client_id
        settings.PAYPAL_CLIENT_SECRET = PAYPAL.client_secret
        settings.PAYPAL_MERCHANT_ID = PAYPAL.merchant_id
        settings.PAYPAL_WEBHOOK_ID = PAYPAL.webhook_id
        _let_forms_reach(settings, url)
        yield Simulator(url, stage, provider.webhooks)
        provider.webhooks.stop()
    assert paypal_breaches(stage.exchanges, provider.webhooks.events(by_hand=False)) == []


@pytest.fixture
def card_simulator(settings: Settings) -> Iterator[Simulator]:
    stage = Stage("card")
    provider = card.Stripe(stage, CARD)
    with served(stage.app) as url:
        settings.STRIPE_API_URL = settings.STRIPE_PAGE_ORIGIN = url
        settings.STRIPE_SECRET_KEY = CARD.secret_key
        settings.STRIPE_WEBHOOK_SECRET = CARD.webhook_secret
        _let_forms_reach(settings, url)
        yield Simulator(url, stage, provider.webhooks)
        provider.webhooks.stop()
    assert card_breaches(stage.exchanges, provider.webhooks.events(by_hand=False)) == []


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serve any WSGI application until the end of the test: `url = serve(app)`."""
    running = []

    def start(app: Any) -> str:
        context = served(app)
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)


def _let_forms_reach(settings: Settings, origin: str) -> None:
    """As settings.py does at the start for the providers it knows then."""
    policy = settings.CONTENT_SECURITY_POLICY
    directives = policy["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {
        **policy,
        "DIRECTIVES": {**directives, "form-action": [*directives["form-action"], origin]},
    }
