"""Whether verdicts, rows and totals agree.

A verdict (`SubOrder.status`) is written in the transaction of the rows behind it, so nothing should ever be found
here. Each rule is one query over all that ever was, and so sees one moment, whoever pays meanwhile.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from grouped_orders.models import Capture, GroupedOrder, JournalEntry, Payment, Refund, SubOrder
from grouped_orders.statuses import CaptureStatus, OrderStatus, PaymentState, RefundSource, RefundState, SubOrderStatus
from grouped_orders.templatetags.shop import euros
from librisoft_bridge.models import ShopOrderLine

_EUROS = DecimalField(max_digits=12, decimal_places=2)
_NOTHING = Decimal("0.00")


def differences() -> Iterator[str]:
    """Each thing that does not agree, as one French line: numbers and amounts, no names. Nothing is repaired."""
    yield from _paid_without_its_money()
    yield from _unpaid_with_money()
    yield from _payments_that_their_captures_deny()
    yield from _captured_without_a_date()
    yield from _given_back_more_than_received()
    yield from _totals_that_do_not_add_up()
    yield from _handed_over_otherwise()
    yield from _kept_without_a_word()


def _paid_without_its_money() -> Iterator[str]:
    """A paid sub-order has one counting payment, whose completed captures sum to the amount due, in euros."""
    counting = Payment.objects.received()
    rows = (
        SubOrder.objects.paid()
        .annotate(
            payments_found=_count(counting, "sub_order"),
            received=_sum(_completed().filter(payment__in=counting), "payment__sub_order", "amount"),
            foreign=Exists(
                _completed().filter(payment__in=counting, payment__sub_order=OuterRef("pk")).exclude(currency="EUR")
            ),
        )
        .exclude(payments_found=1, received=F("total"), foreign=False)
        .order_by("pk")
    )
    for row in rows.values("pk", "total", "payments_found", "received", "foreign"):
        if row["payments_found"] != 1:
            yield _("Sous-commande n° %(pk)d : payée, encaissée %(payments_found)d fois") % row
        elif row["foreign"]:
            yield _("Sous-commande n° %(pk)d : payée, dans une autre devise que l’euro") % row
        else:
            yield _("Sous-commande n° %(pk)d : payée, %(received)s encaissés pour %(total)s dus") % _printed(row)


def _unpaid_with_money() -> Iterator[str]:
    """A sub-order that awaits its payment has no counting money."""
    rows = SubOrder.objects.pending().filter(Exists(Payment.objects.received().filter(sub_order=OuterRef("pk"))))
    for pk in rows.order_by("pk").values_list("pk", flat=True):
        yield _("Sous-commande n° %(pk)d : en attente de paiement, alors qu’un paiement est encaissé") % {"pk": pk}


def _payments_that_their_captures_deny() -> Iterator[str]:
    """CAPTURED has a completed capture and nothing else has one; PENDING has one that waits.

    Money that came in while another attempt of the same sub-order is in doubt waits for that one's end.
    """
    ours = Capture.objects.filter(payment=OuterRef("pk"))
    rivals = Payment.objects.in_doubt().filter(sub_order=OuterRef("sub_order")).exclude(pk=OuterRef("pk"))
    rows = (
        Payment.objects.annotate(
            has_money=Exists(ours.filter(status=CaptureStatus.COMPLETED)),
            has_waiting=Exists(ours.filter(status=CaptureStatus.PENDING)),
        )
        .filter(
            Q(state=PaymentState.CAPTURED, has_money=False)
            | (~Q(state=PaymentState.CAPTURED) & Q(has_money=True) & ~Exists(rivals))
            | Q(state=PaymentState.PENDING, has_money=False, has_waiting=False)
        )
        .order_by("pk")
    )
    for pk, state, has_money in rows.values_list("pk", "state", "has_money"):
        told = {"pk": pk, "state": PaymentState(state).label}
        if has_money:
            yield _("Paiement n° %(pk)d : « %(state)s », alors que l’argent est encaissé") % told
        else:
            yield _("Paiement n° %(pk)d : « %(state)s », sans l’encaissement qui le prouve") % told


def _captured_without_a_date() -> Iterator[str]:
    rows = Payment.objects.filter(state=PaymentState.CAPTURED, captured_at=None).order_by("pk")
    for pk in rows.values_list("pk", flat=True):
        yield _("Paiement n° %(pk)d : encaissé, sans sa date") % {"pk": pk}


def _given_back_more_than_received() -> Iterator[str]:
    """What was given back, or is on its way, is at most what the capture brought in.

    One asked for here while the money went back at the provider's dashboard is on its way to a refusal.
    """
    crossed = Q(state=RefundState.REQUESTED, capture__refunds__source=RefundSource.EXTERNAL)
    given = Refund.objects.exclude(state=RefundState.FAILED).exclude(crossed)
    rows = Capture.objects.annotate(given=_sum(given, "capture", "amount")).filter(
        Q(given__gt=F("amount")) | (Q(given__gt=0) & ~Q(status=CaptureStatus.COMPLETED))
    )
    for row in rows.order_by("pk").values("pk", "payment_id", "amount", "status", "given"):
        received = row["amount"] if row["status"] == CaptureStatus.COMPLETED else _NOTHING
        yield _("Paiement n° %(payment_id)d : %(given)s remboursés pour %(received)s encaissés") % _printed(
            {**row, "received": received}
        )


def _totals_that_do_not_add_up() -> Iterator[str]:
    due = F("grouped_order__unit_price") * F("quantity") + F("grouped_order__shipping_fee")
    rows = SubOrder.objects.annotate(due=due).exclude(total=F("due")).order_by("pk")
    for row in rows.values("pk", "total", "due"):
        yield _("Sous-commande n° %(pk)d : total de %(total)s au lieu de %(due)s") % _printed(row)


def _handed_over_otherwise() -> Iterator[str]:
    """A validated order's classic order holds the copies, the price and the money of its paid sub-orders."""
    paid = SubOrder.objects.paid()
    lines = ShopOrderLine.objects.all()
    rows = (
        GroupedOrder.objects.filter(status__in=[OrderStatus.AWAITING_PROCESSING, OrderStatus.CLOSED])
        .annotate(
            paid_quantity=_sum(paid, "grouped_order", "quantity", IntegerField()),
            paid_amount=_sum(paid, "grouped_order", "total"),
            sent_quantity=_sum(lines, "shop_order", "quantity", IntegerField(), of="shop_order"),
            sent_goods=_sum(lines, "shop_order", F("quantity") * F("unit_price"), of="shop_order"),
        )
        .order_by("pk")
    )
    wanted = ("pk", "unit_price", "paid_quantity", "paid_amount", "sent_quantity", "sent_goods", "shop_order__payments")
    for row in rows.values(*wanted):
        goods = row["unit_price"] * row["paid_quantity"]
        sent_amount = sum((Decimal(share["amount"]) for share in row["shop_order__payments"]), _NOTHING)
        told = {**row, "goods": goods, "sent_amount": sent_amount}
        if row["sent_quantity"] != row["paid_quantity"]:
            yield (
                _("Commande groupée n° %(pk)d : %(sent_quantity)d ex. envoyés à LIBRISOFT pour %(paid_quantity)d payés")
                % told
            )
        if row["sent_goods"] != goods:
            yield _(
                "Commande groupée n° %(pk)d : %(sent_goods)s de livres envoyés à LIBRISOFT pour %(goods)s payés"
            ) % _printed(told)
        if sent_amount != row["paid_amount"]:
            yield _(
                "Commande groupée n° %(pk)d : %(sent_amount)s encaissés envoyés à LIBRISOFT pour %(paid_amount)s payés"
            ) % _printed(told)


