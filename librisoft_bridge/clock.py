"""What happens because time passes: this, not the doorbell, is what guarantees that an order arrives."""

import logging

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from librisoft_bridge import statuses, transmission
from librisoft_bridge.client import Refused, Unknown
from librisoft_bridge.models import ShopOrder

log = logging.getLogger(__name__)

# What one run takes on: a dead LIBRISOFT costs ten seconds a try.
BATCH = 20


@shared_task
def transmit_waiting() -> None:
    """Send what waits and is due."""
    for shop_order in ShopOrder.objects.due(timezone.now()).order_by("next_try_at")[:BATCH]:
        transmission.transmit(shop_order, now=timezone.now())


@shared_task
def read_statuses() -> None:
    """One call for all orders, whatever their number."""
    if not settings.LIBRISOFT_URL:
        return
    try:
        statuses.read_changes(now=timezone.now())
    except (Refused, Unknown) as failure:
        log.warning("LIBRISOFT's changes could not be read: %s", failure)
