"""A classic order to hand over: the specification's own, five copies for the Collège Victor Prouvé."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from librisoft_bridge import outbox
from librisoft_bridge.handover import Customer, HandOver, Line, Place, Share
from librisoft_bridge.models import ShopOrder

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
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


def read(order: ShopOrder) -> ShopOrder:
    """The order as the database has it now."""
    return ShopOrder.objects.get(pk=order.pk)
