"""What happens because time passes: this, not the doorbell, is what guarantees that an order arrives."""

import logging
import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from librisoft_bridge import folder, statuses, transmission
from librisoft_bridge.client import Refused, Unknown
from librisoft_bridge.models import ShopOrder

log = logging.getLogger(__name__)

# Seconds after which a run begins no other try: the next run is near, and a dead LIBRISOFT must not hold a worker.
LONGEST_RUN = 15.0


@shared_task
def transmit_waiting() -> None:
    """Send what waits and is due. An order that breaks its try waits for its lease to end; the others go on."""
    end = time.monotonic() + LONGEST_RUN
    if settings.LIBRISOFT_TRANSPORT == "file":
        _exchange_files()
    for shop_order in ShopOrder.objects.due(timezone.now()).order_by("next_try_at", "pk"):
        try:
            transmission.transmit(shop_order, now=timezone.now())
        except Exception:
            log.exception("The try to send shop order %d broke", shop_order.pk)
        if time.monotonic() > end:
            break


@shared_task
def read_statuses() -> None:
    """One call for all orders, whatever their number. By pull and by file LIBRISOFT tells its statuses itself."""
    if settings.LIBRISOFT_TRANSPORT != "push" or not settings.LIBRISOFT_URL:
        return
    try:
        statuses.read_changes(now=timezone.now())
        statuses.settle_doubts(now=timezone.now())
    except (Refused, Unknown) as failure:
        log.warning("LIBRISOFT's changes could not be read: %s", failure)


def _exchange_files() -> None:
    """Take in LIBRISOFT's answers, then clear away what it must not find any more."""
    try:
        folder.read_back(now=timezone.now())
        folder.take_back()
    except OSError as failure:
        log.warning("The folder of the exchange with LIBRISOFT is out of reach: %s", failure)
