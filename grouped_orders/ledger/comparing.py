"""The providers' own lists of what moved, held against our rows. A difference is told, never repaired."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from collectivities.models import User
from grouped_orders import mails, payments
from grouped_orders.lifecycle import NotAllowed, write_down
from grouped_orders.models import Capture, LedgerDifference, Payment, Refund
from grouped_orders.payments.base import Money, Movement
from grouped_orders.statuses import CaptureStatus, PaymentMethod, RefundSource, RefundState
from grouped_orders.templatetags.shop import euros

# What moved less than this long ago may be on its way to our rows, or to the provider's list (PayPal: three hours).
SETTLING = timedelta(hours=6)
# How far back a provider is asked: the longest that PayPal allows for one question is 31 days.
LOOK_BACK = timedelta(days=30)
# How far back our rows are looked for in that list. Shorter: money may have moved days before we knew of it.
OUR_LOOK_BACK = timedelta(days=14)
# By which the provider's clock may differ from ours.
CLOCKS = timedelta(hours=1)

# What `new_payment_id` makes. Money with another reference, or none, is of another business of the same account.
_OUR_ID = re.compile(r"[0-9a-f]{32}")


class Told(NamedTuple):
    """A difference before it is a row."""

    provider_id: str
    what: str
    payment: Payment | None = None


def compare(method: PaymentMethod, *, now: datetime) -> list[LedgerDifference]:
    """Compare a month of one provider's list with our rows, both ways; return the differences not told before.

    The bookshop gets a mail about these. Raises payments.base.Unknown when the list cannot be had whole: the next
    day's list holds the same days.
    """
    until = now - SETTLING
    since = now - LOOK_BACK
    movements = list(payments.provider(method).list_movements(since, until))
    found = [*_theirs(method, movements), *_ours(method, movements, now - OUR_LOOK_BACK, until - CLOCKS)]
    return _tell(method, found, now)


@transaction.atomic
def settle_difference(difference: LedgerDifference, *, by: User, note: str, now: datetime) -> LedgerDifference:
    """« Traité » : the bookseller looked into it; the note says what he found or did. Raises NotAllowed."""
    difference = LedgerDifference.objects.select_for_update(of=("self",)).get(pk=difference.pk)
    if difference.settled_at is not None:
        raise NotAllowed(_("Cet écart est déjà traité."))
    if not note.strip():
        raise NotAllowed(_("Dites ce qui a été constaté ou fait : c’est gardé avec l’écart."))
    difference.settled_at, difference.settled_by, difference.note = now, by, note
    difference.save(update_fields=["settled_at", "settled_by", "note"])
    if difference.payment is not None:
        sub_order = difference.payment.sub_order
        what = _("Écart avec le prestataire traité : %(what)s") % {"what": difference.what}
        write_down(sub_order.grouped_order, what[:300], sub_order=sub_order, by=by, reason=note, now=now)
    return difference


@transaction.atomic
def _tell(method: PaymentMethod, found: list[Told], now: datetime) -> list[LedgerDifference]:
    new = []
    for told in found:
        row, is_new = LedgerDifference.objects.get_or_create(
            method=method,
            provider_id=told.provider_id[:120],
            what=told.what[:300],
            defaults={"payment": told.payment, "found_at": now},
        )
        if is_new:
            new.append(row)
    if new:
        mails.provider_differs(new)
    return new


# What the provider has --------------------------------------------------------------------------


def _theirs(method: PaymentMethod, movements: list[Movement]) -> Iterator[Told]:
    """Each movement of theirs has its row of ours, for the same money."""
    ids = {movement.id for movement in movements} | {movement.of for movement in movements if movement.of}
    our_ids = {movement.our_id for movement in movements if movement.our_id}
    captures = {
        capture.provider_id: capture
        for capture in Capture.objects.filter(method=method, provider_id__in=ids).select_related("payment")
    }
    refunds = list(
        Refund.objects.filter(Q(provider_id__in=ids) | Q(public_id__in=our_ids), capture__method=method)
        .select_related("capture__payment")
        .order_by("pk")
    )
    by_provider_id = {refund.provider_id: refund for refund in refunds if refund.provider_id}
    by_our_id = {refund.public_id: refund for refund in refunds}
    named = {payment.public_id: payment for payment in Payment.objects.filter(public_id__in=our_ids)}
    for movement in movements:
        about = captures.get(movement.id) or captures.get(movement.of or "")
        refund = by_provider_id.get(movement.id) or by_our_id.get(movement.our_id or "")
        payment = about.payment if about else refund.capture.payment if refund else named.get(movement.our_id or "")
        if payment is None and not _OUR_ID.fullmatch(movement.our_id or ""):
            continue
        match movement.kind:
            case "capture":
                what = _judge_capture(movement, captures.get(movement.id))
            case "refund":
                what = _judge_refund(movement, refund)
            case _other:
                what = _("%(money)s : litige ou correction chez le prestataire, le %(day)s") % _said(movement)
        if what:
            yield Told(movement.id, what, payment)


def _judge_capture(movement: Movement, ours: Capture | None) -> str:
    said = _said(movement)
    if ours is None:
        return _("%(money)s encaissés chez le prestataire le %(day)s, inconnus ici") % said
    if ours.status != CaptureStatus.COMPLETED:
        if ours.payment.next_check_at is not None:
            return ""  # the clock asks about it, and will write the same
        said["state"] = str(CaptureStatus(ours.status).label)
        return _("%(money)s encaissés chez le prestataire le %(day)s, « %(state)s » ici") % said
    if (ours.amount, ours.currency) != movement.money:
        said["ours"] = _printed(Money(ours.amount, ours.currency))
        return _("%(money)s encaissés chez le prestataire le %(day)s, %(ours)s ici") % said
    return ""


def _judge_refund(movement: Movement, ours: Refund | None) -> str:
    said = _said(movement)
    if ours is None:
        return _("%(money)s remboursés chez le prestataire le %(day)s, inconnus ici") % said
    if ours.source == RefundSource.BY_HAND:
        return _("%(money)s remboursés chez le prestataire le %(day)s, et notés remboursés à la main ici") % said
    if ours.state == RefundState.FAILED:
        said["state"] = str(RefundState(ours.state).label)
        return _("%(money)s remboursés chez le prestataire le %(day)s, « %(state)s » ici") % said
    if (ours.amount, ours.capture.currency) != movement.money:
        said["ours"] = _printed(Money(ours.amount, ours.capture.currency))
        return _("%(money)s remboursés chez le prestataire le %(day)s, %(ours)s ici") % said
    return ""


# What we have -----------------------------------------------------------------------------------


def _ours(method: PaymentMethod, movements: list[Movement], since: datetime, until: datetime) -> Iterator[Told]:
    """Each completed capture and refund of ours, known between these instants, is in the provider's list."""
    captured = {movement.id for movement in movements if movement.kind == "capture"}
    given_back = {
        name for movement in movements if movement.kind == "refund" for name in (movement.id, movement.our_id)
    }
    captures = Capture.objects.received().filter(
        method=method, payment__captured_at__gte=since, payment__captured_at__lt=until
    )
    for capture in captures.select_related("payment"):
        if capture.provider_id not in captured:
            money = _printed(Money(capture.amount, capture.currency))
            what = _("%(money)s encaissés ici, absents de la liste du prestataire") % {"money": money}
            yield Told(capture.provider_id, what, capture.payment)
    refunds = Refund.objects.filter(
        capture__method=method, state=RefundState.DONE, done_at__gte=since, done_at__lt=until
    ).exclude(source=RefundSource.BY_HAND)
    for refund in refunds.select_related("capture__payment"):
        if given_back.isdisjoint((refund.provider_id, refund.public_id)):
            money = _printed(Money(refund.amount, refund.capture.currency))
            what = _("%(money)s remboursés ici, absents de la liste du prestataire") % {"money": money}
            yield Told(refund.provider_id or refund.public_id, what, refund.capture.payment)


def _said(movement: Movement) -> dict[str, str]:
    return {"money": _printed(movement.money), "day": timezone.localtime(movement.at).strftime("%d/%m/%Y")}


def _printed(money: Money) -> str:
    return euros(money.amount) if money.currency == "EUR" else f"{money.amount:.2f} {money.currency}"
