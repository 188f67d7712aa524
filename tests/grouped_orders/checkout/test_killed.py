"""`kill -9` at each step between « row written » and « answer recorded »: the clock puts it right by itself."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from grouped_orders import clock
from grouped_orders.models import Capture, Payment, ProviderEvent, Refund, SubOrder
from grouped_orders.statuses import PaymentMethod, PaymentState, RefundState, SubOrderStatus
from tests.grouped_orders.checkout.conftest import Buyer, kinds, shop_settings
from tests.grouped_orders.checkout.dashboard import Dashboard
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.processes import Kill, Maker, maker_of, wait_until
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD
Killed = Callable[..., AbstractContextManager[Kill]]


@pytest.fixture(scope="module")
def maker(django_db_setup: None) -> Iterator[Maker]:
    with maker_of("tests.grouped_orders.checkout.victim") as maker:
        yield maker


@pytest.fixture
def killed(maker: Maker) -> Killed:
    """A process at work on a sub-order; killed at the end of the block, without a chance to tidy up."""

    def killed(what: str, sub_order: SubOrder, **more: Any) -> AbstractContextManager[Kill]:
        return maker.killed({"what": what, "sub_order": sub_order.pk, "settings": shop_settings(), **more})

    return killed


def run_clock_at(now: datetime) -> None:
    """The worker's clock, later on."""
    with time_machine.travel(now):
        clock.settle_payments()
        clock.send_refunds()


@contextmanager
def held(sub_order: SubOrder, kill: Kill) -> Iterator[None]:
    """Whoever is about to write about it stands still, is seen to wait at the end of the block, and killed there."""
    with transaction.atomic():
        SubOrder.objects.select_for_update().get(pk=sub_order.pk)
        yield
        wait_until(is_waiting_for_a_row)
        kill()  # not a moment later: let go, it would write


