"""What LIBRISOFT says of its orders: kept in full, ordered by sequence, never a move of the group order."""

import logging
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.dateparse import parse_datetime

from librisoft_bridge import client
from librisoft_bridge.client import Json, Refused, Unknown
from librisoft_bridge.models import ChangesCursor, ShopOrder, StatusChange

log = logging.getLogger(__name__)

# « Réactualiser le statut » asks at most this often for one order.
REFRESH_EVERY = timedelta(seconds=5)
PAGES = 50


@transaction.atomic
def take_in(state: Json, *, now: datetime) -> ShopOrder | None:
    """Record one OrderState. An older sequence changes nothing but the history; an unknown code is shown as it came.

    A second, different LIBRISOFT number for one order is an alarm, not an overwrite. None for an order that is not
    ours.
    """
    number = state["web_order_number"]
    shop_order = ShopOrder.objects.select_for_update().filter(pk=int(number) if number.isdigit() else 0).first()
    if shop_order is None:
        return None
    remote = str(state["librisoft_order_id"])
    if shop_order.librisoft_number and remote != shop_order.librisoft_number:
        if shop_order.second_number != remote:
            log.warning("LIBRISOFT has a second order %s for shop order %d", remote, shop_order.pk)
            shop_order.second_number = remote
            shop_order.save(update_fields=["second_number"])
        return shop_order
    shop_order.librisoft_number = remote
    status = state["status"]
    sequence = int(status["sequence"])
    updated_at = parse_datetime(str(status.get("updated_at", ""))) or now
    StatusChange.objects.get_or_create(
        shop_order=shop_order,
        sequence=sequence,
        defaults={
            "code": str(status.get("code", ""))[:40],
            "label": str(status.get("label", ""))[:80],
            "updated_at": updated_at,
            "seen_at": now,
        },
    )
    typed_since = shop_order.set_by_hand_at is not None and updated_at < shop_order.set_by_hand_at
    if sequence > shop_order.remote_sequence and not typed_since:
        shop_order.remote_sequence = sequence
        shop_order.remote_code = str(status.get("code", ""))[:40]
        shop_order.remote_label = str(status.get("label", ""))[:80]
        shop_order.remote_updated_at = updated_at
        shop_order.expected_date = _date(state.get("expected_date"))
        for line in state.get("lines") or []:
            shop_order.lines.filter(line_number=line["line_number"]).update(received=max(0, int(line["received"])))
    shop_order.save()
    return shop_order


def read_changes(*, now: datetime) -> int:
    """Read what changed since the last time, page after page; return how many changes were ours.

    The cursor moves only after a page is recorded, so a page may be read twice, and none is missed.
    """
    taken = 0
    for _page in range(PAGES):
        position, _made = ChangesCursor.objects.get_or_create(only_one=True)
        changes, cursor, more = client.list_changes(position.cursor)
        with transaction.atomic():
            taken += sum(take_in(change, now=now) is not None for change in changes)
            ChangesCursor.objects.filter(only_one=True).update(cursor=cursor)
        if not more:
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


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
