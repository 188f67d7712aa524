import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError, connection, transaction

from librisoft_bridge import outbox, transmission
from librisoft_bridge.models import ShopOrder, StatusChange, Transmission
from tests.librisoft_bridge.story import NOW, hand_over, read
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db


def test_hand_over_waits_for_its_first_try() -> None:
    order = read(hand_over())
    assert (order.transmission, order.attempts, order.next_try_at) == (Transmission.WAITING, 0, NOW)
    assert order.transmission_label == "Envoi en cours vers LIBRISOFT"
    assert list(ShopOrder.objects.due(NOW)) == [order]


def test_hand_over_of_the_same_group_order_is_refused_by_the_database() -> None:
    hand_over()
    with pytest.raises(IntegrityError, match="group_order_number"), transaction.atomic():
        hand_over()
    assert ShopOrder.objects.count() == 1


HAND_OVER = """
import django; django.setup()
import time
from django.db import transaction
from tests.librisoft_bridge.story import hand_over
with transaction.atomic():
    order = hand_over()
    begun = time.monotonic()
print("committed", order.pk, round(time.monotonic() - begun, 1))
"""


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broker", ["down", "silent"])
def test_hand_over_commits_soon_whatever_becomes_of_the_broker(broker: str, black_hole: int) -> None:
    """A process of its own, for a broker of its own."""
    db = connection.settings_dict
    done = subprocess.run(
        [sys.executable, "-c", HAND_OVER],
        cwd=django_settings.BASE_DIR,
        env={
            "SECRET_KEY": "x",
            "DJANGO_SETTINGS_MODULE": "libriweb.settings",
            "DATABASE_URL": f"postgres://{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{db['PORT']}/{db['NAME']}",
            "REDIS_URL": f"redis://127.0.0.1:{9 if broker == 'down' else black_hole}/0",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = re.fullmatch(r"committed (\d+) ([\d.]+)\n", done.stdout)
    assert said, done.stderr
    order = ShopOrder.objects.get(pk=int(said[1]))
    assert (order.transmission, order.attempts) == (Transmission.WAITING, 0)
    assert float(said[2]) < 15
    assert f"shop order {order.pk} waits for the clock" in done.stderr


# Withdrawing -----------------------------------------------------------------------------------


def test_withdraw_stops_what_was_never_tried(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    assert outbox.withdraw(order, now=NOW)
    order = transmission.transmit(order, now=NOW)
    assert (order.transmission_label, order.needs_attention) == ("Retirée avant l’envoi vers LIBRISOFT", False)
    assert librisoft_simulator.asked() == []


def test_withdraw_of_what_librisoft_refused_is_sure(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("refuse")
    assert outbox.withdraw(transmission.transmit(hand_over(), now=NOW), now=NOW)


def test_withdraw_after_a_doubtful_try_sends_no_more_and_is_not_sure(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("drop_before")
    order = transmission.transmit(hand_over(), now=NOW)
    assert not outbox.withdraw(order, now=NOW)
    order = transmission.transmit(order, now=NOW + timedelta(days=1))
    assert (order.transmission_label, librisoft_simulator.orders()) == (
        "Retirée pendant l’envoi\u00a0: vérifiez que LIBRISOFT ne l’a pas reçue",
        [],
    )


def test_withdraw_comes_too_late_for_what_was_sent(librisoft_simulator: LibrisoftSimulator) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    assert not outbox.withdraw(order, now=NOW)
    assert read(order).transmission == Transmission.SENT


# By hand ---------------------------------------------------------------------------------------


def test_note_by_hand_ends_a_refused_order_and_keeps_what_was_typed(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("refuse")
    order = transmission.transmit(hand_over(), now=NOW)
    outbox.note_by_hand(order, librisoft_number="6800", status_label="Commandée par téléphone", now=NOW)
    order = read(order)
    assert (order.transmission, order.librisoft_number, order.status_label, order.set_by_hand_at) == (
        Transmission.SENT,
        "6800",
        "Commandée par téléphone",
        NOW,
    )
    assert list(StatusChange.objects.values_list("label", "sequence", "updated_at")) == [
        ("Commandée par téléphone", None, NOW)
    ]


def test_note_by_hand_of_a_status_leaves_the_sending_alone() -> None:
    order = hand_over()
    outbox.note_by_hand(order, librisoft_number="", status_label="À part", now=NOW)
    assert (read(order).transmission, read(order).status_label) == (Transmission.WAITING, "À part")


def test_note_by_hand_settles_which_of_two_numbers_is_right() -> None:
    order = hand_over()
    ShopOrder.objects.update(librisoft_number="6765", second_number="6999")
    outbox.note_by_hand(order, librisoft_number="6999", status_label="", now=NOW)
    order = read(order)
    assert (order.librisoft_number, order.second_number, order.needs_attention) == ("6999", "", False)


def test_waiting_order_is_not_sent_again_by_renvoyer() -> None:
    assert not outbox.resend(hand_over(), now=NOW)


# What the database refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "constraint"),
    [
        ({"transmission": "LOST"}, "shop_order_transmission_is_known"),
        ({"transmission": "SENT"}, "shop_order_sent_has_its_date"),
        ({"transmission": "REFUSED"}, "shop_order_refused_has_its_reason"),
        ({"lease_until": NOW}, "shop_order_claim_has_its_end"),
    ],
)
def test_database_refuses_nonsense(facts: dict[str, object], constraint: str) -> None:
    hand_over()
    with pytest.raises(IntegrityError, match=constraint):
        ShopOrder.objects.update(**facts)
