"""`settle`: ask the provider what became of an attempt, act on it once, and write down what is true."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from grouped_orders import lifecycle, mails, payments
from grouped_orders.checkout.following import follow_refunds, tell_difference
from grouped_orders.checkout.locking import hold_payment
from grouped_orders.checkout.refunding import request_refund
from grouped_orders.models import Capture, Payment, SubOrder
from grouped_orders.models.order import deadline_end
from grouped_orders.models.payment import PaymentQuerySet
from grouped_orders.payments.base import CaptureInfo, PaymentProvider, Refused, Snapshot, Unknown
from grouped_orders.statuses import (
    OPEN_STATES,
    CaptureStatus,
    OrderStatus,
    PaymentMethod,
    PaymentState,
    SubOrderStatus,
)

# A payment begun before the deadline may finish this long after it.
GRACE = timedelta(minutes=30)
# While a capture is being asked for, nobody else asks.
LEASE = timedelta(seconds=90)
# After this long an attempt nobody approved is dead.
LIFETIME = timedelta(hours=72)
# Counted no further: a page reloaded for ever must not overflow its column.
MOST_CHECKS = 1000
WAITS = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 60)]


def settle(payment: Payment, *, now: datetime) -> Payment:
    """Find out what became of this attempt and record it; return it as it is afterwards.

    Idempotent, and safe from return page, webhook, clock and button at once. Never raises for a provider that
    does not answer: the payment then stays as it was and is asked about again.
    """
    if payment.method == PaymentMethod.BY_HAND:
        return payment
    if not payment.provider_ref:
        return _forget_unborn(payment, now)
    try:
        provider = payments.provider(payment.method)
        snapshot = provider.fetch(payment.provider_ref)
        if snapshot.phase == "approved":
            return _capture(payment, snapshot, provider, now)
        if snapshot.phase == "open" and payment.state == PaymentState.SUPERSEDED:
            snapshot = provider.expire(payment.provider_ref)
    except Unknown:
        return _ask_again(payment, now)
    except Refused as no:
        return _record_dead(payment, no, now)
    return _record(payment, snapshot, now)


def shut_card_pages(attempts: PaymentQuerySet, *, now: datetime) -> None:
    """Before money is taken: no page among these attempts may take it too.

    Only those that take money at the payer's click matter; PayPal's moves at our own capture.
    """
    for rival in attempts.filter(method=PaymentMethod.CARD, next_check_at__isnull=False):
        settle(supersede(rival, reason=_("Remplacé par un autre paiement"), now=now), now=now)


@transaction.atomic
def supersede(payment: Payment, *, reason: str, now: datetime) -> Payment:
    """Another attempt, or a decision, takes the place of this one; a no-op once money may have moved.

    Returns the attempt as it is then: `settle` shuts the page of a superseded one, and of no other.
    """
    payment = hold_payment(payment)
    if payment.state not in (*OPEN_STATES, PaymentState.ABANDONED):
        return payment
    payment.state, payment.reason = PaymentState.SUPERSEDED, reason
    # PayPal moves money only at our capture, which will not come; a card page must still be shut.
    payment.next_check_at = None if payment.method == PaymentMethod.PAYPAL else now
    payment.save(update_fields=["state", "reason", "next_check_at"])
    return payment


# Taking the money (providers that leave it to us) ---------------------------------------------


def _capture(payment: Payment, snapshot: Snapshot, provider: PaymentProvider, now: datetime) -> Payment:
    if wrong := _mismatch(payment, snapshot):
        return _decline(payment, wrong, now)
    shut_card_pages(payment.sub_order.payments.exclude(pk=payment.pk), now=now)
    payment, ours = _claim(payment, now)
    if not ours:
        return payment
    assert payment.provider_ref is not None
    try:
        snapshot = provider.capture(payment.provider_ref, key=f"cap-{payment.public_id}-{payment.capture_seq}")
    except Unknown:
        return _ask_again(payment, now)
    except Refused as no:
        return _record_refused(payment, no, now)
    return _record(payment, snapshot, now)


def _mismatch(payment: Payment, snapshot: Snapshot) -> str:
    """What is approved must be what we asked: amount, currency, payee and our own reference."""
    if snapshot.money is None or snapshot.money != (payment.amount, payment.currency):
        return _("Le montant approuvé n’est pas celui qui était demandé")
    if snapshot.our_id != payment.public_id:
        return _("La référence approuvée n’est pas la nôtre")
    if snapshot.payee and snapshot.payee not in payments.payees(PaymentMethod(payment.method)):
        return _("Le bénéficiaire n’est pas la librairie")
    return ""


@transaction.atomic
def _claim(payment: Payment, now: datetime) -> tuple[Payment, bool]:
    """Decide under lock whether the money may be taken now, and by us alone."""
    payment = hold_payment(payment)
    if _is_leased(payment, now):
        return payment, False
    if payment.state not in (*OPEN_STATES, PaymentState.ABANDONED, PaymentState.CAPTURING):
        _leave(payment, now)
        return payment, False
    if not _may_take_money(payment, now):
        _set_declined(payment, _("La commande ne pouvait plus prendre ce paiement"), now)
        return payment, False
    payment.state, payment.lease_until, payment.next_check_at = PaymentState.CAPTURING, now + LEASE, now + LEASE
    try:
        with transaction.atomic():
            payment.save(update_fields=["state", "lease_until", "next_check_at"])
    except IntegrityError:  # payment_one_holds_a_sub_order: another attempt is taking the money
        payment.refresh_from_db(fields=["state", "lease_until", "next_check_at"])
        return _ask_again(payment, now), False
    return payment, True


def _is_leased(payment: Payment, now: datetime) -> bool:
    """Somebody is asking for the money at this moment, and will write down the answer."""
    return payment.state == PaymentState.CAPTURING and payment.lease_until is not None and payment.lease_until > now


def _leave(payment: Payment, now: datetime) -> None:
    """Approved, and not to be taken any more: the payer is told, who may believe that he has paid."""
    if payment.state in (PaymentState.SUPERSEDED, PaymentState.EXPIRED):
        payment.reason = payment.reason or _("Ce paiement avait expiré")
        mails.payment_superseded(payment)
    payment.next_check_at = _next_look(payment, now)
    payment.save(update_fields=["reason", "next_check_at"])


def _next_look(payment: Payment, now: datetime) -> datetime | None:
    """An attempt given up is looked at again only if its money was asked for once and nobody knows the answer."""
    asked_for = payment.lease_until is not None and payment.created_at + LIFETIME > now
    return now + WAITS[-1] if asked_for else None


def _may_take_money(payment: Payment, now: datetime) -> bool:
    sub_order, order = payment.sub_order, payment.sub_order.grouped_order
    payable = sub_order.status == SubOrderStatus.PENDING and order.status == OrderStatus.OPEN
    return payable and _is_in_time(payment, now)


def _is_in_time(payment: Payment, at: datetime) -> bool:
    """Before the deadline; or within the grace after it, when the payment was begun before."""
    end = deadline_end(payment.sub_order.grouped_order.deadline)
    return at < end or (payment.created_at < end and at < end + GRACE)


@transaction.atomic
def _decline(payment: Payment, reason: str, now: datetime) -> Payment:
    payment = hold_payment(payment)
    if payment.state in (*OPEN_STATES, PaymentState.ABANDONED):
        _set_declined(payment, reason, now)
    elif not _is_leased(payment, now):
        _leave(payment, now)
    return payment


def _set_declined(payment: Payment, reason: str, now: datetime) -> None:
    """Approved by the payer, and not taken: he is told that nothing was debited."""
    payment.state, payment.reason = PaymentState.SUPERSEDED, reason
    payment.next_check_at = _next_look(payment, now)
    payment.save(update_fields=["state", "reason", "next_check_at"])
    _alert(payment.sub_order, _("Paiement approuvé mais non débité"), reason, now)
    mails.payment_superseded(payment)


@transaction.atomic
def _record_refused(payment: Payment, no: Refused, now: datetime) -> Payment:
    """The provider would not take the money. The payer can mend it with another card, or begin again."""
    payment = hold_payment(payment)
    if payment.state != PaymentState.CAPTURING:
        return payment
    payment.lease_until, payment.reason, payment.debug_id = None, no.code, no.debug_id[:60]
    if no.by_payer:
        payment.state, payment.capture_seq = PaymentState.REDIRECTED, payment.capture_seq + 1
        payment.next_check_at = now + WAITS[0]
    else:
        payment.state, payment.next_check_at = PaymentState.FAILED, None
    payment.save(update_fields=["state", "lease_until", "reason", "debug_id", "capture_seq", "next_check_at"])
    return payment


# Writing down what is true --------------------------------------------------------------------


@transaction.atomic
def _record(payment: Payment, snapshot: Snapshot, now: datetime) -> Payment:
    payment = hold_payment(payment)
    known = set(payment.captures.received())
    captures = [_upsert(payment, info, now) for info in snapshot.captures]
    follow_refunds(payment, snapshot.refunds, now=now)
    states = {capture.status for capture in captures}
    rivals = payment.sub_order.payments.exclude(pk=payment.pk)
    if payment.state == PaymentState.CAPTURED:
        _set_state(payment, PaymentState.CAPTURED, now, asks_again=CaptureStatus.PENDING in states)
        _give_back(payment, [capture for capture in captures if capture not in known], now)
    elif CaptureStatus.COMPLETED in states and rivals.in_doubt().exists():
        # Which of the two counts is known when the other one is.
        return _ask_again(payment, now)
    elif CaptureStatus.COMPLETED in states:
        _record_received(payment, snapshot, captures, now)
    elif CaptureStatus.PENDING in states:
        payment.set_aside = rivals.holding().exists()
        _set_state(payment, PaymentState.PENDING, now, asks_again=True)
    elif states:
        if payment.state == PaymentState.PENDING:
            _alert(payment.sub_order, _("Paiement en attente finalement refusé"), captures[-1].reason, now)
            mails.payment_denied(payment)
        _set_state(payment, PaymentState.FAILED, now, reason=captures[-1].reason)
    elif _is_leased(payment, now):
        pass  # an answer from before the money was asked for; whoever asked for it writes down what became of it
    elif snapshot.phase == "dead" or payment.created_at + LIFETIME < now:
        superseded = payment.state == PaymentState.SUPERSEDED
        _set_state(payment, PaymentState.SUPERSEDED if superseded else PaymentState.EXPIRED, now)
    elif payment.state == PaymentState.CAPTURING:
        # The answer was lost, and it was no: the order waits for the payer again. The old key would repeat the no.
        payment.capture_seq += 1
        payment.save(update_fields=["capture_seq"])
        _set_state(payment, PaymentState.REDIRECTED, now, asks_again=True)
    else:
        state = PaymentState.REDIRECTED if payment.state in OPEN_STATES else PaymentState(payment.state)
        _set_state(payment, state, now, asks_again=True)
    return payment


def _upsert(payment: Payment, info: CaptureInfo, now: datetime) -> Capture:
    """One row for a capture, as the provider shows it; an answer that comes late does not unsay money received."""
    known = Capture.objects.filter(method=payment.method, provider_id=info.id).first()
    if known is not None and known.status == CaptureStatus.COMPLETED and info.status == CaptureStatus.PENDING:
        return known
    capture, _created = Capture.objects.update_or_create(
        method=payment.method,
        provider_id=info.id,
        defaults={"status": info.status, "fee": info.fee, "reason": info.reason[:120]},
        create_defaults={
            "payment": payment,
            "status": info.status,
            "amount": info.money.amount,
            "currency": info.money.currency,
            "fee": info.fee,
            "reason": info.reason[:120],
            "seen_at": now,
        },
    )
    return capture


def _record_received(payment: Payment, snapshot: Snapshot, captures: list[Capture], now: datetime) -> None:
    """Money came in: it is always recorded, whatever the order's state; what cannot count goes back."""
    sub_order = payment.sub_order
    # What went back before we knew of it does not count either.
    whole = [capture for capture in captures if _is_as_asked(capture) and capture.refundable > 0]
    as_asked = [] if _mismatch(payment, snapshot) else whole
    taken = sub_order.payments.exclude(pk=payment.pk).received().exists()
    late = any(info.at and not _is_in_time(payment, info.at) for info in snapshot.captures)
    counts = bool(as_asked) and sub_order.status == SubOrderStatus.PENDING and not taken and not late
    payment.set_aside = not counts
    reason = _("Paiement arrivé après la date limite") if late else ""
    waits = any(capture.status == CaptureStatus.PENDING for capture in captures)
    _set_state(payment, PaymentState.CAPTURED, now, reason=reason, asks_again=waits)
    if counts:
        lifecycle.mark_paid(sub_order, now=now)
        captures = [capture for capture in captures if capture != as_asked[0]]
    _give_back(payment, captures, now, wrong=_mismatch(payment, snapshot))