def is_waiting_for_a_row() -> bool:
    """Whether some other session of this database waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # what was read once stays so until the transaction ends
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        (count,) = cursor.fetchone()
        return bool(count)


@pytest.fixture
def simulators(paypal_simulator: Simulator, card_simulator: Simulator) -> dict[PaymentMethod, Simulator]:
    return {PAYPAL: paypal_simulator, CARD: card_simulator}


Simulators = dict[PaymentMethod, Simulator]


# Before the money ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "step"),
    [
        (PAYPAL, "POST /v1/oauth2/token", "asking"),
        (PAYPAL, "POST /v2/checkout/orders", "asking"),
        (PAYPAL, "POST /v2/checkout/orders", "writing the page down"),
        (CARD, "POST /v1/checkout/sessions", "asking"),
        (CARD, "POST /v1/checkout/sessions", "writing the page down"),
    ],
)
def test_killed_while_a_page_is_made_lets_the_payer_begin_again(
    buyer: Buyer, killed: Killed, simulators: Simulators, method: PaymentMethod, path: str, step: str
) -> None:
    simulator = simulators[method]
    simulator.fault("delay", match=path, seconds=0.5)
    with killed("pay", buyer.sub_order, method=method) as kill:
        wait_until(lambda: not simulator.stage.faults)
        if step != "asking":
            with held(buyer.sub_order, kill):
                pass
    assert buyer.truth == (SubOrderStatus.PENDING, [PaymentState.CREATED])
    buyer.wait(minutes=2)
    simulator.pay(buyer.start(method))
    buyer.settle()
    run_clock_at(buyer.now + timedelta(minutes=31))
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.SUPERSEDED, PaymentState.CAPTURED])
    assert Payment.objects.filter(next_check_at__isnull=False).count() == 0
    assert_ledger_agrees(*simulators.values())


# While it moves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["settle", "clock"])
@pytest.mark.parametrize(
    ("method", "step", "left"),
    [
        (PAYPAL, "asking", PaymentState.REDIRECTED),
        (PAYPAL, "before the money moves", PaymentState.CAPTURING),
        (PAYPAL, "after the money moved", PaymentState.CAPTURING),
        (PAYPAL, "writing the answer", PaymentState.CAPTURING),
        (CARD, "asking", PaymentState.REDIRECTED),
        (CARD, "writing the answer", PaymentState.REDIRECTED),
    ],
)
def test_killed_while_settling_is_put_right_by_the_clock(
    buyer: Buyer, killed: Killed, simulators: Simulators, process: str, method: PaymentMethod, step: str, left: str
) -> None:
    simulator = simulators[method]
    simulator.pay(buyer.start(method))
    Payment.objects.update(next_check_at=timezone.now())
    # PayPal's money moves at our own call, the card's has moved already.
    call = "GET /v1/checkout/sessions" if method == CARD else "/capture"
    match step:
        case "asking":
            simulator.fault("delay", match="GET /v[12]/checkout", seconds=0.5)
        case "before the money moves":
            simulator.fault("delay", match=call, seconds=0.5)
            simulator.fault("drop_before", match=call)
        case "after the money moved" | "writing the answer":
            simulator.fault("delay", match=call, seconds=0.5)
    waiting = len(simulator.stage.faults)
    with killed(process, buyer.sub_order) as kill:
        wait_until(lambda: len(simulator.stage.faults) < waiting)
        if step == "writing the answer":
            # Whoever writes down what became of the money takes this lock first: he is held there.
            with held(buyer.sub_order, kill):
                wait_until(simulator.moved)
    if step == "after the money moved":
        wait_until(simulator.moved)
    wait_until(lambda: not simulator.stage.faults)
    assert buyer.truth == (SubOrderStatus.PENDING, [left])

    run_clock_at(timezone.now() + timedelta(minutes=3))
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert [kind for kind, _, _ in simulator.moved()] == ["capture"]
    assert kinds() == ["sub_order_paid"]
    assert_ledger_agrees(*simulators.values())


@pytest.mark.parametrize(
    ("step", "call"),
    [
        ("proving it", "verify-webhook-signature"),
        ("settling", "GET /v2/checkout/orders"),
        ("taking the money", "/capture"),
        ("writing", "/capture"),
    ],
)
def test_killed_while_hearing_a_message_hears_it_again(
    buyer: Buyer, killed: Killed, paypal_simulator: Simulator, tell: Callable[..., int], step: str, call: str
) -> None:
    """No answer: the provider calls again, and what was half done is finished."""
    paypal_simulator.pay(buyer.start())
    event = paypal_simulator.events()[-1]
    body, proof = paypal_simulator.message(event)
    paypal_simulator.fault("delay", match=call, seconds=0.5)
    with killed("hear", buyer.sub_order, body=body.decode(), headers=proof) as kill:
        wait_until(lambda: not paypal_simulator.stage.faults)
        if step == "writing":
            with held(buyer.sub_order, kill):
                wait_until(paypal_simulator.moved)
    if step in ("taking the money", "writing"):
        wait_until(paypal_simulator.moved)
    assert not ProviderEvent.objects.filter(processed_at__isnull=False).exists()

    assert [tell(paypal_simulator, event), tell(paypal_simulator, event)] == [200, 200]
    run_clock_at(timezone.now() + timedelta(minutes=3))
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert (kinds(), ProviderEvent.objects.count()) == (["sub_order_paid"], 1)
    assert_ledger_agrees(paypal_simulator)


# While it goes back -------------------------------------------------------------------------------


@pytest.fixture(params=[PAYPAL, CARD])
def paid(request: pytest.FixtureRequest, buyer: Buyer, simulators: Simulators) -> Simulator:
    """The provider by which the buyer has paid."""
    simulator = simulators[request.param]
    simulator.pay(buyer.start(request.param))
    buyer.settle()
    return simulator


def test_killed_while_deciding_to_give_back_decides_nothing(buyer: Buyer, killed: Killed, paid: Simulator) -> None:
    """The cancellation is written already, the refund not yet: neither stands."""
    with transaction.atomic():
        Capture.objects.select_for_update().get()
        with killed("cancel", buyer.sub_order):
            wait_until(is_waiting_for_a_row)
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    run_clock_at(timezone.now() + timedelta(minutes=3))
    assert (Refund.objects.count(), kinds()) == (0, ["sub_order_paid"])
    assert_ledger_agrees(paid)


@pytest.mark.parametrize(
    "step", ["before the money moves", "after the money moved", "writing the answer", "asking how far it is"]
)
def test_killed_while_giving_back_is_put_right_by_the_clock(
    buyer: Buyer, killed: Killed, paid: Simulator, step: str
) -> None:
    buyer.be_cancelled()
    call, left = "POST .*refund", RefundState.REQUESTED
    if step == "asking how far it is":
        paid.fault("refund_pending")
        run_clock_at(timezone.now())
        Refund.objects.update(next_try_at=timezone.now())
        method = CARD if paid.stage.app.name == "card" else PAYPAL
        Dashboard(method, paid).end_refund(Refund.objects.get().provider_id, good=True)
        call, left = "GET .*refunds/", RefundState.PENDING
    paid.fault("delay", match=call, seconds=0.5)
    if step == "before the money moves":
        paid.fault("drop_before", match=call)
    waiting = len(paid.stage.faults)
    with killed("refund", buyer.sub_order) as kill:
        wait_until(lambda: len(paid.stage.faults) < waiting)
        if step == "writing the answer":
            with held(buyer.sub_order, kill):
                wait_until(lambda: len(paid.moved()) == 2)
    wait_until(lambda: not paid.stage.faults)
    if step != "before the money moves":
        wait_until(lambda: len(paid.moved()) == 2)
    assert Refund.objects.get().state == left

    for minutes in (3, 90):
        run_clock_at(timezone.now() + timedelta(minutes=minutes))
    assert [refund.state for refund in Refund.objects.all()] == [RefundState.DONE]
    assert [kind for kind, _, _ in paid.moved()] == ["capture", "refund"]
    assert kinds() == ["refund_done", "sub_order_cancelled", "sub_order_paid"]
    assert_ledger_agrees(paid)
