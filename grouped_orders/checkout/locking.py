"""One order of locks everywhere: the group order, then the sub-order, then its payments."""

from typing import NamedTuple

from grouped_orders.models import GroupedOrder, Payment, SubOrder


class Held(NamedTuple):
    """A sub-order as it is now, its order included; both stay so until commit."""

    order: GroupedOrder
    sub_order: SubOrder


def hold(sub_order: SubOrder) -> Held:
    """Lock a sub-order and keep its group order from moving. Inside a transaction."""
    order = GroupedOrder.objects.locked_for_adding(sub_order.grouped_order_id)
    fresh = SubOrder.objects.select_for_update(of=("self",)).get(pk=sub_order.pk)
    fresh.grouped_order = order
    return Held(order, fresh)


def hold_payment(payment: Payment) -> Payment:
    """Lock a payment, with its sub-order and order as they are now. Inside a transaction."""
    sub_order = hold(payment.sub_order).sub_order
    fresh = Payment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    fresh.sub_order = sub_order
    return fresh
