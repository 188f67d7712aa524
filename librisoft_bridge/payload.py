"""A classic order as it travels: decimal strings in euros, instants in UTC (librisoft-v1.yaml, Order)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from librisoft_bridge.models import ShopOrder


def write(shop_order: ShopOrder) -> dict[str, Any]:
    """The body of POST /v1/orders. No buyer's name or address is in it, for none is in the row."""
    lines = list(shop_order.lines.all())
    customer = {
        "external_id": shop_order.customer_code,
        "name": shop_order.customer_name,
        "contact_name": shop_order.contact_name,
        "email": shop_order.contact_email,
        "phone": shop_order.contact_phone,
    }
    order = {
        "message_id": str(shop_order.message_id),
        "web_order_number": str(shop_order.pk),
        "group_order_number": str(shop_order.group_order_number),
        "ordered_at": instant(shop_order.ordered_at),
        "currency": "EUR",
        "customer": {name: value for name, value in customer.items() if value},
        "billing_address": shop_order.billing_address,
        "delivery": {"mode": shop_order.delivery_mode, "address": shop_order.delivery_address},
        "payment": {"state": "PAID", "methods": shop_order.payments},
        "lines": [
            {
                "line_number": line.line_number,
                "ean13": line.ean13,
                "title": line.title,
                "quantity": line.quantity,
                "unit_price": money(line.unit_price),
                "vat_rate": money(line.vat_rate),
            }
            for line in lines
        ],
        "totals": {
            "quantity": sum(line.quantity for line in lines),
            "amount": money(sum((line.amount for line in lines), Decimal(0))),
        },
    }
    optional = {"customer_reference": shop_order.customer_reference, "comment": shop_order.comment}
    return order | {name: value for name, value in optional.items() if value}


def money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
