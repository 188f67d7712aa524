"""What comes back: ordered by sequence, kept in full, never more than information."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from librisoft_bridge import clock, outbox, refreshing, statuses, transmission
from librisoft_bridge.models import ChangesCursor, Link, ShopOrder, Transmission
from librisoft_bridge.order_state import OrderState
from tests.librisoft_bridge.story import NOW, hand_over, read
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(librisoft_simulator: LibrisoftSimulator) -> ShopOrder:
    return transmission.transmit(hand_over(), now=NOW)


def read_changes(order: ShopOrder) -> ShopOrder:
    clock.read_statuses()
    return read(order)


def state(order: ShopOrder, sequence: int, *, number: str = "6765", code: str = "RECEIVED", at: datetime = NOW):
    return OrderState(number, str(order.pk), code, code.capitalize(), sequence, at)


def test_changes_are_read_with_partial_receipt(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.set_status("6765", "PARTIALLY_RECEIVED", received=2, expected_date="2026-12-01")
    order = read_changes(sent)
    assert (order.status_label, order.received_summary, str(order.expected_date), order.is_ready) == (
        "Partiellement réceptionnée",
        "2 sur 5",
        "2026-12-01",
        False,
    )
    librisoft_simulator.set_status("6765", "PARTIALLY_RECEIVED", received=3)
    assert read_changes(sent).received_summary == "3 sur 5"
    librisoft_simulator.set_status("6765", "RECEIVED")
    order = read_changes(sent)
    assert (order.is_ready, order.received_summary, order.needs_attention) == (True, "", False)
    assert list(order.status_changes.values_list("code", "sequence")) == [
        ("PREPARATION", 1),
        ("PARTIALLY_RECEIVED", 2),
        ("PARTIALLY_RECEIVED", 3),
        ("RECEIVED", 4),
    ]


def test_cancellation_after_a_partial_receipt_asks_for_attention(
    sent: ShopOrder, librisoft_simulator: LibrisoftSimulator
) -> None:
    librisoft_simulator.set_status("6765", "PARTIALLY_RECEIVED", received=3)
    librisoft_simulator.set_status("6765", "CANCELLED")
    order = read_changes(sent)
    assert (order.status_label, order.received_summary, order.needs_attention) == ("Annulée", "3 sur 5", True)


def test_older_sequence_never_overwrites(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.set_status("6765", "RECEIVED", sequence=9)
    librisoft_simulator.set_status("6765", "SUPPLIER_ORDERED", sequence=5)
    order = read_changes(sent)
    assert (order.remote_code, order.received_summary) == ("RECEIVED", "")
    assert list(order.status_changes.values_list("sequence", flat=True)) == [1, 9, 5]


@pytest.mark.parametrize("disorder", ["out_of_order", "twice"])
def test_changes_in_disorder_come_to_the_same(
    disorder: str, sent: ShopOrder, librisoft_simulator: LibrisoftSimulator
) -> None:
    for code in ("SUPPLIER_ORDERED", "PARTIALLY_RECEIVED", "RECEIVED"):
        librisoft_simulator.set_status("6765", code)
    librisoft_simulator.fault(disorder)
    order = read_changes(sent)
    assert order.remote_code == "RECEIVED"
    assert sorted(order.status_changes.values_list("sequence", flat=True)) == [1, 2, 3, 4]


def test_step_back_at_refresh_is_ignored(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.set_status("6765", "RECEIVED")
    read_changes(sent)
    librisoft_simulator.fault("step_back")
    assert refreshing.refresh(read(sent), now=NOW).answered
    assert read(sent).remote_code == "RECEIVED"


def test_unknown_status_is_shown_as_it_came_and_logged_once(
    sent: ShopOrder, librisoft_simulator: LibrisoftSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    librisoft_simulator.set_status("6765", "MISLAID", label="Égarée à l’entrepôt")
    order = read_changes(sent)
    refreshing.refresh(sent, now=NOW)
    assert (order.status_label, order.is_ready, order.needs_attention) == ("Égarée à l’entrepôt", False, False)
    assert caplog.text.count("MISLAID") == 1


def test_second_number_is_an_alarm_not_an_overwrite(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("second_id")
    refreshing.refresh(sent, now=NOW)
    order = read(sent)
    assert (order.librisoft_number, order.second_number, order.needs_attention) == ("6765", "9999", True)


def test_an_order_in_the_feed_has_arrived_whatever_its_tries_came_to(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("drop_after")
    order = transmission.transmit(hand_over(), now=NOW)
    ShopOrder.objects.update(transmission=Transmission.FAILED)
    order = read_changes(order)
    assert (order.transmission, order.librisoft_number, order.error, order.in_doubt) == (
        Transmission.SENT,
        "6765",
        "",
        False,
    )


def test_withdrawn_order_that_shows_up_in_the_feed_stays_withdrawn_and_is_an_alarm(
    librisoft_simulator: LibrisoftSimulator,
) -> None:
    librisoft_simulator.fault("drop_after")
    order = transmission.transmit(hand_over(), now=NOW)
    outbox.withdraw(order, now=NOW)
    order = read_changes(order)
    assert (order.transmission, order.librisoft_number, order.needs_attention) == (
        Transmission.WITHDRAWN,
        "6765",
        True,
    )


def test_doubt_about_a_withdrawn_order_is_settled_by_asking(librisoft_simulator: LibrisoftSimulator) -> None:
    """One arrived before its answer was lost, the other did not."""
    doubted = []
    for nth, fault in enumerate(("drop_after", "drop_before")):
        librisoft_simulator.fault(fault)
        doubted.append(transmission.transmit(hand_over(group_order_number=nth), now=NOW))
        outbox.withdraw(doubted[-1], now=NOW)
    statuses.settle_doubts(now=NOW + timedelta(minutes=4))
    assert [read(order).in_doubt for order in doubted] == [True, True]
    statuses.settle_doubts(now=NOW + timedelta(minutes=5))
    assert [(read(order).in_doubt, read(order).librisoft_number) for order in doubted] == [(False, "6765"), (False, "")]
    assert [read(order).needs_attention for order in doubted] == [True, False]


@pytest.mark.parametrize("number", ["", "abc", "²", "999999999999999999999", "637\x00"])
def test_an_order_that_is_not_ours_is_left_alone(number: str) -> None:
    order = hand_over()
    assert statuses.take_in(OrderState("6765", number, "RECEIVED", "", 1, NOW), now=NOW) is None
    assert read(order).librisoft_number == ""


# What the bookseller typed ----------------------------------------------------------------------


def test_typed_status_gives_way_only_to_a_later_one(sent: ShopOrder) -> None:
    outbox.note_by_hand(sent, librisoft_number="", status_label="Reçue au comptoir", now=NOW + timedelta(hours=1))
    statuses.take_in(state(sent, 8, code="PREPARATION", at=NOW + timedelta(minutes=59)), now=NOW)
    assert (read(sent).status_label, read(sent).is_ready) == ("Reçue au comptoir", False)
    statuses.take_in(state(sent, 9, code="RELEASED", at=NOW + timedelta(minutes=61)), now=NOW)
    assert (read(sent).status_label, read(sent).is_ready) == ("Released", True)


def test_typed_number_alone_holds_back_no_status(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    outbox.note_by_hand(order, librisoft_number="6765", status_label="", now=NOW)
    statuses.take_in(state(order, 1, at=NOW - timedelta(days=1)), now=NOW)
    assert read(order).remote_code == "RECEIVED"


# Reading ---------------------------------------------------------------------------------------


def refresh(order: ShopOrder, *, after: timedelta = timedelta(0)) -> tuple[bool, str]:
    answered, said = refreshing.refresh(read(order), now=NOW + after)
    return answered, said.replace("\u00a0", " ")


def test_refresh_asks_for_one_order_and_not_too_often(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.set_status("6765", "PARTIALLY_RECEIVED", received=3)
    assert refresh(sent) == (True, "Statut LIBRISOFT réactualisé : Partiellement réceptionnée (3 sur 5).")
    assert read(sent).status_label == "Partiellement réceptionnée"
    assert refresh(sent, after=timedelta(seconds=2)) == (
        False,
        "LIBRISOFT vient d’être interrogé : réessayez dans quelques secondes.",
    )
    assert librisoft_simulator.asked() == ["POST /v1/orders", "GET /v1/orders/6765"]
    assert refresh(sent, after=timedelta(seconds=5)) == (
        True,
        "LIBRISOFT n’a rien de nouveau : le statut reste Partiellement réceptionnée (3 sur 5).",
    )


def test_refresh_finds_an_order_whose_number_never_arrived(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("drop_after")
    order = transmission.transmit(hand_over(), now=NOW)
    assert refresh(order) == (True, "Statut LIBRISOFT réactualisé : Préparation commande.")
    assert (read(order).librisoft_number, read(order).transmission) == ("6765", Transmission.SENT)


def test_refresh_of_an_order_librisoft_does_not_know_changes_nothing(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    assert refresh(order) == (False, "LIBRISOFT n’a pas encore cette commande.")
    assert read(order).transmission == Transmission.WAITING


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "drop_before"}, "Statut inchangé : LIBRISOFT ne répond pas."),
        ({"kind": "html"}, "Statut inchangé : La réponse de LIBRISOFT est illisible."),
        ({"kind": "status", "status": 503}, "Statut inchangé : LIBRISOFT n’est pas disponible (HTTP 503)."),
        (
            {"kind": "status", "status": 404, "body": {"code": "unknown_order", "message": "Commande inconnue"}},
            "LIBRISOFT a refusé de répondre pour cette commande : Commande inconnue",
        ),
        (
            {"kind": "second_id"},
            "Attention : LIBRISOFT répond sous un autre numéro, 9999 au lieu de 6765. "
            "Vérifiez dans LIBRISOFT que la commande n’y est pas deux fois.",
        ),
    ],
    ids=lambda value: value.get("status", value["kind"]) if isinstance(value, dict) else "",
)
def test_refresh_says_in_french_what_went_wrong(
    fault: dict[str, Any], said: str, sent: ShopOrder, librisoft_simulator: LibrisoftSimulator
) -> None:
    librisoft_simulator.fault(**fault)
    assert refresh(sent) == (False, said)
    assert (read(sent).librisoft_number, read(sent).status_label) == ("6765", "Préparation commande")


def test_refresh_says_until_when_a_dead_librisoft_is_left_in_peace(
    sent: ShopOrder, librisoft_simulator: LibrisoftSimulator
) -> None:
    Link.objects.update(opened_at=NOW, open_until=NOW + timedelta(minutes=4), reason="LIBRISOFT ne répond pas.")
    with time_machine.travel(NOW):
        assert refresh(sent) == (False, "Statut inchangé : LIBRISOFT ne répond pas. Prochain essai à 10:04.")
    assert librisoft_simulator.asked() == ["POST /v1/orders"]


def test_refresh_that_gets_another_order_takes_nothing(
    sent: ShopOrder, librisoft_simulator: LibrisoftSimulator
) -> None:
    other = transmission.transmit(hand_over(group_order_number=63), now=NOW)
    ShopOrder.objects.filter(pk=sent.pk).update(librisoft_number=other.librisoft_number)
    assert refresh(sent) == (False, "Statut inchangé : la réponse de LIBRISOFT concerne une autre commande.")


def test_refresh_says_that_a_later_word_of_the_bookseller_stands(
    sent: ShopOrder, librisoft_simulator: LibrisoftSimulator
) -> None:
    librisoft_simulator.set_status("6765", "SUPPLIER_ORDERED")
    future = datetime.now(UTC) + timedelta(days=1)
    outbox.note_by_hand(sent, librisoft_number="", status_label="Reçue au comptoir", now=future)
    assert refresh(sent) == (
        True,
        "LIBRISOFT a répondu. Le statut saisi à la main est plus récent et reste affiché : Reçue au comptoir.",
    )


def test_refresh_without_an_address_says_so(settings: Settings) -> None:
    settings.LIBRISOFT_URL = ""
    assert refresh(hand_over()) == (False, "LIBRISOFT n’est pas configuré.")


def test_changes_are_read_page_after_page_and_from_where_it_stopped(
    sent: ShopOrder, librisoft_simulator: LibrisoftSimulator
) -> None:
    for nth in range(105):
        librisoft_simulator.set_status("6765", "SUPPLIER_ORDERED", label=f"Étape {nth}")
    assert read_changes(sent).status_label == "Étape 104"
    assert sent.status_changes.count() == 106
    clock.read_statuses()
    cursors = [exchange.query["after"] for exchange in librisoft_simulator.exchanges if exchange.method == "GET"]
    assert (cursors, ChangesCursor.objects.get().cursor) == (["", "100", "106"], "106")


def test_cursor_stays_while_librisoft_does_not_answer(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    read_changes(sent)
    librisoft_simulator.set_status("6765", "RECEIVED")
    librisoft_simulator.fault("truncated")
    assert read_changes(sent).remote_code == "PREPARATION"
    assert read_changes(sent).remote_code == "RECEIVED"


def test_statuses_are_not_asked_for_without_an_address(settings: Settings) -> None:
    settings.LIBRISOFT_URL = ""
    clock.read_statuses()
    assert ChangesCursor.objects.count() == 0


def test_a_code_alone_is_the_label() -> None:
    order = hand_over()
    bare = OrderState("6765", str(order.pk), "WEIGHED", "", 1, datetime(2026, 11, 24, tzinfo=UTC))
    statuses.take_in(bare, now=NOW)
    assert (read(order).status_label, str(order.status_changes.get())) == ("WEIGHED", "WEIGHED")
