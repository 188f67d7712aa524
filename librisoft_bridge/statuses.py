"""What LIBRISOFT says of its orders: kept in full, ordered by sequence, never a move of the group order."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from librisoft_bridge import breaker, client
from librisoft_bridge.client import Refused, Unknown
from librisoft_bridge.models import KNOWN_CODES, ChangesCursor, ShopOrder, StatusChange, Transmission
from librisoft_bridge.order_state import OrderState

log = logging.getLogger(__name__)

# « Réactualiser le statut » asks at most this often for one order.
REFRESH_EVERY = timedelta(seconds=5)
PAGES = 50


@transaction.atomic
def take_in(state: OrderState, *, now: datetime) -> ShopOrder | None:
    """Record what LIBRISOFT says of one order; None for an order that is not ours.

    That it says anything means that it has the order, whatever our tries came to. A second, different LIBRISOFT
    number for one order is an alarm, not an overwrite (librisoft.md, rule 4).
    """
    number = state.web_order_number
    ours = ShopOrder.objects.select_for_update().filter(pk=int(number) if number.isascii() and number.isdigit() else 0)
    shop_order = ours.first()
    if shop_order is None:
        return None
    if shop_order.librisoft_number not in ("", state.librisoft_number):
        if shop_order.second_number != state.librisoft_number:
            log.warning("LIBRISOFT has a second order %s for shop order %d", state.librisoft_number, shop_order.pk)
        shop_order.second_number = state.librisoft_number
        shop_order.save(update_fields=["second_number"])
        return shop_order
    _acknowledge(shop_order, state, now)
    _follow(shop_order, state, now)
    shop_order.save()
    return shop_order


def _acknowledge(shop_order: ShopOrder, state: OrderState, now: datetime) -> None:
    """LIBRISOFT has it. Whatever is still on its way for this order ends here; a withdrawn one stays withdrawn."""
    shop_order.librisoft_number = state.librisoft_number
    shop_order.sent_at = shop_order.sent_at or now
    shop_order.lease_token = shop_order.lease_until = None
    shop_order.in_doubt, shop_order.error = False, ""
    if shop_order.transmission != Transmission.WITHDRAWN:
        shop_order.transmission = Transmission.SENT


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


def refresh(shop_order: ShopOrder, *, now: datetime) -> bool:
    """« Réactualiser le statut »: ask for this one order now. False when it was just asked, or does not answer."""
    recent = now - REFRESH_EVERY
    waiting = ShopOrder.objects.filter(pk=shop_order.pk).exclude(refreshed_at__gt=recent)
    if not waiting.update(refreshed_at=now):
        return False
    try:
        number = shop_order.librisoft_number
        state = client.get_order(number) if number else client.find_order(str(shop_order.pk))
    except (Refused, Unknown):
        return False
    return state is not None and take_in(state, now=now) is not None
