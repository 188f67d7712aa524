"""Refunds as the provider shows them: ours that went further, and those made at its own dashboard."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from grouped_orders import mails
from grouped_orders.checkout.refunding import record_answer, replace_failed, write_down_refund
from grouped_orders.models import Capture, LedgerDifference, Payment, Refund
from grouped_orders.payments.base import RefundInfo
from grouped_orders.statuses import RefundSource, RefundState, SubOrderStatus
from grouped_orders.templatetags.shop import euros


def follow_refunds(payment: Payment, shown: Iterable[RefundInfo], *, now: datetime) -> None:
    """Write down each refund that the provider shows; the caller holds the payment's lock.

    Ours are told by the provider's id, then by our own. Any other was made elsewhere: it becomes a row as well, and
    if the sub-order stays paid the bookseller gets it among his differences, since only he knows what it was for.
    """
    for info in shown:
        capture = payment.captures.filter(provider_id=info.of).first()
        if capture is None:
            continue  # the provider shows it without its capture: the daily comparison tells
        ours = Refund.objects.filter(Q(provider_id=info.id) | Q(public_id=info.our_id or ""), capture=capture).first()
        refund = ours or _note_elsewhere(capture, info, now)
        waits_on = refund is not None and refund.state == RefundState.PENDING and info.status == "PENDING"
        if refund is not None and refund.source != RefundSource.BY_HAND and not waits_on:
            record_answer(refund, answer=info, now=now)


def _note_elsewhere(capture: Capture, info: RefundInfo, now: datetime) -> Refund | None:
    """A row for a refund that was not asked for here; None for one that failed, which moved nothing.

    One that the bookseller noted by hand, for the same sum, is that one when there is no room for both: he made it
    at the dashboard, and the provider tells it too.
    """
    if info.status == "FAILED":
        return None
    noted = capture.refunds.filter(
        source=RefundSource.BY_HAND, state=RefundState.DONE, provider_id="", amount=info.money.amount
    ).first()
    if noted is not None and info.money.amount > capture.refundable:
        noted.source, noted.provider_id = RefundSource.EXTERNAL, info.id
        noted.save(update_fields=["source", "provider_id"])
        write_down_refund(noted, _("Remboursement noté à la main, constaté chez le prestataire"), now=now)
        return noted
    refund = Refund.objects.create(
        capture=capture,
        amount=info.money.amount,
        source=RefundSource.EXTERNAL,
        provider_id=info.id,
        reason=_("Fait chez le prestataire"),
        requested_at=now,
        next_try_at=now,
    )
    write_down_refund(refund, _("Remboursement constaté chez le prestataire"), now=now)
    replace_failed(capture, refund, now=now)
    _tell_bookseller(refund, now)
    return refund


def _tell_bookseller(refund: Refund, now: datetime) -> None:
    payment = refund.capture.payment
    if payment.set_aside or payment.sub_order.status != SubOrderStatus.PAID:
        return
    what = _("%(money)s remboursés chez le prestataire, alors que la sous-commande n° %(number)d reste « Payée »")
    what %= {"money": euros(refund.amount), "number": payment.sub_order_id}
    tell_difference(payment, refund.provider_id, what, now=now)


@transaction.atomic
def tell_dispute(payment: Payment, dispute_id: str, *, now: datetime) -> None:
    """The payer contests his payment. The provider decides, and the bookseller answers there: nothing is done here.

    What it moves is told by the daily comparison, a refund by its row; the sub-order stays what it is.
    """
    what = _("Litige ouvert sur le paiement de la sous-commande n° %(number)d : répondez dans l’espace du prestataire")
    tell_difference(payment, dispute_id[:120], what % {"number": payment.sub_order_id}, now=now)


def tell_difference(payment: Payment, provider_id: str, what: str, *, now: datetime) -> None:
    """Once: it stands among the bookseller's differences until he has looked into it, and he gets a mail."""
    difference, is_new = LedgerDifference.objects.get_or_create(
        method=payment.method, provider_id=provider_id, what=what, defaults={"payment": payment, "found_at": now}
    )
    if is_new:
        mails.provider_differs([difference])
