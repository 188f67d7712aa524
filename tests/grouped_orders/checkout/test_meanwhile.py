"""What happens between a question to a provider and its answer. Each test ends by comparing the two books."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client

from catalog.models import Book
from grouped_orders import checkout, clock, lifecycle
from grouped_orders.models import Payment, ProviderEvent, SubOrder
from grouped_orders.payments import card, paypal
from grouped_orders.statuses import PaymentMethod, PaymentState, SubOrderStatus
from tests.factories import SubOrderFactory
from tests.grouped_orders.checkout.conftest import Buyer, kinds
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.simulation import Simulator

PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD
CLIENTS = {PAYPAL: paypal.PayPal, CARD: card.Card}
Tell = Callable[..., int]


@pytest.fixture(params=[PAYPAL, CARD])
def method(request: pytest.FixtureRequest) -> PaymentMethod:
    wanted: PaymentMethod = request.param
    return wanted


@pytest.fixture
def simulator(method: PaymentMethod, paypal_simulator: Simulator, card_simulator: Simulator) -> Simulator:
    return paypal_simulator if method == PAYPAL else card_simulator


def test_message_that_comes_before_the_new_page_is_known_loses_no_payment(
    buyer: Buyer, simulator: Simulator, method: PaymentMethod, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider tells of the payment while our row does not hold its reference yet."""
    create = CLIENTS[method].create

    def create_and_hear(*args: object, **kwargs: object) -> object:
        made = create(*args, **kwargs)  # type: ignore[arg-type]
        simulator.pay(made.url)
        assert tell(simulator, simulator.events()[-1]) == 200
        return made

    monkeypatch.setattr(CLIENTS[method], "create", create_and_hear)
    buyer.start(method)
    assert buyer.truth == (SubOrderStatus.PENDING, [PaymentState.REDIRECTED])
    assert ProviderEvent.objects.get().payment == buyer.last
    # Nobody comes back, and the message was heard already: the clock is left.
    assert Payment.objects.due(buyer.now + timedelta(minutes=1)).count() == 1
    Payment.objects.update(next_check_at=buyer.now)
    clock.settle_payments()
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert kinds() == ["sub_order_paid"]
    assert_ledger_agrees(simulator)


def test_message_that_comes_before_the_answer_to_a_capture_takes_the_money_once(
    buyer: Buyer, paypal_simulator: Simulator, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = paypal.PayPal.capture

    def capture_and_hear(*args: object, **kwargs: object) -> object:
        made = capture(*args, **kwargs)  # type: ignore[arg-type]
        assert tell(paypal_simulator, paypal_simulator.events()[-1]) == 200
        return made

    paypal_simulator.pay(buyer.start())
    monkeypatch.setattr(paypal.PayPal, "capture", capture_and_hear)
    buyer.settle()
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert [kind for kind, _, _ in paypal_simulator.moved()] == ["capture"]
    assert kinds() == ["sub_order_paid"]
    assert_ledger_agrees(paypal_simulator)


@pytest.mark.parametrize("price", ["4.90", "9.90"])
def test_price_that_changes_at_the_catalogue_meanwhile_changes_no_order(
    buyer: Buyer, simulator: Simulator, method: PaymentMethod, price: str
) -> None:
    """Nothing of an order can be edited once it is placed; its price was frozen with the group order."""
    page = buyer.start(method)
    Book.objects.update(price=Decimal(price))
    assert buyer.start(method) == page
    later = lifecycle.register(
        buyer.sub_order.grouped_order,
        first_name="Zoé",
        last_name="Lambert",
        email="zoe@free.example",
        quantity=2,
        now=buyer.now,
    )
    assert later.total == buyer.sub_order.total
    simulator.pay(page)
    buyer.settle()
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert simulator.ledger()["total"] == "12.80"
    assert_ledger_agrees(simulator)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", ["POST /v2/checkout/orders$", "GET /v2/checkout/orders", "/capture"])
def test_provider_that_hangs_holds_up_nobody_else(
    buyer: Buyer, paypal_simulator: Simulator, card_simulator: Simulator, call: str
) -> None:
    """Whoever waits for an answer holds no lock: others of the same order read, subscribe and pay meanwhile."""
    order = buyer.sub_order.grouped_order
    other = Buyer(SubOrderFactory(grouped_order=order), buyer.now, Client())
    is_new = call.startswith("POST")
    if not is_new:
        paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("delay", match=call, seconds=2)

    def wait_for_paypal() -> None:
        try:
            buyer.start() if is_new else buyer.settle()
        finally:
            connection.close()

    waiting = threading.Thread(target=wait_for_paypal)
    waiting.start()
    while paypal_simulator.stage.faults:
        time.sleep(0.01)
    assert other.read_page().status_code == 200
    card_simulator.pay(other.start(CARD))
    other.settle()
    newcomer: SubOrder = SubOrderFactory(grouped_order=order)
    assert checkout.start(newcomer, method=CARD, terms=None, now=buyer.now)
    assert waiting.is_alive()
    assert other.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    waiting.join()
    if is_new:
        paypal_simulator.pay(buyer.last.approve_url)
        buyer.settle()
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert_ledger_agrees(paypal_simulator, card_simulator)
