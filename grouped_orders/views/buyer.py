"""The buyer's pages: a parent, on a phone, without an account. A secret opens one's own page, and only that.

No page shows one buyer to another; an identifier that does not exist and one that is malformed are the same 404.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import wraps

from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from collectivities.models import Terms
from grouped_orders import checkout, documents, lifecycle, payments
from grouped_orders.forms.buyer import BuyerForm, PaymentForm, RegistrationForm
from grouped_orders.forms.spelling import suggest_email
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import GroupedOrder, Refund, SubOrder
from grouped_orders.statuses import PaymentMethod, SubOrderStatus
from grouped_orders.views.outcome import Outcome, is_in_doubt, may_pay, outcome_of, refusal_of

View = Callable[..., HttpResponse]

# Crockford's alphabet forgives what people read wrong.
_READ_AS = str.maketrans("ILO", "110")
# A page that waits for a provider asks again this often, and then leaves it to the mail.
RELOADS = 6


def keep(cache_control: str) -> Callable[[View], View]:
    """What a link or a secret opens is not indexed, and is cached only as said here.

    The site's referrer policy, « same-origin », already tells no other site where one came from. Not
    « no-referrer »: a browser would send no origin with a form, and the forms would be refused.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def kept(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            response = view(request, *args, **kwargs)
            response["Cache-Control"] = cache_control
            response["X-Robots-Tag"] = "noindex"
            return response

        return kept

    return decorate


# A shared form: going back to it finds what was typed. One's own pages leave no trace on a shared computer.
shared_page = keep("private, no-cache")
secret_page = keep("no-store")


@require_http_methods(["GET", "HEAD", "POST"])
@shared_page
def register(request: HttpRequest, public_id: str) -> HttpResponse:
    """« Inscription » : the form that the group's link opens, and nothing else."""
    order = _order_or_404(public_id)
    now = timezone.now()
    if refusal := lifecycle.subscription_refusal(order, now):
        return _closed(request, order, refusal, now)
    form = RegistrationForm(request.POST if request.method == "POST" else None)
    meant, asks_again = "", False
    if form.is_bound and form.is_valid():
        email = form.cleaned_data["email"]
        # Sending the form again is the answer, about one address: another one is asked about anew.
        if request.POST.get("confirmed") != email:
            meant, asks_again = suggest_email(email), _has_ordered(order, email)
        if not meant and not asks_again:
            try:
                sub_order = lifecycle.register(order, **form.cleaned_data, now=now)
            except NotAllowed as refused:  # validated or cancelled while the form was being read
                return _closed(request, order, str(refused), now)
            return redirect("buyer:payment", sub_order.secret)
    context = {"order": order, "book": order.book, "form": form, "meant": meant, "asks_again": asks_again, "now": now}
    return render(request, "grouped_orders/buyer/register.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@secret_page
def payment(request: HttpRequest, secret: str) -> HttpResponse:
    """« Paiement » : what is ordered, how to pay, the conditions; the button leaves for the provider's page."""
    sub_order = _sub_order_or_404(secret)
    now = timezone.now()
    outcome, _attempt = outcome_of(sub_order, is_back=False)
    if not may_pay(sub_order, outcome, now):
        return redirect("buyer:sub_order", secret)
    terms = Terms.objects.first()
    form = PaymentForm(
        request.POST if request.method == "POST" else None, methods=payments.enabled_methods(), terms=terms
    )
    if form.is_bound and form.is_valid():
        method = PaymentMethod(form.cleaned_data["method"])
        try:
            page = checkout.start(sub_order, method=method, terms=terms, now=now)
        except checkout.AlreadyPaid:
            return redirect("buyer:sub_order", secret)
        except NotAllowed as refused:
            form.add_error(None, str(refused))
        else:
            return HttpResponse(status=303, headers={"Location": page})
    context = {"sub_order": sub_order, "order": sub_order.grouped_order, "form": form, "now": now}
    return render(request, "grouped_orders/buyer/payment.html", context, status=422 if form.errors else 200)


@require_safe
@secret_page
def sub_order(request: HttpRequest, secret: str) -> HttpResponse:
    """One's own page: what was ordered, and the truth about the payment in words."""
    found = _sub_order_or_404(secret)
    prefetch_related_objects([found], "payments__captures__refunds")
    now = timezone.now()
    times = times_back(request)
    outcome, attempt = outcome_of(found, is_back=times is not None and times < RELOADS)
    again = None
    if outcome == Outcome.CHECKING and attempt and (times or 0) < RELOADS:
        again = back_to("payments:returned", secret, attempt.public_id, times=(times or 0) + 1)
    context = {
        "sub_order": found,
        "order": found.grouped_order,
        "outcome": outcome,
        "attempt": attempt,
        "refusal": refusal_of(attempt) if attempt else "",
        "refunds": Refund.objects.filter(capture__payment__sub_order=found, replaced_by=None).select_related(
            "capture__payment"
        ),
        "confirmation": found.mails.filter(kind="sub_order_paid").first(),
        "again": again,
        "may_pay": may_pay(found, outcome, now),
        "may_verify": outcome in (Outcome.CHECKING, Outcome.HELD, Outcome.UNDERWAY),
        "in_doubt": is_in_doubt(found),
        "may_correct": lifecycle.may_correct(found),
        "may_withdraw": lifecycle.may_withdraw(found, now),
        "closed": lifecycle.subscription_refusal(found.grouped_order, now),
        "now": now,
    }
    return render(request, "grouped_orders/buyer/sub_order.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@secret_page
def correct(request: HttpRequest, secret: str) -> HttpResponse:
    """« Corriger mes coordonnées » : name and e-mail address, until the order is validated."""
    sub_order = _sub_order_or_404(secret)
    if request.method != "POST" and not lifecycle.may_correct(sub_order):
        return redirect("buyer:sub_order", secret)
    known = {name: getattr(sub_order, name) for name in BuyerForm.base_fields}
    form = BuyerForm(request.POST if request.method == "POST" else None, initial=known)
    meant = ""
    if form.is_bound and form.is_valid():
        email = form.cleaned_data["email"]
        meant = suggest_email(email) if email not in (sub_order.email, request.POST.get("confirmed")) else ""
        if not meant:
            try:
                lifecycle.correct_buyer(sub_order, **form.cleaned_data, by=None, now=timezone.now())
            except NotAllowed as refused:
                messages.error(request, str(refused))
            else:
                messages.success(request, _("Vos coordonnées sont à jour."))
            return redirect("buyer:sub_order", secret)
    context = {"sub_order": sub_order, "order": sub_order.grouped_order, "form": form, "meant": meant}
    return render(request, "grouped_orders/buyer/correct.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@secret_page
def withdraw(request: HttpRequest, secret: str) -> HttpResponse:
    """« Renoncer au contrat ici » : the second step, where the buyer reads what he gives up and confirms."""
    sub_order = _sub_order_or_404(secret)
    now = timezone.now()
    if request.method == "POST":
        try:
            checkout.withdraw(sub_order, now=now)
        except NotAllowed as refused:
            messages.error(request, str(refused))
        return redirect("buyer:sub_order", secret)
    if not lifecycle.may_withdraw(sub_order, now):
        return redirect("buyer:sub_order", secret)
    context = {
        "sub_order": sub_order,
        "order": sub_order.grouped_order,
        "in_doubt": is_in_doubt(sub_order),
        "now": now,
    }
    return render(request, "grouped_orders/buyer/withdraw.html", context)


@require_safe
@secret_page
def receipt(request: HttpRequest, secret: str) -> HttpResponse:
    """« Reçu (PDF) », once it is paid, and still when it was paid back."""
    sub_order = _sub_order_or_404(secret)
    if sub_order.paid_at is None:
        raise Http404
    name = f"recu-commande-{sub_order.pk}.pdf"
    return HttpResponse(
        documents.receipt(sub_order),
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_POST
@secret_page
def verify(request: HttpRequest, secret: str) -> HttpResponse:
    """« Vérifier mon paiement » : ask the provider now."""
    sub_order = _sub_order_or_404(secret)
    for attempt in sub_order.payments.filter(next_check_at__isnull=False):
        checkout.settle(attempt, now=timezone.now())
    return redirect(back_to("buyer:sub_order", secret, times=0))


def times_back(request: HttpRequest) -> int | None:
    """How often the page of somebody who is back from a provider has asked; None when he is not."""
    given = request.GET.get("retour", "")
    return int(given) if re.fullmatch("[0-9]{1,2}", given) else None


def back_to(name: str, *args: str, times: int) -> str:
    return f"{reverse(name, args=args)}?retour={times}"


def _has_ordered(order: GroupedOrder, email: str) -> bool:
    same = order.sub_orders.filter(email__iexact=email)
    return same.exclude(status=SubOrderStatus.CANCELLED).exists()


def _closed(request: HttpRequest, order: GroupedOrder, refusal: str, now: datetime) -> HttpResponse:
    """The link is right and the page explains: 200, never 410, for the deadline may be moved. A form sent: 409."""
    context = {"order": order, "book": order.book, "refusal": refusal, "now": now}
    status = 409 if request.method == "POST" else 200
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
