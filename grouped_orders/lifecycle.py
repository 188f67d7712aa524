"""The life of a group order and of its sub-orders: the only writer of a status.

Every verb takes the order's lock first, looks again, then acts, so two clicks or two people cannot both win.
Instants are aware datetimes; `now` is passed in, the shop's time zone is the current one.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog.models import Book
from collectivities.models import Address, User
from collectivities.postal import PostalAddress
from grouped_orders import mails
from grouped_orders.models import GroupedOrder, JournalEntry, Payment, SubOrder
from grouped_orders.statuses import (
    ORDER_MOVES,
    SUB_ORDER_MOVES,
    OrderMove,
    OrderStatus,
    PickupMode,
    SubOrderMove,
    SubOrderStatus,
)
from librisoft_bridge import outbox
from librisoft_bridge.handover import Customer, HandOver, Line, Place, Share
from librisoft_bridge.models import ShopOrder


class NotAllowed(Exception):
    """The rules say no; the message is a French sentence for whoever asked."""


# The group order ------------------------------------------------------------------------------


@transaction.atomic
def open_order(
    *,
    book: Book,
    initiator: User,
    deadline: date,
    pickup: Address,
    customer_reference: str = "",
    comment: str = "",
    now: datetime,
) -> GroupedOrder:
    """Create a group order: a book that can be ordered, a deadline (today or later), a place of the shop or hers.

    The price is the public price, VAT included, frozen here (specification, « Principe »); so are the addresses.
    Raises NotAllowed.
    """
    collectivity = initiator.collectivity
    if collectivity is None:
        raise NotAllowed(_("Un compte associé à une collectivité est nécessaire pour créer une commande groupée."))
    if reason := book.unavailable_reason(timezone.localdate(now)):
        raise NotAllowed(reason)
    assert book.price is not None  # a book without a price is unavailable
    _refuse_past(deadline, now)
    if not pickup.is_pickup or pickup.collectivity_id not in (None, collectivity.pk):
        raise NotAllowed(_("Cette adresse de mise à disposition n’est pas proposée : choisissez-en une autre."))
    billing = collectivity.billing_address
    if billing is None:
        raise NotAllowed(
            _("Votre collectivité n’a pas encore d’adresse de facturation : contactez la librairie, qui l’ajoutera.")
        )
    order = GroupedOrder.objects.create(
        book=book,
        collectivity=collectivity,
        initiator=initiator,
        deadline=deadline,
        unit_price=book.price,
        vat_rate=book.vat_rate,
        shipping_fee=pickup.shipping_fee,
        pickup_mode=PickupMode.BOOKSHOP if pickup.collectivity_id is None else PickupMode.COLLECTIVITY,
        customer_reference=customer_reference,
        comment=comment,
        created_at=now,
        **_copy("pickup", pickup.postal),
        **_copy("billing", billing.postal._replace(name=collectivity.name)),
    )
    _write_down(order, _("Commande groupée créée"), by=initiator, now=now, to_status=order.status)
    mails.order_created(order)
    return order


@transaction.atomic
def move_deadline(order: GroupedOrder, *, to: date, by: User, now: datetime) -> GroupedOrder:
    """Move the deadline, to today or later, while the order is neither validated nor cancelled.

    Moving it later reopens an order whose deadline was past. Raises NotAllowed.
    """
    order = GroupedOrder.objects.locked_for_moving(order.pk)
    if order.status != OrderStatus.OPEN:
        raise NotAllowed(_("Cette commande groupée est validée ou annulée : sa date limite ne change plus."))
    _refuse_past(to, now)
    if to == order.deadline:
        return order
    was, order.deadline = order.deadline, to
    order.save(update_fields=["deadline"])
    what = _("Date limite déplacée du %(was)s au %(to)s") % {"was": _day(was), "to": _day(to)}
    _write_down(order, what, by=by, now=now)
    return order


@transaction.atomic
def validate(order: GroupedOrder, *, by: User, now: datetime) -> GroupedOrder:
    """Hand the order over to LIBRISOFT as one classic order, in the transaction that says so.

    Allowed once the deadline is past and every sub-order is paid or cancelled (specification, « Validation »).
    Raises NotAllowed with the first reason why not.
    """
    order = GroupedOrder.objects.locked_for_moving(order.pk)
    for reason in validation_blockers(order, now):
        raise NotAllowed(reason)
    shop_order = outbox.hand_over(_hand_over(order, now))
    _move_order(
        order,
        OrderMove.VALIDATE,
        what=_("Commande validée et envoyée vers LIBRISOFT (commande classique n° %(number)s)")
        % {"number": shop_order.pk},
        by=by,
        now=now,
        validated_at=now,
        shop_order=shop_order,
    )
    return order


def validation_blockers(order: GroupedOrder, now: datetime) -> list[str]:
    """Why the bookseller cannot validate yet, in French, in the order he should read them; empty when he can."""
    if OrderStatus(order.status) not in ORDER_MOVES[OrderMove.VALIDATE]:
        return [_("Cette commande groupée a déjà été validée ou annulée.")]
    reasons = []
    sub_orders = order.sub_orders.recapitulation()
    if sub_orders.pending.sub_orders:
        reasons.append(
            _(
                "Des paiements sont en attente de traitement. "
                "Veuillez les valider ou les annuler dans la liste ci-dessous."
            )
        )
    elif Payment.objects.filter(sub_order__grouped_order=order).in_doubt().exists():
        reasons.append(_("Un paiement est en cours de vérification chez le prestataire : attendez son résultat."))
    if order.takes_sub_orders(now):
        days = order.days_left(now) + 1
        reasons.append(
            _("La date de clôture des commandes (%(day)s) n’est pas encore passée.") % {"day": _day(order.deadline)}
            + " "
            + ngettext(
                "Vous pourrez valider cette commande groupée dans %(days)d jour.",
                "Vous pourrez valider cette commande groupée dans %(days)d jours.",
                days,
            )
            % {"days": days}
        )
    elif not reasons and not sub_orders.paid.articles:
        reasons.append(_("Aucun exemplaire n’est payé : il n’y a rien à commander. Annulez plutôt cette commande."))
    return reasons


@transaction.atomic
def close(order: GroupedOrder, *, by: User, now: datetime) -> GroupedOrder:
    """« Mettre à disposition »: the books are ready, the order is closed, the initiator is told.

    Whatever LIBRISOFT's status says: it informs, the bookseller decides. Raises NotAllowed.
    """
    order = GroupedOrder.objects.locked_for_moving(order.pk)
    _move_order(
        order, OrderMove.CLOSE, what=_("Commande mise à disposition et clôturée"), by=by, now=now, closed_at=now
    )
    mails.order_available(order)
    return order


@transaction.atomic
def reopen(order: GroupedOrder, *, by: User, reason: str, now: datetime) -> GroupedOrder:
    """Take back a closing made by mistake. Asks a reason, sends nothing. Raises NotAllowed."""
    _require_reason(reason)
    order = GroupedOrder.objects.locked_for_moving(order.pk)
    _move_order(order, OrderMove.REOPEN, what=_("Clôture reprise"), by=by, reason=reason, now=now, closed_at=None)
    return order


@transaction.atomic
def note_librisoft_by_hand(
    order: GroupedOrder, *, number: str, status_label: str, by: User, reason: str, now: datetime
) -> GroupedOrder:
    """Where LIBRISOFT cannot be reached or refuses: the bookseller types its number and status in himself.

    An older remote status never overwrites it. Asks a reason. Raises NotAllowed.
    """
    _require_reason(reason)
    order = GroupedOrder.objects.locked_for_moving(order.pk)
    if order.shop_order is None:
        raise NotAllowed(_("Cette commande groupée n’est pas encore validée."))
    outbox.note_by_hand(order.shop_order, librisoft_number=number, status_label=status_label, now=now)
    what = _("Saisi à la main : LIBRISOFT n° %(number)s, statut « %(status)s »") % {
        "number": number or "—",
        "status": status_label or "—",
    }
    _write_down(order, what, by=by, reason=reason, now=now)
    return order


@transaction.atomic
def cancel(order: GroupedOrder, *, by: User, reason: str, now: datetime) -> list[SubOrder]:
    """Cancel the whole order and every sub-order in it; return those that had been paid, to be refunded.

    `checkout.cancel_order` is the verb to call: it cares for the money in the same transaction. Raises NotAllowed.
    """
    order = GroupedOrder.objects.locked_for_moving(order.pk)
    _move_order(
        order,
        OrderMove.CANCEL,
        what=_("Commande groupée annulée"),
        by=by,
        reason=reason,
        now=now,
        cancelled_at=now,
    )
    if order.shop_order is not None and not outbox.withdraw(order.shop_order):
        _write_down(order, _("LIBRISOFT a déjà cette commande : à annuler aussi dans LIBRISOFT"), now=now)
    live = order.sub_orders.exclude(status=SubOrderStatus.CANCELLED).select_for_update(of=("self",)).order_by("pk")
    paid = []
    for sub_order in live:
        if sub_order.status == SubOrderStatus.PAID:
            paid.append(sub_order)
        _move_sub_order(sub_order, SubOrderMove.CANCEL, by=by, reason=reason, now=now, cancelled_at=now)
    mails.order_cancelled(order, reason=reason)
    return paid


# The sub-orders -------------------------------------------------------------------------------


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
                "day": _day(order.deadline)
            }
        case _other:
            return _("Cette commande groupée est déjà partie chez le libraire : il n’est plus possible de commander.")


def mark_paid(sub_order: SubOrder, *, by: User | None = None, now: datetime) -> None:
    """The verdict « Payée », for `checkout` alone: in its transaction, under its locks, beside its payment rows."""
    _move_sub_order(sub_order, SubOrderMove.PAY, by=by, now=now, paid_at=now)
    mails.sub_order_paid(sub_order)


def cancel_sub_order(sub_order: SubOrder, *, by: User | None, reason: str, now: datetime) -> None:
    """Cancel one sub-order of an order that is not validated yet; for `checkout`, which holds the locks and the money.

    Raises NotAllowed.
    """
    if sub_order.grouped_order.status != OrderStatus.OPEN:
        raise NotAllowed(_("Cette commande groupée est déjà validée ou annulée : ses sous-commandes ne changent plus."))
    _move_sub_order(sub_order, SubOrderMove.CANCEL, by=by, reason=reason, now=now, cancelled_at=now)


# The two writers, and the journal -------------------------------------------------------------


def _move_order(
    order: GroupedOrder,
    move: OrderMove,
    *,
    what: str,
    by: User | None,
    now: datetime,
    reason: str = "",
    **facts: datetime | ShopOrder | None,
) -> None:
    was = OrderStatus(order.status)
    target = ORDER_MOVES[move].get(was)
    if target is None:
        raise NotAllowed(
            _("Cette commande groupée est « %(status)s » : %(move)s impossible.")
            % {"status": was.label, "move": move.label}
        )
    order.status = target
    _save(order, facts)
    _write_down(order, what, by=by, reason=reason, now=now, from_status=was, to_status=target)


def _move_sub_order(
    sub_order: SubOrder,
    move: SubOrderMove,
    *,
    by: User | None,
    now: datetime,
    reason: str = "",
    **facts: datetime | None,
) -> None:
    was = SubOrderStatus(sub_order.status)
    target = SUB_ORDER_MOVES[move].get(was)
    if target is None:
        raise NotAllowed(
            _("Cette sous-commande est « %(status)s » : %(move)s impossible.")
            % {"status": was.label, "move": move.label}
        )
    sub_order.status = target
    _save(sub_order, facts)
    what = _("Sous-commande n° %(number)s : %(status)s") % {"number": sub_order.pk, "status": target.label}
    _write_down(
        sub_order.grouped_order,
        what,
        sub_order=sub_order,
        by=by,
        reason=reason,
        now=now,
        from_status=was,
        to_status=target,
    )


def _save(thing: GroupedOrder | SubOrder, facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        setattr(thing, name, value)
    thing.save(update_fields=["status", *facts])


def _write_down(
    order: GroupedOrder,
    what: str,
    *,
    now: datetime,
    sub_order: SubOrder | None = None,
    by: User | None = None,
    reason: str = "",
    from_status: str = "",
    to_status: str = "",
) -> None:
    JournalEntry.objects.create(
        grouped_order=order,
        sub_order=sub_order,
        actor=by,
        what=what,
        reason=reason,
        from_status=from_status,
        to_status=to_status,
        at=now,
    )


# What the verbs share -------------------------------------------------------------------------


def _refuse_past(deadline: date, now: datetime) -> None:
    if deadline < timezone.localdate(now):
        raise NotAllowed(_("La date limite ne peut pas être passée : choisissez aujourd’hui ou un jour suivant."))


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise NotAllowed(_("Dites pourquoi : le motif est gardé dans le journal."))


def _day(day: date) -> str:
    return date_format(day, "d/m/Y")


def _copy(prefix: str, address: PostalAddress) -> dict[str, str]:
    return {f"{prefix}_{field}": value for field, value in address._asdict().items()}


def _hand_over(order: GroupedOrder, now: datetime) -> HandOver:
    """What LIBRISOFT is told: the collectivity, the quantities, the amounts; no buyer."""
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
