from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from pytest_django import Settings

from librisoft_bridge import clock, outbox, payload, statuses, transmission
from librisoft_bridge.handover import Customer, HandOver, Line, Place, Share
from librisoft_bridge.models import ShopOrder, Transmission
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
CONTRACT = yaml.safe_load(Path("librisoft_bridge/librisoft-v1.yaml").read_text())
DINANT = Place("ANNEXE", "2, rue des jonquilles", "5500", "DINANT", "BE")


def hand_over(**changes: Any) -> ShopOrder:
    facts: dict[str, Any] = {
        "group_order_number": 62,
        "ordered_at": NOW,
        "customer": Customer("PROUVE", "COLLEGE VICTOR PROUVE", "Camille Dumont", "cdi@prouve.example", ""),
        "billing": DINANT,
        "delivery_mode": "COLLECTIVITY",
        "delivery": DINANT,
        "customer_reference": "",
        "comment": "",
        "lines": (Line("9791097284657", "WESTERN COQUILLETTES", 5, Decimal("14.90"), Decimal("6.00")),),
        "payments": (Share("PAYPAL", Decimal("29.80")), Share("BY_HAND", Decimal("44.70"))),
    }
    return outbox.hand_over(HandOver(**{**facts, **changes}))


def conforms(schema: str, value: Any) -> bool:
    whole = {"$ref": f"#/components/schemas/{schema}", "components": CONTRACT["components"]}
    return not list(OAS31Validator(whole).iter_errors(value))


def test_transmit_hands_over_one_order_and_keeps_its_number(librisoft_simulator: LibrisoftSimulator) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    (taken,) = librisoft_simulator.orders()
    assert taken["body"] == payload.write(order)
    assert (taken["body"]["web_order_number"], taken["body"]["totals"]) == (
        str(order.pk),
        {"quantity": 5, "amount": "74.50"},
    )
    assert conforms("Order", taken["body"])
    assert conforms("OrderState", taken["state"])
    assert (order.transmission, order.librisoft_number, order.status_label, order.transmission_label) == (
        Transmission.SENT,
        "6765",
        "Préparation commande",
        "Envoyée vers LIBRISOFT",
    )


def test_payload_says_nothing_that_is_empty() -> None:
    written = payload.write(hand_over())
    assert set(written["customer"]) == {"external_id", "name", "contact_name", "email"}
    assert {"customer_reference", "comment"} & set(written) == set()
    assert written["ordered_at"] == "2026-11-24T09:00:00Z"


def test_transmit_twice_sends_once(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    for _ in range(2):
        transmission.transmit(order, now=NOW)
    assert len(librisoft_simulator.orders()) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 500},
        {"kind": "html"},
        {"kind": "truncated"},
        {"kind": "empty"},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_a_passing_failure_ends_with_exactly_one_order(
    fault: dict[str, Any], librisoft_simulator: LibrisoftSimulator
) -> None:
    librisoft_simulator.fault(**fault)
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.attempts) == (Transmission.WAITING, 1)
    assert NOW + timedelta(seconds=15) <= order.next_try_at <= NOW + timedelta(seconds=45)
    assert order.transmission_label.startswith("LIBRISOFT ne répond pas")
    order = transmission.transmit(order, now=order.next_try_at)
    (taken,) = librisoft_simulator.orders()
    assert (order.transmission, order.librisoft_number) == (
        Transmission.SENT,
        taken["state"]["librisoft_order_id"],
    )


