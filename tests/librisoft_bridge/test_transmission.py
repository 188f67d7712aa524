"""One try, whatever LIBRISOFT does: never a second order, never a silent end."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from pytest_django import Settings

from librisoft_bridge import client, outbox, payload, transmission
from librisoft_bridge.models import STOPPED, ShopOrder, Transmission
from tests.librisoft_bridge.story import NOW, hand_over, read
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db

DOWN = "http://127.0.0.1:9"  # nobody listens there
OTHER_ORDER = {
    "librisoft_order_id": "6000",
    "web_order_number": "1",
    "status": {
        "code": "RECEIVED",
        "label": "Réceptionnée",
        "sequence": 4,
        "updated_at": "2026-11-01T08:00:00Z",
    },
}


def test_transmit_hands_over_one_order_and_keeps_its_number(librisoft_simulator: LibrisoftSimulator) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    (taken,) = librisoft_simulator.orders()
    assert (taken["body"], taken["key"]) == (payload.write(order), str(order.message_id))
    assert (order.transmission, order.sent_at, order.librisoft_number) == (Transmission.SENT, NOW, "6765")
    assert (order.transmission_label, order.status_label) == ("Envoyée vers LIBRISOFT", "Préparation commande")
    assert (order.attempts, order.in_doubt, order.lease_token) == (1, False, None)
    assert librisoft_simulator.asked() == ["POST /v1/orders"]


def test_transmit_twice_sends_once(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    for _ in range(2):
        transmission.transmit(order, now=NOW)
    assert librisoft_simulator.asked() == ["POST /v1/orders"]


# An outcome that is not known ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "drop_before"}, "LIBRISOFT ne répond pas."),
        ({"kind": "drop_after"}, "LIBRISOFT ne répond pas."),
        ({"kind": "status", "status": 503}, "LIBRISOFT n’est pas disponible (HTTP 503)."),
        ({"kind": "status", "status": 500}, "LIBRISOFT n’est pas disponible (HTTP 500)."),
        ({"kind": "status", "status": 302}, "La réponse de LIBRISOFT est illisible."),
        ({"kind": "html"}, "La réponse de LIBRISOFT est illisible."),
        ({"kind": "truncated"}, "La réponse de LIBRISOFT est illisible."),
        ({"kind": "twice"}, "La réponse de LIBRISOFT est illisible."),
        ({"kind": "empty"}, "La réponse de LIBRISOFT est illisible."),
        (
            {"kind": "status", "status": 200, "body": OTHER_ORDER},
            "La réponse de LIBRISOFT concerne une autre commande.",
        ),
    ],
    ids=lambda value: "-".join(map(str, list(value.values())[:2])) if isinstance(value, dict) else "",
)
def test_a_passing_failure_ends_with_exactly_one_order(
    fault: dict[str, Any], said: str, librisoft_simulator: LibrisoftSimulator
) -> None:
    librisoft_simulator.fault(**fault)
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.attempts, order.error, order.in_doubt) == (Transmission.WAITING, 1, said, True)
    assert NOW + timedelta(seconds=15) <= order.next_try_at <= NOW + timedelta(seconds=45)
    order = transmission.transmit(order, now=order.next_try_at)
    (taken,) = librisoft_simulator.orders()
    assert (order.transmission, order.librisoft_number, order.error) == (
        Transmission.SENT,
        taken["state"]["librisoft_order_id"],
        "",
    )
    assert "GET /v1/orders" in librisoft_simulator.asked()


def test_a_lost_answer_is_looked_up_not_sent_again(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("drop_after")
    order = transmission.transmit(hand_over(), now=NOW)
    transmission.transmit(order, now=order.next_try_at)
    assert librisoft_simulator.asked() == ["POST /v1/orders", "GET /v1/orders"]


def test_an_answer_lost_at_every_look_up_too_ends_with_one_order(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("drop_after", times=4)
    order = transmission.transmit(hand_over(), now=NOW)
    for _ in range(4):
        order = transmission.transmit(order, now=order.next_try_at)
    assert (order.transmission, order.attempts, len(librisoft_simulator.orders())) == (Transmission.SENT, 5, 1)


def test_nobody_at_the_address_is_said_with_the_hour_of_the_next_try(settings: Settings) -> None:
    settings.LIBRISOFT_URL = DOWN
    order = transmission.transmit(hand_over(), now=NOW)
    ShopOrder.objects.update(next_try_at=NOW + timedelta(minutes=5))
    with time_machine.travel(NOW + timedelta(minutes=1)):
        assert read(order).transmission_label == "LIBRISOFT ne répond pas. Nouvel essai à 10:05."
    with time_machine.travel(NOW + timedelta(minutes=6)):
        assert read(order).transmission_label == "Envoi en cours vers LIBRISOFT"


def test_a_hanging_librisoft_is_left_after_the_time_for_one_answer(
    librisoft_simulator: LibrisoftSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT", (3, 0.2))
    librisoft_simulator.fault("delay", seconds=1)
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.error) == (Transmission.WAITING, "LIBRISOFT n’a pas répondu à temps.")


def test_transmit_before_its_time_does_nothing(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("drop_before")
    order = transmission.transmit(hand_over(), now=NOW)
    order = transmission.transmit(order, now=NOW + timedelta(seconds=1))
    assert (order.attempts, librisoft_simulator.orders()) == (1, [])


@pytest.mark.parametrize(
    ("wish", "least", "most"),
    [("1800", 1800, 1800), ("999999", 86400, 86400), ("5", 15, 45), ("Wed, 21 Oct", 15, 45), ("²", 15, 45)],
)
def test_retry_after_is_honoured_up_to_a_day(
    wish: str, least: int, most: int, librisoft_simulator: LibrisoftSimulator
) -> None:
    librisoft_simulator.fault("status", status=429, headers={"Retry-After": wish})
    order = transmission.transmit(hand_over(), now=NOW)
    assert timedelta(seconds=least) <= order.next_try_at - NOW <= timedelta(seconds=most)


def test_waits_double_up_to_an_hour_and_the_last_try_fails_aloud(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("status", times=0, status=503)
    order, now, waits = hand_over(), NOW, []
    for _ in range(transmission.MAX_ATTEMPTS):
        order = transmission.transmit(order, now=now)
        waits.append((order.next_try_at - now).total_seconds())
        now = order.next_try_at
    assert (order.transmission, order.attempts, order.needs_attention) == (Transmission.FAILED, 20, True)
    assert order.transmission_label == (
        "L’envoi vers LIBRISOFT a échoué\u00a0: LIBRISOFT n’est pas disponible (HTTP 503)."
    )
    assert list(ShopOrder.objects.filter(STOPPED)) == [order]
    for nth, wait in enumerate(waits[:-1]):
        assert min(30 * 2**nth, 3600) / 2 <= wait <= min(45 * 2**nth, 3600)


def test_renvoyer_after_the_last_try_asks_first_whether_the_order_is_there(
    librisoft_simulator: LibrisoftSimulator,
) -> None:
    librisoft_simulator.fault("drop_after")
    order = transmission.transmit(hand_over(), now=NOW)
    ShopOrder.objects.update(transmission=Transmission.FAILED)
    assert outbox.resend(order, now=NOW)
    order = transmission.transmit(order, now=NOW)
    assert (order.transmission, order.attempts) == (Transmission.SENT, 1)
    assert librisoft_simulator.asked() == ["POST /v1/orders", "GET /v1/orders"]


# A definite no ---------------------------------------------------------------------------------


def test_refusal_stops_and_is_shown_then_can_be_sent_again(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("refuse", message="EAN inconnu")
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.transmission_label, order.needs_attention, order.in_doubt) == (
        Transmission.REFUSED,
        "Refusée par LIBRISOFT\u00a0: EAN inconnu",
        True,
        False,
    )
    assert list(ShopOrder.objects.due(NOW + timedelta(days=1))) == []
    assert outbox.resend(order, now=NOW)
    assert transmission.transmit(order, now=NOW).transmission == Transmission.SENT
    assert not outbox.resend(order, now=NOW)
    assert len(librisoft_simulator.orders()) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 401, "body": {"code": "unauthorized", "message": "Jeton refusé"}}, "Jeton refusé"),
        ({"status": 403, "body": {"code": "forbidden", "message": ""}}, "HTTP 403"),
        ({"status": 404, "body": "<html>"}, "HTTP 404"),
        ({"status": 422, "body": {"code": "invalid", "message": "\x00 "}}, "HTTP 422"),
        ({"status": 422, "body": {"code": "invalid", "message": "ean\x0013\ud800" + "x" * 400}}, "ean13?" + "x" * 294),
    ],
)
def test_every_other_4xx_stops_with_a_reason(
    fault: dict[str, Any], said: str, librisoft_simulator: LibrisoftSimulator
) -> None:
    librisoft_simulator.fault("status", **fault)
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.error) == (Transmission.REFUSED, said)


def test_wrong_token_is_a_refusal(librisoft_simulator: LibrisoftSimulator, settings: Settings) -> None:
    settings.LIBRISOFT_TOKEN = "un autre"
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.error) == (Transmission.REFUSED, "Jeton refusé")


def test_a_refused_look_up_leaves_the_doubt(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("drop_after")
    order = transmission.transmit(hand_over(), now=NOW)
    librisoft_simulator.fault("status", status=401, body={"code": "unauthorized", "message": "Jeton expiré"})
    order = transmission.transmit(order, now=order.next_try_at)
    assert (order.transmission, order.in_doubt) == (Transmission.REFUSED, True)
    assert not outbox.withdraw(order, now=NOW)


def test_another_order_under_our_key_leaves_the_doubt(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("refuse", code="idempotency_mismatch", message="Même clé, autre commande")
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.in_doubt) == (Transmission.REFUSED, True)


# A definite yes --------------------------------------------------------------------------------


def test_order_known_under_another_key_is_a_success(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("conflict")
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.librisoft_number) == (Transmission.SENT, "6765")


def test_a_second_number_at_the_look_up_is_an_alarm_not_an_overwrite(librisoft_simulator: LibrisoftSimulator) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    ShopOrder.objects.update(transmission=Transmission.WAITING, in_doubt=True)
    librisoft_simulator.fault("second_id", number="6999")
    order = transmission.transmit(order, now=NOW)
    assert (order.librisoft_number, order.second_number, order.needs_attention) == ("6765", "6999", True)


# Not configured --------------------------------------------------------------------------------


def test_not_configured_waits_says_so_and_leaves_once_there_is_an_address(
    librisoft_simulator: LibrisoftSimulator, settings: Settings
) -> None:
    address, settings.LIBRISOFT_URL = settings.LIBRISOFT_URL, ""
    order = hand_over()
    for day in range(20):
        order = transmission.transmit(order, now=NOW + timedelta(days=day))
    assert (order.transmission, order.attempts, order.transmission_label) == (
        Transmission.WAITING,
        0,
        "LIBRISOFT n’est pas configuré.",
    )
    settings.LIBRISOFT_URL = address
    order = transmission.transmit(order, now=NOW)
    assert (order.transmission, order.error) == (Transmission.SENT, "")


# Claims ----------------------------------------------------------------------------------------


def claim(order: ShopOrder, seconds: int) -> None:
    ShopOrder.objects.filter(pk=order.pk).update(
        lease_token=order.message_id, lease_until=NOW + timedelta(seconds=seconds)
    )


def test_claim_is_not_taken_from_a_worker_that_still_waits(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    claim(order, 30)
    assert transmission.transmit(order, now=NOW).attempts == 0
    assert transmission.transmit(order, now=NOW + timedelta(seconds=31)).transmission == Transmission.SENT


def test_a_try_that_kills_its_worker_counts_and_comes_to_an_end(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    ShopOrder.objects.update(attempts=transmission.MAX_ATTEMPTS)
    claim(order, -1)
    order = transmission.transmit(order, now=NOW)
    assert (order.transmission, order.transmission_label, librisoft_simulator.asked()) == (
        Transmission.FAILED,
        "L’envoi vers LIBRISOFT a échoué\u00a0: L’envoi s’est interrompu à chaque essai.",
        [],
    )


def while_it_waits(
    order: ShopOrder, simulator: LibrisoftSimulator, act: Any, *, fault: dict[str, Any] | None = None
) -> ShopOrder:
    """Send the order from another worker, and act while that one waits for LIBRISOFT's answer."""
    simulator.fault("delay", seconds=0.6)
    if fault is not None:
        simulator.fault(**fault)

    def work() -> None:
        try:
            transmission.transmit(order, now=NOW)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    while not read(order).in_doubt:
        worker.join(0.02)
    act()
    worker.join()
    return read(order)


