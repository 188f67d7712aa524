"""Whatever LIBRISOFT does, and whenever a worker dies: one order there for each order here, and every status right.

Workers are processes of their own and LIBRISOFT is reached by HTTP; each exchange is judged by the contract.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from librisoft_bridge import outbox
from librisoft_bridge.models import Link, ShopOrder, Transmission
from tests.librisoft_bridge.conftest import Workers
from tests.librisoft_bridge.story import hand_over, read
from tests.processes import wait_until
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db(transaction=True)

NO = {"code": "unauthorized", "message": "Jeton refusé"}


def new_order(nth: int = 62) -> ShopOrder:
    return hand_over(group_order_number=nth, ordered_at=timezone.now())


def follow(order: ShopOrder, workers: Workers, *, patience: float = 10) -> ShopOrder:
    """Let time pass, and the bookseller press « Renvoyer » where it stopped, until LIBRISOFT has the order."""
    for _round in range(6):
        order = read(order)
        if order.is_stopped:
            outbox.resend(order, now=order.next_try_at)
            order = read(order)
        if order.transmission == Transmission.SENT:
            break
        until = max(order.next_try_at, order.lease_until or order.next_try_at)
        workers.run("send", until + timedelta(seconds=1), patience=patience)
    return order


def assert_all_is_right(simulator: LibrisoftSimulator) -> None:
    """One order there for each order here, under the number we have, in the status and with the copies we show."""
    there = {
        order["body"]["web_order_number"]: (
            order["state"]["librisoft_order_id"],
            order["state"]["status"]["label"],
            [line["received"] for line in order["state"]["lines"]],
        )
        for order in simulator.orders()
    }
    here = {
        str(order.pk): (order.librisoft_number, order.status_label, [line.received for line in order.lines.all()])
        for order in ShopOrder.objects.prefetch_related("lines")
    }
    assert here == there
    assert len(simulator.orders()) == len(here)


# Each fault of LIBRISOFT's while an order is handed over ---------------------------------------

HANDING_OVER: dict[str, dict[str, Any]] = {
    "takes the order then drops the connection": {"kind": "drop_after"},
    "drops the connection": {"kind": "drop_before"},
    "answers twice": {"kind": "twice"},
    "409 with the existing order": {"kind": "conflict"},
    "422": {"kind": "refuse"},
    "401": {"kind": "status", "status": 401, "body": NO},
    "429": {"kind": "status", "status": 429, "headers": {"Retry-After": "90"}},
    "503": {"kind": "status", "status": 503},
    "hangs 30 s": {"kind": "delay", "seconds": 30},
    "truncated body": {"kind": "truncated"},
    "HTML body": {"kind": "html"},
    "empty body": {"kind": "empty"},
}


def test_every_fault_while_handing_over_ends_with_one_order(
    workers: Workers, librisoft_simulator: LibrisoftSimulator, subtests: pytest.Subtests
) -> None:
    for nth, (name, fault) in enumerate(HANDING_OVER.items()):
        with subtests.test(name):
            order = new_order(nth)
            librisoft_simulator.fault(**fault, match="POST /v1/orders")
            order = follow(order, workers, patience=0.5 if name.startswith("hangs") else 10)
            assert (order.transmission, order.error, order.in_doubt) == (Transmission.SENT, "", False)
            assert_all_is_right(librisoft_simulator)


# Each fault of LIBRISOFT's while statuses come back --------------------------------------------


@pytest.fixture
def days(workers: Workers, librisoft_simulator: LibrisoftSimulator) -> Iterator[Callable[[], datetime]]:
    """Three orders at LIBRISOFT, and a call that lets a day pass."""
    for nth in range(3):
        new_order(nth)
    now = timezone.now()
    workers.run("send", now)

    def pass_a_day() -> datetime:
        nonlocal now
        now += timedelta(days=1)
        workers.run("read", now)
        return now

    yield pass_a_day
    pass_a_day()
    assert_all_is_right(librisoft_simulator)


@pytest.mark.parametrize("disorder", ["out_of_order", "twice"])
def test_changes_in_disorder(
    disorder: str, days: Callable[[], datetime], librisoft_simulator: LibrisoftSimulator
) -> None:
    for code in ("SUPPLIER_ORDERED", "PARTIALLY_RECEIVED", "RECEIVED"):
        for number in ("6765", "6766", "6767"):
            librisoft_simulator.set_status(number, code, received=2)
    librisoft_simulator.fault(disorder, match="changes")
    days()


def test_partial_receipt_over_several_days_then_a_cancellation(
    days: Callable[[], datetime], librisoft_simulator: LibrisoftSimulator
) -> None:
    shown = []
    for received in (1, 2, 4):
        librisoft_simulator.set_status("6766", "PARTIALLY_RECEIVED", received=received)
        days()
        shown.append(ShopOrder.objects.get(librisoft_number="6766").full_status_label)
    librisoft_simulator.set_status("6766", "CANCELLED")
    days()
    order = ShopOrder.objects.get(librisoft_number="6766")
    assert [*shown, order.full_status_label] == [
        "Partiellement réceptionnée (1 sur 5)",
        "Partiellement réceptionnée (2 sur 5)",
        "Partiellement réceptionnée (4 sur 5)",
        "Annulée (4 sur 5)",
    ]
    assert (order.needs_attention, order.status_changes.count()) == (True, 5)


def test_odd_states_of_one_order(
    days: Callable[[], datetime], workers: Workers, librisoft_simulator: LibrisoftSimulator
) -> None:
    """A status that steps back, a label nobody knows, and a second number for one order: none overwrites anything."""
    librisoft_simulator.set_status("6765", "RECEIVED")
    now = days()
    pk = ShopOrder.objects.get(librisoft_number="6765").pk
    for fault in ("step_back", "second_id"):
        librisoft_simulator.fault(fault)
        now += timedelta(minutes=1)
        workers.run("refresh", now, order=pk)
    librisoft_simulator.set_status("6766", "MISLAID", label="Égarée à l’entrepôt")
    days()
    order = ShopOrder.objects.get(pk=pk)
    assert (order.librisoft_number, order.second_number, order.remote_code) == ("6765", "9999", "RECEIVED")
    assert ShopOrder.objects.get(librisoft_number="6766").status_label == "Égarée à l’entrepôt"


# kill -9 ---------------------------------------------------------------------------------------


@contextmanager
def held_before(column: str) -> Iterator[Callable[[], bool]]:
    """Whoever is about to write this column waits; the call says whether somebody does."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql
            AS $$BEGIN PERFORM pg_advisory_xact_lock(637); RETURN NEW; END$$;
            CREATE TRIGGER hold BEFORE UPDATE OF {column} ON librisoft_bridge_shoporder
            FOR EACH ROW EXECUTE FUNCTION hold();
            SELECT pg_advisory_lock(637)
            """
        )
        yield lambda: is_somebody_waiting()
        cursor.execute("SELECT pg_advisory_unlock(637)")
        wait_until(lambda: not is_somebody_waiting())
        cursor.execute("DROP FUNCTION hold() CASCADE")


def is_somebody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        (count,) = cursor.fetchone()
        return bool(count)


def kill(step: str, order: ShopOrder, workers: Workers, simulator: LibrisoftSimulator) -> None:
    """A worker that sends the order dies at this step."""
    now = timezone.now()
    match step:
        case "before the call":
            with held_before("in_doubt") as is_held, workers.killed("send", now):
                wait_until(is_held)
        case "during the call, which does not arrive":
            simulator.fault("delay", seconds=1)
            simulator.fault("drop_before")
            with workers.killed("send", now):
                wait_until(lambda: "delay" not in simulator.faults())
            wait_until(lambda: not simulator.faults())
        case "during the call, which arrives":
            simulator.fault("delay", seconds=1)
            with workers.killed("send", now):
                wait_until(lambda: "delay" not in simulator.faults())
            wait_until(simulator.orders)
        case "after the call, before the answer is written":
            simulator.fault("delay", seconds=0.3)
            with workers.killed("send", now):
                wait_until(lambda: read(order).in_doubt)
                with transaction.atomic():
                    ShopOrder.objects.select_for_update().get(pk=order.pk)
                    wait_until(lambda: simulator.orders() and is_somebody_waiting())


@pytest.mark.parametrize(
    "step",
    [
        "before the call",
        "during the call, which does not arrive",
        "during the call, which arrives",
        "after the call, before the answer is written",
    ],
)
def test_killed_worker(step: str, workers: Workers, librisoft_simulator: LibrisoftSimulator) -> None:
    order, other = new_order(62), new_order(63)
    ShopOrder.objects.filter(pk=other.pk).update(next_try_at=timezone.now() + timedelta(seconds=30))
    kill(step, order, workers, librisoft_simulator)
    assert read(order).transmission == Transmission.WAITING
    # The claim ends by itself; meanwhile nobody else sends it.
    workers.run("send", timezone.now() + timedelta(seconds=40))
    assert (read(order).transmission, read(other).transmission) == (Transmission.WAITING, Transmission.SENT)
    workers.run("send", timezone.now() + timedelta(seconds=70))
    assert (read(order).transmission, read(order).attempts) == (Transmission.SENT, 2)
    assert_all_is_right(librisoft_simulator)


@pytest.mark.parametrize(("column", "left"), [("staged", []), ("offered_at", ["csv", "json"])])
def test_killed_worker_by_file(
    column: str, left: list[str], workers: Workers, settings: Settings, tmp_path: Path
) -> None:
    """Before the files are moved, and after; LIBRISOFT takes at once what it finds, and must find it once."""
    settings.LIBRISOFT_TRANSPORT, settings.LIBRISOFT_FOLDER = "file", str(tmp_path)
    order, taken = new_order(), []

    def take() -> None:
        for path in sorted((tmp_path / "commandes").rglob(f"{order.pk}.*")):
            path.unlink()
            taken.append(path.suffix.strip("."))

    with held_before(column) as is_held, workers.killed("send", timezone.now()):
        wait_until(is_held)
        take()
    assert taken == left
    workers.run("send", timezone.now() + timedelta(seconds=70))
    take()
    workers.run("send", timezone.now() + timedelta(hours=1))
    take()
    assert (taken, read(order).transmission) == (["csv", "json"], Transmission.WAITING)


# Many ------------------------------------------------------------------------------------------


def test_two_hundred_orders_at_once_while_three_calls_in_ten_fail(
    workers: Workers, librisoft_simulator: LibrisoftSimulator
) -> None:
    """Even by a LIBRISOFT that knows no key: after an answer that got lost, we ask before we send again."""
    with transaction.atomic():
        for nth in range(200):
            new_order(nth)
    librisoft_simulator.fault("forgetful", times=0)
    for fault in ("drop_before", "drop_after", "truncated", "html", "status", "twice"):
        librisoft_simulator.fault(fault, times=0, chance=0.058)  # 1 - (1 - 0.058)^6 = 0.3
    now, rounds = timezone.now(), 0
    while ShopOrder.objects.exclude(transmission=Transmission.SENT).exists():
        workers.run("send", now, count=4)
        now, rounds = now + timedelta(hours=1), rounds + 1
        assert rounds < 25
    librisoft_simulator.clear_faults()
    assert_all_is_right(librisoft_simulator)
    assert len(librisoft_simulator.orders()) == 200
    keys = {order["body"]["web_order_number"]: order["key"] for order in librisoft_simulator.orders()}
    assert keys == {str(order.pk): str(order.message_id) for order in ShopOrder.objects.all()}
    assert ShopOrder.objects.filter(second_number="", error="", in_doubt=False).count() == 200
    assert ShopOrder.objects.filter(attempts__gt=1).count() > 20, "nothing failed"
    assert Link.present().open_until is None
