"""The initiator's pages: her collectivity's group orders. Another collectivity's order is a 404."""

import uuid
from datetime import datetime

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from catalog.ean import to_ean13
from catalog.models import Book
from collectivities.access import collectivity_required
from collectivities.models import User
from grouped_orders import documents, lifecycle
from grouped_orders.forms.initiator import DeadlineForm, GroupedOrderForm
from grouped_orders.models import GroupedOrder
from grouped_orders.templatetags.shop import long_date

ORDERS_ON_A_PAGE = 20
# How many new orders a session remembers, to know a form that is sent a second time.
REMEMBERED = 20


@require_GET
@collectivity_required
def orders(request: HttpRequest) -> HttpResponse:
    """« Mes commandes groupées », newest first."""
    of_mine = GroupedOrder.objects.of(request.user).with_totals().select_related("book").order_by("-pk")
    page = Paginator(of_mine, ORDERS_ON_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "grouped_orders/initiator/orders.html", {"page": page, "now": timezone.now()})


@require_GET
@collectivity_required
@vary_on_headers("HX-Request")
def search(request: HttpRequest) -> HttpResponse:
    """« Rechercher un article »: the whole page, or only its results when htmx asks while somebody types.

    The number of a book, typed whole and sent, opens its page.
    """
    text = request.GET.get("q", "").strip()
    found = Book.objects.search(text) if text else None
    if found and not request.htmx and [book.ean13 for book in found.books] == [to_ean13(text)]:
        return redirect("initiator:book", found.books[0].ean13)
    today = timezone.localdate()
    results = [(book, book.unavailable_reason(today)) for book in found.books] if found else []
    context = {"q": text, "found": found, "results": results}
    part = "_results" if request.htmx else "search"
    return render(request, f"grouped_orders/initiator/{part}.html", context)


@require_GET
@collectivity_required
def book(request: HttpRequest, ean13: str) -> HttpResponse:
    """The book's page: what is known of it, and « Choisir cet article » when it can be ordered."""
    chosen = get_object_or_404(Book, ean13=ean13)
    context = {"book": chosen, "unavailable": chosen.unavailable_reason(timezone.localdate())}
    return render(request, "grouped_orders/initiator/book.html", context)


@require_http_methods(["GET", "POST"])
@collectivity_required
def create(request: HttpRequest, ean13: str) -> HttpResponse:
    """« Valider la commande groupée »."""
    now = timezone.now()
    chosen = get_object_or_404(Book, ean13=ean13)
    form = GroupedOrderForm(
        request.POST or None,
        initial={"once": uuid.uuid4()},
        collectivity=request.user.collectivity,
        today=timezone.localdate(now),
    )
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("initiator:created", _open_once(request, chosen, form.cleaned_data, now).pk)
        except lifecycle.NotAllowed as refused:
            form.add_error(None, str(refused))
    unavailable = chosen.unavailable_reason(timezone.localdate(now))
    if unavailable and request.method == "GET":
        return redirect("initiator:book", ean13)
    context = {"book": chosen, "form": form}
    return render(request, "grouped_orders/initiator/create.html", context, status=422 if form.errors else 200)


@transaction.atomic
def _open_once(request: HttpRequest, chosen: Book, data: dict, now: datetime) -> GroupedOrder:
    """Create the order, or find the one this very form already made: a double click is one order.

    Her own row is the queue in which the second click waits; then the session, read afresh, knows the form.
    """
    User.objects.select_for_update(of=("self",), no_key=True).get(pk=request.user.pk)
    once = str(data.pop("once") or uuid.uuid4())
    made = request.session.__class__(request.session.session_key).get("made", {})
    if once in made:
        return GroupedOrder.objects.of(request.user).get(pk=made[once])
    order = lifecycle.open_order(book=chosen, initiator=request.user, now=now, **data)
    request.session["made"] = dict([*made.items(), (once, order.pk)][-REMEMBERED:])
    request.session.save()
    return order


@require_GET
@collectivity_required
def created(request: HttpRequest, number: int) -> HttpResponse:
    """« Ma commande groupée »: the summary, with the link to pass on."""
    order = _order_of_mine(request, number)
    return render(request, "grouped_orders/initiator/created.html", {"order": order, "now": timezone.now()})


@require_GET
@collectivity_required
def order(request: HttpRequest, number: int) -> HttpResponse:
    """The order's page: its information, its sub-orders and what they amount to."""
    shown = _order_of_mine(request, number)
    return _order_page(request, shown, _deadline_form(shown))


@require_POST
@collectivity_required
def deadline(request: HttpRequest, number: int) -> HttpResponse:
    """« Mettre à jour la date limite »."""
    moved = _order_of_mine(request, number)
    form = _deadline_form(moved, request.POST)
    if form.is_valid():
        to = form.cleaned_data["deadline"]
        try:
            lifecycle.move_deadline(moved, to=to, by=request.user, now=timezone.now())
        except lifecycle.NotAllowed as refused:
            form.add_error("deadline", str(refused))
        else:
            messages.success(request, _("La date limite est maintenant le %(day)s.") % {"day": long_date(to)})
            return redirect("initiator:order", number)
    return _order_page(request, moved, form, status=422)


@require_GET
@collectivity_required
def pdf(request: HttpRequest, number: int) -> HttpResponse:
    """« Exporter la liste complète au format PDF »."""
    printed = documents.sub_order_list(_order_of_mine(request, number))
    name = f"commande-groupee-{number}.pdf"
    return HttpResponse(
        printed,
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _order_of_mine(request: HttpRequest, number: int) -> GroupedOrder:
    mine = GroupedOrder.objects.of(request.user).select_related("book", "collectivity")
    return get_object_or_404(mine, pk=number)


def _deadline_form(order: GroupedOrder, data: dict | None = None) -> DeadlineForm:
    return DeadlineForm(data, initial={"deadline": order.deadline}, today=timezone.localdate())


def _order_page(request: HttpRequest, order: GroupedOrder, form: DeadlineForm, status: int = 200) -> HttpResponse:
    context = {
        "order": order,
        "form": form,
        "sub_orders": order.sub_orders.all(),
        "recapitulation": order.sub_orders.recapitulation(),
        "now": timezone.now(),
    }
    return render(request, "grouped_orders/initiator/order.html", context, status=status)
