"""One sub-order, its attempts to pay, and what the providers' own ledgers say moved."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
import requests
from django.db import IntegrityError
from django.utils import timezone

from grouped_orders import checkout
from grouped_orders.checkout import AlreadyPaid
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import Capture, Mail, Payment, Refund, SubOrder
from grouped_orders.models.order import deadline_end
from grouped_orders.statuses import MoneyBack, PaymentMethod, PaymentState, RefundState, SubOrderStatus
from tests.factories import GroupedOrderFactory, SubOrderFactory, TermsFactory, UserFactory
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db

NOW = timezone.now()
PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card provider compares its own clock with ours: the time of the import may be minutes ago."""
    monkeypatch.setitem(globals(), "NOW", timezone.now())


@pytest.fixture
def sub_order() -> SubOrder:
    order = GroupedOrderFactory(deadline=timezone.localdate() + timedelta(days=3), unit_price=Decimal("6.40"))
    return SubOrderFactory(grouped_order=order, quantity=2)


def start(sub_order: SubOrder, method: PaymentMethod = PAYPAL) -> str:
    return checkout.start(sub_order, method=method, terms=None, now=NOW)


def settle(sub_order: SubOrder) -> Payment:
    return checkout.settle(sub_order.payments.first(), now=NOW)


def truth(sub_order: SubOrder) -> tuple[str, list[str]]:
    """The verdict, and the states of the attempts behind it, oldest first."""
    sub_order.refresh_from_db()
    return sub_order.status, list(sub_order.payments.order_by("pk").values_list("state", flat=True))


def test_paypal_paid_is_captured_once_and_receipted_once(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(start(sub_order))
    for _ in range(3):
        settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    payment = sub_order.payments.get()
    assert paypal_simulator.moved() == [("capture", "12.80", payment.public_id)]
    assert list(Capture.objects.values_list("status", "amount", "currency")) == [("COMPLETED", Decimal("12.80"), "EUR")]
    assert list(Mail.objects.values_list("kind", "recipient")) == [("sub_order_paid", sub_order.email)]


def test_card_paid_is_recorded(sub_order: SubOrder, card_simulator: Simulator) -> None:
    card_simulator.pay(start(sub_order, CARD))
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert card_simulator.moved() == [("capture", "12.80", sub_order.payments.get().public_id)]


def test_refused_card_takes_nothing_and_can_be_tried_again(sub_order: SubOrder, card_simulator: Simulator) -> None:
    page = start(sub_order, CARD)
    card_simulator.refuse(page)
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PENDING, [PaymentState.REDIRECTED])
    assert start(sub_order, CARD) == page
    card_simulator.pay(page)
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PAID, [PaymentState.CAPTURED])


def test_cancelled_paypal_takes_nothing_and_can_begin_again(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    paypal_simulator.cancel(start(sub_order))
    checkout.abandon(sub_order.payments.get(), now=NOW)
    assert truth(sub_order) == (SubOrderStatus.PENDING, [PaymentState.ABANDONED])
    paypal_simulator.pay(start(sub_order))
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PAID, [PaymentState.ABANDONED, PaymentState.CAPTURED])
    assert paypal_simulator.ledger()["total"] == "12.80"


