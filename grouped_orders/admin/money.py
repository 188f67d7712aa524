"""What the bookseller decides about one sub-order and its money. Each view: form, one verb, back to the order."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from grouped_orders import checkout
from grouped_orders.admin.asking import ask, bound, decide
from grouped_orders.admin.detail import is_unsettled
from grouped_orders.forms.bookseller import CancelSubOrderForm, HandPaymentForm, RefundedByHandForm, RefundForm
from grouped_orders.models import Capture, GroupedOrder, Refund, SubOrder
from grouped_orders.statuses import HandMethod, MoneyBack, OrderStatus, PaymentMethod, SubOrderStatus
from grouped_orders.templatetags.shop import euros


def record_by_hand(request: HttpRequest, order: GroupedOrder, sub_order_pk: int) -> HttpResponse:
    """« Valider » a sub-order awaiting payment: how he was paid, and what proves it."""
    sub_order = get_object_or_404(order.sub_orders, pk=sub_order_pk)
    form = bound(HandPaymentForm, request)
    if form.is_valid():
        return decide(
            request,
            order,
            lambda now: checkout.record_by_hand(
                sub_order,
                method=HandMethod(form.cleaned_data["method"]),
                reference=form.cleaned_data["reference"],
                by=request.user,
                now=now,
            ),
            done=_("Sous-commande n° %(number)s payée (%(amount)s).") % _told(sub_order),
        )
    return ask(
        request,
        order,
        "decision.html",
        title=_("Valider la sous-commande n° %(number)s") % {"number": sub_order.pk},
        sub_order=sub_order,
        form=form,
        button=_("Valider la sous-commande"),
    )


def cancel_sub_order(request: HttpRequest, order: GroupedOrder, sub_order_pk: int) -> HttpResponse:
    """« Annuler » a sub-order before the order is validated; what becomes of money received is an explicit choice."""
    sub_order = get_object_or_404(order.sub_orders, pk=sub_order_pk)
    kept = checkout.refundable_captures(sub_order)
    form = bound(CancelSubOrderForm, request, kept=kept)
    if form.is_valid():
        return decide(
            request,
            order,
            lambda now: checkout.cancel_sub_order(
                sub_order,
                by=request.user,
                reason=form.cleaned_data["reason"],
                refund=form.cleaned_data.get("refund"),
                note=form.cleaned_data.get("note", ""),
                now=now,
            ),
            done=_("Sous-commande n° %(number)s annulée.") % _told(sub_order),
        )
    return ask(
        request,
        order,
        "decision.html",
        title=_("Annuler la sous-commande n° %(number)s") % {"number": sub_order.pk},
        sub_order=sub_order,
        warnings=[_paid_how(capture) for capture in kept],
        form=form,
        button=_("Annuler la sous-commande"),
        grave=True,
    )


def refund(request: HttpRequest, order: GroupedOrder, sub_order_pk: int) -> HttpResponse:
    """« Rembourser » some or all of what was received for a sub-order, which stays as it is."""
    sub_order = get_object_or_404(order.sub_orders, pk=sub_order_pk)
    beside = checkout.refundable_captures(sub_order, set_aside=True)
    capture = next(iter([*beside, *checkout.refundable_captures(sub_order)]), None)
    if capture is None:
        messages.error(request, _("Il ne reste rien à rembourser pour cette sous-commande."))
        return redirect("admin:grouped_orders_groupedorder_change", order.pk)
    form = bound(RefundForm, request, capture=capture)
    if form.is_valid():
        by_hand = form.cleaned_data["refund"] == MoneyBack.BY_HAND
        done = _("Remboursement de %(amount)s noté.") if by_hand else _("Remboursement de %(amount)s demandé.")
        return decide(
            request,
            order,
            lambda now: checkout.refund_part(capture, **form.cleaned_data, by=request.user, now=now),
            done=done % {"amount": euros(form.cleaned_data["amount"])},
        )
    warnings = [_paid_how(capture)]
    if capture.payment.set_aside:
        warnings.append(_("Ce paiement est venu en trop, ou n’était pas du montant demandé : il ne compte pas."))
    elif order.status == OrderStatus.OPEN and sub_order.status == SubOrderStatus.PAID:
        warnings.append(_("La sous-commande reste payée et le livre commandé : pour y renoncer, annulez-la plutôt."))
    return ask(
        request,
        order,
        "decision.html",
        title=_("Rembourser la sous-commande n° %(number)s") % {"number": sub_order.pk},
        sub_order=sub_order,
        warnings=warnings,
        form=form,
        button=_("Rembourser"),
    )


@require_POST
def retry_refund(request: HttpRequest, order: GroupedOrder, refund_pk: int) -> HttpResponse:
    """« Réessayer » : ask the provider anew for what it refused."""
    refund = get_object_or_404(Refund, pk=refund_pk, capture__payment__sub_order__grouped_order=order)
    return decide(
        request,
        order,
        lambda now: checkout.retry_refund(refund, by=request.user, now=now),
        done=_("Remboursement de %(amount)s demandé à nouveau.") % {"amount": euros(refund.amount)},
    )


@require_POST
def check(request: HttpRequest, order: GroupedOrder, sub_order_pk: int) -> HttpResponse:
    """« Vérifier » : ask the provider what became of the attempts of this sub-order."""
    sub_order = get_object_or_404(order.sub_orders, pk=sub_order_pk)
    for payment in sub_order.payments.select_related("sub_order__grouped_order").order_by("pk"):
        if is_unsettled(payment):
            checkout.settle(payment, now=timezone.now())
    sub_order.refresh_from_db(fields=["status"])
    messages.info(
        request,
        _("Vérifié. Sous-commande n° %(number)s : %(status)s.")
        % {"number": sub_order.pk, "status": SubOrderStatus(sub_order.status).label},
    )
    return redirect("admin:grouped_orders_groupedorder_change", order.pk)


def note_refunded(request: HttpRequest, order: GroupedOrder, refund_pk: int) -> HttpResponse:
    """« Remboursé à la main » : the bookseller gave the money back himself, and says how."""
    refunds = Refund.objects.filter(capture__payment__sub_order__grouped_order=order)
    refund = get_object_or_404(refunds.select_related("capture__payment__sub_order"), pk=refund_pk)
    form = bound(RefundedByHandForm, request)
    if form.is_valid():
        return decide(
            request,
            order,
            lambda now: checkout.note_refunded_by_hand(
                refund, by=request.user, note=form.cleaned_data["note"], now=now
            ),
            done=_("Remboursement de %(amount)s noté.") % {"amount": euros(refund.amount)},
        )
    return ask(
        request,
        order,
        "decision.html",
        title=_("Remboursement de %(amount)s à la main") % {"amount": euros(refund.amount)},
        sub_order=refund.capture.payment.sub_order,
        form=form,
        button=_("Remboursé à la main"),
    )


def _paid_how(capture: Capture) -> str:
    """What the bookseller should know before he says by which way the money goes back."""
    payment, left = capture.payment, euros(capture.refundable)
    if payment.method != PaymentMethod.BY_HAND:
        how = payment.get_method_display()
        return _("Payée en ligne (%(how)s) : il reste %(left)s à rembourser.") % {"how": how, "left": left}
    return _(
        "Réglée à la librairie (%(how)s, %(reference)s) : il reste %(left)s à rembourser. Ce qui n’est pas passé par "
        "un prestataire ne peut pas être remboursé en ligne."
    ) % {"how": payment.get_hand_method_display(), "reference": payment.hand_reference, "left": left}


def _told(sub_order: SubOrder) -> dict[str, object]:
    return {"number": sub_order.pk, "amount": euros(sub_order.total)}
