"""What the bookseller decides about money: a payment he received himself, a cancellation."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from collectivities.models import User
from grouped_orders import lifecycle, mails
from grouped_orders.checkout.locking import hold
from grouped_orders.checkout.refunding import request_refund
from grouped_orders.checkout.settling import settle, supersede
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import Capture, GroupedOrder, Payment, SubOrder
from grouped_orders.statuses import (
    OPEN_STATES,
    CaptureStatus,
    HandMethod,
    OrderStatus,
    PaymentMethod,
    PaymentState,
    SubOrderStatus,
)


def record_by_hand(sub_order: SubOrder, *, method: HandMethod, reference: str, by: User, now: datetime) -> Payment:
    """« Valider » : the bookseller was paid himself; the sub-order is paid, and who said so, how and when is kept.

    Raises NotAllowed while an online payment is being verified, or when there is nothing to pay.
    """
    _shut_pages(sub_order, now)
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


def cancel_sub_order(sub_order: SubOrder, *, by: User | None, reason: str, refund: bool, now: datetime) -> SubOrder:
    """« Annuler » one sub-order, before the order is validated; what was paid is asked back when `refund`.

    Money that arrives all the same is recorded and given back. Raises NotAllowed.
    """
    _shut_pages(sub_order, now)
    with transaction.atomic():
        sub_order = hold(sub_order).sub_order
        was_paid = sub_order.status == SubOrderStatus.PAID
        lifecycle.cancel_sub_order(sub_order, by=by, reason=reason, now=now)
        if was_paid and refund:
            _ask_back(sub_order, by=by, reason=reason, now=now)
        mails.sub_order_cancelled(sub_order, refunded=was_paid and refund)
    return sub_order


def cancel_order(order: GroupedOrder, *, by: User, reason: str, now: datetime) -> list[SubOrder]:
    """Cancel the whole order; every paid sub-order is asked back, each refund followed to its end.

    Returns the sub-orders that had been paid. Raises NotAllowed.
    """
    for sub_order in order.sub_orders.pending():
        _shut_pages(sub_order, now)
    with transaction.atomic():
        paid = lifecycle.cancel(order, by=by, reason=reason, now=now)
        for sub_order in paid:
            _ask_back(sub_order, by=by, reason=reason, now=now)
    return paid


def _shut_pages(sub_order: SubOrder, now: datetime) -> None:
    """No page may take money any more; one that has taken it already is settled first."""
    for payment in sub_order.payments.filter(state__in=[*OPEN_STATES, PaymentState.ABANDONED]):
        supersede(payment, reason=_("Décision de la librairie"), now=now)
        settle(payment, now=now)


def _refuse_doubt(sub_order: SubOrder) -> None:
    if sub_order.payments.in_doubt().exists():
        raise NotAllowed(
            _("Un paiement en ligne de cette sous-commande est en cours de vérification : attendez son résultat.")
        )


def _ask_back(sub_order: SubOrder, *, by: User | None, reason: str, now: datetime) -> None:
    for payment in sub_order.payments.received():
        for capture in payment.captures.received():
            request_refund(capture, by=by, reason=reason, now=now)
