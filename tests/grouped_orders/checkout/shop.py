"""A shop where anything happens in any order: buyers, the bookseller, providers that fail, messages, time that passes.

After each step the two books agree, or what is missing from ours is still to be asked about; at the end, when the
providers answer again, they agree to the cent, and nobody's money stays that nobody decided to keep.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, TypeVar

import requests
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from collectivities.models import User
from grouped_orders import checkout, lifecycle
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import Capture, GroupedOrder, Mail, Payment, ProviderEvent, Refund, SubOrder
from grouped_orders.models.order import deadline_end
from grouped_orders.payments.base import Unknown
from grouped_orders.statuses import (
    HandMethod,
    MoneyBack,
    OrderStatus,
    PaymentMethod,
    PaymentState,
    RefundSource,
    RefundState,
    SubOrderStatus,
)
from tests.factories import BookshopFactory, GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.grouped_orders.checkout.dashboard import Dashboard
from tests.grouped_orders.checkout.ledger import assert_verdicts_agree, our_ledger
from tests.simulation import Simulator

T = TypeVar("T")
METHODS = [PaymentMethod.PAYPAL, PaymentMethod.CARD]
MINUTES = [1, 1, 2, 2, 5, 25, 45, 200, 1000]
WAYS_BACK = [MoneyBack.ONLINE, MoneyBack.ONLINE, MoneyBack.ONLINE, MoneyBack.BY_HAND, MoneyBack.NOTHING]
# No more than this many wait to strike at one provider: shops where nothing ever works show nothing.
MOST_FAULTS = 3
FAULTS = [
    *(
        (kind, path)
        for kind in ("drop_before", "drop_after", "truncated", "html", "status")
        for path in ("/v2/", "/v1/")
    ),
    *((kind, "/capture$") for kind in ("drop_before", "drop_after", "truncated", "empty")),
    *((kind, "/refund") for kind in ("drop_before", "drop_after", "status")),
    *((kind, "/refund") for kind in ("refund_pending", "refund_failed", "refund_refused")),
    *((kind, "/expire") for kind in ("drop_before", "drop_after", "status")),
    *((kind, "/capture$") for kind in ("capture_declined", "capture_refused", "instrument_declined")),
    *[("capture_pending", "/capture$|/c/pay")] * 3,
    ("capture_declined", "/c/pay"),
    ("capture_twice", "/capture$"),
    ("wrong_amount", "orders$|sessions$"),
    ("wrong_amount", "/capture$"),
    ("wrong_payee", "orders$"),
]
# How often each of these happens. One rule chooses among them: hypothesis would leave out some rules in each example,
# and bookselling without buyers shows nothing.
ACTS = {
    "buy": 14,
    "register": 6,
    "start": 8,
    "decide_at_the_providers_page": 14,
    "come_back": 10,
    "come_back_by_cancel": 3,
    "fail": 12,
    "message": 7,
    "decide_what_waits": 6,
    "wait": 6,
    "clock": 6,
    "daily_clock": 2,
    "pay_by_hand": 1,
    "give_back": 3,
    "refund_at_the_dashboard": 2,
    "try_again": 2,
    "cancel": 4,
    "validate": 2,
    "miss_the_deadline": 1,
}


class Shop(RuleBasedStateMachine):
    """A group order with its buyers, two providers and a bookseller; `now` is the clock they all live by."""

    simulators: ClassVar[dict[PaymentMethod, Simulator]]
    # What each example met, for whoever asks whether it proves anything.
    reached: ClassVar[list[Counter[str]]]

    @initialize(varied=st.integers(0, 1000))
    def open(self, varied: int) -> None:
        assume(varied)  # hypothesis begins with the simplest shop: one and the same step, 500 times
        self.rows = transaction.atomic()
        self.rows.__enter__()
        self.met: Counter[str] = Counter()
        self.seen: set[tuple[str, int]] = set()
        # The bookseller's decisions, by sub-order: what he gave back of a payment that counts, what he kept.
        self.parts: dict[int, Decimal] = {}
        self.kept: dict[int, Decimal] = {}
        # What he did at the providers' dashboards, which nobody told us: refunds, and their sub-orders.
        self.elsewhere: set[str] = set()
        self.touched: set[int] = set()
        self.now = timezone.now()
        for simulator in self.simulators.values():
            simulator.stage.faults.clear()
            simulator.stage.state["ledger"].clear()
            simulator.stage.state["webhooks"].clear()
        self.dashboards = [Dashboard(method, simulator) for method, simulator in self.simulators.items()]
        self.bookseller: User = UserFactory()
        BookshopFactory()
        self.pages: list[str] = []
        self.open_order()

    def teardown(self) -> None:
        if not hasattr(self, "rows"):
            return
        try:
            self.end_well()
        finally:
            transaction.set_rollback(True)
            self.rows.__exit__(None, None, None)

    @rule(act=st.sampled_from([name for name, weight in ACTS.items() for _ in range(weight)]), n=st.integers(0, 10_000))
    def act(self, act: str, n: int) -> None:
        self.met["steps"] += 1
        if self.met["steps"] == 100:
            assume(len(self.entries()) > 3)  # as it repeats itself at times, too: a shop where nobody pays
        try:
            getattr(self, act)(n)
        except NotAllowed:
            self.met["refused"] += 1

    # Buyers

    def register(self, n: int) -> None:
        if not self.order.takes_sub_orders(self.now):
            self.open_order()
        SubOrderFactory(grouped_order=self.order, quantity=1 + n % 3, created_at=self.now)

    def start(self, n: int) -> None:
        """Those who have not paid, and sometimes one who has."""
        some = SubOrder.objects.order_by("status", "-pk") if n % 10 == 0 else self.order.sub_orders.pending()
        if sub_order := pick(some[:4], n):
            self.pages.append(checkout.start(sub_order, method=METHODS[n // 16 % 2], terms=None, now=self.now))

    def buy(self, n: int) -> None:
        """Somebody new starts, pays and comes back, each with what may fail on the way."""
        self.register(n)
        sub_order = SubOrder.objects.latest("pk")
        self.pages.append(checkout.start(sub_order, method=METHODS[n // 16 % 2], terms=None, now=self.now))
        self.decide_at_the_providers_page(0)
        self.come_back(0)

    def decide_at_the_providers_page(self, n: int) -> None:
        """Most pay. A page that is shut says so."""
        if page := pick(self.pages[:-6:-1], n):
            action = ["pay", "pay", "pay", "pay", "pay", "pay", "refuse", "cancel"][n // 8 % 8]
            with suppress(requests.RequestException):
                requests.post(page, data={"action": action}, timeout=10, allow_redirects=False)

    def come_back(self, n: int) -> None:
        if payment := pick(Payment.objects.order_by("-pk")[:5], n):
            checkout.settle(payment, now=self.now)

    def come_back_by_cancel(self, n: int) -> None:
        if payment := pick(Payment.objects.order_by("-pk")[:5], n):
            checkout.abandon(payment, now=self.now)

    # The bookseller

    def pay_by_hand(self, n: int) -> None:
        if sub_order := pick(self.order.sub_orders.all(), n):
            how = {"method": HandMethod.SHOP, "reference": "12", "by": self.bookseller}
            checkout.record_by_hand(sub_order, now=self.now, **how)
            self.met["paid by hand"] += 1

    def give_back(self, n: int) -> None:
        """Some of a payment, or all of it; the sub-order stays paid."""
        capture = pick(self.counted(), n)
        if capture is None or capture.pk not in [c.pk for c in checkout.refundable_captures(capture.payment.sub_order)]:
            return
        left = capture.refundable
        amount = left if n % 7 == 0 else min(left, Decimal(n % 500 + 1) / 100)
        way = MoneyBack.BY_HAND if capture.method == PaymentMethod.BY_HAND else WAYS_BACK[n // 7 % 4]
        how = {"amount": amount, "left": left, "refund": way, "note": "espèces", "by": self.bookseller}
        checkout.refund_part(capture, reason="Livre abîmé", now=self.now, **how)
        self.parts[capture.payment.sub_order_id] = self.parts.get(capture.payment.sub_order_id, Decimal(0)) + amount
        self.met["given back in part"] += 1

    def try_again(self, n: int) -> None:
        """What the provider refused to give back: ask it again, or do it by hand."""
        if refund := pick(Refund.objects.unfinished().filter(next_try_at=None), n):
            if n % 3 and refund.may_be_retried:
                checkout.retry_refund(refund, by=self.bookseller, now=self.now)
            else:
                checkout.note_refunded_by_hand(refund, by=self.bookseller, note="espèces", now=self.now)
            self.met["refund tried again"] += 1

    def cancel(self, n: int) -> None:
        if n % 20 == 7:
            checkout.cancel_order(self.order, by=self.bookseller, reason="Épuisé", now=self.now)
            return
        sub_order = pick(self.order.sub_orders.order_by("-pk")[:4], n)
        if sub_order is None:
            return
        by_hand = sub_order.payments.received().filter(method=PaymentMethod.BY_HAND).exists()
        way = MoneyBack.BY_HAND if by_hand else WAYS_BACK[n // 20 % 5]
        how = {"refund": way, "note": "espèces", "by": self.bookseller, "reason": "Épuisé"}
        checkout.cancel_sub_order(sub_order, now=self.now, **how)
        self.met["cancelled"] += 1
        if way == MoneyBack.NOTHING:
            failed = Refund.objects.unfinished().filter(
                capture__payment__in=sub_order.payments.received(), state=RefundState.FAILED
            )
            kept = sum(c.refundable for c in checkout.refundable_captures(sub_order) if c.amount == sub_order.total)
            # What he had decided to give back before, and could not, is still to be given back.
            self.kept[sub_order.pk] = Decimal(kept) - sum(refund.amount for refund in failed)

    def validate(self, n: int) -> None:
        """One of the orders whose deadline is past."""
        if order := pick(GroupedOrder.objects.past_deadline(self.now).filter(status=OrderStatus.OPEN), n):
            lifecycle.validate(order, by=self.bookseller, now=self.now)
            self.met["validated"] += 1

    # The providers, their messages and the clock

    def fail(self, n: int) -> None:
        kind, match = FAULTS[n % len(FAULTS)]
        for simulator in self.simulators.values():
            simulator.fault(kind, match=match)
            self.met["faults"] += 1
            with simulator.stage.lock:
                for _ in simulator.stage.faults[:-MOST_FAULTS]:
                    del simulator.stage.faults[0]
                    self.met["faults"] -= 1

    def message(self, n: int) -> None:
        method = METHODS[n % 2]
        simulator = self.simulators[method]
        if event := pick(simulator.events()[:-7:-1], n // 2):
            body, proof = simulator.message(event)
            with suppress(Unknown):
                checkout.hear(method, proof, body, now=self.now)

    def decide_what_waits(self, n: int) -> None:
        for dashboard in self.dashboards:
            if waiting := pick(dashboard.waiting_payments(), n):
                dashboard.end_payment(waiting, good=n % 3 > 0)
            if waiting := pick(dashboard.waiting_refunds(), n):
                dashboard.end_refund(waiting, good=n % 3 > 0)

    def refund_at_the_dashboard(self, n: int) -> None:
        """The bookseller gives money back where he sees it, and says nothing here."""
        capture = pick(self.counted(), n)
        if capture is None or capture.method == PaymentMethod.BY_HAND or (left := capture.refundable) <= 0:
            return
        dashboard = next(dashboard for dashboard in self.dashboards if dashboard.method == capture.method)
        with suppress(requests.HTTPError):
            self.elsewhere.add(dashboard.refund(capture.provider_id, left if n % 2 else min(left, Decimal("3.00"))))
            self.touched.add(capture.payment.sub_order_id)
            self.met["refunded at the dashboard"] += 1

    def wait(self, n: int) -> None:
        self.now += timedelta(minutes=MINUTES[n % len(MINUTES)])

    def miss_the_deadline(self, n: int) -> None:
        """To the last minute, the grace, or what comes after it."""
        self.now = max(self.now, deadline_end(self.order.deadline) + timedelta(minutes=[-1, 10, 45][n % 3]))

    def clock(self, n: int) -> None:
        for payment in Payment.objects.due(self.now):
            checkout.settle(payment, now=self.now)
        for refund in Refund.objects.due(self.now):
            checkout.send_refund(refund, now=self.now)

    def daily_clock(self, n: int) -> None:
        for sub_order in checkout.to_remind(self.now)[:5]:
            self.met["reminded"] += checkout.remind(sub_order, now=self.now)
        for sub_order in checkout.to_cancel(self.now)[:5]:
            self.met["cancelled by rule"] += checkout.cancel_unpaid(sub_order, now=self.now)

    # What must hold

    @invariant()
    def books_agree(self) -> None:
        if not hasattr(self, "rows"):
            return
        for simulator in self.simulators.values():
            simulator.stage.state["ahead"] = (self.now - datetime.now(UTC)).total_seconds()
        theirs = {(e["kind"], e["id"], Decimal(e["amount"])): e["reference"] for e in self.entries()}
        ours = set(our_ledger())
        assert ours <= theirs.keys()
        for kind, id, amount in theirs.keys() - ours:
            reference = theirs[kind, id, amount]
            # It moved and we have not heard of it: somebody is going to ask.
            self.seen.add((f"{kind} unheard of", hash(id)))
            if id in self.elsewhere:
                continue  # until its message comes, or the daily comparison
            if kind == "capture":
                assert Payment.objects.get(public_id=reference).next_check_at is not None
            else:
                assert Refund.objects.get(public_id=reference).next_try_at is not None
        assert_verdicts_agree()
        doubtful = Payment.objects.filter(state__in=[PaymentState.PENDING, PaymentState.CAPTURING])
        self.seen.update((f"{state.lower()} payment", pk) for state, pk in doubtful.values_list("state", "pk"))

    def end_well(self) -> None:
        """Everybody answers again, the bookseller does what is left to him, and four days pass."""
        for simulator in self.simulators.values():
            self.met["faults"] -= len(simulator.stage.faults)
            simulator.stage.faults.clear()
        for dashboard in self.dashboards:
            for waiting in dashboard.waiting_payments():
                dashboard.end_payment(waiting, good=True)
            for waiting in dashboard.waiting_refunds():
                dashboard.end_refund(waiting, good=True)
        for method, simulator in self.simulators.items():
            for event in simulator.events():
                if "refund" in event.get("type", event.get("event_type", "")).lower():
                    body, proof = simulator.message(event)
                    checkout.hear(method, proof, body, now=self.now)
        for _ in range(12):
            self.now += timedelta(hours=8)
            self.books_agree()
            self.clock(0)
            for n, _refund in enumerate(Refund.objects.unfinished().filter(next_try_at=None)):
                self.try_again(n)
        self.note_what_was_met()
        assert Payment.objects.filter(next_check_at__isnull=False).count() == 0
        assert Payment.objects.in_doubt().count() == 0
        assert Refund.objects.unfinished().count() == 0
        assert our_ledger() == sorted((e["kind"], e["id"], Decimal(e["amount"])) for e in self.entries())
        for sub_order in SubOrder.objects.all():
            if sub_order.pk not in self.touched:
                assert self.net(sub_order) == self.due(sub_order)
            elif sub_order.status == SubOrderStatus.CANCELLED:
                assert self.net(sub_order) <= self.due(sub_order)

    def note_what_was_met(self) -> None:
        self.met.update(kind for kind, _ in self.seen)
        self.met.update(entry["kind"] for entry in self.entries())
        self.met["webhooks"] = ProviderEvent.objects.filter(processed_at__isnull=False).count()
        self.met["set aside"] = Payment.objects.filter(set_aside=True).count()
        self.met["told not debited"] = Mail.objects.filter(kind="payment_superseded").count()
        self.reached.append(self.met)

    def due(self, sub_order: SubOrder) -> Decimal:
        """What the providers should have left of a sub-order's money, by what was decided about it."""
        online = sub_order.payments.received().exclude(method=PaymentMethod.BY_HAND)
        due = self.kept.get(sub_order.pk, Decimal("0.00"))
        if sub_order.status == SubOrderStatus.PAID and online.exists():
            due = sub_order.total - self.parts.get(sub_order.pk, Decimal("0.00"))
        # Not the amount we asked: kept until a person has looked at it.
        for capture in Capture.objects.received().filter(payment__sub_order=sub_order):
            due += capture.refundable if capture.amount != capture.payment.amount else 0
        by_hand = Refund.objects.filter(
            capture__payment__sub_order=sub_order, source=RefundSource.BY_HAND, state=RefundState.DONE
        ).exclude(capture__method=PaymentMethod.BY_HAND)
        return due + sum(refund.amount for refund in by_hand)

    def open_order(self) -> None:
        self.order = GroupedOrderFactory(
            deadline=timezone.localdate(self.now) + timedelta(days=4), unit_price=Decimal("6.40")
        )
        for n in range(3):
            SubOrderFactory(grouped_order=self.order, quantity=n + 1, created_at=self.now)

    def counted(self) -> Iterable[Capture]:
        """The newest money that counts for a sub-order that is paid."""
        captures = Capture.objects.received().filter(payment__sub_order__status=SubOrderStatus.PAID)
        return captures.filter(payment__set_aside=False, amount=F("payment__amount")).order_by("-pk")[:4]

    def entries(self) -> list[dict[str, str]]:
        return [entry for simulator in self.simulators.values() for entry in simulator.stage.state["ledger"]]

    def net(self, sub_order: SubOrder) -> Decimal:
        """What the providers' own ledgers have left of a sub-order's money."""
        ids = {payment.public_id for payment in sub_order.payments.all()}
        ids |= {refund.public_id for refund in Refund.objects.filter(capture__payment__sub_order=sub_order)}
        signed = (
            Decimal(e["amount"]) * (1 if e["kind"] == "capture" else -1)
            for e in self.entries()
            if e["reference"] in ids
        )
        return sum(signed, Decimal("0.00"))


def pick(some: Iterable[T], n: int) -> T | None:
    choices = list(some)
    return choices[n % len(choices)] if choices else None
