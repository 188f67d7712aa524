"""Money given back: asked for in a row, sent by the clock, followed to its end."""

from datetime import datetime, timedelta
from decimal import Decimal

from celery import current_app
from django.db import transaction
from django.utils.translation import gettext as _

from collectivities.models import User
from grouped_orders import mails, payments
from grouped_orders.checkout.locking import hold
from grouped_orders.lifecycle import NotAllowed, write_down
from grouped_orders.models import Capture, Refund, SubOrder
from grouped_orders.payments.base import Money, RefundInfo, Refused, Unknown
from grouped_orders.statuses import CaptureStatus, PaymentMethod, RefundSource, RefundState
from grouped_orders.templatetags.shop import euros

MAX_WAIT = timedelta(hours=1)


@transaction.atomic
def request_refund(
    capture: Capture,
    *,
    amount: Decimal | None = None,
    left: Decimal | None = None,
    by_hand: bool = False,
    by: User | None,
    reason: str,
    now: datetime,
) -> Refund:
    """Ask for money to be given back: what is left of the capture, or `amount` of it, in euros.

    `left` is what was left when somebody decided: a second click finds another sum and is refused. What was paid
    by hand is given back by hand: such a refund waits for `note_refunded_by_hand`. Raises NotAllowed, also when
    it is more than what is left.
    """
    capture = _hold_capture(capture.pk)
    refundable = capture.refundable
    if left is not None and left != refundable:
        raise NotAllowed(_("Un remboursement de ce paiement vient d’être demandé : vérifiez ce qu’il en reste."))
    amount = refundable if amount is None else amount
    if capture.status != CaptureStatus.COMPLETED or not 0 < amount <= refundable:
        raise NotAllowed(_("Il ne reste pas ce montant à rembourser sur ce paiement."))
    by_hand = by_hand or capture.method == PaymentMethod.BY_HAND
    refund = Refund.objects.create(
        capture=capture,
        amount=amount,
        source=RefundSource.BY_HAND if by_hand else RefundSource.ONLINE,
        reason=reason,
        requested_by=by,
        requested_at=now,
        next_try_at=None if by_hand else now,
    )
    write_down_refund(refund, _("Remboursement demandé"), by=by, now=now)
    replace_failed(capture, refund, now=now)
    if not by_hand:
        # A doorbell only: the clock sends what is due, whether this is heard or not.
        transaction.on_commit(lambda: current_app.send_task("grouped_orders.clock.send_refunds"), robust=True)
    return refund


@transaction.atomic
def retry_refund(refund: Refund, *, by: User, now: datetime) -> Refund:
    """« Réessayer » : a refund the provider refused is asked for anew, under another key; return the new one.

    The same key would only be given the same answer. Raises NotAllowed when there is nothing to retry.
    """
    refund = _hold(refund)
    if not refund.may_be_retried:
        raise NotAllowed(_("Ce remboursement n’est plus à réessayer."))
    again = request_refund(refund.capture, amount=refund.amount, by=by, reason=refund.reason, now=now)
    refund.replaced_by = again
    refund.save(update_fields=["replaced_by"])
    return again


def send_refund(refund: Refund, *, now: datetime) -> Refund:
    """Ask the provider to give it back, or how far it is. Safe to repeat: the same key, so the same refund."""
    if refund.source == RefundSource.BY_HAND:
        return refund
    money = Money(refund.amount, refund.capture.currency)
    try:
        # Without credentials it is not known either: one such refund must not stop the others.
        provider = payments.provider(PaymentMethod(refund.capture.method))
        if refund.provider_id:
            answer = provider.fetch_refund(refund.provider_id)
        else:
            answer = provider.refund(
                refund.capture.provider_id, money, our_id=refund.public_id, key=f"rf-{refund.public_id}"
            )
    except Refused as no:
        return record_answer(refund, now=now, error=no.code)
    except Unknown as doubt:
        return _postpone(refund, now=now, error=str(doubt))
    return record_answer(refund, now=now, answer=answer)


@transaction.atomic
def note_refunded_by_hand(refund: Refund, *, by: User | None, note: str, now: datetime) -> Refund:
    """The bookseller gave the money back himself, and notes how. Raises NotAllowed when it is done or on its way."""
    refund = _hold(refund)
    if not refund.waits_by_hand:
        raise NotAllowed(_("Ce remboursement est déjà fait ou en cours chez le prestataire."))
    if not note.strip():
        raise NotAllowed(_("Dites comment l’argent a été rendu : c’est gardé avec le remboursement."))
    if refund.state == RefundState.FAILED and refund.amount > refund.capture.refundable:
        raise NotAllowed(_("Il ne reste pas ce montant à rembourser sur ce paiement."))
    refund.source, refund.note = RefundSource.BY_HAND, note
    refund.save(update_fields=["source", "note"])
    _finish(refund, now=now, note=_("à la main : %(note)s") % {"note": note}, by=by)
    replace_failed(refund.capture, refund, now=now)
    return refund


