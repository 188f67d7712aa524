import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from grouped_orders import payments
from grouped_orders.payments.base import Attempt, Money, PaymentProvider
from grouped_orders.statuses import PaymentMethod
from tests.simulation import Simulator

OUR_ID = "0123456789abcdef0123456789abcdef"
RETURN_URL = "http://shop.example/retour/"
CANCEL_URL = "http://shop.example/annulation/"


@pytest.fixture
def attempt() -> Callable[..., Attempt]:
    def make(**changes: Any) -> Attempt:
        values: dict[str, Any] = {
            "our_id": OUR_ID,
            "money": Money(Decimal("74.50"), "EUR"),
            "description": "Commande n° 65 : 5 × Le petit prince",
            "email": "parent@example.org",
            "return_url": RETURN_URL,
            "cancel_url": CANCEL_URL,
            "expires_at": datetime.now(UTC) + timedelta(minutes=30),
        }
        return Attempt(**values | changes)

    return make


class Script:
    """A provider that answers what it is told and remembers what it was asked.

    Each answer is (status, body), (status, body, headers), or a function of the request; the last one repeats.
    PayPal's token is given whatever the script, and counted.
    """

    def __init__(self, *answers: Any):
        self.answers = list(answers)
        self.asked: list[Request] = []
        self.tokens: list[Request] = []
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        request.get_data()
        with self._lock:
            if request.path.endswith("/v1/oauth2/token"):
                self.tokens.append(request)
                answer: Any = (200, {"access_token": f"T{len(self.tokens)}", "token_type": "Bearer", "expires_in": 600})
            else:
                self.asked.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(request)
        status, body, headers = (*answer, {})[:3]
        return Response(body if isinstance(body, str) else json.dumps(body), status, headers)(environ, start_response)


@pytest.fixture
def scripted(serve: Callable[[Any], str]) -> Callable[..., tuple[str, Script]]:
    """The address of a server that follows a Script, and the Script."""

    def start(*answers: Any) -> tuple[str, Script]:
        script = Script(*answers)
        return serve(script), script

    return start


@pytest.fixture
def paypal(paypal_simulator: Simulator) -> PaymentProvider:
    return payments.provider(PaymentMethod.PAYPAL)


@pytest.fixture
def card(card_simulator: Simulator) -> PaymentProvider:
    return payments.provider(PaymentMethod.CARD)