def test_start_twice_uses_the_same_page(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    assert start(sub_order) == start(sub_order)
    assert Payment.objects.count() == 1


def test_start_keeps_the_terms_accepted_and_when(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    terms = TermsFactory()
    checkout.start(sub_order, method=PAYPAL, terms=terms, now=NOW)
    sub_order.refresh_from_db()
    assert (sub_order.terms, sub_order.terms_accepted_at) == (terms, NOW)


def test_start_after_payment_says_it_is_paid(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(start(sub_order))
    settle(sub_order)
    with pytest.raises(AlreadyPaid):
        start(sub_order)
    assert Payment.objects.count() == 1


def test_provider_down_says_nothing_was_taken_and_loses_nothing(
    sub_order: SubOrder, paypal_simulator: Simulator
) -> None:
    paypal_simulator.fault("status", match="POST /v2/checkout/orders", times=2, status=503)
    with pytest.raises(NotAllowed, match="Rien n’a été débité"):
        start(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PENDING, [PaymentState.FAILED])
    paypal_simulator.pay(start(sub_order))
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PAID, [PaymentState.FAILED, PaymentState.CAPTURED])


def test_capture_answer_lost_is_unknown_then_paid_once(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(start(sub_order))
    paypal_simulator.fault("drop_after", match="/capture")
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PENDING, [PaymentState.CAPTURING])
    with pytest.raises(AlreadyPaid):
        start(sub_order)
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert paypal_simulator.ledger()["total"] == "12.80"


def test_capture_lost_before_its_effect_is_asked_again_after_the_lease(
    sub_order: SubOrder, paypal_simulator: Simulator
) -> None:
    paypal_simulator.pay(start(sub_order))
    paypal_simulator.fault("drop_before", match="/capture")
    settle(sub_order)
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PENDING, [PaymentState.CAPTURING])
    checkout.settle(sub_order.payments.get(), now=NOW + timedelta(minutes=2))
    assert truth(sub_order) == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert paypal_simulator.ledger()["total"] == "12.80"


def test_fetch_that_does_not_answer_changes_nothing(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(start(sub_order))
    paypal_simulator.fault("status", match="GET /v2/checkout/orders", status=500)
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PENDING, [PaymentState.REDIRECTED])
    assert Payment.objects.due(NOW + timedelta(minutes=2)).count() == 1


def test_paypal_approved_while_the_card_is_paid_is_not_taken(
    sub_order: SubOrder, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    card_page = start(sub_order, CARD)
    card_simulator.pay(card_page)
    with pytest.raises(AlreadyPaid):
        start(sub_order, PAYPAL)
    assert truth(sub_order)[0] == SubOrderStatus.PAID
    assert (card_simulator.ledger()["total"], paypal_simulator.ledger()["total"]) == ("12.80", "0.00")


def test_card_page_is_shut_when_paypal_takes_over(
    sub_order: SubOrder, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    card_page = start(sub_order, CARD)
    paypal_simulator.pay(start(sub_order, PAYPAL))
    settle(sub_order)
    assert "n’est plus valable" in requests.post(card_page, data={"action": "pay"}, timeout=10).text
    assert truth(sub_order) == (SubOrderStatus.PAID, [PaymentState.SUPERSEDED, PaymentState.CAPTURED])
    assert (card_simulator.ledger()["total"], paypal_simulator.ledger()["total"]) == ("0.00", "12.80")


def test_wrong_amount_is_not_taken(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    page = start(sub_order)
    Payment.objects.update(amount=Decimal("99.00"))  # as if the approval were for less than what is due
    paypal_simulator.pay(page)
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.PENDING, [PaymentState.SUPERSEDED])
    assert paypal_simulator.ledger()["total"] == "0.00"
    assert list(Mail.objects.values_list("kind", flat=True)) == ["payment_superseded"]


@pytest.mark.parametrize(("after", "status"), [(29, SubOrderStatus.PAID), (31, SubOrderStatus.PENDING)])
def test_payment_begun_before_the_deadline_may_finish_within_30_minutes(
    after: int, status: SubOrderStatus, paypal_simulator: Simulator
) -> None:
    deadline = date(2026, 11, 24)
    end = deadline_end(deadline)
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=deadline))
    page = checkout.start(sub_order, method=PAYPAL, terms=None, now=end - timedelta(seconds=1))
    paypal_simulator.pay(page)
    checkout.settle(sub_order.payments.get(), now=end + timedelta(minutes=after))
    assert truth(sub_order)[0] == status
    assert paypal_simulator.ledger()["total"] == ("6.40" if status == SubOrderStatus.PAID else "0.00")


def test_start_after_the_deadline_is_refused(paypal_simulator: Simulator) -> None:
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=date(2026, 11, 24)))
    with pytest.raises(NotAllowed, match="est passée"):
        checkout.start(sub_order, method=PAYPAL, terms=None, now=deadline_end(date(2026, 11, 24)))
    assert Payment.objects.count() == 0


