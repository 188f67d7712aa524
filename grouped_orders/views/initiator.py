"""The initiator's pages: her collectivity's group orders. Another collectivity's order is a 404."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from collectivities.access import collectivity_required
from grouped_orders.models import GroupedOrder

ORDERS_ON_A_PAGE = 20


@require_GET
@collectivity_required
def orders(request: HttpRequest) -> HttpResponse:
    """« Mes commandes groupées », newest first."""
    of_mine = GroupedOrder.objects.of(request.user).with_totals().select_related("book")
    page = Paginator(of_mine, ORDERS_ON_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "grouped_orders/initiator/orders.html", {"page": page, "now": timezone.now()})
