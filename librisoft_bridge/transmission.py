"""One try to hand an order over: claim it, call, write down what happened. It may run twice without harm."""

import random
import uuid
from datetime import datetime, timedelta

from django.db.models import F
from django.utils.translation import gettext as _

from librisoft_bridge import client, payload, statuses
from librisoft_bridge.client import Json, Refused, Unknown
from librisoft_bridge.models import ShopOrder, Transmission

MAX_ATTEMPTS = 10
# Longer than the longest call, so that a claim is never taken from a worker that still waits.
LEASE = timedelta(seconds=60)
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)


def transmit(shop_order: ShopOrder, *, now: datetime) -> ShopOrder:
    """Try once, if it is due and nobody else does. The attempt counts when it begins, so a crash counts too.

    After an answer that never came, LIBRISOFT is asked for our number before the order is sent again under the
    same key: there is never a second order (librisoft.md, rule 2).
    """
    token = uuid.uuid4()
    claimed = ShopOrder.objects.due(now).filter(pk=shop_order.pk)
    if not claimed.update(lease_token=token, lease_until=now + LEASE, attempts=F("attempts") + 1):
        return ShopOrder.objects.get(pk=shop_order.pk)
    shop_order = ShopOrder.objects.get(pk=shop_order.pk)
    try:
        state = _hand_over(shop_order)
    except Refused as no:
        _end(shop_order, token, transmission=Transmission.REFUSED, error=no.message[:300])
    except Unknown as doubt:
        _postpone(shop_order, token, doubt, now)
    else:
        _end(shop_order, token, transmission=Transmission.SENT, sent_at=now, error="")
        statuses.take_in(state, now=now)
    return ShopOrder.objects.get(pk=shop_order.pk)


def _hand_over(shop_order: ShopOrder) -> Json:
    if shop_order.attempts > 1:
        found = client.find_order(str(shop_order.pk))
        if found is not None:
            return found
    state = client.create_order(payload.write(shop_order), key=shop_order.message_id)
    if state["web_order_number"] != str(shop_order.pk):
        raise Unknown("the answer is about another order")
    return state


def _postpone(shop_order: ShopOrder, token: uuid.UUID, doubt: Unknown, now: datetime) -> None:
    error = _say(doubt)
    if shop_order.attempts >= MAX_ATTEMPTS:
        _end(shop_order, token, transmission=Transmission.FAILED, error=error)
        return
    wait = max(_wait(shop_order.attempts), timedelta(seconds=min(doubt.retry_after, 24 * 3600)))
    _end(shop_order, token, next_try_at=now + wait, error=error)


def _wait(attempts: int) -> timedelta:
    """30 s, 1 min, 2 min… an hour at most, each more or less by half so that orders do not come back together."""
    wait: timedelta = min(FIRST_WAIT * int(2 ** (attempts - 1)), LONGEST_WAIT)
    return min(wait * random.uniform(0.5, 1.5), LONGEST_WAIT)


def _say(doubt: Unknown) -> str:
    if str(doubt) == "not configured":
        return _("LIBRISOFT n’est pas configuré.")
    return _("LIBRISOFT ne répond pas (%(what)s).") % {"what": doubt}


def _end(shop_order: ShopOrder, token: uuid.UUID, **facts: object) -> None:
    """Write the outcome down, unless the claim was lost meanwhile: then another worker's word stands."""
    ShopOrder.objects.filter(pk=shop_order.pk, lease_token=token).update(lease_token=None, lease_until=None, **facts)
