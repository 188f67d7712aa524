"""« Renoncer au contrat » : the buyer gives up, and his money goes back by the way it came."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils import timezone

from grouped_orders import checkout, lifecycle
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import JournalEntry, Mail, Payment, Refund, SubOrder
from grouped_orders.models.order import deadline_end
from grouped_orders.statuses import HandMethod, PaymentMethod, PaymentState, RefundSource, RefundState, SubOrderStatus
from tests.factories import UserFactory
from tests.grouped_orders.checkout.conftest import Buyer, kinds, refund_all
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.simulation import Simulator


def withdraw(buyer: Buyer) -> None:
    checkout.withdraw(buyer.sub_order, now=buyer.now)


def validated(buyer: Buyer) -> None:
    buyer.sub_order.grouped_order.refresh_from_db()
    lifecycle.validate(buyer.sub_order.grouped_order, by=UserFactory(is_staff=True), now=buyer.now)


def pay_by_hand(buyer: Buyer) -> None:
    checkout.record_by_hand(
        buyer.sub_order, method=HandMethod.CHEQUE, reference="7", by=UserFactory(is_staff=True), now=buyer.now
    )


@pytest.mark.parametrize("method", [PaymentMethod.PAYPAL, PaymentMethod.CARD])
def test_what_was_paid_online_goes_back_by_the_same_way(
    buyer: Buyer, method: PaymentMethod, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    simulator = paypal_simulator if method == PaymentMethod.PAYPAL else card_simulator
    simulator.pay(buyer.start(method))
    buyer.settle()

    withdraw(buyer)
    withdraw(buyer)
    refund_all(buyer)

    assert buyer.truth[0] == SubOrderStatus.CANCELLED
    assert buyer.sub_order.withdrawn_at == buyer.now
    assert list(Refund.objects.values_list("amount", "source", "state")) == [
        (Decimal("12.80"), RefundSource.ONLINE, RefundState.DONE)
    ]
    assert kinds() == ["refund_done", "sub_order_paid", "withdrawal_received"]
    assert_ledger_agrees(simulator)
    call_command("check_ledger")


def test_what_was_paid_at_the_shop_waits_for_the_bookseller(buyer: Buyer) -> None:
    pay_by_hand(buyer)

    withdraw(buyer)

    assert Refund.objects.unfinished().get().waits_by_hand
    assert buyer.truth[0] == SubOrderStatus.CANCELLED


def test_what_is_not_paid_is_cancelled_and_its_page_can_take_no_money(buyer: Buyer, card_simulator: Simulator) -> None:
    page = buyer.start(PaymentMethod.CARD)

    withdraw(buyer)

    assert buyer.truth == (SubOrderStatus.CANCELLED, [PaymentState.SUPERSEDED])
    with pytest.raises(AssertionError, match="n’est plus valable"):
        card_simulator.pay(page)
    assert Mail.objects.get().kind == "withdrawal_received"
    assert Payment.objects.get().reason == "Vous avez renoncé à cette commande"


def test_a_payment_that_was_on_its_way_goes_back(buyer: Buyer, paypal_simulator: Simulator) -> None:
    """The answer to the capture was lost; the buyer gives up meanwhile."""
    paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("drop_after", match="/capture")
    buyer.settle()

    withdraw(buyer)
    buyer.wait(minutes=2)
    buyer.settle()
    refund_all(buyer)

    assert buyer.truth[0] == SubOrderStatus.CANCELLED
    assert paypal_simulator.ledger()["total"] == "0.00"
    assert_ledger_agrees(paypal_simulator)


def test_once_validated_the_bookseller_decides(buyer: Buyer) -> None:
    pay_by_hand(buyer)
    buyer.wait(days=4)
    validated(buyer)

    withdraw(buyer)
    withdraw(buyer)

    assert buyer.truth[0] == SubOrderStatus.PAID
    assert buyer.sub_order.withdrawn_at == buyer.now
    assert not Refund.objects.exists()
    assert kinds().count("withdrawal_received") == 1
    assert JournalEntry.objects.filter(what__endswith="rétractation de l’acheteur").count() == 1


def test_the_time_is_fourteen_whole_days_after_the_books_were_there(buyer: Buyer) -> None:
    pay_by_hand(buyer)
    buyer.wait(days=4)
    validated(buyer)
    lifecycle.close(buyer.sub_order.grouped_order, by=UserFactory(is_staff=True), now=buyer.now)
    end = deadline_end(timezone.localdate(buyer.now) + timedelta(days=14))

    buyer.now = end
    with pytest.raises(NotAllowed):
        withdraw(buyer)
    assert SubOrder.objects.get().withdrawn_at is None

    buyer.now = end - timedelta(seconds=1)
    withdraw(buyer)
    assert SubOrder.objects.get().withdrawn_at == buyer.now


def test_what_was_cancelled_cannot_be_given_up(buyer: Buyer) -> None:
    checkout.cancel_sub_order(buyer.sub_order, by=UserFactory(), reason="Doublon", refund=None, now=buyer.now)

    with pytest.raises(NotAllowed):
        withdraw(buyer)

    assert kinds() == ["sub_order_cancelled"]


def test_too_late_leaves_an_open_page_alone(buyer: Buyer, card_simulator: Simulator) -> None:
    """Refused before anything is shut: the order is validated, and this sub-order was cancelled with it."""
    buyer.start(PaymentMethod.CARD)
    SubOrder.objects.update(status=SubOrderStatus.CANCELLED, cancelled_at=buyer.now)

    with pytest.raises(NotAllowed):
        withdraw(buyer)

    assert Payment.objects.get().state == PaymentState.REDIRECTED
