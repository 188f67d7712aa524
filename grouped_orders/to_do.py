"""« À traiter » : what waits for the bookseller, each with its count and the list that shows exactly these."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from grouped_orders.models import Capture, GroupedOrder, LedgerDifference, Mail, Payment, Refund, SubOrder
from grouped_orders.models.order import GroupedOrderQuerySet
from grouped_orders.statuses import MailState, OrderStatus
from librisoft_bridge.attention import KINDS, needing_attention
from librisoft_bridge.models import READY, SetAsideFile, ShopOrder

# « Clôture cette semaine ».
SOON = timedelta(days=7)


class Narrowing(NamedTuple):
    """A reason to look at some group orders: its words, and which ones."""

    label: str | Promise
    among: Callable[[GroupedOrderQuerySet, datetime], GroupedOrderQuerySet]


class Task(NamedTuple):
    label: str
    count: int
    url: str
    # Something went wrong, or money waits; the others are the day's ordinary work.
    urgent: bool


def _at_librisoft(kind: str) -> Callable[[GroupedOrderQuerySet, datetime], GroupedOrderQuerySet]:
    def among(orders: GroupedOrderQuerySet, now: datetime) -> GroupedOrderQuerySet:
        troubled = ShopOrder.objects.filter(KINDS[kind].condition(now))
        return orders.filter(shop_order__in=troubled).exclude(status=OrderStatus.CLOSED)

    return among


TROUBLES = {f"librisoft-{kind}": Narrowing(known.label, _at_librisoft(kind)) for kind, known in KINDS.items()}


def _withdrawn(orders: GroupedOrderQuerySet, now: datetime) -> GroupedOrderQuerySet:
    """A buyer gave up what was ordered already, and his money is not all on its way back."""
    kept = Capture.objects.received().refundable().filter(payment__sub_order=OuterRef("pk"))
    unsettled = SubOrder.objects.paid().filter(Exists(kept), withdrawn_at__isnull=False)
    return orders.filter(pk__in=unsettled.values("grouped_order"))


WORK = {
    "withdrawn": Narrowing(gettext_lazy("Commandes avec une rétractation à rembourser"), _withdrawn),
    "validate": Narrowing(gettext_lazy("Commandes à valider"), lambda orders, now: orders.past_deadline(now)),
    "ready": Narrowing(
        gettext_lazy("Commandes prêtes à mettre à disposition"),
        lambda orders, now: orders.filter(status=OrderStatus.AWAITING_PROCESSING, shop_order__remote_code__in=READY),
    ),
    "closing": Narrowing(
        gettext_lazy("Commandes qui se clôturent dans les sept jours"),
        lambda orders, now: orders.taking_sub_orders(now).filter(deadline__lte=timezone.localdate(now + SOON)),
    ),
}
NARROWINGS = TROUBLES | WORK


def to_do(request: HttpRequest, *, now: datetime) -> list[Task]:
    """Everything that waits and that this person may see; what counts nothing is left out."""
    tasks = [*_money(request), *_troubles(request, now), *_files(request), *_mails(request), *_work(request, now)]
    return [task for task in tasks if task.count]


def _money(request: HttpRequest) -> list[Task]:
    tasks = []
    if request.user.has_perm("grouped_orders.view_refund"):
        refunds = Refund.objects.unfinished().count()
        tasks.append(Task(_("Remboursements à faire"), refunds, _list("unfinishedrefund"), urgent=True))
    if request.user.has_perm("grouped_orders.view_ledgerdifference"):
        differences = LedgerDifference.objects.unsettled().count()
        tasks.append(Task(_("Écarts avec les prestataires"), differences, _list("ledgerdifference"), urgent=True))
    if request.user.has_perm("grouped_orders.view_payment"):
        doubts = Payment.objects.in_doubt().count()
        tasks.append(Task(_("Paiements en vérification"), doubts, _list("payment", doubt="yes"), urgent=False))
    return tasks


def _troubles(request: HttpRequest, now: datetime) -> list[Task]:
    """With LIBRISOFT, for the orders that are not over; one query."""
    if not request.user.has_perm("grouped_orders.view_groupedorder"):
        return []
    over = GroupedOrder.objects.filter(status=OrderStatus.CLOSED, shop_order__isnull=False)
    found = needing_attention(now, among=ShopOrder.objects.exclude(pk__in=over.values("shop_order")))
    return [
        Task(needed.label, needed.count, _list("groupedorder", due=f"librisoft-{needed.kind}"), urgent=True)
        for needed in found
    ]


def _files(request: HttpRequest) -> list[Task]:
    if not request.user.has_perm("librisoft_bridge.view_setasidefile"):
        return []
    url = reverse("admin:librisoft_bridge_setasidefile_changelist")
    return [Task(_("Fichiers de LIBRISOFT mis de côté"), SetAsideFile.objects.count(), url, urgent=True)]


def _work(request: HttpRequest, now: datetime) -> list[Task]:
    if not request.user.has_perm("grouped_orders.view_groupedorder"):
        return []
    orders = GroupedOrder.objects.all()
    return [
        Task(str(kind.label), kind.among(orders, now).count(), _list("groupedorder", due=name), urgent=False)
        for name, kind in WORK.items()
    ]


def _mails(request: HttpRequest) -> list[Task]:
    if not request.user.has_perm("grouped_orders.view_mail"):
        return []
    failed = Mail.objects.filter(state=MailState.FAILED).count()
    return [Task(_("Mails qui n’ont pas pu partir"), failed, _list("mail", state__exact=MailState.FAILED), urgent=True)]


def _list(model: str, **query: str) -> str:
    url = reverse(f"admin:grouped_orders_{model}_changelist")
    return f"{url}?{urlencode(query)}" if query else url
