"""One try to hand an order over: claim it, call, write down what happened. It may run twice without harm."""

import random
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from librisoft_bridge import breaker, client, payload, statuses
from librisoft_bridge.client import Refused, Unknown
from librisoft_bridge.models import ShopOrder, ShopOrderQuerySet, Transmission
from librisoft_bridge.order_state import OrderState

MAX_ATTEMPTS = 10
# Longer than the longest try (a look-up, then a hand-over), so that a claim is never taken from a worker that still
# waits for its answer.
LEASE = timedelta(seconds=60)
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
LONGEST_WISH = timedelta(days=1)


class _Lost(Exception):
    """The order was withdrawn or typed in by hand meanwhile: there is nothing to send any more."""


def transmit(shop_order: ShopOrder, *, now: datetime) -> ShopOrder:
    """Try once, if it is due and nobody else does. The attempt counts when it begins, so a crash counts too.

    After an answer that never came, LIBRISOFT is asked for our number before the order is sent again under the
    same key: there is never a second order (librisoft.md, rule 2).
    """
    due = ShopOrder.objects.due(now).filter(pk=shop_order.pk)
    if not settings.LIBRISOFT_URL:
        # Nothing was tried, so nothing counts: it leaves as soon as there is an address.
        due.update(error=_("LIBRISOFT n’est pas configuré."))
        return ShopOrder.objects.get(pk=shop_order.pk)
    token = uuid.uuid4()
    if due.update(lease_token=token, lease_until=now + LEASE, attempts=F("attempts") + 1):
        _try(ShopOrder.objects.get(pk=shop_order.pk), token, now)
    return ShopOrder.objects.get(pk=shop_order.pk)


def _try(shop_order: ShopOrder, token: uuid.UUID, now: datetime) -> None:
    claim = ShopOrder.objects.claimed(shop_order, token)
    if shop_order.attempts > MAX_ATTEMPTS:
        _end(claim, transmission=Transmission.FAILED, error=_("L’envoi s’est interrompu à chaque essai."))
        return
    try:
        with breaker.watched(now):
            state = _look_up(shop_order) or _hand_over(shop_order, claim)
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
    except _Lost:
        pass
    else:
        # Whoever holds the claim by now: that LIBRISOFT has the order is a fact.
        statuses.take_in(state, now=now)


def _look_up(shop_order: ShopOrder) -> OrderState | None:
    return client.find_order(str(shop_order.pk)) if shop_order.in_doubt else None


def _hand_over(shop_order: ShopOrder, claim: ShopOrderQuerySet) -> OrderState:
    """Send it, if the claim still stands.

    From before the call until a definite answer LIBRISOFT may have the order, and the row says so.
    """
    if not claim.update(in_doubt=True):
        raise _Lost
    try:
        return client.create_order(payload.write(shop_order), key=shop_order.message_id)
    except Refused as no:
        # A mismatch says that an order stands under our key.
        claim.update(in_doubt=no.code == "idempotency_mismatch")
        raise


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
