"""The verbs of a group order."""

from datetime import date, datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog.models import Book
from collectivities.models import Address, User
from collectivities.postal import PostalAddress
from grouped_orders import mails
from grouped_orders.lifecycle.handing import hand_over_of
from grouped_orders.lifecycle.moving import NotAllowed, day_of, move_order, move_sub_order, write_down
from grouped_orders.models import GroupedOrder, Payment, SubOrder
from grouped_orders.statuses import ORDER_MOVES, OrderMove, OrderStatus, PickupMode, SubOrderMove, SubOrderStatus
from librisoft_bridge import outbox


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
    write_down(order, _("Commande groupée créée"), by=initiator, now=now, to_status=order.status)
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
    what = _("Date limite déplacée du %(was)s au %(to)s") % {"was": day_of(was), "to": day_of(to)}
    write_down(order, what, by=by, now=now)
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
    shop_order = outbox.hand_over(hand_over_of(order, now))
    move_order(
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
            _("La date de clôture des commandes (%(day)s) n’est pas encore passée.") % {"day": day_of(order.deadline)}
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
    move_order(order, OrderMove.CLOSE, what=_("Commande mise à disposition et clôturée"), by=by, now=now, closed_at=now)
    mails.order_available(order)
    return order


@transaction.atomic
def reopen(order: GroupedOrder, *, by: User, reason: str, now: datetime) -> GroupedOrder:
    """Take back a closing made by mistake. Asks a reason, sends nothing. Raises NotAllowed."""
    _require_reason(reason)
    order = GroupedOrder.objects.locked_for_moving(order.pk)
    move_order(order, OrderMove.REOPEN, what=_("Clôture reprise"), by=by, reason=reason, now=now, closed_at=None)
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
    write_down(order, what, by=by, reason=reason, now=now)
    return order


@transaction.atomic
def cancel(order: GroupedOrder, *, by: User, reason: str, now: datetime) -> list[SubOrder]:
    """Cancel the whole order and every sub-order in it; return those that had been paid, to be refunded.

    `checkout.cancel_order` is the verb to call: it cares for the money in the same transaction. Raises NotAllowed.
    """
    order = GroupedOrder.objects.locked_for_moving(order.pk)
    move_order(
        order,
        OrderMove.CANCEL,
        what=_("Commande groupée annulée"),
        by=by,
        reason=reason,
        now=now,
        cancelled_at=now,
    )
    if order.shop_order is not None and not outbox.withdraw(order.shop_order, now=now):
        write_down(order, _("LIBRISOFT a déjà cette commande : à annuler aussi dans LIBRISOFT"), now=now)
    live = order.sub_orders.exclude(status=SubOrderStatus.CANCELLED).select_for_update(of=("self",)).order_by("pk")
    paid = []
    for sub_order in live:
        if sub_order.status == SubOrderStatus.PAID:
            paid.append(sub_order)
        move_sub_order(sub_order, SubOrderMove.CANCEL, by=by, reason=reason, now=now, cancelled_at=now)
    mails.order_cancelled(order, reason=reason)
    return paid


def _refuse_past(deadline: date, now: datetime) -> None:
    if deadline < timezone.localdate(now):
        raise NotAllowed(_("La date limite ne peut pas être passée : choisissez aujourd’hui ou un jour suivant."))


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise NotAllowed(_("Dites pourquoi : le motif est gardé dans le journal."))


def _copy(prefix: str, address: PostalAddress) -> dict[str, str]:
    return {f"{prefix}_{field}": value for field, value in address._asdict().items()}
