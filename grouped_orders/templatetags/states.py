"""Where an order or a sub-order stands, as a badge: an icon and the word of statuses.py."""

from datetime import datetime

from django import template
from django.template import Context
from django.utils import timezone

from grouped_orders.models import GroupedOrder, SubOrder
from grouped_orders.statuses import OrderStatus, SubOrderStatus

register = template.Library()

ORDER_KINDS = {
    OrderStatus.OPEN: "wait",
    OrderStatus.AWAITING_PROCESSING: "wait",
    OrderStatus.CLOSED: "good",
    OrderStatus.CANCELLED: "bad",
}
SUB_ORDER_KINDS = {SubOrderStatus.PENDING: "wait", SubOrderStatus.PAID: "good", SubOrderStatus.CANCELLED: "bad"}


@register.inclusion_tag("components/badge.html", takes_context=True)
def order_badge(context: Context, order: GroupedOrder) -> dict[str, str]:
    """The order's status at the page's `now`: « Commande ouverte » while it takes sub-orders."""
    now = context.get("now") or timezone.now()
    kind = "open" if order.takes_sub_orders(now) else ORDER_KINDS[OrderStatus(order.status)]
    return {"kind": kind, "word": order.status_label(now)}


@register.inclusion_tag("components/badge.html")
def sub_order_badge(sub_order: SubOrder) -> dict[str, str]:
    return {"kind": SUB_ORDER_KINDS[SubOrderStatus(sub_order.status)], "word": sub_order.get_status_display()}


@register.filter
def takes_sub_orders(order: GroupedOrder, now: datetime) -> bool:
    return order.takes_sub_orders(now)


@register.filter
def days_left(order: GroupedOrder, now: datetime) -> int:
    """« Nombre de jours restant » : 1 on the eve, 0 on the last day, negative once the deadline is past."""
    return order.days_left(now)


@register.filter
def deadline_is_near(order: GroupedOrder, now: datetime) -> bool:
    """« La date limite approche ! » : the last three days."""
    return order.deadline_is_near(now)
