"""Client and simulator of the card speak as Stripe's own types and fixtures say."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from grouped_orders import payments
from grouped_orders.payments.base import Attempt, Money, Refused
from grouped_orders.statuses import PaymentMethod
from tests.contracts import card
from tests.contracts.exchanges import SPECS, read
from tests.simulation import CARD, Simulator


def test_a_payment_from_end_to_end_keeps_the_contract(card_simulator: Simulator) -> None:
    """The fixture judges when the test is over; here stands only that there was something to judge."""
    provider = payments.provider(PaymentMethod.CARD)
    now = datetime.now(UTC)

    def attempt(our_id: str) -> Attempt:
        return Attempt(
            our_id=our_id,
            money=Money(Decimal("74.50"), "EUR"),
            description="Commande n° 65 : 5 × Le petit prince",
            email="parent@example.org",
            return_url="http://shop.example/retour/",
            cancel_url="http://shop.example/annulation/",
            expires_at=now + timedelta(minutes=30),
        )

    shut, paid = (provider.create(attempt(our_id), key=our_id) for our_id in ("a", "b"))
    provider.expire(shut.ref)
    card_simulator.refuse(paid.url)
    card_simulator.pay(paid.url)
    (capture,) = provider.fetch(paid.ref).captures
    card_simulator.fault("refund_pending")
    for number, amount in enumerate(("4.50", "99.00", "70.00"), start=1):
        try:
            refund = provider.refund(capture.id, Money(Decimal(amount), "EUR"), our_id=f"r{number}", key=f"r{number}")
            provider.fetch_refund(refund.id)
        except Refused:
            assert amount == "99.00"
    assert len(list(provider.list_movements(now - timedelta(hours=1), now + timedelta(hours=1)))) > 0
    said = read(card_simulator.stage.exchanges, card.CLIENT)
    ours = {(exchange.method, exchange.path.split("/")[2], exchange.status) for exchange in said if exchange.by_us}
    assert ours == {
        ("POST", "checkout", 200),
        ("GET", "checkout", 200),
        ("POST", "refunds", 200),
        ("POST", "refunds", 400),
        ("GET", "refunds", 200),
        ("GET", "balance_transactions", 200),
    }


@pytest.mark.parametrize("path", ["events", "refunds", "checkout/sessions", "refunds/re_none", "events?limit=0"])
def test_lists_and_refusals_are_in_stripes_words(card_simulator: Simulator, path: str) -> None:
    headers = {"Authorization": f"Bearer {CARD.secret_key}"}
    assert requests.get(f"{card_simulator.url}/v1/{path}", headers=headers, timeout=5).status_code < 500


@pytest.mark.skipif(not SPECS.exists(), reason="Stripe’s fixtures are not next to the repository")
def test_fixtures_are_read() -> None:
    assert {kind.OBJECT_NAME for _asked, kind, _is_list in card.OPERATIONS.values()} <= set(card.fixtures())