REFUSAL = {"kind": "status", "status": 422, "body": {"code": "invalid", "message": "Non"}}


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_lost_its_claim_writes_no_outcome(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    order = while_it_waits(
        order,
        librisoft_simulator,
        lambda: transmission.transmit(order, now=NOW + transmission.LEASE + timedelta(seconds=1)),
        fault=REFUSAL,
    )
    taken = [order["state"]["librisoft_order_id"] for order in librisoft_simulator.orders()]
    assert (order.transmission, order.attempts, taken) == (Transmission.SENT, 2, [order.librisoft_number])


@pytest.mark.django_db(transaction=True)
def test_a_number_typed_meanwhile_is_not_undone_by_a_late_refusal(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    order = while_it_waits(
        order,
        librisoft_simulator,
        lambda: outbox.note_by_hand(order, librisoft_number="6800", status_label="", now=NOW),
        fault=REFUSAL,
    )
    assert (order.transmission, order.librisoft_number) == (Transmission.SENT, "6800")


@pytest.mark.django_db(transaction=True)
def test_an_order_withdrawn_meanwhile_that_arrives_all_the_same_is_an_alarm(
    librisoft_simulator: LibrisoftSimulator,
) -> None:
    order = hand_over()
    order = while_it_waits(order, librisoft_simulator, lambda: outbox.withdraw(order, now=NOW))
    assert (order.transmission, order.librisoft_number, order.needs_attention) == (
        Transmission.WITHDRAWN,
        "6765",
        True,
    )
    assert order.transmission_label == (
        "Annulée ici, mais LIBRISOFT l’a reçue sous le n° 6765\u00a0: annulez-la aussi dans LIBRISOFT"
    )