def _give_back(payment: Payment, captures: list[Capture], now: datetime, *, wrong: str = "") -> None:
    """Money that does not count goes back by itself, unless it is not what we asked for: a person looks at that."""
    sub_order = payment.sub_order
    for capture in captures:
        if capture.status != CaptureStatus.COMPLETED or capture.refundable <= 0:
            continue
        if wrong or not _is_as_asked(capture):
            _alert(sub_order, _("Montant reçu inattendu : à vérifier avec le prestataire"), wrong, now)
            said = {"money": f"{capture.amount:.2f}".replace(".", ","), "currency": capture.currency}
            what = _("Montant reçu inattendu, mis de côté : %(money)s %(currency)s") % said
            tell_difference(payment, capture.provider_id, what, now=now)
        else:
            _alert(sub_order, _("Paiement reçu en trop : il est remboursé"), sub_order.get_status_display(), now)
            request_refund(capture, by=None, reason=_("Paiement reçu en trop"), now=now)


def _is_as_asked(capture: Capture) -> bool:
    asked = (capture.payment.amount, capture.payment.currency)
    return capture.status == CaptureStatus.COMPLETED and (capture.amount, capture.currency) == asked


def _set_state(
    payment: Payment, state: PaymentState, now: datetime, *, asks_again: bool = False, reason: str = ""
) -> None:
    payment.state, payment.lease_until, payment.reason = state, None, (reason or payment.reason)[:300]
    payment.checks = min(payment.checks + 1, MOST_CHECKS)
    payment.next_check_at = now + _wait(payment.checks) if asks_again else None
    if state == PaymentState.CAPTURED and payment.captured_at is None:
        payment.captured_at = now
    payment.save(
        update_fields=["state", "lease_until", "reason", "checks", "next_check_at", "captured_at", "set_aside"]
    )