def test_transmit_before_its_time_does_nothing(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("drop_before")
    order = transmission.transmit(hand_over(), now=NOW)
    order = transmission.transmit(order, now=NOW + timedelta(seconds=1))
    assert (order.attempts, librisoft_simulator.orders()) == (1, [])


def test_retry_after_is_honoured(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("status", status=429, headers={"Retry-After": "1800"})
    order = transmission.transmit(hand_over(), now=NOW)
    assert order.next_try_at == NOW + timedelta(seconds=1800)


def test_refusal_stops_and_is_shown_then_can_be_sent_again(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("refuse", message="EAN inconnu")
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.transmission_label, order.needs_attention) == (
        Transmission.REFUSED,
        "Refusée par LIBRISOFT : EAN inconnu",
        True,
    )
    assert list(ShopOrder.objects.due(NOW + timedelta(days=1))) == []
    assert outbox.resend(order, now=NOW)
    assert transmission.transmit(order, now=NOW).transmission == Transmission.SENT
    assert not outbox.resend(order, now=NOW)
    assert len(librisoft_simulator.orders()) == 1


def test_wrong_token_is_a_refusal(librisoft_simulator: LibrisoftSimulator, settings: Settings) -> None:
    settings.LIBRISOFT_TOKEN = "un autre"
    assert transmission.transmit(hand_over(), now=NOW).transmission == Transmission.REFUSED


def test_order_known_under_another_key_is_a_success(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("conflict")
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.librisoft_number) == (Transmission.SENT, "6765")


def test_last_try_fails_and_says_so(librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("status", times=0, status=503)
    order, now = hand_over(), NOW
    for _ in range(transmission.MAX_ATTEMPTS):
        order = transmission.transmit(order, now=now)
        now = order.next_try_at
    assert (order.transmission, order.attempts) == (Transmission.FAILED, 10)
    assert list(ShopOrder.objects.in_trouble()) == [order]


def test_not_configured_waits_and_says_so(settings: Settings) -> None:
    settings.LIBRISOFT_URL = ""
    order = transmission.transmit(hand_over(), now=NOW)
    assert order.transmission == Transmission.WAITING
    assert order.transmission_label.startswith("LIBRISOFT n’est pas configuré.")


def test_claim_is_not_taken_from_a_worker_that_still_waits(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    ShopOrder.objects.update(lease_until=NOW + timedelta(seconds=30))
    assert transmission.transmit(order, now=NOW).attempts == 0
    assert transmission.transmit(order, now=NOW + timedelta(seconds=31)).transmission == Transmission.SENT


def test_withdraw_stops_what_was_never_tried(librisoft_simulator: LibrisoftSimulator) -> None:
    order = hand_over()
    assert outbox.withdraw(order)
    transmission.transmit(order, now=NOW)
    assert librisoft_simulator.orders() == []
    sent = transmission.transmit(hand_over(group_order_number=63), now=NOW)
    assert not outbox.withdraw(sent)


# What comes back ------------------------------------------------------------------------------


@pytest.fixture
def sent(librisoft_simulator: LibrisoftSimulator) -> ShopOrder:
    return transmission.transmit(hand_over(), now=NOW)


def read(order: ShopOrder) -> ShopOrder:
    clock.read_statuses()
    return ShopOrder.objects.get(pk=order.pk)


def test_changes_are_read_with_partial_receipt(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.set_status("6765", "PARTIALLY_RECEIVED", received=3, expected_date="2026-12-01")
    order = read(sent)
    assert (order.status_label, order.received_summary, str(order.expected_date)) == (
        "Partiellement réceptionnée",
        "3 sur 5",
        "2026-12-01",
    )
    librisoft_simulator.set_status("6765", "RECEIVED")
    order = read(order)
    assert (order.is_ready, order.received_summary) == (True, "")
    assert list(order.status_changes.values_list("code", flat=True)) == [
        "PREPARATION",
        "PARTIALLY_RECEIVED",
        "RECEIVED",
    ]


def test_older_sequence_never_overwrites(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.set_status("6765", "RECEIVED", sequence=9)
    librisoft_simulator.set_status("6765", "SUPPLIER_ORDERED", sequence=5)
    order = read(sent)
    assert order.remote_code == "RECEIVED"
    assert list(order.status_changes.values_list("sequence", flat=True)) == [1, 9, 5]


def test_unknown_status_is_shown_as_it_came(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.set_status("6765", "MISLAID", label="Égarée à l’entrepôt")
    assert read(sent).status_label == "Égarée à l’entrepôt"


def test_second_number_is_an_alarm_not_an_overwrite(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.fault("second_id")
    statuses.refresh(sent, now=NOW)
    sent.refresh_from_db()
    assert (sent.librisoft_number, sent.second_number, sent.needs_attention) == ("6765", "9999", True)


def test_typed_by_hand_is_not_overwritten_by_an_older_status(
    sent: ShopOrder, librisoft_simulator: LibrisoftSimulator
) -> None:
    outbox.note_by_hand(
        sent, librisoft_number="6800", status_label="Reçue au comptoir", now=datetime.now(UTC) + timedelta(hours=1)
    )
    librisoft_simulator.fault("second_id", times=0)
    statuses.take_in(
        {
            "librisoft_order_id": "6800",
            "web_order_number": str(sent.pk),
            "status": {
                "code": "PREPARATION",
                "label": "Préparation commande",
                "sequence": 8,
                "updated_at": "2026-11-24T09:30:00Z",
            },
        },
        now=NOW,
    )
    sent.refresh_from_db()
    assert (sent.librisoft_number, sent.status_label) == ("6800", "Reçue au comptoir")


def test_refresh_asks_for_one_order_and_not_too_often(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    librisoft_simulator.set_status("6765", "SUPPLIER_ORDERED")
    assert statuses.refresh(sent, now=NOW)
    sent.refresh_from_db()
    assert sent.status_label == "Commande fournisseur"
    assert not statuses.refresh(sent, now=NOW + timedelta(seconds=2))


def test_changes_are_read_page_after_page(sent: ShopOrder, librisoft_simulator: LibrisoftSimulator) -> None:
    for nth in range(105):
        librisoft_simulator.set_status("6765", "SUPPLIER_ORDERED", label=f"Étape {nth}")
    assert read(sent).status_label == "Étape 104"
    assert sent.status_changes.count() == 106