@transaction.atomic
def record_answer(refund: Refund, *, now: datetime, answer: RefundInfo | None = None, error: str = "") -> Refund:
    """Write down what the provider says of a refund: its answer, or the code of its refusal.

    What is known already changes nothing, and nobody is told twice. Only an answer undoes another: a refusal may be
    one of a second question. A bank may send the money back days after « done ».
    """
    refund = _hold(refund)
    status = answer.status if answer else "FAILED"
    known = {RefundState.DONE: ("COMPLETED", "PENDING"), RefundState.FAILED: ("FAILED",)}
    ended = refund.state in known
    if ended and (answer is None or status in known[RefundState(refund.state)]):
        return refund
    refund.tries += 1
    if answer is not None:
        refund.provider_id = answer.id
    if status == "COMPLETED":
        _finish(refund, now=now)
    elif status == "PENDING":
        refund.state, refund.next_try_at, refund.replaced_by = RefundState.PENDING, now + _wait(refund.tries), None
    else:
        refund.error = error or (answer.reason if answer else "") or "FAILED"
        what = _("Remboursement annulé par le prestataire") if ended else _("Remboursement refusé par le prestataire")
        refund.state, refund.next_try_at, refund.done_at = RefundState.FAILED, None, None
        write_down_refund(refund, what, now=now, reason=refund.error)
    refund.save(update_fields=["tries", "provider_id", "state", "next_try_at", "error", "done_at", "replaced_by"])
    if refund.state == RefundState.FAILED:
        _yield_to_another(refund, now=now)
    return refund


@transaction.atomic
def _postpone(refund: Refund, *, now: datetime, error: str) -> Refund:
    refund = _hold(refund)
    refund.tries += 1
    refund.next_try_at = now + _wait(refund.tries)
    refund.error = error[:300]
    refund.save(update_fields=["tries", "next_try_at", "error"])
    return refund


def _finish(refund: Refund, *, now: datetime, note: str = "", by: User | None = None) -> None:
    refund.state, refund.done_at, refund.next_try_at, refund.error = RefundState.DONE, now, None, ""
    refund.replaced_by = None
    refund.save(update_fields=["state", "done_at", "next_try_at", "error", "replaced_by"])
    write_down_refund(refund, _("Remboursement fait"), by=by, now=now, reason=note)
    mails.refund_done(refund)


def _hold_capture(pk: int) -> Capture:
    """Lock a capture after its order and sub-order, as everywhere: what is left of it is decided by one at a time."""
    hold(SubOrder.objects.get(payments__captures=pk))
    captures = Capture.objects.select_for_update(of=("self",)).select_related("payment__sub_order__grouped_order")
    return captures.get(pk=pk)


def _hold(refund: Refund) -> Refund:
    """Lock a refund as it is now, after its capture."""
    capture = _hold_capture(refund.capture_id)
    fresh = Refund.objects.select_for_update(of=("self",)).get(pk=refund.pk)
    fresh.capture = capture
    return fresh


def replace_failed(capture: Capture, refund: Refund, *, now: datetime) -> None:
    """One that failed and no longer fits in what is left was made by another way: nobody is to make it again."""
    failed = capture.refunds.filter(state=RefundState.FAILED, replaced_by=None, amount__gt=capture.refundable)
    for old in failed.exclude(pk=refund.pk):
        _replace(old, refund, by_others=refund.amount, now=now)


def _yield_to_another(refund: Refund, *, now: datetime) -> None:
    """One that fails because the money went back by another way (at the provider's own dashboard) is not made again."""
    others = list(refund.capture.refunds.exclude(state=RefundState.FAILED).order_by("pk"))
    if others and refund.amount > refund.capture.refundable:
        since = sum(other.amount for other in others if other.requested_at >= refund.requested_at)
        _replace(refund, others[-1], by_others=Decimal(since), now=now)


def _replace(failed: Refund, other: Refund, *, by_others: Decimal, now: datetime) -> None:
    """What the others did not give back of it is still to be given back: it waits in its place for the bookseller."""
    rest = min(failed.amount - by_others, failed.capture.refundable)
    if rest > 0:
        other = Refund.objects.create(
            capture=failed.capture,
            amount=rest,
            state=RefundState.FAILED,
            reason=failed.reason,
            error=failed.error,
            requested_by=failed.requested_by,
            requested_at=now,
            next_try_at=None,
        )
        write_down_refund(other, _("Reste à rembourser"), now=now)
    failed.replaced_by = other
    failed.save(update_fields=["replaced_by"])


def _wait(tries: int) -> timedelta:
    return min(timedelta(minutes=1) * int(2 ** min(tries, 10)), MAX_WAIT)


def write_down_refund(refund: Refund, what: str, *, now: datetime, reason: str = "", by: User | None = None) -> None:
    sub_order = refund.capture.payment.sub_order
    write_down(
        sub_order.grouped_order,
        f"{what} : {euros(refund.amount)}",
        sub_order=sub_order,
        by=by,
        reason=reason or refund.reason,
        now=now,
    )