# Money that cannot count ----------------------------------------------------------------------


def test_card_paid_after_cancellation_is_given_back(sub_order: SubOrder, card_simulator: Simulator) -> None:
    page = start(sub_order, CARD)
    card_simulator.fault("status", match="GET /v1/checkout/sessions", times=2, status=500)
    card_simulator.fault("status", match="POST .*/expire", status=500)
    checkout.cancel_sub_order(sub_order, by=None, reason="Épuisé", refund=MoneyBack.ONLINE, now=NOW)
    card_simulator.pay(page)
    card_simulator.clear_faults()
    settle(sub_order)
    assert truth(sub_order) == (SubOrderStatus.CANCELLED, [PaymentState.CAPTURED])
    refund = Refund.objects.get()
    checkout.send_refund(refund, now=NOW)
    refund.refresh_from_db()
    assert (refund.state, refund.amount) == (RefundState.DONE, Decimal("12.80"))
    assert card_simulator.ledger()["total"] == "0.00"


def test_cancelling_a_paid_sub_order_refunds_it_once(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(start(sub_order))
    settle(sub_order)
    checkout.cancel_sub_order(sub_order, by=UserFactory(), reason="Erreur", refund=MoneyBack.ONLINE, now=NOW)
    refund = Refund.objects.get()
    for _ in range(2):
        checkout.send_refund(refund, now=NOW)
    refund.refresh_from_db()
    assert (truth(sub_order)[0], refund.state) == (SubOrderStatus.CANCELLED, RefundState.DONE)
    assert [kind for kind, _, _ in paypal_simulator.moved()] == ["capture", "refund"]
    assert paypal_simulator.ledger()["total"] == "0.00"
    kinds = sorted(Mail.objects.values_list("kind", flat=True))
    assert kinds == ["refund_done", "sub_order_cancelled", "sub_order_paid"]


def test_refund_whose_answer_is_lost_is_made_once(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(start(sub_order))
    settle(sub_order)
    checkout.cancel_sub_order(sub_order, by=UserFactory(), reason="Erreur", refund=MoneyBack.ONLINE, now=NOW)
    paypal_simulator.fault("drop_after", match="/refund")
    refund = checkout.send_refund(Refund.objects.get(), now=NOW)
    assert refund.state == RefundState.REQUESTED
    refund = checkout.send_refund(refund, now=NOW)
    assert refund.state == RefundState.DONE
    assert [kind for kind, _, _ in paypal_simulator.moved()] == ["capture", "refund"]


def test_cancelling_the_order_asks_back_every_paid_sub_order(sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(start(sub_order))
    settle(sub_order)
    unpaid = SubOrderFactory(grouped_order=sub_order.grouped_order)
    paid = checkout.cancel_order(sub_order.grouped_order, by=UserFactory(), reason="Épuisé", now=NOW)
    assert paid == [sub_order]
    assert [refund.amount for refund in Refund.objects.all()] == [Decimal("12.80")]
    assert (truth(sub_order)[0], truth(unpaid)[0]) == (SubOrderStatus.CANCELLED, SubOrderStatus.CANCELLED)


def test_money_cannot_be_captured_twice_whatever_the_code_does(sub_order: SubOrder) -> None:

    def capture() -> None:
        Payment.objects.create(
            sub_order=sub_order, method=PAYPAL, amount=1, state=PaymentState.CAPTURED, captured_at=NOW
        )

    capture()
    with pytest.raises(IntegrityError, match="payment_one_holds_a_sub_order"):
        capture()
