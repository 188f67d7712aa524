from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from librisoft_bridge import payload
from librisoft_bridge.handover import Line, Share
from tests.contracts.librisoft import judge
from tests.librisoft_bridge.story import hand_over

pytestmark = pytest.mark.django_db


def test_write_is_the_whole_order_as_the_contract_has_it() -> None:
    order = hand_over(
        ordered_at=datetime(2026, 7, 1, 10, 26, 59, 730_000, tzinfo=ZoneInfo("Europe/Brussels")),
        customer_reference="BC 2026-114",
        comment="Livrer au Cdi",
        lines=(
            Line("9791097284657", "WESTERN COQUILLETTES", 5, Decimal("14.9"), Decimal("6")),
            Line("9782362210419", "LE LIVRE", 2, Decimal("6.40"), Decimal("5.5")),
        ),
        payments=(Share("PAYPAL", Decimal("87.3")),),
    )
    dinant = {
        "name": "ANNEXE",
        "street": "2, rue des jonquilles",
        "postcode": "5500",
        "city": "DINANT",
        "country": "BE",
    }
    written = payload.write(order)
    assert judge("Order", written) == []
    assert written == {
        "message_id": str(order.message_id),
        "web_order_number": str(order.pk),
        "group_order_number": "62",
        "ordered_at": "2026-07-01T08:26:59Z",
        "currency": "EUR",
        "customer": {
            "external_id": "PROUVE",
            "name": "COLLEGE VICTOR PROUVE",
            "contact_name": "Camille Dumont",
            "email": "cdi@prouve.example",
        },
        "billing_address": dinant,
        "delivery": {"mode": "COLLECTIVITY", "address": dinant},
        "customer_reference": "BC 2026-114",
        "comment": "Livrer au Cdi",
        "payment": {"state": "PAID", "methods": [{"method": "PAYPAL", "amount": "87.30"}]},
        "lines": [
            {
                "line_number": 1,
                "ean13": "9791097284657",
                "title": "WESTERN COQUILLETTES",
                "quantity": 5,
                "unit_price": "14.90",
                "vat_rate": "6.00",
            },
            {
                "line_number": 2,
                "ean13": "9782362210419",
                "title": "LE LIVRE",
                "quantity": 2,
                "unit_price": "6.40",
                "vat_rate": "5.50",
            },
        ],
        "totals": {"quantity": 7, "amount": "87.30"},
    }


def test_write_leaves_out_what_is_empty() -> None:
    written = payload.write(hand_over())
    assert "phone" not in written["customer"]
    assert {"customer_reference", "comment"} & set(written) == set()


def test_write_says_the_same_at_every_try() -> None:
    """The same key asks for the same body, whatever came back in between."""
    order = hand_over()
    first = payload.write(order)
    order.lines.update(received=3)
    assert payload.write(order) == first
