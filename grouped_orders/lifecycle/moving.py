"""One private pair of hands: what the table allows is saved, exactly those fields, and written in the journal."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from collectivities.models import User
from grouped_orders.models import GroupedOrder, JournalEntry, SubOrder
from grouped_orders.statuses import (
    ORDER_MOVES,
    SUB_ORDER_MOVES,
    OrderMove,
    OrderStatus,
    SubOrderMove,
    SubOrderStatus,
)
from librisoft_bridge.models import ShopOrder


class NotAllowed(Exception):
    """The rules say no; the message is a French sentence for whoever asked."""


def move_order(
    order: GroupedOrder,
    move: OrderMove,
    *,
    what: str,
    by: User | None,
    now: datetime,
    reason: str = "",
    **facts: datetime | ShopOrder | None,
) -> None:
    was = OrderStatus(order.status)
    target = ORDER_MOVES[move].get(was)
    if target is None:
        raise NotAllowed(
            _("Cette commande groupée est « %(status)s » : %(move)s impossible.")
            % {"status": was.label, "move": move.label}
        )
    order.status = target
    _save(order, facts)
    write_down(order, what, by=by, reason=reason, now=now, from_status=was, to_status=target)


def move_sub_order(
    sub_order: SubOrder,
    move: SubOrderMove,
    *,
    by: User | None,
    now: datetime,
    reason: str = "",
    **facts: datetime | None,
) -> None:
    was = SubOrderStatus(sub_order.status)
    target = SUB_ORDER_MOVES[move].get(was)
    if target is None:
        raise NotAllowed(
            _("Cette sous-commande est « %(status)s » : %(move)s impossible.")
            % {"status": was.label, "move": move.label}
        )
    sub_order.status = target
    _save(sub_order, facts)
    what = _("Sous-commande n° %(number)s : %(status)s") % {"number": sub_order.pk, "status": target.label}
    write_down(
        sub_order.grouped_order,
        what,
        sub_order=sub_order,
        by=by,
        reason=reason,
        now=now,
        from_status=was,
        to_status=target,
    )


def _save(thing: GroupedOrder | SubOrder, facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        setattr(thing, name, value)
    thing.save(update_fields=["status", *facts])


def write_down(
    order: GroupedOrder,
    what: str,
    *,
    now: datetime,
    sub_order: SubOrder | None = None,
    by: User | None = None,
    reason: str = "",
    from_status: str = "",
    to_status: str = "",
) -> None:
    JournalEntry.objects.create(
        grouped_order=order,
        sub_order=sub_order,
        actor=by,
        what=what,
        reason=reason,
        from_status=from_status,
        to_status=to_status,
        at=now,
    )


def day_of(day: date) -> str:
    """The day as the shop prints it: 06/04/2022."""
    return date_format(day, "d/m/Y")
