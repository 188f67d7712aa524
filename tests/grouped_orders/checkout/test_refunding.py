"""Refunds asked for at once, from connections of their own; the provider's ledger has the last word."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from grouped_orders import checkout
from grouped_orders.clock import send_refunds
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import Capture, Refund, SubOrder
from grouped_orders.payments.refusals import REFUSALS, refusal
from grouped_orders.statuses import MoneyBack, PaymentMethod, RefundSource, RefundState
from tests.factories import GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def capture(paypal_simulator: Simulator) -> Capture:
    """12,80 € by PayPal."""
    order = GroupedOrderFactory(deadline=timezone.localdate())
    sub_order: SubOrder = SubOrderFactory(grouped_order=order, quantity=2)
    now = timezone.now()
    paypal_simulator.pay(checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=None, now=now))
    checkout.settle(sub_order.payments.get(), now=now)
    return Capture.objects.get()


def at_once(times: int, act: Callable[[], object]) -> list[str]:
    """What each of so many threads got, sorted: « done », or why not."""
    barrier = Barrier(times)

    def one(_nth: int) -> str:
        barrier.wait()
        try:
            act()
        except NotAllowed:
            return "refused"
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(times) as pool:
        return sorted(pool.map(one, range(times)))


def test_two_parts_at_once_never_exceed_what_was_paid(capture: Capture, paypal_simulator: Simulator) -> None:
    now = timezone.now()

    results = at_once(
        2, lambda: checkout.request_refund(capture, amount=Decimal("8.00"), by=None, reason="Livre abîmé", now=now)
    )
    send_refunds()

    assert results == ["done", "refused"]
    assert list(Refund.objects.values_list("amount", "state")) == [(Decimal("8.00"), RefundState.DONE)]
    assert paypal_simulator.ledger()["total"] == "4.80"
    assert_ledger_agrees(paypal_simulator)


def test_many_clicks_at_once_make_one_refund(capture: Capture, paypal_simulator: Simulator) -> None:
    odile, now = UserFactory(is_staff=True), timezone.now()

    results = at_once(
        8,
        lambda: checkout.refund_part(
            capture,
            amount=Decimal("1.00"),
            left=Decimal("12.80"),
            refund=MoneyBack.ONLINE,
            by=odile,
            reason="Livre abîmé",
            now=now,
        ),
    )
    send_refunds()

    assert results == ["done", *["refused"] * 7]
    assert paypal_simulator.ledger()["total"] == "11.80"
    assert_ledger_agrees(paypal_simulator)


def test_clock_twice_at_once_sends_one_refund(capture: Capture, paypal_simulator: Simulator) -> None:
    refund = checkout.request_refund(capture, by=None, reason="Livre abîmé", now=timezone.now())

    at_once(4, lambda: checkout.send_refund(refund, now=timezone.now()))

    assert list(Refund.objects.values_list("amount", "state")) == [(Decimal("12.80"), RefundState.DONE)]
    assert [(kind, amount) for kind, amount, _ref in paypal_simulator.moved()] == [
        ("capture", "12.80"),
        ("refund", "12.80"),
    ]
    assert_ledger_agrees(paypal_simulator)


def test_refund_after_180_days_is_refused_and_made_by_hand(capture: Capture, paypal_simulator: Simulator) -> None:
    odile, later = UserFactory(is_staff=True), timezone.now() + timedelta(days=181)
    paypal_simulator.advance(181 * 86400)
    refund = checkout.request_refund(capture, by=odile, reason="Livre abîmé", now=later)

    refund = checkout.send_refund(refund, now=later)

    assert (refund.state, refund.error) == (RefundState.FAILED, "REFUND_TIME_LIMIT_EXCEEDED")
    assert "180 jours" in refusal(refund.error)
    checkout.note_refunded_by_hand(refund, by=odile, note="virement", now=later)
    assert list(Refund.objects.values_list("source", "state")) == [(RefundSource.BY_HAND, RefundState.DONE)]
    assert paypal_simulator.ledger()["total"] == "12.80"
    assert_ledger_agrees(paypal_simulator)


def test_every_refusal_says_what_to_do_and_an_unknown_one_too() -> None:
    assert all(len(refusal(code)) > 60 for code in [*REFUSALS, "NEVER_HEARD_OF"])
