"""What LIBRISOFT is told of a group order."""

from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from grouped_orders.models import GroupedOrder, Payment
from grouped_orders.statuses import SubOrderStatus
from librisoft_bridge.handover import Customer, HandOver, Line, Place, Share


def hand_over_of(order: GroupedOrder, now: datetime) -> HandOver:
    """The collectivity, the quantities, the amounts; no buyer's name or address ever leaves (design, decision 10)."""
    initiator, collectivity = order.initiator, order.collectivity
    received = (
        Payment.objects.received()
        .filter(sub_order__grouped_order=order, sub_order__status=SubOrderStatus.PAID)
        .order_by("method")
        .values_list("method")
        .annotate(Sum("amount"))
    )
    return HandOver(
        group_order_number=order.pk,
        ordered_at=now,
        customer=Customer(
            external_id=collectivity.customer_code,
            name=collectivity.name,
            contact_name=initiator.get_full_name() or collectivity.service,
            email=initiator.email,
            phone=initiator.phone or collectivity.phone,
        ),
        billing=Place(*order.billing_address),
        delivery_mode=order.pickup_mode,
        delivery=Place(*order.pickup_address),
        customer_reference=order.customer_reference,
        comment=order.comment,
        lines=(
            Line(
                ean13=order.book.ean13,
                title=order.book.title,
                quantity=order.sub_orders.recapitulation().paid.articles,
                unit_price=order.unit_price,
                vat_rate=order.vat_rate,
            ),
        ),
        payments=tuple(Share(method, Decimal(amount)) for method, amount in received),
    )
