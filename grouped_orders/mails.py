"""One function a mail: it composes, in the transaction that is its reason, and the outbox does the rest.

Each has three templates of its own in templates/mails/: subject.txt, body.txt and body.html, all written by hand.
Calling one twice for the same reason sends one mail.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from collectivities.models import Bookshop
from grouped_orders.calendar import deadline_event
from grouped_orders.documents import poster
from grouped_orders.models import GroupedOrder, LedgerDifference, Payment, Refund, SubOrder
from grouped_orders.outgoing import OutgoingMail, one_line
from grouped_orders.statuses import SubOrderStatus

log = logging.getLogger(__name__)

# (file name, content, type), as Django attaches them.
Attachment = tuple[str, bytes, str]


def order_created(order: GroupedOrder) -> None:
    """To the initiator, who may forward it: the order is open, here is the link for the buyers.

    With the poster for the wall and the deadline for her calendar.
    """
    event = (
        _("date-limite-commande-%(number)s.ics") % {"number": order.pk},
        deadline_event(order, now=order.created_at),
        "text/calendar; method=PUBLISH",
    )
    _send(
        "order_created",
        f"order_created:{order.pk}",
        to=order.initiator.email,
        order=order,
        attachments=[*(posters := _poster(order)), event],
        has_poster=bool(posters),
    )


def sub_order_paid(sub_order: SubOrder) -> None:
    """To the buyer: the order is received and paid. Questions go to the initiator."""
    order = sub_order.grouped_order
    _send(
        "sub_order_paid",
        f"sub_order_paid:{sub_order.pk}",
        to=sub_order.email,
        reply_to=order.initiator.email,
        order=order,
        sub_order=sub_order,
        payment=sub_order.payments.received().first(),
        initiated_by=_initiated_by(order),
    )


def order_available(order: GroupedOrder) -> None:
    """To the initiator, « mise à disposition »: the books are ready. Sent anew when a closing was taken back."""
    _send(
        "order_available",
        f"order_available:{order.pk}:{order.closed_at:%Y%m%d%H%M%S%f}",
        to=order.initiator.email,
        order=order,
        paid=order.sub_orders.recapitulation().paid,
    )


def sub_order_reminder(sub_order: SubOrder) -> None:
    """To a buyer who subscribed and has not paid, once: the link to his own page, and until when it can be paid."""
    order = sub_order.grouped_order
    _send(
        "sub_order_reminder",
        f"sub_order_reminder:{sub_order.pk}",
        to=sub_order.email,
        order=order,
        sub_order=sub_order,
        initiated_by=_initiated_by(order),
    )


def sub_order_cancelled(sub_order: SubOrder, *, refunded: bool) -> None:
    """To the buyer: this order is cancelled, by whose decision or by rule, and what becomes of the money.

    Written before any of it is asked back: `left` is what had not been given back until then.
    """
    payment = sub_order.payments.received().first()
    _send(
        "sub_order_cancelled",
        f"sub_order_cancelled:{sub_order.pk}",
        to=sub_order.email,
        order=sub_order.grouped_order,
        sub_order=sub_order,
        refunded=refunded,
        by_rule=sub_order.journal.filter(to_status=SubOrderStatus.CANCELLED, actor=None).exists(),
        payment=payment,
        left=_left_of(payment),
        initiated_by=_initiated_by(sub_order.grouped_order),
    )


def buyer_corrected(sub_order: SubOrder, *, now: datetime) -> None:
    """To the new address of a buyer: the link to his own page. Each correction is told."""
    _send(
        "buyer_corrected",
        f"buyer_corrected:{sub_order.pk}:{now:%Y%m%d%H%M%S%f}",
        to=sub_order.email,
        order=sub_order.grouped_order,
        sub_order=sub_order,
        initiated_by=_initiated_by(sub_order.grouped_order),
    )


def withdrawal_received(sub_order: SubOrder) -> None:
    """To the buyer, who gave up his order: the acknowledgement, with what he declared and when (directive 2023/2673).

    Written before any of it is asked back.
    """
    payment = sub_order.payments.received().first()
    _send(
        "withdrawal_received",
        f"withdrawal_received:{sub_order.pk}",
        to=sub_order.email,
        order=sub_order.grouped_order,
        sub_order=sub_order,
        payment=payment,
        left=_left_of(payment),
        initiated_by=_initiated_by(sub_order.grouped_order),
    )


def order_cancelled(order: GroupedOrder, *, reason: str) -> None:
    """To the initiator, with the bookseller's reason, and to each buyer whose order was cancelled with it."""
    _send("order_cancelled", f"order_cancelled:{order.pk}", to=order.initiator.email, order=order, reason=reason)
    concerned = order.sub_orders.filter(status=SubOrderStatus.CANCELLED, cancelled_at=order.cancelled_at)
    for sub_order in concerned.select_related("grouped_order__collectivity", "grouped_order__book"):
        sub_order_cancelled(sub_order, refunded=sub_order.paid_at is not None)


