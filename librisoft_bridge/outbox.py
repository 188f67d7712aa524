"""The way out: rows written in the caller's transaction; a task sends them, and the clock finds what was lost."""

import logging
from dataclasses import asdict
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from librisoft_bridge import tasks
from librisoft_bridge.handover import HandOver
from librisoft_bridge.models import ShopOrder, ShopOrderLine, StatusChange, Transmission
from librisoft_bridge.payload import money

log = logging.getLogger(__name__)


def hand_over(order: HandOver) -> ShopOrder:
    """Write the classic order down, to be sent after the caller's transaction commits.

    One group order is handed over once: a second raises IntegrityError.
    """
    shop_order = ShopOrder.objects.create(
        group_order_number=order.group_order_number,
        ordered_at=order.ordered_at,
        customer_code=order.customer.external_id,
        customer_name=order.customer.name,
        contact_name=order.customer.contact_name,
        contact_email=order.customer.email,
        contact_phone=order.customer.phone,
        billing_address=asdict(order.billing),
        delivery_mode=order.delivery_mode,
        delivery_address=asdict(order.delivery),
        payments=[{"method": share.method, "amount": money(share.amount)} for share in order.payments],
        customer_reference=order.customer_reference,
        comment=order.comment,
        waiting_since=order.ordered_at,
        next_try_at=order.ordered_at,
    )
    ShopOrderLine.objects.bulk_create(
        ShopOrderLine(shop_order=shop_order, line_number=number, **asdict(line))
        for number, line in enumerate(order.lines, start=1)
    )
    _ring(shop_order)
    return shop_order


def resend(shop_order: ShopOrder, *, now: datetime) -> bool:
    """« Renvoyer »: try again from the first try, under the same key. False when there is nothing to send again."""
    changed = (
        ShopOrder.objects.untaken(now)
        .filter(pk=shop_order.pk)
        .update(
            transmission=Transmission.WAITING,
            attempts=0,
            waiting_since=now,
            next_try_at=now,
            error="",
            staged=False,
            offered_at=None,
        )
    )
    if changed:
        _ring(shop_order)
    return bool(changed)


def withdraw(shop_order: ShopOrder, *, now: datetime) -> bool:
    """The group order is cancelled: do not send it any more. False when LIBRISOFT has it, or may have it.

    A call under way loses its claim; should its order arrive all the same, the row says so and asks for attention,
    as does one that LIBRISOFT has already.
    """
    order = ShopOrder.objects.filter(pk=shop_order.pk)
    order.update(withdrawn_at=now)
    order.exclude(transmission=Transmission.SENT).update(
        transmission=Transmission.WITHDRAWN, lease_token=None, lease_until=None
    )
    return order.filter(transmission=Transmission.WITHDRAWN, in_doubt=False, librisoft_number="").exists()


@transaction.atomic
def settle_withdrawn(shop_order: ShopOrder, *, now: datetime) -> bool:
    """The bookseller saw to it: LIBRISOFT does not have the cancelled order, or has it cancelled as well.

    False for an order that was not cancelled here.
    """
    withdrawn = ShopOrder.objects.select_for_update().filter(pk=shop_order.pk, withdrawn_at__isnull=False).first()
    if withdrawn is None:
        return False
    withdrawn.in_doubt = False
    withdrawn.save(update_fields=["in_doubt"])
    if withdrawn.librisoft_number:
        _note_status(withdrawn, _("Annulée"), code="CANCELLED", now=now)
    return True


@transaction.atomic
def note_by_hand(shop_order: ShopOrder, *, librisoft_number: str, status_label: str, now: datetime) -> None:
    """The bookseller's own word: the number, the status, or both; an empty one leaves what is there.

    With a number the order counts as sent, and a second number LIBRISOFT gave is settled: he has seen to it himself.
    """
    shop_order = ShopOrder.objects.select_for_update().get(pk=shop_order.pk)
    shop_order.set_by_hand_at = now
    if librisoft_number:
        shop_order.librisoft_number, shop_order.second_number = librisoft_number, ""
        shop_order.transmission, shop_order.sent_at = Transmission.SENT, shop_order.sent_at or now
        shop_order.in_doubt, shop_order.error = False, ""
        # A worker that still waits for its answer has lost its claim: it must not call this order refused.
        shop_order.lease_token = shop_order.lease_until = None
    shop_order.save()
    if status_label:
        _note_status(shop_order, status_label, now=now)


def _note_status(shop_order: ShopOrder, label: str, *, code: str = "", now: datetime) -> None:
    shop_order.remote_label, shop_order.remote_code, shop_order.remote_updated_at = label, code, now
    shop_order.status_typed_at = now
    shop_order.save(update_fields=["remote_label", "remote_code", "remote_updated_at", "status_typed_at"])
    StatusChange.objects.create(shop_order=shop_order, code=code, label=label, updated_at=now, seen_at=now)


def _ring(shop_order: ShopOrder) -> None:
    """The doorbell. A broker that is down costs a few seconds at most and fails nothing: the clock sends it."""
    transaction.on_commit(lambda: _publish(shop_order.pk), robust=True)


def _publish(pk: int) -> None:
    try:
        tasks.transmit.delay(pk)
    except (OperationalError, OSError):
        log.warning("The broker does not answer: shop order %d waits for the clock", pk)
