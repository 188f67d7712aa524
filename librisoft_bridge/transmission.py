"""One try to hand an order over: claim it, carry it, write down what happened. It may run twice without harm."""

import random
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from librisoft_bridge import breaker, folder, push, statuses
from librisoft_bridge.client import Refused, Unknown
from librisoft_bridge.models import ShopOrder, ShopOrderQuerySet, Transmission

# With the waits below about fourteen hours: a LIBRISOFT that fails one call in three loses nobody's order, and one that
# is off for the night finds it in the morning. The bookseller is told long before (LIBRISOFT_OVERDUE_HOURS).
MAX_ATTEMPTS = 20
# Longer than the longest try (a look-up, then a hand-over), so that a claim is never taken from a worker that still
# waits for its answer.
LEASE = timedelta(seconds=60)
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
LONGEST_WISH = timedelta(days=1)

# By pull nothing is carried: LIBRISOFT comes for it (pull.py).
CARRIERS = {"push": ("LIBRISOFT_URL", push.carry), "file": ("LIBRISOFT_FOLDER", folder.carry)}


class Lost(Exception):
    """The order was withdrawn or typed in by hand meanwhile: there is nothing to send any more."""


def transmit(shop_order: ShopOrder, *, now: datetime) -> ShopOrder:
    """Try once, if it is due and nobody else does. The attempt counts when it begins, so a crash counts too."""
    due = ShopOrder.objects.due(now).filter(pk=shop_order.pk)
    if settings.LIBRISOFT_TRANSPORT in CARRIERS:
        address, _carry = CARRIERS[settings.LIBRISOFT_TRANSPORT]
        token = uuid.uuid4()
        if not getattr(settings, address):
            # Nothing was tried, so nothing counts: it leaves as soon as there is an address.
            due.update(error=_("LIBRISOFT n’est pas configuré."))
        elif due.update(lease_token=token, lease_until=now + LEASE, attempts=F("attempts") + 1):
            _try(ShopOrder.objects.get(pk=shop_order.pk), token, now)
    return ShopOrder.objects.get(pk=shop_order.pk)


def _try(shop_order: ShopOrder, token: uuid.UUID, now: datetime) -> None:
    claim = ShopOrder.objects.claimed(shop_order, token)
    if shop_order.attempts > MAX_ATTEMPTS:
        _end(claim, transmission=Transmission.FAILED, error=_("L’envoi s’est interrompu à chaque essai."))
        return

    def mark(**facts: object) -> None:
        if not claim.update(**facts):
            raise Lost

    _address, carry = CARRIERS[settings.LIBRISOFT_TRANSPORT]
    try:
        state = carry(shop_order, mark, now=now)
    except breaker.Open as pause:
        # Nothing was tried, so nothing counts.
        _end(claim, next_try_at=pause.until, error=str(pause), attempts=Greatest(F("attempts") - 1, 0))
    except Refused as no:
        _end(claim, transmission=Transmission.REFUSED, error=no.message[:300])
    except Unknown as doubt:
        if shop_order.attempts == MAX_ATTEMPTS:
            _end(claim, transmission=Transmission.FAILED, error=str(doubt))
        else:
            _end(claim, next_try_at=now + _wait(shop_order.attempts, doubt.retry_after), error=str(doubt))
    except Lost:
        pass
    else:
        if state is None:
            _end(claim, offered_at=now, error="")
        else:
            # Whoever holds the claim by now: that LIBRISOFT has the order is a fact.
            statuses.take_in(state, now=now)


def _wait(attempts: int, wish: int) -> timedelta:
    """30 s, 1 min, 2 min… an hour at most, each more or less by half so that orders do not come back together.

    LIBRISOFT's own wish (Retry-After, seconds) is honoured up to a day.
    """
    wait = min(FIRST_WAIT.total_seconds() * 2.0 ** (attempts - 1), LONGEST_WAIT.total_seconds())
    wait = min(wait * random.uniform(0.5, 1.5), LONGEST_WAIT.total_seconds())
    return timedelta(seconds=max(wait, min(wish, LONGEST_WISH.total_seconds())))


def _end(claim: ShopOrderQuerySet, **facts: object) -> None:
    """Write the outcome down, unless the claim was lost meanwhile: then another's word stands."""
    claim.update(lease_token=None, lease_until=None, **facts)