def refund_done(refund: Refund) -> None:
    """To the buyer: the money is given back."""
    payment = refund.capture.payment
    _send(
        "refund_done",
        f"refund_done:{refund.pk}",
        to=payment.sub_order.email,
        order=payment.sub_order.grouped_order,
        sub_order=payment.sub_order,
        refund=refund,
        payment=payment,
    )


def payment_denied(payment: Payment) -> None:
    """To the buyer whose payment waited at the provider's and was refused after all: nothing came, and what to do."""
    _send_about(payment, "payment_denied")


def payment_superseded(payment: Payment) -> None:
    """To the buyer, who approved a payment that was not taken: nothing was debited, and what to do now."""
    _send_about(payment, "payment_superseded")


def transmission_failed(order: GroupedOrder) -> None:
    """To the bookshop: LIBRISOFT refused the order, the last try is over, or it has waited for hours.

    Once for each of these, and anew when « Renvoyer » comes to the same.
    """
    shop_order = order.shop_order
    assert shop_order is not None  # only a validated order is transmitted
    kind = "overdue" if shop_order.is_overdue else "failed"
    _send(
        "transmission_failed",
        f"transmission_{kind}:{order.pk}:{shop_order.waiting_since:%Y%m%d%H%M%S%f}",
        to=Bookshop.current().email,
        order=order,
        reason=shop_order.transmission_label,
    )


def librisoft_doubled(order: GroupedOrder) -> None:
    """To the bookshop, once for each number: LIBRISOFT has the order under a second one as well."""
    shop_order = order.shop_order
    assert shop_order is not None  # only a validated order is transmitted
    key = f"librisoft_doubled:{order.pk}:{shop_order.second_number}"
    _send("librisoft_doubled", key, to=Bookshop.current().email, order=order)


def ledger_differs(lines: Sequence[str], *, on: date) -> None:
    """To the bookshop, once a day at most: verdicts, rows or totals do not agree. Numbers only, no names."""
    _send("ledger_differs", f"ledger_differs:{on:%Y%m%d}", to=Bookshop.current().email, lines=lines)


def provider_differs(found: Sequence[LedgerDifference]) -> None:
    """To the bookshop: a provider's list and our rows do not say the same. Each difference is told once."""
    key = f"provider_differs:{min(difference.pk for difference in found)}"
    _send("provider_differs", key, to=Bookshop.current().email, found=found)


def _send_about(payment: Payment, kind: str) -> None:
    """To the buyer, about an attempt that came to nothing: can he still pay?"""
    sub_order = payment.sub_order
    order = sub_order.grouped_order
    _send(
        kind,
        f"{kind}:{payment.pk}",
        to=sub_order.email,
        order=order,
        sub_order=sub_order,
        payment=payment,
        may_pay=sub_order.status == SubOrderStatus.PENDING and order.takes_sub_orders(timezone.now()),
    )


def _left_of(payment: Payment | None) -> Decimal | None:
    """What has not been given back of a payment; None where there is none. Euros."""
    return sum((c.refundable for c in payment.captures.received()), Decimal("0.00")) if payment else None


def _send(
    kind: str,
    key: str,
    *,
    to: str,
    reply_to: str = "",
    order: GroupedOrder | None = None,
    sub_order: SubOrder | None = None,
    attachments: Sequence[Attachment] = (),
    **context: Any,
) -> None:
    """Compose one mail and hand it to the outbox."""
    context = {"order": order, "sub_order": sub_order, **context}
    subject = one_line(render_to_string(f"mails/{kind}/subject.txt", context))
    mail = OutgoingMail(
        subject=subject,
        body=render_to_string(f"mails/{kind}/body.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[to],
        reply_to=[reply_to] if reply_to else [],
        attachments=attachments,
        kind=kind,
        key=key,
        grouped_order=order,
        sub_order=sub_order,
    )
    mail.attach_alternative(render_to_string(f"mails/{kind}/body.html", {**context, "subject": subject}), "text/html")
    mail.send()


def _poster(order: GroupedOrder) -> list[Attachment]:
    """The poster; nothing when it cannot be drawn: an order is opened without it all the same."""
    try:
        drawn = poster(order)
    except Exception:  # a font, a library or a cover that WeasyPrint cannot take: there is no common ancestor
        log.exception("order %s: the poster could not be drawn", order.pk)
        return []
    return [(_("affiche-commande-%(number)s.pdf") % {"number": order.pk}, drawn, "application/pdf")]


def _initiated_by(order: GroupedOrder) -> str:
    """« CDI COLLEGE VICTOR PROUVE »: the service, when there is one, and the collectivity."""
    return f"{order.collectivity.service.upper()} {order.collectivity.name}".strip()
