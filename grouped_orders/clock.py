"""What happens because time passes.

Rows are the queue: each of these may run twice, late, or after a flushed broker.
"""

import logging

from celery import shared_task
from django.utils import timezone

from grouped_orders import checkout, ledger, mails, payments, tasks
from grouped_orders.models import GroupedOrder, Payment, Refund
from grouped_orders.payments.base import Unknown
from librisoft_bridge.models import ShopOrder

log = logging.getLogger(__name__)

# What one run takes on, so that it ends before the next one begins.
BATCH = 50


@shared_task
def deliver_mails() -> None:
    """Send the mails that wait."""
    tasks.deliver_due(timezone.now())


@shared_task
def settle_payments() -> None:
    """Ask again about the payments whose fate is not known."""
    now = timezone.now()
    for payment in Payment.objects.due(now).select_related("sub_order").order_by("next_check_at")[:BATCH]:
        checkout.settle(payment, now=now)


@shared_task
def send_refunds() -> None:
    """Send the refunds that were asked for, and ask how far the others are."""
    now = timezone.now()
    for refund in Refund.objects.due(now).select_related("capture").order_by("next_try_at")[:BATCH]:
        checkout.send_refund(refund, now=now)


@shared_task
def tell_failed_transmissions() -> None:
    """Tell the bookshop, once for each failure, that LIBRISOFT refused an order, or the last try is over, or it waits.

    And once for each, that LIBRISOFT has given an order a second number.
    The bridge stands below and knows no mails, so what it reports is looked at here.
    """
    untaken = ShopOrder.objects.untaken(timezone.now())
    for order in GroupedOrder.objects.filter(shop_order__in=untaken).select_related("shop_order"):
        mails.transmission_failed(order)
    doubled = ShopOrder.objects.exclude(second_number="")
    for order in GroupedOrder.objects.filter(shop_order__in=doubled).select_related("shop_order"):
        mails.librisoft_doubled(order)


@shared_task
def remind_unpaid() -> None:
    """Remind the buyers whose order waits for its payment, once each, while it can still be paid."""
    now = timezone.now()
    for sub_order in checkout.to_remind(now)[:BATCH]:
        checkout.remind(sub_order, now=now)


@shared_task
def cancel_unpaid() -> None:
    """Cancel by rule what is still unpaid long after the deadline."""
    now = timezone.now()
    for sub_order in checkout.to_cancel(now)[:BATCH]:
        checkout.cancel_unpaid(sub_order, now=now)


@shared_task
def check_ledger() -> None:
    """Prove that verdicts, rows and totals agree. What does not is logged, and told to the bookshop once a day."""
    if lines := list(ledger.differences()):
        log.error("The ledger does not agree with itself:\n%s", "\n".join(lines))
        mails.ledger_differs(lines, on=timezone.localdate())


@shared_task
def compare_with_providers() -> None:
    """Hold each provider's own list of what moved against our rows.

    A list that cannot be had today is asked for again tomorrow, and holds these days as well.
    """
    for method in payments.enabled_methods():
        try:
            ledger.compare(method, now=timezone.now())
        except Unknown as doubt:
            log.warning("No comparison with %s today: %s", method, doubt)
