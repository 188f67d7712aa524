"""What becomes of a sub-order that nobody pays: one reminder, then the cancellation by rule."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from collectivities.models import Bookshop
from grouped_orders import mails
from grouped_orders.checkout.deciding import cancel_sub_order
from grouped_orders.checkout.locking import hold
from grouped_orders.checkout.settling import settle, supersede
from grouped_orders.models import Capture, GroupedOrder, Mail, Payment, SubOrder
from grouped_orders.models.payment import PaymentQuerySet
from grouped_orders.models.sub_order import SubOrderQuerySet
from grouped_orders.statuses import OPEN_STATES, PaymentState, SubOrderStatus

# Nobody is reminded sooner after he subscribed.
REMIND_AFTER = timedelta(hours=24)

# The payer may still be at a page, or may come back to it.
_MAY_BE_PAID = Q(state__in=[*OPEN_STATES, PaymentState.ABANDONED])
# Some answer is still to come; the clock asks for it.
_IS_FOLLOWED = Q(next_check_at__isnull=False)


def to_remind(now: datetime) -> SubOrderQuerySet:
    """Subscribed 24 hours ago or more, unpaid, still payable, no payment under way, and not reminded yet."""
    reminded = Mail.objects.filter(sub_order=OuterRef("pk"), kind="sub_order_reminder")
    return (
        SubOrder.objects.pending()
        .filter(
            ~Exists(reminded),
            ~Exists(_of_each(Payment.objects.holding())),
            created_at__lte=now - REMIND_AFTER,
            grouped_order__in=GroupedOrder.objects.taking_sub_orders(now),
        )
        .order_by("pk")
    )


def remind(sub_order: SubOrder, *, now: datetime) -> bool:
    """Remind a buyer, once, with the link to his own page. False when there is nothing to remind him of any more.

    What he may have paid without our knowing is asked for first.
    """
    for payment in sub_order.payments.filter(_MAY_BE_PAID):
        settle(payment, now=now)
    with transaction.atomic():
        order, sub_order = hold(sub_order)
        payable = sub_order.status == SubOrderStatus.PENDING and order.takes_sub_orders(now)
        if not payable or sub_order.payments.holding().exists():
            return False
        mails.sub_order_reminder(sub_order)
    return True


def to_cancel(now: datetime) -> SubOrderQuerySet:
    """Unpaid so many hours after the deadline as the bookshop says (0: never), with no money in doubt."""
    after = Bookshop.current().cancels_unpaid_after
    if not after:
        return SubOrder.objects.none()
    # An answer that is awaited from a page that may still be paid is asked for anew by `cancel_unpaid`.
    in_doubt = Payment.objects.filter(next_check_at__gt=now).exclude(_MAY_BE_PAID)
    return (
        SubOrder.objects.pending()
        .filter(
            ~Exists(_of_each(in_doubt)),
            ~Exists(Capture.objects.received().filter(payment__sub_order=OuterRef("pk"))),
            grouped_order__in=GroupedOrder.objects.past_deadline(now - timedelta(hours=after)),
        )
        .order_by("pk")
    )


def cancel_unpaid(sub_order: SubOrder, *, now: datetime) -> bool:
    """Cancel by rule; the buyer is told. False, and nothing is changed, when that is not certain to be right.

    Every page is settled, then shut, and under the lock everything is looked at again: the deadline may have moved,
    the buyer may have paid, and an answer that did not come is no answer. Money that came in and does not count (not
    the amount that was asked) is the bookseller's to decide.
    """
    for payment in sub_order.payments.filter(_MAY_BE_PAID | _IS_FOLLOWED):
        settled = settle(payment, now=now)
        if settled.state in (*OPEN_STATES, PaymentState.ABANDONED):
            settle(supersede(settled, reason=_("Délai de paiement dépassé"), now=now), now=now)
    with transaction.atomic():
        hold(sub_order)
        if not to_cancel(now).filter(pk=sub_order.pk).exists():
            return False
        # Also what is due to be asked right now: nothing may be called inside this transaction.
        if sub_order.payments.filter(_MAY_BE_PAID | _IS_FOLLOWED).exists():
            return False
        hours = Bookshop.current().cancels_unpaid_after
        reason = _("Restée impayée %(hours)d h après la date limite") % {"hours": hours}
        cancel_sub_order(sub_order, by=None, reason=reason, refund=None, now=now)
    return True


def _of_each(payments: PaymentQuerySet) -> PaymentQuerySet:
    """Those of the outer query's sub-order."""
    return payments.filter(sub_order=OuterRef("pk"))
