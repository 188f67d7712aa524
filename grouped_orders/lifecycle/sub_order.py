"""The verbs of a sub-order."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from collectivities.models import User
from grouped_orders import mails
from grouped_orders.lifecycle.moving import NotAllowed, day_of, move_sub_order, write_down
from grouped_orders.models import GroupedOrder, SubOrder
from grouped_orders.models.order import deadline_end
from grouped_orders.statuses import OrderStatus, SubOrderMove, SubOrderStatus

# The legal time to give up a contract made at a distance.
WITHDRAWAL = timedelta(days=14)


@transaction.atomic
def register(
    order: GroupedOrder, *, first_name: str, last_name: str, email: str, quantity: int, now: datetime
) -> SubOrder:
    """A buyer subscribes, without an account, while the order takes sub-orders. Nothing is mailed before payment.

    Raises NotAllowed with the reason, said kindly.
    """
    order = GroupedOrder.objects.locked_for_adding(order.pk)
    if reason := subscription_refusal(order, now):
        raise NotAllowed(reason)
    return SubOrder.objects.create(
        grouped_order=order,
        first_name=first_name,
        last_name=last_name,
        email=email,
        quantity=quantity,
        total=order.unit_price * quantity + order.shipping_fee,
        created_at=now,
    )


def subscription_refusal(order: GroupedOrder, now: datetime) -> str:
    """Why nobody can subscribe or begin to pay now, for a buyer to read; empty when one can."""
    if order.takes_sub_orders(now):
        return ""
    match order.status:
        case OrderStatus.CANCELLED:
            return _("Cette commande groupée a été annulée : il n’est plus possible de commander.")
        case OrderStatus.OPEN:
            return _("La date limite (%(day)s) est passée : il n’est plus possible de commander.") % {
                "day": day_of(order.deadline)
            }
        case _other:
            return _("Cette commande groupée est déjà partie chez le libraire : il n’est plus possible de commander.")


def mark_paid(sub_order: SubOrder, *, by: User | None = None, now: datetime) -> None:
    """The verdict « Payée », for `checkout` alone: in its transaction, under its locks, beside its payment rows."""
    move_sub_order(sub_order, SubOrderMove.PAY, by=by, now=now, paid_at=now)
    mails.sub_order_paid(sub_order)


def cancel_sub_order(sub_order: SubOrder, *, by: User | None, reason: str, now: datetime) -> None:
    """Cancel one sub-order of an order that is not validated yet; for `checkout`, which holds the locks and the money.

    Raises NotAllowed.
    """
    if sub_order.grouped_order.status != OrderStatus.OPEN:
        raise NotAllowed(_("Cette commande groupée est déjà validée ou annulée : ses sous-commandes ne changent plus."))
    move_sub_order(sub_order, SubOrderMove.CANCEL, by=by, reason=reason, now=now, cancelled_at=now)


def may_correct(sub_order: SubOrder) -> bool:
    """Whether who ordered may still be corrected: until the order is validated, for the list is made then."""
    return sub_order.grouped_order.status == OrderStatus.OPEN and sub_order.status != SubOrderStatus.CANCELLED


@transaction.atomic
def correct_buyer(
    sub_order: SubOrder, *, first_name: str, last_name: str, email: str, by: User | None, now: datetime
) -> SubOrder:
    """Correct a name or an e-mail address; `by` is None for the buyer himself. Raises NotAllowed.

    A new address gets a mail with the link to the order. The old one gets nothing more: it may be a stranger's. The
    journal says that it was corrected, not from what.
    """
    order = GroupedOrder.objects.locked_for_adding(sub_order.grouped_order_id)
    sub_order = SubOrder.objects.select_for_update(of=("self",)).get(pk=sub_order.pk)
    sub_order.grouped_order = order
    if not may_correct(sub_order):
        raise NotAllowed(_("Cette commande ne peut plus être corrigée : écrivez à la librairie."))
    was = (sub_order.first_name, sub_order.last_name, sub_order.email)
    if was == (first_name, last_name, email):
        return sub_order
    sub_order.first_name, sub_order.last_name, sub_order.email = first_name, last_name, email
    sub_order.save(update_fields=["first_name", "last_name", "email"])
    what = _("Sous-commande n° %(number)s : coordonnées de l’acheteur corrigées") % {"number": sub_order.pk}
    write_down(order, what, sub_order=sub_order, by=by, now=now)
    if was[2] != email:
        mails.buyer_corrected(sub_order, now=now)
    return sub_order


def may_withdraw(sub_order: SubOrder, now: datetime) -> bool:
    """Whether the buyer may still give up his order: from the first day until 14 days after the books were there.

    The day of « mise à disposition » does not count (directive 2011/83/EU, article 9). What is not paid can be given
    up until the order is validated.
    """
    order = sub_order.grouped_order
    if sub_order.withdrawn_at is not None or sub_order.status == SubOrderStatus.CANCELLED:
        return False
    if sub_order.status == SubOrderStatus.PENDING:
        return order.status == OrderStatus.OPEN
    return order.closed_at is None or now < deadline_end(localdate(order.closed_at) + WITHDRAWAL)


def withdraw(sub_order: SubOrder, *, now: datetime) -> None:
    """Cancelled at once while the order is open; noted for the bookseller once the books are ordered.

    For `checkout`, which holds the locks and the money. Raises NotAllowed.
    """
    if not may_withdraw(sub_order, now):
        raise NotAllowed(_("Cette commande ne peut plus être annulée ici : écrivez à la librairie."))
    if sub_order.grouped_order.status == OrderStatus.OPEN:
        reason, facts = _("Rétractation de l’acheteur"), {"cancelled_at": now, "withdrawn_at": now}
        move_sub_order(sub_order, SubOrderMove.CANCEL, by=None, reason=reason, now=now, **facts)
        return
    sub_order.withdrawn_at = now
    sub_order.save(update_fields=["withdrawn_at"])
    what = _("Sous-commande n° %(number)s : rétractation de l’acheteur") % {"number": sub_order.pk}
    write_down(sub_order.grouped_order, what, sub_order=sub_order, now=now)
