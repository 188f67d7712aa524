from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from librisoft_bridge import clock, tasks
from librisoft_bridge.models import ShopOrder, Transmission
from tests.librisoft_bridge.story import hand_over, read
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db


def test_transmit_waiting_sends_what_is_due_and_only_that(librisoft_simulator: LibrisoftSimulator) -> None:
    now = timezone.now()
    due, later = (hand_over(group_order_number=nth, ordered_at=now) for nth in (62, 63))
    ShopOrder.objects.filter(pk=later.pk).update(next_try_at=now + timedelta(hours=1))
    clock.transmit_waiting()
    assert (read(due).transmission, read(later).transmission) == (Transmission.SENT, Transmission.WAITING)


@pytest.fixture
def order_62_breaks(transactional_db: None) -> Iterator[None]:
    """The database itself fails each try to send it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'fallen'; END$$;
            CREATE TRIGGER fall BEFORE UPDATE OF in_doubt ON librisoft_bridge_shoporder
            FOR EACH ROW WHEN (NEW.group_order_number = 62) EXECUTE FUNCTION fall()
            """
        )
        yield
        cursor.execute("DROP FUNCTION fall() CASCADE")


@pytest.mark.logs_errors
def test_an_order_that_breaks_its_try_does_not_hold_up_the_others(
    order_62_breaks: None, librisoft_simulator: LibrisoftSimulator
) -> None:
    now = timezone.now()
    broken, sound = (hand_over(group_order_number=nth, ordered_at=now) for nth in (62, 63))
    clock.transmit_waiting()
    assert (read(broken).transmission, read(broken).attempts) == (Transmission.WAITING, 1)
    assert read(sound).transmission == Transmission.SENT


def test_a_dead_librisoft_does_not_hold_a_worker(
    librisoft_simulator: LibrisoftSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "LONGEST_RUN", 0.2)
    librisoft_simulator.fault("delay", seconds=0.3, times=0)
    librisoft_simulator.fault("status", status=503, times=0)
    for nth in range(5):
        hand_over(group_order_number=nth, ordered_at=timezone.now())
    clock.transmit_waiting()
    assert librisoft_simulator.asked() == ["POST /v1/orders"]


def test_the_doorbell_sends_one_order(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over(ordered_at=timezone.now())
    tasks.transmit(order.pk)
    assert read(order).transmission == Transmission.SENT


def test_the_doorbell_for_an_order_that_is_gone_is_quiet() -> None:
    tasks.transmit(637)
    assert ShopOrder.objects.count() == 0
