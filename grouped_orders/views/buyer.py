"""The buyer's pages: a parent, on a phone, without an account. A secret opens one's own page, and only that.

No page shows one buyer to another; an identifier that does not exist and one that is malformed are the same 404.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from collectivities.models import Terms
from grouped_orders import checkout, lifecycle, payments
from grouped_orders.forms.buyer import PaymentForm, RegistrationForm
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import GroupedOrder, Payment, Refund, SubOrder
from grouped_orders.statuses import OPEN_STATES, PaymentMethod, PaymentState, SubOrderStatus

# Crockford's alphabet forgives what people read wrong.
_READ_AS = str.maketrans("ILO", "110")
# A page that waits for a provider asks again this often, and then leaves it to the mail.
RELOADS = 6


def private_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """What a link or a secret opens is nobody else's: not cached, not indexed.

    Not « no-referrer »: a browser would then send no origin with a form, and the forms would be refused.
    """

    @wraps(view)
    def hidden(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex"
        return response

    return hidden


@require_http_methods(["GET", "HEAD", "POST"])
@private_page
def register(request: HttpRequest, public_id: str) -> HttpResponse:
    """« Inscription » : the form that the group's link opens, and nothing else."""
    order = _order_or_404(public_id)
    now = timezone.now()
    if refusal := lifecycle.subscription_refusal(order, now):
        status = 409 if request.method == "POST" else 200
        return _closed(request, order, refusal, now, status)
    form = RegistrationForm(request.POST or None)
    known = form.is_bound and form.is_valid() and not form.cleaned_data["again"] and _has_ordered(order, form)
    if form.is_bound and form.is_valid() and not known:
        try:
            sub_order = lifecycle.register(
                order, **{name: form.cleaned_data[name] for name in form.cleaned_data if name != "again"}, now=now
            )
        except NotAllowed as refused:  # validated or cancelled while the form was being read
            return _closed(request, order, str(refused), now, 409)
        return redirect("buyer:payment", sub_order.secret)
    context = {"order": order, "book": order.book, "form": form, "known": known, "now": now}
    return render(request, "grouped_orders/buyer/register.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@private_page
def payment(request: HttpRequest, secret: str) -> HttpResponse:
    """« Paiement » : what is ordered, how to pay, the conditions; the button leaves for the provider's page."""
    sub_order = _sub_order_or_404(secret)
    now = timezone.now()
    if not _may_pay(sub_order, now):
        return redirect("buyer:sub_order", secret)
    form = PaymentForm(request.POST or None, methods=payments.enabled_methods())
    if form.is_bound and form.is_valid():
        method = PaymentMethod(form.cleaned_data["method"])
        try:
            page = checkout.start(sub_order, method=method, terms=Terms.objects.first(), now=now)
        except checkout.AlreadyPaid:
            return redirect("buyer:sub_order", secret)
        except NotAllowed as refused:
            messages.error(request, str(refused))
        else:
            return HttpResponse(status=303, headers={"Location": page})
    context = {"sub_order": sub_order, "order": sub_order.grouped_order, "form": form, "now": now}
    return render(request, "grouped_orders/buyer/payment.html", context, status=422 if form.errors else 200)


@require_safe
@private_page
def sub_order(request: HttpRequest, secret: str) -> HttpResponse:
    """One's own page: what was ordered, and the truth about the payment in words."""
    found = _sub_order_or_404(secret)
    now = timezone.now()
    # Money that may have moved comes first, whatever was begun after it.
    last = found.payments.in_doubt().first() or found.payments.exclude(reason="", state=PaymentState.SUPERSEDED).first()
    asked = request.GET.get("retour", "")
    # Two plain digits at most: « ² » and a thousand nines are digits too.
    back = asked if asked.isascii() and asked.isdigit() and len(asked) <= 2 else ""
    outcome = _outcome(found, last, is_back=bool(back))
    reload = int(back) + 1 if outcome == "checking" and back and int(back) < RELOADS else None
    context = {
        "sub_order": found,
        "order": found.grouped_order,
        "payment": last,
        "outcome": outcome,
        "reload": reload,
        "may_pay": _may_pay(found, now),
        "refusal": lifecycle.subscription_refusal(found.grouped_order, now),
        "refunds": [
            refund
            for payment in found.payments.all()
            for capture in payment.captures.all()
            for refund in capture.refunds.filter(replaced_by=None)
        ],
        "now": now,
    }
    return render(request, "grouped_orders/buyer/sub_order.html", context)


@require_POST
@private_page
def verify(request: HttpRequest, secret: str) -> HttpResponse:
    """« Vérifier mon paiement » : ask the provider now."""
    sub_order = _sub_order_or_404(secret)
    for attempt in sub_order.payments.filter(next_check_at__isnull=False):
        checkout.settle(attempt, now=timezone.now())
    return redirect("buyer:sub_order", secret)


def _outcome(sub_order: SubOrder, payment: Payment | None, *, is_back: bool) -> str:
    """Which truth the page tells; never a failure while the money may have moved."""
    if sub_order.status == SubOrderStatus.PAID:
        return "paid"
    if sub_order.status == SubOrderStatus.CANCELLED:
        return "cancelled"
    if payment is None:
        return "pending"
    match payment.state:
        case PaymentState.CAPTURING | PaymentState.PENDING:
            return "checking"
        case state if state in OPEN_STATES and payment.reason:
            return "refused"
        case state if state in OPEN_STATES:
            return "checking" if is_back else "underway"
        case PaymentState.FAILED:
            return "refused"
        case PaymentState.ABANDONED:
            return "abandoned"
        case PaymentState.SUPERSEDED:
            return "not_taken"
        case PaymentState.CAPTURED if Refund.objects.filter(capture__payment=payment).exists():
            return "given_back"
        case PaymentState.CAPTURED:  # received, and not as it was asked: the bookseller looks at it
            return "checking"
    return "pending"


def _may_pay(sub_order: SubOrder, now: datetime) -> bool:
    return (
        sub_order.status == SubOrderStatus.PENDING
        and sub_order.grouped_order.takes_sub_orders(now)
        and not sub_order.payments.in_doubt().exists()
    )


def _has_ordered(order: GroupedOrder, form: RegistrationForm) -> bool:
    same = order.sub_orders.filter(email__iexact=form.cleaned_data["email"])
    return same.exclude(status=SubOrderStatus.CANCELLED).exists()


def _closed(request: HttpRequest, order: GroupedOrder, refusal: str, now: datetime, status: int) -> HttpResponse:
    context = {"order": order, "book": order.book, "refusal": refusal, "now": now}
    return render(request, "grouped_orders/buyer/closed.html", context, status=status)


def _order_or_404(public_id: str) -> GroupedOrder:
    """Capitals do not matter, nor an O for a 0. A NUL, which PostgreSQL refuses, is simply not found."""
    wanted = public_id.upper().translate(_READ_AS)
    if not (wanted.isascii() and wanted.isalnum()):
        raise Http404
    return get_object_or_404(GroupedOrder.objects.select_related("book", "collectivity"), public_id=wanted)


def _sub_order_or_404(secret: str) -> SubOrder:
    related = ("grouped_order__book", "grouped_order__collectivity", "terms")
    return get_object_or_404(SubOrder.objects.select_related(*related), secret=secret)
