"""Orders as the bookseller meets them: made and moved by the verbs, their dates counted from today."""

from datetime import date, timedelta

from django.utils import timezone

from collectivities.models import User
from grouped_orders import checkout, lifecycle
from grouped_orders.models import GroupedOrder, SubOrder
from grouped_orders.statuses import HandMethod, OrderStatus
from tests.factories import GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.pages import Page, words


def rows(page: Page, *, under: str = "") -> list[list[str]]:
    """The cells of the page's own table (the sidebar has others): the only one, or the one of a section."""
    tables = page.tree.xpath("//main//table[not($id) or @aria-labelledby=$id]", id=under)
    return [[words(cell) for cell in row] for table in tables for row in table.xpath("./tbody/tr")]


def in_days(days: int) -> date:
    return timezone.localdate() + timedelta(days=days)


def paid(order: GroupedOrder, *, by: User | None = None, **fields: object) -> SubOrder:
    """A sub-order that the bookseller was paid for himself."""
    sub_order = SubOrderFactory(grouped_order=order, **fields)
    checkout.record_by_hand(
        sub_order,
        method=HandMethod.CHEQUE,
        reference="0419",
        by=by or UserFactory(is_staff=True),
        now=timezone.now(),
    )
    sub_order.refresh_from_db()
    return sub_order


def order_in(status: OrderStatus, **fields: object) -> GroupedOrder:
    """An order past its deadline, one copy of it paid, brought to this status."""
    by, now = UserFactory(is_staff=True), timezone.now()
    order = GroupedOrderFactory(**{"deadline": in_days(-1), **fields})
    paid(order, by=by)
    if status == OrderStatus.CANCELLED:
        checkout.cancel_order(order, by=by, reason="Un autre titre", now=now)
    if status in (OrderStatus.AWAITING_PROCESSING, OrderStatus.CLOSED):
        lifecycle.validate(order, by=by, now=now)
    if status == OrderStatus.CLOSED:
        lifecycle.close(order, by=by, now=now)
    order.refresh_from_db()
    return order
