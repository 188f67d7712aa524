"""What happens because time passes.

Rows are the queue: each of these may run twice, late, or after a flushed broker.
"""

from celery import shared_task
from django.utils import timezone

from grouped_orders import checkout, tasks
from grouped_orders.models import Payment, Refund

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