@transaction.atomic
def _ask_again(payment: Payment, now: datetime) -> Payment:
    """The provider does not say: nothing changes but the time of the next question."""
    payment = hold_payment(payment)
    payment.checks = min(payment.checks + 1, MOST_CHECKS)
    payment.next_check_at = now + _wait(payment.checks)
    payment.save(update_fields=["checks", "next_check_at"])
    return payment


@transaction.atomic
def _record_dead(payment: Payment, no: Refused, now: datetime) -> Payment:
    """The provider does not know this attempt (any more): it can no longer be paid."""
    payment = hold_payment(payment)
    if payment.state in (*OPEN_STATES, PaymentState.ABANDONED, PaymentState.SUPERSEDED):
        state = PaymentState.SUPERSEDED if payment.state == PaymentState.SUPERSEDED else PaymentState.EXPIRED
        _set_state(payment, state, now, reason=no.code)
    elif payment.state != PaymentState.CAPTURED:
        _ask_again(payment, now)
    return payment


@transaction.atomic
def _forget_unborn(payment: Payment, now: datetime) -> Payment:
    """Created here, never answered there: the payer got no page, so it cannot be paid."""
    payment = hold_payment(payment)
    if payment.state == PaymentState.CREATED and payment.created_at + LEASE < now:
        _set_state(payment, PaymentState.EXPIRED, now)
    elif payment.state != PaymentState.CREATED and payment.next_check_at is not None:
        # Superseded while its page was being made: if the page comes after all, it is written down and shut.
        _set_state(payment, PaymentState(payment.state), now)
    return payment


def _wait(checks: int) -> timedelta:
    return WAITS[min(max(checks, 1), len(WAITS)) - 1]


def _alert(sub_order: SubOrder, what: str, reason: str, now: datetime) -> None:
    what = _("Sous-commande n° %(number)s : %(what)s") % {"number": sub_order.pk, "what": what}
    lifecycle.write_down(sub_order.grouped_order, what, sub_order=sub_order, reason=reason, now=now)
