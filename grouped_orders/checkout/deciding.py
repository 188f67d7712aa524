"""What the bookseller decides about money: a payment he received himself, a cancellation."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from collectivities.models import User
from grouped_orders import lifecycle, mails
from grouped_orders.checkout.locking import hold
from grouped_orders.checkout.refunding import note_refunded_by_hand, request_refund
from grouped_orders.checkout.settling import settle, supersede
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import Capture, GroupedOrder, Payment, SubOrder
from grouped_orders.statuses import (
    OPEN_STATES,
    CaptureStatus,
    HandMethod,
    MoneyBack,
    OrderStatus,
    PaymentMethod,
    PaymentState,
    RefundState,
    SubOrderStatus,
)


def record_by_hand(sub_order: SubOrder, *, method: HandMethod, reference: str, by: User, now: datetime) -> Payment:
    """« Valider » : the bookseller was paid himself; the sub-order is paid, and who said so, how and when is kept.

    Raises NotAllowed while an online payment is being verified, or when there is nothing to pay.
    """
    shut_pages(sub_order, reason=_("Décision de la librairie"), now=now)
    with transaction.atomic():
        order, sub_order = hold(sub_order)
        if order.status != OrderStatus.OPEN:
            raise NotAllowed(_("Cette commande groupée est déjà validée ou annulée."))
        _refuse_doubt(sub_order)
        if sub_order.status == SubOrderStatus.PENDING:
            payment = Payment.objects.create(
                sub_order=sub_order,
                method=PaymentMethod.BY_HAND,
                amount=sub_order.total,
                state=PaymentState.CAPTURED,
                hand_method=method,
                hand_reference=reference,
                recorded_by=by,
                created_at=now,
                captured_at=now,
            )
            Capture.objects.create(
                payment=payment,
                method=PaymentMethod.BY_HAND,
                provider_id=payment.public_id,
                status=CaptureStatus.COMPLETED,
                amount=payment.amount,
                currency=payment.currency,
                seen_at=now,
            )
            lifecycle.mark_paid(sub_order, by=by, now=now)
            return payment
        raise NotAllowed(_("Cette sous-commande n’est plus en attente de paiement."))


def cancel_sub_order(
    sub_order: SubOrder, *, by: User | None, reason: str, refund: MoneyBack | None, note: str = "", now: datetime
) -> SubOrder:
    """« Annuler » one sub-order, before the order is validated.

    `refund` says what becomes of the money received; None when there was none, and nobody was asked. `note` says
    how it was given back by hand. Money that arrives all the same is recorded and given back. Raises NotAllowed,
    also when money is there and nobody decided about it.
    """
    shut_pages(sub_order, reason=_("Décision de la librairie"), now=now)
    with transaction.atomic():
        sub_order = hold(sub_order).sub_order
        kept = refundable_captures(sub_order)
        lifecycle.cancel_sub_order(sub_order, by=by, reason=reason, now=now)
        mails.sub_order_cancelled(sub_order, refunded=bool(kept) and refund != MoneyBack.NOTHING)
        for capture in kept:
            _decide(capture, refund, by=by, reason=reason, note=note, now=now)
    return sub_order


def refund_part(
    capture: Capture,
    *,
    amount: Decimal,
    left: Decimal,
    refund: MoneyBack,
    note: str = "",
    by: User,
    reason: str,
    now: datetime,
) -> None:
    """« Rembourser » some or all of what is left of a payment; its sub-order stays as it is.

    `left` is what the bookseller saw as left when he decided. Raises NotAllowed, also while another refund of the
    same payment waits to be retried: it would be forgotten.
    """
    with transaction.atomic():
        hold(capture.payment.sub_order)
        if capture.refunds.filter(state=RefundState.FAILED, replaced_by=None).exists():
            raise NotAllowed(
                _("Un remboursement de ce paiement a échoué : réessayez-le d’abord, ou notez-le remboursé à la main.")
            )
        _decide(capture, refund, amount=amount, left=left, by=by, reason=reason, note=note, now=now)


def refundable_captures(sub_order: SubOrder, *, set_aside: bool = False) -> list[Capture]:
    """The money that counts for a sub-order and has not all been given back; or the money that does not count.

    What came in by another currency than the euro is given back at the provider's own dashboard.
    """
    payments = sub_order.payments.filter(state=PaymentState.CAPTURED, set_aside=set_aside)
    captures = Capture.objects.received().filter(payment__in=payments, currency="EUR").select_related("payment")
    return [capture for capture in captures if capture.refundable > 0]


def cancel_order(order: GroupedOrder, *, by: User, reason: str, now: datetime) -> list[SubOrder]:
    """Cancel the whole order; every paid sub-order is asked back, each refund followed to its end.

    Returns the sub-orders that had been paid. Raises NotAllowed.
    """
    for sub_order in order.sub_orders.pending():
        shut_pages(sub_order, reason=_("Décision de la librairie"), now=now)
    with transaction.atomic():
        paid = lifecycle.cancel(order, by=by, reason=reason, now=now)
        for sub_order in paid:
            _ask_back(sub_order, by=by, reason=reason, now=now)
    return paid


def shut_pages(sub_order: SubOrder, *, reason: str, now: datetime) -> None:
    """No page may take money any more; one that has taken it already is settled first.

    The payer may read the reason.
    """
    for payment in sub_order.payments.filter(state__in=[*OPEN_STATES, PaymentState.ABANDONED]):
        settle(supersede(payment, reason=reason, now=now), now=now)


def _refuse_doubt(sub_order: SubOrder) -> None:
    if sub_order.payments.in_doubt().exists():
        raise NotAllowed(
            _("Un paiement en ligne de cette sous-commande est en cours de vérification : attendez son résultat.")
        )


def _decide(
    capture: Capture,
    refund: MoneyBack | None,
    *,
    amount: Decimal | None = None,
    left: Decimal | None = None,
    by: User | None,
    reason: str,
    note: str,
    now: datetime,
) -> None:
    if refund is None:
        raise NotAllowed(_("De l’argent a été reçu pour cette sous-commande : dites s’il est remboursé, et comment."))
    if refund == MoneyBack.NOTHING:
        sub_order = capture.payment.sub_order
        what = _("Sous-commande n° %(number)s : pas de remboursement") % {"number": sub_order.pk}
        lifecycle.write_down(sub_order.grouped_order, what, sub_order=sub_order, by=by, reason=reason, now=now)
        return
    if refund == MoneyBack.ONLINE and capture.method == PaymentMethod.BY_HAND:
        raise NotAllowed(_("Ce paiement a été réglé à la librairie : il ne peut pas être remboursé en ligne."))
    by_hand = refund == MoneyBack.BY_HAND
    made = request_refund(capture, amount=amount, left=left, by_hand=by_hand, by=by, reason=reason, now=now)
    if by_hand:
        note_refunded_by_hand(made, by=by, note=note, now=now)


def _ask_back(sub_order: SubOrder, *, by: User | None, reason: str, now: datetime) -> None:
    for capture in refundable_captures(sub_order):
        request_refund(capture, by=by, reason=reason, now=now)
