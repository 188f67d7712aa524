"""The judges bite: what is really said passes, and one field put differently, on either side, does not."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from grouped_orders import payments
from grouped_orders.payments.base import Attempt, Money
from grouped_orders.statuses import PaymentMethod
from librisoft_bridge import transmission
from tests.contracts.exchanges import SPECS
from tests.contracts.judging import card_breaches, librisoft_breaches, paypal_breaches
from tests.librisoft_bridge.story import hand_over
from tests.simulation import Simulator
from tests.simulation_librisoft import LibrisoftSimulator

Kept = dict[str, Any]
OUR_ID = "0123456789abcdef0123456789abcdef"


def begin(method: PaymentMethod) -> None:
    attempt = Attempt(
        our_id=OUR_ID,
        money=Money(Decimal("12.80"), "EUR"),
        description="Commande n° 1 : 2 × Le petit prince",
        email="parent@example.org",
        return_url="http://shop.example/retour/",
        cancel_url="http://shop.example/annulation/",
        expires_at=datetime.now(UTC) + timedelta(minutes=30),
    )
    payments.provider(method).create(attempt, key=f"cre-{OUR_ID}")


def last(exchanges: Any) -> Kept:
    return copy.deepcopy(exchanges[-1])


def put(said: Kept, where: str, path: str, value: Any) -> Kept:
    """The exchange with one thing put differently: "purchase_units.0.amount"; `...` takes it away."""
    tree = json.loads(said[where]) if isinstance(said[where], str) else said[where]
    *way, name = (int(part) if part.isdigit() else part for part in path.split("."))
    at = tree
    for step in way:
        at = at[step]
    if value is ...:
        del at[name]
    else:
        at[name] = value
    return said | {where: json.dumps(tree) if isinstance(said[where], str) else tree}


@pytest.mark.skipif(not SPECS.exists(), reason="PayPal’s OpenAPI files are not next to the repository")
@pytest.mark.parametrize(
    ("where", "path", "value"),
    [
        ("body", "intent", "SALE"),
        ("body", "purchase_units.0.amount.value", "12,80"),
        ("body", "purchase_units.0.amount.currency_code", ...),
        ("body", "payment_source.paypal.experience_context.user_action", "PAY"),
        ("headers", "authorization", ...),
        ("answer", "status", "OPEN"),
        ("answer", "links.0.rel", ...),
        ("answer", "purchase_units.0.amount.value", 12.8),
        ("answer", "create_time", "hier"),
    ],
)
def test_paypals_judge_bites(paypal_simulator: Simulator, where: str, path: str, value: Any) -> None:
    begin(PaymentMethod.PAYPAL)
    said = last(paypal_simulator.stage.exchanges)
    assert paypal_breaches([said]) == []
    assert len(paypal_breaches([put(said, where, path, value)])) > 0


@pytest.mark.parametrize(
    ("where", "path", "value"),
    [
        ("form", "mode", "pay"),
        ("form", "line_items[0][price_data][unit_amount]", "12,80"),
        ("form", "line_items[0][price_data][currency]", ...),
        ("form", "allowed_payment_method_types[1]", "bancontacts"),
        ("form", "payer", "louise"),
        ("headers", "stripe-version", ...),
        ("answer", "payment_status", "open"),
        ("answer", "amount_total", "1280"),
        ("answer", "object", "session"),
        ("answer", "paid", True),
    ],
)
def test_stripes_judge_bites(card_simulator: Simulator, where: str, path: str, value: Any) -> None:
    begin(PaymentMethod.CARD)
    said = last(card_simulator.stage.exchanges)
    assert card_breaches([said]) == []
    assert len(card_breaches([put(said, where, path, value)])) > 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("where", "path", "value"),
    [
        ("body", "lines.0.unit_price", 6.4),
        ("body", "totals", ...),
        ("headers", "idempotency-key", ...),
        ("answer", "status.sequence", "un"),
        ("answer", "librisoft_order_id", ...),
    ],
)
def test_librisofts_judge_bites(librisoft_simulator: LibrisoftSimulator, where: str, path: str, value: Any) -> None:
    transmission.transmit(hand_over(), now=timezone.now())
    said = last(librisoft_simulator.stage.exchanges)
    assert librisoft_breaches([said]) == []
    assert len(librisoft_breaches([put(said, where, path, value)])) > 0


@pytest.mark.parametrize(
    "event", [{"type": "checkout.session.paid"}, {"data": {"object": {"object": "refund", "amount": "12"}}}]
)
def test_stripes_judge_bites_a_webhook(
    card_simulator: Simulator, event: dict[str, Any], paid: Callable[[Simulator], None]
) -> None:
    paid(card_simulator)
    (said,) = [e for e in card_simulator.events() if e["type"] == "checkout.session.completed"]
    assert card_breaches([], [said]) == []
    assert len(card_breaches([], [said | event])) > 0


@pytest.fixture
def paid() -> Callable[[Simulator], None]:
    def pay(simulator: Simulator) -> None:
        begin(PaymentMethod.CARD)
        simulator.pay(json.loads(simulator.stage.exchanges[-1]["answer"])["url"])

    return pay
