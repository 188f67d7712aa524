"""What LIBRISOFT says of its orders: kept in full, ordered by sequence, never a move of the group order."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from librisoft_bridge import breaker, client
from librisoft_bridge.models import KNOWN_CODES, ChangesCursor, ShopOrder, StatusChange, Transmission
from librisoft_bridge.order_state import OrderState

log = logging.getLogger(__name__)

PAGES = 50
# No call lasts so long, on either side.
UNDER_WAY = timedelta(minutes=5)


@transaction.atomic
def take_in(state: OrderState, *, now: datetime) -> ShopOrder | None:
    """Record what LIBRISOFT says of one order; None for an order that is not ours.

    That it says anything means that it has the order, whatever our tries came to.
    """
    shop_order = acknowledge(state.web_order_number, state.librisoft_number, now=now)
    if shop_order is not None and shop_order.librisoft_number == state.librisoft_number:
        _follow(shop_order, state, now)
        shop_order.save()
    return shop_order


@transaction.atomic
def acknowledge(web_order_number: str, librisoft_number: str, *, now: datetime) -> ShopOrder | None:
    """LIBRISOFT has the order under this number. Whatever is still on its way ends; a withdrawn one stays withdrawn.

    A second, different number for one order is an alarm, not an overwrite (librisoft.md, rule 4).
    """
    shop_order = _locked(web_order_number)
    if shop_order is None:
        return None
    if shop_order.librisoft_number not in ("", librisoft_number):
        if shop_order.second_number != librisoft_number:
            log.warning("LIBRISOFT has a second order %s for shop order %d", librisoft_number, shop_order.pk)
        shop_order.second_number = librisoft_number
    else:
        shop_order.librisoft_number = librisoft_number
        shop_order.sent_at = shop_order.sent_at or now
        shop_order.lease_token = shop_order.lease_until = None
        shop_order.in_doubt, shop_order.error = False, ""
        if shop_order.transmission != Transmission.WITHDRAWN:
            shop_order.transmission = Transmission.SENT
    shop_order.save()
    return shop_order


@transaction.atomic
def refuse(web_order_number: str, reason: str, *, now: datetime) -> ShopOrder | None:
    """LIBRISOFT will not take the order: a definite no, shown with its reason. It has not got a withdrawn one either.

    For one that it took before, this is no answer: what it has it has.
    """
    shop_order = _locked(web_order_number)
    if shop_order is None or shop_order.transmission == Transmission.SENT:
        return shop_order
    shop_order.in_doubt = False
    shop_order.lease_token = shop_order.lease_until = None
    if shop_order.transmission != Transmission.WITHDRAWN:
        shop_order.transmission, shop_order.error = Transmission.REFUSED, reason
    shop_order.save()
    return shop_order


def _locked(web_order_number: str) -> ShopOrder | None:
    """The order of this number, which anybody may have written."""
    is_number = web_order_number.isascii() and web_order_number.isdigit()
    return ShopOrder.objects.select_for_update().filter(pk=int(web_order_number) if is_number else 0).first()


def _follow(shop_order: ShopOrder, state: OrderState, now: datetime) -> None:
    """Keep the status in the history, and show it unless it is older than what is shown (librisoft.md, rule 3).

    A status that the bookseller typed gives way only to one that LIBRISOFT set later.
    """
    updated_at = state.updated_at or now
    _change, is_new = StatusChange.objects.get_or_create(
        shop_order=shop_order,
        sequence=state.sequence,
        defaults={"code": state.code, "label": state.label, "updated_at": updated_at, "seen_at": now},
    )
    if is_new and state.code not in KNOWN_CODES:
        log.warning("LIBRISOFT has a status we do not know, %r, for shop order %d", state.code, shop_order.pk)
    typed_at = shop_order.status_typed_at
    if state.sequence <= shop_order.remote_sequence or (typed_at is not None and updated_at < typed_at):
        return
    shop_order.remote_sequence = state.sequence
    shop_order.remote_code = state.code
    shop_order.remote_label = state.label
    shop_order.remote_updated_at = updated_at
    shop_order.expected_date = state.expected_date
    for line_number, received in state.received.items():
        shop_order.lines.filter(line_number=line_number).update(received=received)


def read_changes(*, now: datetime) -> int:
    """Read what changed since the last time, page after page; return how many changes were ours.

    The cursor moves only after a page is recorded, so a page may be read twice, and none is missed.
    """
    taken = 0
    for _page in range(PAGES):
        position, _made = ChangesCursor.objects.get_or_create(only_one=True)
        with breaker.watched(now):
            page = client.list_changes(position.cursor)
        with transaction.atomic():
            taken += sum(take_in(state, now=now) is not None for state in page.states)
            ChangesCursor.objects.filter(only_one=True).update(cursor=page.next_cursor)
        if not page.has_more:
            break
    return taken


def settle_doubts(*, now: datetime) -> None:
    """Find out about the orders that were cancelled here while they were being sent: does LIBRISOFT have them?

    Asked once whatever was under way then is over for certain.
    """
    for shop_order in ShopOrder.objects.doubtful().filter(withdrawn_at__lte=now - UNDER_WAY):
        with breaker.watched(now):
            state = client.find_order(str(shop_order.pk))
        if state is None:
            ShopOrder.objects.doubtful().filter(pk=shop_order.pk).update(in_doubt=False)
        else:
            take_in(state, now=now)
