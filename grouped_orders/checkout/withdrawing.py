"""The buyer gives up his order, with no reason to give (droit de rétractation)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from grouped_orders import lifecycle, mails
from grouped_orders.checkout.deciding import refundable_captures, shut_pages
from grouped_orders.checkout.locking import hold
from grouped_orders.checkout.refunding import request_refund
from grouped_orders.models import SubOrder
from grouped_orders.statuses import OrderStatus


def withdraw(sub_order: SubOrder, *, now: datetime) -> SubOrder:
    """« Confirmer la rétractation » : the buyer's declaration, acknowledged by a mail with its date and time.

    Until the order is validated it is cancelled at once, and what was paid is asked back by the way it came, what was
    paid by hand by the bookseller. After that the books are ordered: the bookseller takes them back and refunds. A
    second click changes nothing. Raises NotAllowed when the time is over or there is nothing to give up.
    """
    sub_order = SubOrder.objects.select_related("grouped_order").get(pk=sub_order.pk)
    if lifecycle.may_withdraw(sub_order, now):
        shut_pages(sub_order, reason=_("Vous avez renoncé à cette commande"), now=now)
    with transaction.atomic():
        order, sub_order = hold(sub_order)
        if sub_order.withdrawn_at is not None:
            return sub_order
        kept = refundable_captures(sub_order) if order.status == OrderStatus.OPEN else []
        lifecycle.withdraw(sub_order, now=now)
        mails.withdrawal_received(sub_order)
        for capture in kept:
            request_refund(capture, by=None, reason=_("Rétractation de l’acheteur"), now=now)
    return sub_order
