"""Whoever cheats, repeats or mixes up: only what the provider answers to us counts.

Each test ends by comparing the providers' own ledgers with our rows.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import ProviderEvent
from grouped_orders.models.order import deadline_end
from grouped_orders.statuses import PaymentMethod, PaymentState, SubOrderStatus
from tests.factories import GroupedOrderFactory, SubOrderFactory
from tests.grouped_orders.checkout.conftest import Buyer, kinds
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.simulation import Simulator

PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD
PAID, PENDING, CANCELLED = SubOrderStatus.PAID, SubOrderStatus.PENDING, SubOrderStatus.CANCELLED
Tell = Callable[..., int]


# Forgers ------------------------------------------------------------------------------------------


def test_forged_returns_move_nothing(buyer: Buyer, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(buyer.start())
    other = SubOrderFactory(grouped_order=buyer.sub_order.grouped_order)
    mine, payment = buyer.sub_order.secret, buyer.last.public_id
    for secret, attempt, query, status in [
        (other.secret, payment, "", 404),
        (mine, "0" * 32, "", 404),
        ("nobody", payment, "", 404),
        (mine, payment, "?token=SOMEBODYELSES&PayerID=X", 302),
    ]:
        for name in ("returned", "abandoned"):
            assert buyer.client.get(reverse(f"payments:{name}", args=[secret, attempt]) + query).status_code == status
    assert (buyer.truth, paypal_simulator.moved()) == ((PENDING, [PaymentState.REDIRECTED]), [])
    # Whatever else the address says, PayPal is asked, and its answer counts.
    buyer.client.get(reverse("payments:returned", args=[mine, payment]) + "?amount=0.01&retour=x")
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert_ledger_agrees(paypal_simulator)


def test_cancel_address_of_a_paid_page_does_not_unpay(buyer: Buyer, card_simulator: Simulator) -> None:
    card_simulator.pay(buyer.start(CARD))
    buyer.client.get(reverse("payments:abandoned", args=[buyer.sub_order.secret, buyer.last.public_id]))
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert_ledger_agrees(card_simulator)


@pytest.mark.logs_errors  # « come back later » is a 503
def test_forged_and_odd_webhooks_move_nothing(
    buyer: Buyer, paypal_simulator: Simulator, card_simulator: Simulator, tell: Tell, client: Client
) -> None:
    paypal_simulator.pay(buyer.start())
    approved = paypal_simulator.events()[-1]
    paypal, stripe = reverse("payments:paypal_webhook"), reverse("payments:card_webhook")
    for address in (paypal, stripe):
        assert client.post(address, b"{}", content_type="application/json").status_code == 400
        assert client.post(address, b"\xff\x00", content_type="application/json").status_code == 400
        assert client.post(address, b"x" * 5_000_000, content_type="application/json").status_code == 413
        assert client.get(address).status_code == 405
    assert tell(paypal_simulator, approved, **{"PAYPAL-TRANSMISSION-SIG": "QUJD"}) == 400
    assert tell(card_simulator, {"id": "evt_1"}, **{"Stripe-Signature": "t=1,v1=00"}) == 400
    assert tell(paypal_simulator, approved | {"resource": {"id": "NOSUCHORDER"}}) == 200
    assert (buyer.truth, paypal_simulator.moved()) == ((PENDING, [PaymentState.REDIRECTED]), [])
    paypal_simulator.fault("status", match="verify-webhook-signature", status=503)
    assert tell(paypal_simulator, approved | {"id": "WH-2"}) == 503
    assert list(ProviderEvent.objects.values_list("result", flat=True)) == ["unknown object"]
    assert_ledger_agrees(paypal_simulator, card_simulator)


def test_same_webhook_a_hundred_times_is_processed_once(buyer: Buyer, paypal_simulator: Simulator, tell: Tell) -> None:
    paypal_simulator.pay(buyer.start())
    approved = paypal_simulator.events()[-1]
    assert [tell(paypal_simulator, approved) for _ in range(100)] == [200] * 100
    assert ProviderEvent.objects.count() == 1
    assert (buyer.truth, kinds()) == ((PAID, [PaymentState.CAPTURED]), ["sub_order_paid"])
    assert_ledger_agrees(paypal_simulator)


def test_webhooks_without_an_id_are_not_taken_for_one_another(
    buyer: Buyer, paypal_simulator: Simulator, tell: Tell
) -> None:
    page = buyer.start()
    odd = {"event_type": "CHECKOUT.ORDER.SAVED", "resource": {"id": buyer.last.provider_ref}}
    assert [tell(paypal_simulator, odd), tell(paypal_simulator, odd | {"id": "x" * 500})] == [200, 200]
    paypal_simulator.pay(page)
    approved = paypal_simulator.events()[-1] | {"id": ""}
    assert tell(paypal_simulator, approved) == 200
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert ProviderEvent.objects.count() == 3
    assert_ledger_agrees(paypal_simulator)


def test_webhooks_in_the_wrong_order_change_nothing(buyer: Buyer, paypal_simulator: Simulator, tell: Tell) -> None:
    paypal_simulator.pay(buyer.start())
    buyer.settle()
    approved, completed = paypal_simulator.events()
    assert [tell(paypal_simulator, completed), tell(paypal_simulator, approved)] == [200, 200]
    assert (buyer.truth, kinds()) == ((PAID, [PaymentState.CAPTURED]), ["sub_order_paid"])
    assert_ledger_agrees(paypal_simulator)


def test_start_is_refused_kindly_when_the_method_is_switched_off_meanwhile(
    buyer: Buyer, paypal_simulator: Simulator, settings: Settings
) -> None:
    settings.PAYPAL_CLIENT_ID = ""
    with pytest.raises(NotAllowed, match="Rien n’a été débité"):
        buyer.start()
    assert buyer.truth == (PENDING, [PaymentState.FAILED])
    assert_ledger_agrees(paypal_simulator)


def test_deadline_may_pass_at_the_providers_page(paypal_simulator: Simulator, db: None) -> None:
    """Inside the grace it is taken; outside it is not, and the payer is told by mail."""
    for minutes, expected in ((29, (PAID, PaymentState.CAPTURED)), (31, (PENDING, PaymentState.SUPERSEDED))):
        order = GroupedOrderFactory()
        end = deadline_end(order.deadline)
        buyer = Buyer(SubOrderFactory(grouped_order=order), end - timedelta(seconds=1), Client())
        paypal_simulator.pay(buyer.start())
        buyer.now = end + timedelta(minutes=minutes)
        buyer.settle()
        assert buyer.truth == (expected[0], [expected[1]])
    assert kinds() == ["payment_superseded", "sub_order_paid"]
    assert_ledger_agrees(paypal_simulator)
