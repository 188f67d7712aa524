"""One group order as the bookseller sees it: everything about it on one page."""

from decimal import Decimal
from typing import NamedTuple

from django.contrib import admin
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from grouped_orders import documents, lifecycle
from grouped_orders.admin.wording import badges, days_left
from grouped_orders.models import GroupedOrder, Mail, Payment, Refund, SubOrder
from grouped_orders.statuses import (
    ORDER_MOVES,
    CaptureStatus,
    OrderMove,
    OrderStatus,
    PaymentMethod,
    PaymentState,
    RefundState,
    SubOrderStatus,
)
from grouped_orders.templatetags.shop import shop_datetime


class SubOrderRow(NamedTuple):
    sub_order: SubOrder
    payments: list[Payment]
    can_pay: bool
    can_cancel: bool
    can_check: bool
    can_correct: bool
    can_refund: bool
    given_back: Decimal


def show(request: HttpRequest, order: GroupedOrder) -> HttpResponse:
    now = timezone.now()
    may_change = admin.site.get_model_admin(GroupedOrder).has_change_permission(request)
    refunds = Refund.objects.filter(capture__payment__sub_order__grouped_order=order)
    mails = Mail.objects.filter(Q(grouped_order=order) | Q(sub_order__grouped_order=order))
    return TemplateResponse(
        request,
        "admin/grouped_orders/order_detail.html",
        {
            **admin.site.each_context(request),
            "opts": GroupedOrder._meta,
            "title": title(order),
            "order": order,
            "shop_order": order.shop_order,
            "badges": badges(order, now),
            "days_left": days_left(order, now) if order.status == OrderStatus.OPEN else "",
            "blockers": lifecycle.validation_blockers(order, now) if order.status == OrderStatus.OPEN else [],
            "may": _moves(order) if may_change else {},
            "may_change": may_change,
            "rows": _rows(order, may_change),
            "recapitulation": order.sub_orders.recapitulation(),
            "refunds": refunds.select_related("capture__payment__sub_order__grouped_order", "requested_by"),
            "mails": mails.defer("text", "html").order_by("pk"),
            "journal": order.journal.select_related("actor").order_by("-pk"),
        },
    )


def pdf(request: HttpRequest, order: GroupedOrder) -> HttpResponse:
    """« Exporter la liste complète au format PDF »."""
    return HttpResponse(
        documents.sub_order_list(order),
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="commande-groupee-{order.pk}.pdf"'},
    )


def title(order: GroupedOrder) -> str:
    return _("Commande groupée n°%(number)s - Créée le %(when)s") % {
        "number": order.pk,
        "when": shop_datetime(order.created_at),
    }


def _moves(order: GroupedOrder) -> dict[str, bool]:
    """The moves the table allows from here, by their lower-case names."""
    return {move.value.lower(): OrderStatus(order.status) in ORDER_MOVES[move] for move in OrderMove}


def _rows(order: GroupedOrder, may_change: bool) -> list[SubOrderRow]:
    paid = Payment.objects.select_related("recorded_by").order_by("pk")
    payments = Prefetch("payments", paid.prefetch_related("captures__refunds", "differences"))
    return [_row(sub_order, order, may_change) for sub_order in order.sub_orders.prefetch_related(payments)]


def _row(sub_order: SubOrder, order: GroupedOrder, may_change: bool) -> SubOrderRow:
    payments = list(sub_order.payments.all())
    captured = [payment for payment in payments if payment.state == PaymentState.CAPTURED]
    received = [c for payment in captured for c in payment.captures.all() if c.status == CaptureStatus.COMPLETED]
    undecided = may_change and order.status == OrderStatus.OPEN
    return SubOrderRow(
        sub_order,
        payments,
        can_pay=undecided and sub_order.status == SubOrderStatus.PENDING,
        can_cancel=undecided and sub_order.status != SubOrderStatus.CANCELLED,
        can_correct=undecided and sub_order.status != SubOrderStatus.CANCELLED,
        can_check=may_change and any(is_unsettled(payment) for payment in payments),
        can_refund=may_change and any(c.refundable > 0 and c.currency == "EUR" for c in received),
        given_back=sum(
            (r.amount for c in received for r in c.refunds.all() if r.state == RefundState.DONE), Decimal(0)
        ),
    )


def is_unsettled(payment: Payment) -> bool:
    """The provider may still say something new.

    We mean to ask again, or a buyer says that he has paid after all, or the provider's list shows something else.
    """
    if payment.method == PaymentMethod.BY_HAND:
        return False
    if payment.state == PaymentState.CAPTURED:
        return any(difference.settled_at is None for difference in payment.differences.all())
    return payment.next_check_at is not None or payment.sub_order.status == SubOrderStatus.PENDING
