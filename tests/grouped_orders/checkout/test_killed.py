"""`kill -9` at each step between « row written » and « answer recorded »: the clock puts it right by itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from grouped_orders import clock
from grouped_orders.models import Payment, SubOrder
from grouped_orders.statuses import PaymentState, SubOrderStatus
from tests.grouped_orders.checkout.conftest import Buyer, kinds, shop_environment, shop_settings
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


Kill = Callable[[str, SubOrder], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def maker(django_db_setup: None) -> Iterator[subprocess.Popen[str]]:
    """Makes processes of the shop on demand."""
    command = [sys.executable, "-m", "tests.grouped_orders.checkout.victim"]
    with subprocess.Popen(
        command, env=shop_environment(), cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def killed(maker: subprocess.Popen[str]) -> Kill:
    """A process at work on a sub-order; killed at the end of the block, without a chance to tidy up."""

    @contextmanager
    def killed(what: str, sub_order: SubOrder) -> Iterator[None]:
        assert maker.stdin is not None and maker.stdout is not None
        maker.stdin.write(json.dumps({"what": what, "sub_order": sub_order.pk, "settings": shop_settings()}) + "\n")
        maker.stdin.flush()
        pid = int(maker.stdout.readline())
        try:
            yield
        finally:
            os.kill(pid, signal.SIGKILL)  # fails when it has ended by itself
        wait_until(lambda: not Path(f"/proc/{pid}").exists())

    return killed


def wait_until(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def run_clock_at(now: datetime) -> None:
    """The worker's clock, later on."""
    with time_machine.travel(now):
        clock.settle_payments()


@pytest.mark.parametrize("path", ["POST /v1/oauth2/token", "POST /v2/checkout/orders"])
def test_killed_while_a_page_is_made_lets_the_payer_begin_again(
    buyer: Buyer, killed: Kill, paypal_simulator: Simulator, path: str
) -> None:
    paypal_simulator.fault("delay", match=path, seconds=1)
    with killed("pay", buyer.sub_order):
        wait_until(lambda: not paypal_simulator.stage.faults)
    assert buyer.truth == (SubOrderStatus.PENDING, [PaymentState.CREATED])
    buyer.wait(minutes=2)
    paypal_simulator.pay(buyer.start())
    buyer.settle()
    run_clock_at(buyer.now + timedelta(minutes=31))
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.SUPERSEDED, PaymentState.CAPTURED])
    assert Payment.objects.filter(next_check_at__isnull=False).count() == 0
    assert_ledger_agrees(paypal_simulator)


@pytest.mark.parametrize("process", ["settle", "clock"])
@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("asking", PaymentState.REDIRECTED),
        ("before the money moves", PaymentState.CAPTURING),
        ("after the money moved", PaymentState.CAPTURING),
        ("writing the answer", PaymentState.CAPTURING),
    ],
)
def test_killed_while_settling_is_put_right_by_the_clock(
    buyer: Buyer, killed: Kill, paypal_simulator: Simulator, process: str, step: str, left: PaymentState
) -> None:
    paypal_simulator.pay(buyer.start())
    Payment.objects.update(next_check_at=timezone.now())
    match step:
        case "asking":
            paypal_simulator.fault("delay", match="GET /v2/checkout/orders", seconds=1)
        case "before the money moves":
            paypal_simulator.fault("delay", match="/capture", seconds=1)
            paypal_simulator.fault("drop_before", match="/capture")
        case "after the money moved" | "writing the answer":
            paypal_simulator.fault("delay", match="/capture", seconds=0.5)
    waiting = len(paypal_simulator.stage.faults)
    with killed(process, buyer.sub_order):
        wait_until(lambda: len(paypal_simulator.stage.faults) < waiting)
        if step == "writing the answer":
            with transaction.atomic():
                # Whoever writes down what became of the money takes this lock first: he is held there.
                SubOrder.objects.select_for_update().get(pk=buyer.sub_order.pk)
                wait_until(paypal_simulator.moved)
                wait_until(is_waiting_for_a_row)
    if step == "after the money moved":
        wait_until(paypal_simulator.moved)
    wait_until(lambda: not paypal_simulator.stage.faults)
    assert buyer.truth == (SubOrderStatus.PENDING, [left])

    run_clock_at(timezone.now() + timedelta(minutes=3))
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert [kind for kind, _, _ in paypal_simulator.moved()] == ["capture"]
    assert kinds() == ["sub_order_paid"]
    assert_ledger_agrees(paypal_simulator)


def is_waiting_for_a_row() -> bool:
    """Whether some other session of this database waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        (count,) = cursor.fetchone()
        return bool(count)
