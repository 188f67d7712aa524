"""The bookseller's list: tabs with their counts, a search through all of them, pages."""

from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from grouped_orders.admin.wording import Badge, badges
from grouped_orders.models import GroupedOrder
from grouped_orders.models.order import GroupedOrderQuerySet
from grouped_orders.statuses import OrderStatus
from grouped_orders.to_do import NARROWINGS

PER_PAGE = 25
# The specification's names; the last two in the plural, being the names of a tab.
TABS = {
    OrderStatus.OPEN: OrderStatus.OPEN.label,
    OrderStatus.AWAITING_PROCESSING: OrderStatus.AWAITING_PROCESSING.label,
    OrderStatus.CLOSED: gettext_lazy("Clôturées"),
    OrderStatus.CANCELLED: gettext_lazy("Annulées"),
}


class Tab(NamedTuple):
    label: str
    count: int
    query: str
    current: bool


class Row(NamedTuple):
    order: GroupedOrder
    days_left: int | None
    badges: list[Badge]


def order_list(request: HttpRequest, orders: GroupedOrderQuerySet) -> HttpResponse:
    """One tab of the list. What is searched for, or a line of « À traiter », is looked for in all of them."""
    status, words, now = request.GET.get("status", ""), request.GET.get("q", "").strip(), timezone.now()
    due = request.GET.get("due", "")
    narrowing = NARROWINGS.get(due)
    if status not in OrderStatus.values and not words and narrowing is None:
        return redirect(f"{request.path}?{urlencode({'status': OrderStatus.OPEN})}")
    if narrowing is not None:
        orders = narrowing.among(orders, now)
    if words:
        orders = orders.matching(words)
    counts = dict(orders.order_by().values_list("status").annotate(Count("pk")))
    if status:
        orders = orders.filter(status=status)
    paginator = Paginator(_sorted(orders, status), PER_PAGE)
    paginator.count = counts.get(status, 0) if status else sum(counts.values())
    page = paginator.get_page(request.GET.get("page"))
    return TemplateResponse(
        request,
        "admin/grouped_orders/order_list.html",
        {
            **admin.site.each_context(request),
            "opts": GroupedOrder._meta,
            "title": _("Commandes groupées"),
            "tabs": _tabs(counts, status, q=words, due=due if narrowing else ""),
            "page": page,
            "pages": paginator.get_elided_page_range(page.number),
            "rows": [_row(order, now) for order in page],
            "words": words,
            "narrowing": narrowing,
            "due": due,
            "query": _query(status=status, q=words, due=due if narrowing else ""),
        },
    )


def _sorted(orders: GroupedOrderQuerySet, status: str) -> GroupedOrderQuerySet:
    """What is still to be validated by its deadline, the oldest first: it is what he comes for. Else the newest."""
    ordering = ["deadline", "pk"] if status == OrderStatus.OPEN else ["-pk"]
    return orders.with_totals().select_related("collectivity", "initiator", "shop_order").order_by(*ordering)


def _tabs(counts: dict[str, int], status: str, **also: str) -> list[Tab]:
    return [
        Tab(str(label), counts.get(value, 0), _query(status=value, **also), value == status)
        for value, label in TABS.items()
    ]


def _row(order: GroupedOrder, now: datetime) -> Row:
    return Row(order, order.days_left(now) if order.status == OrderStatus.OPEN else None, badges(order, now))


def _query(**params: Any) -> str:
    return urlencode({name: value for name, value in params.items() if value})
