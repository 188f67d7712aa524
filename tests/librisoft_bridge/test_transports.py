"""One story three times: by push, by pull and by file the same document makes the same order and the same states."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from librisoft_bridge import outbox, payload
from librisoft_bridge.models import ShopOrder, Transmission
from simulators.librisoft_desk import Desk
from tests.librisoft_bridge.carriers import ByFile, Carrier, JudgedPuller, Pull, Push
from tests.librisoft_bridge.story import hand_over, read

pytestmark = pytest.mark.django_db

TOKEN = "jeton-de-librisoft-pour-les-tests-1234"


@pytest.fixture(params=["push", pytest.param("pull", marks=pytest.mark.django_db(transaction=True)), "file"])
def carrier(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Carrier]:
    settings.LIBRISOFT_TRANSPORT = request.param
    match request.param:
        case "push":
            yield Push(request.getfixturevalue("librisoft_simulator"))
        case "pull":
            server: LiveServer = request.getfixturevalue("live_server")
            settings.LIBRISOFT_TOKEN = TOKEN
            puller = JudgedPuller(server.url.replace("localhost", "127.0.0.1"), TOKEN, Desk())
            yield Pull(puller)
            assert puller.wrong == []
        case "file":
            settings.LIBRISOFT_FOLDER = str(tmp_path)
            yield ByFile(tmp_path)


def new_order(nth: int = 62) -> ShopOrder:
    return hand_over(group_order_number=nth, ordered_at=timezone.now())


def test_each_order_arrives_once_with_its_document(carrier: Carrier) -> None:
    orders = [new_order(nth) for nth in range(5)]
    for _twice in range(2):
        carrier.carry()
    assert carrier.bodies() == [payload.write(order) for order in orders]
    assert carrier.orders() == [(read(order).librisoft_number, str(order.pk)) for order in orders]
    assert [(read(order).transmission, read(order).in_doubt) for order in orders] == [(Transmission.SENT, False)] * 5
    assert read(orders[0]).transmission_label == "Envoyée vers LIBRISOFT"


def test_an_answer_that_got_lost_makes_no_second_order(carrier: Carrier) -> None:
    order = new_order()
    carrier.lose_answers()
    assert (read(order).transmission, read(order).in_doubt) == (Transmission.WAITING, True)
    carrier.carry()
    if isinstance(carrier, ByFile):  # an answer that is lost on a disk comes back by nobody but the bookseller
        assert read(order).transmission_label.startswith("Remise à LIBRISOFT à ")
        ShopOrder.objects.update(waiting_since=timezone.now() - timedelta(days=1))
        assert outbox.resend(read(order), now=timezone.now())
        carrier.carry()
    assert carrier.orders() == [(read(order).librisoft_number, str(order.pk))]
    assert read(order).transmission == Transmission.SENT


def test_a_refusal_stops_is_shown_and_can_be_sent_again(carrier: Carrier) -> None:
    order = new_order()
    carrier.refuse("EAN inconnu")
    for _twice in range(2):
        carrier.carry()
    assert (read(order).transmission_label, read(order).needs_attention, read(order).in_doubt) == (
        "Refusée par LIBRISOFT\u00a0: EAN inconnu",
        True,
        False,
    )
    assert carrier.orders() == []
    assert outbox.resend(read(order), now=timezone.now())
    carrier.carry()
    assert read(order).transmission == Transmission.SENT
    assert carrier.orders() == [(read(order).librisoft_number, str(order.pk))]


def test_statuses_come_back_with_partial_receipt_and_history(carrier: Carrier) -> None:
    order = new_order()
    carrier.carry()
    number = read(order).librisoft_number
    carrier.move(number, "SUPPLIER_ORDERED")
    carrier.move(number, "PARTIALLY_RECEIVED", received=2)
    assert read(order).full_status_label == "Partiellement réceptionnée (2 sur 5)"
    carrier.move(number, "PARTIALLY_RECEIVED", received=4)
    assert read(order).full_status_label == "Partiellement réceptionnée (4 sur 5)"
    carrier.move(number, "CANCELLED")
    assert (read(order).full_status_label, read(order).needs_attention) == ("Annulée (4 sur 5)", True)
    history = [code for code in order.status_changes.values_list("code", flat=True) if code != "PREPARATION"]
    assert history == ["SUPPLIER_ORDERED", "PARTIALLY_RECEIVED", "PARTIALLY_RECEIVED", "CANCELLED"]


def test_an_older_status_overwrites_nothing(carrier: Carrier) -> None:
    order = new_order()
    carrier.carry()
    number = read(order).librisoft_number
    carrier.move(number, "RECEIVED", sequence=9)
    carrier.move(number, "SUPPLIER_ORDERED", sequence=5)
    assert (read(order).remote_code, read(order).is_ready) == ("RECEIVED", True)


def test_an_unknown_status_is_shown_as_it_came(carrier: Carrier) -> None:
    order = new_order()
    carrier.carry()
    carrier.move(read(order).librisoft_number, "MISLAID", label="Égarée à l’entrepôt")
    assert read(order).status_label == "Égarée à l’entrepôt"


def test_a_second_number_is_an_alarm_not_an_overwrite(carrier: Carrier) -> None:
    order = new_order()
    carrier.carry()
    first = read(order).librisoft_number
    carrier.tell_second_number(read(order), "9999")
    order = read(order)
    assert (order.librisoft_number, order.second_number, order.needs_attention) == (first, "9999", True)


def test_a_withdrawn_order_is_not_carried(carrier: Carrier) -> None:
    order, other = new_order(62), new_order(63)
    assert outbox.withdraw(order, now=timezone.now())
    carrier.carry()
    assert carrier.orders() == [(read(other).librisoft_number, str(other.pk))]


def test_an_order_withdrawn_after_it_left_is_an_alarm_once_librisoft_speaks_of_it(carrier: Carrier) -> None:
    order = new_order()
    carrier.lose_answers()
    assert not outbox.withdraw(read(order), now=timezone.now())
    assert read(order).needs_attention
    ((number, _ours),) = carrier.orders()
    carrier.move(number, "SUPPLIER_ORDERED")
    assert (read(order).transmission, read(order).librisoft_number) == (Transmission.WITHDRAWN, number)
    assert read(order).needs_attention


def test_a_number_typed_by_hand_stops_the_carrying(carrier: Carrier) -> None:
    order = new_order()
    outbox.note_by_hand(order, librisoft_number="6800", status_label="", now=timezone.now())
    for _twice in range(2):
        carrier.carry()
    assert (carrier.orders(), read(order).librisoft_number) == ([], "6800")
