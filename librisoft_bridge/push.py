"""By push: we call LIBRISOFT, which answers at once."""

from collections.abc import Callable
from datetime import datetime

from librisoft_bridge import breaker, client, payload
from librisoft_bridge.client import Refused
from librisoft_bridge.models import ShopOrder
from librisoft_bridge.order_state import OrderState


def carry(shop_order: ShopOrder, mark: Callable[..., None], *, now: datetime) -> OrderState:
    """After an answer that never came, LIBRISOFT is asked for our number before the order is sent again.

    It goes under the same key: there is never a second order (librisoft.md, rule 2).
    """
    with breaker.watched(now):
        return _look_up(shop_order) or _hand_over(shop_order, mark)


def _look_up(shop_order: ShopOrder) -> OrderState | None:
    return client.find_order(str(shop_order.pk)) if shop_order.in_doubt else None


def _hand_over(shop_order: ShopOrder, mark: Callable[..., None]) -> OrderState:
    """From before the call until a definite answer LIBRISOFT may have the order, and the row says so."""
    mark(in_doubt=True)
    try:
        return client.create_order(payload.write(shop_order), key=shop_order.message_id)
    except Refused as no:
        # A mismatch says that an order stands under our key.
        mark(in_doubt=no.code == "idempotency_mismatch")
        raise