def _kept_without_a_word() -> Iterator[str]:
    """Money that counts for nobody (the sub-order is cancelled, or it came in beside) is given back or explained.

    A refund that failed still counts here while nothing took its place: it stands in « À rembourser ».
    """
    asked_back = Refund.objects.exclude(state=RefundState.FAILED, replaced_by__isnull=False)
    # What checkout writes in the journal when money is kept.
    why_not = Q(what__contains=_("pas de remboursement")) | Q(what__contains=_("Montant reçu inattendu"))
    explained = JournalEntry.objects.filter(why_not, sub_order=OuterRef("payment__sub_order"))
    rows = (
        _completed()
        .filter(Q(payment__sub_order__status=SubOrderStatus.CANCELLED) | Q(payment__set_aside=True))
        .filter(payment__state=PaymentState.CAPTURED)
        .annotate(asked_back=_sum(asked_back, "capture", "amount"))
        .filter(~Exists(explained), asked_back__lt=F("amount"))
        .order_by("pk")
    )
    for row in rows.values("payment_id", "payment__sub_order_id", "amount", "asked_back"):
        yield _(
            "Sous-commande n° %(payment__sub_order_id)d : %(amount)s encaissés (paiement n° %(payment_id)d) et "
            "gardés sans explication, %(asked_back)s à rembourser ou remboursés"
        ) % _printed(row)


def _completed() -> QuerySet[Capture]:
    return Capture.objects.received()


def _sum(rows: QuerySet[Any], owner: str, what: Any, output: Any = _EUROS, *, of: str = "pk") -> Coalesce:
    """The sum of `what` over the rows whose `owner` is the outer row's `of`; zero when there are none."""
    grouped = rows.order_by().filter(**{owner: OuterRef(of)}).values(owner)
    zero = Value(0) if isinstance(output, IntegerField) else Value(_NOTHING)
    return Coalesce(Subquery(grouped.annotate(sum=Sum(what)).values("sum")), zero, output_field=output)


def _count(rows: QuerySet[Any], owner: str) -> Coalesce:
    return _sum(rows, owner, Value(1), IntegerField())


def _printed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its amounts as the shop prints them: « 6,40 € »."""
    return {name: euros(value) if isinstance(value, Decimal) else value for name, value in row.items()}
