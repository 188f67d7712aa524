"""Many at once, each on a connection of its own: one capture, one mail, nothing missing from the hand-over."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from collectivities.models import User
from grouped_orders import checkout, lifecycle
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import GroupedOrder, Mail, Refund, SubOrder
from grouped_orders.models.order import GroupedOrderQuerySet, deadline_end
from grouped_orders.statuses import HandMethod, OrderStatus, PaymentMethod, PaymentState, SubOrderStatus
from tests.factories import GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.grouped_orders.checkout.conftest import Buyer, refund_all
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees, net_of
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db(transaction=True)

PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD


def at_once(count: int, do: Callable[[int], Any]) -> list[Any]:
    """Do it in so many threads that start together; what each returned, or the refusal it met."""
    barrier = threading.Barrier(count)

    def run(nth: int) -> Any:
        try:
            barrier.wait(60)
            return do(nth)
        except NotAllowed as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_two_methods_begun_at_once_leave_one_page_open(
    buyer: Buyer, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    methods = [PAYPAL, CARD]
    pages = at_once(2, lambda nth: buyer.start(methods[nth]))
    assert Counter(buyer.truth[1]) == {PaymentState.REDIRECTED: 1, PaymentState.SUPERSEDED: 1}
    assert buyer.last.state == PaymentState.REDIRECTED
    assert buyer.last.approve_url in pages
    assert_ledger_agrees(paypal_simulator, card_simulator)


def test_cancelling_while_settling_keeps_no_money(buyer: Buyer, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(buyer.start())
    payment, bookseller = buyer.last, UserFactory()

    def act(nth: int) -> object:
        if nth % 5:
            return checkout.settle(payment, now=buyer.now)
        return buyer.be_cancelled(bookseller)

    at_once(15, act)
    buyer.wait(minutes=5)
    buyer.settle()
    refund_all(buyer)
    assert buyer.truth[0] == SubOrderStatus.CANCELLED
    assert net_of(paypal_simulator) == 0
    assert Mail.objects.filter(kind="sub_order_cancelled").count() == 1
    assert Refund.objects.count() <= 1
    assert_ledger_agrees(paypal_simulator)


# Validation against those who still add -----------------------------------------------------------


@pytest.fixture
def bookseller(db: None) -> User:
    return UserFactory()


@pytest.fixture
def order(bookseller: User) -> GroupedOrder:
    """Its deadline is passing, and one copy is paid."""
    order = GroupedOrderFactory()
    pay_by_hand(SubOrderFactory(grouped_order=order), bookseller)
    return order


def pay_by_hand(sub_order: SubOrder, bookseller: User) -> None:
    now = deadline_end(sub_order.grouped_order.deadline)
    checkout.record_by_hand(sub_order, method=HandMethod.SHOP, reference="12", by=bookseller, now=now)


def register(order: GroupedOrder) -> SubOrder:
    """At the very last second."""
    now = deadline_end(order.deadline) - timedelta(seconds=1)
    return lifecycle.register(
        order, first_name="Louise", last_name="Grandville", email="louise@free.example", quantity=1, now=now
    )


def missing(order: GroupedOrder) -> int:
    """Copies of live sub-orders that LIBRISOFT was not told of; 0 as long as the order is not validated."""
    order = GroupedOrder.objects.select_related("shop_order").get(pk=order.pk)
    if order.status == OrderStatus.OPEN:
        return 0
    assert order.shop_order is not None
    live = order.sub_orders.exclude(status=SubOrderStatus.CANCELLED)
    return sum(s.quantity for s in live) - sum(line.quantity for line in order.shop_order.lines.all())


def test_validation_among_sixteen_writers_misses_nobody(order: GroupedOrder, bookseller: User) -> None:
    def act(nth: int) -> object:
        for _ in range(4):
            if nth == 0:
                lifecycle.validate(order, by=bookseller, now=deadline_end(order.deadline))
            else:
                pay_by_hand(register(order), bookseller)
        return None

    at_once(17, act)
    for sub_order in order.sub_orders.pending():
        # Validation waits for whoever registered in time and has not paid.
        assert missing(order) == 0
        pay_by_hand(sub_order, bookseller)
    order.refresh_from_db()
    if order.status == OrderStatus.OPEN:
        lifecycle.validate(order, by=bookseller, now=deadline_end(order.deadline))
    assert missing(order) == 0


@pytest.mark.parametrize(("locked", "lost"), [(True, 0), (False, 1)])
def test_validation_waits_for_who_has_looked_already_because_of_the_lock(
    order: GroupedOrder, bookseller: User, monkeypatch: pytest.MonkeyPatch, locked: bool, lost: int
) -> None:
    """A buyer has seen the order open and is about to register when the bookseller validates.

    Without the lock the race is lost: this is what the tests above can see.
    """
    take, looked, validated = GroupedOrderQuerySet._locked, threading.Event(), threading.Event()

    def look(orders: GroupedOrderQuerySet, pk: int, lock: str) -> GroupedOrder:
        found = take(orders, pk, lock) if locked else orders.get(pk=pk)
        if lock.endswith("shared"):
            looked.set()
            validated.wait(1)
        return found

    monkeypatch.setattr(GroupedOrderQuerySet, "_locked", look)

    def act(nth: int) -> object:
        if nth == 0:
            return register(order)
        looked.wait(10)
        lifecycle.validate(order, by=bookseller, now=deadline_end(order.deadline))
        return validated.set()

    at_once(2, act)
    assert missing(order) == lost
