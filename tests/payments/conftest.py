from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

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


@pytest.fixture
def paypal(paypal_simulator: Simulator) -> PaymentProvider:
    return payments.provider(PaymentMethod.PAYPAL)


@pytest.fixture
def card(card_simulator: Simulator) -> PaymentProvider:
    return payments.provider(PaymentMethod.CARD)
