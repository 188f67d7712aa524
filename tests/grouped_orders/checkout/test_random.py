"""Anything in any order: buyers, the bookseller, providers that fail, time that passes, messages that come when they
like. After each step the two books agree, or what is missing from ours is still to be asked about; at the end, when
the providers answer again, they agree to the cent and every sub-order is paid once or not at all.

`LONG=1 pytest tests/grouped_orders/checkout/test_random.py` runs 500 steps an example, and new ones each time.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
import requests
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from collectivities.models import User
from grouped_orders import checkout, lifecycle
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import Payment, Refund, SubOrder
from grouped_orders.payments.base import Unknown
from grouped_orders.statuses import CaptureStatus, HandMethod, PaymentMethod, SubOrderStatus
from tests.factories import GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.grouped_orders.checkout.ledger import assert_verdict_agrees, our_ledger
from tests.simulation import Simulator

LONG = bool(os.environ.get("LONG"))
PROFILE = settings(
    max_examples=30 if LONG else 5,
    stateful_step_count=500 if LONG else 60,
    derandomize=not LONG,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

BUYERS = 3
buyers = st.integers(0, BUYERS - 1)
methods = st.sampled_from([PaymentMethod.PAYPAL, PaymentMethod.CARD])
anything = st.integers(0, 1000)
FAULTS = [
    *(
        (kind, path)
        for kind in ("drop_before", "drop_after", "truncated", "html", "status")
        for path in ("/v2/", "/v1/")
    ),
    *((kind, "/capture") for kind in ("drop_before", "drop_after", "truncated", "empty")),
    *((kind, "/refund") for kind in ("drop_before", "drop_after", "status")),
    *((kind, "/expire") for kind in ("drop_before", "drop_after", "status")),
    *((kind, "/capture") for kind in ("capture_pending", "capture_declined", "capture_refused", "instrument_declined")),
    ("capture_pending", "/c/pay"),
    ("capture_declined", "/c/pay"),
    ("capture_twice", "/capture"),
    ("wrong_amount", "orders$"),
    ("wrong_payee", "orders$"),
]


class Shop(RuleBasedStateMachine):
    """One group order, three buyers, two providers; `now` is the clock they all live by."""

    simulators: ClassVar[dict[PaymentMethod, Simulator]]

    @initialize()
    def open(self) -> None:
        self.rows = transaction.atomic()
        self.rows.__enter__()
        self.now = timezone.now()
        for simulator in self.simulators.values():
            simulator.stage.faults.clear()
            simulator.stage.state["ledger"].clear()
            simulator.stage.state["webhooks"].clear()
        self.bookseller: User = UserFactory()
        self.order = GroupedOrderFactory(deadline=timezone.localdate() + timedelta(days=1), unit_price=Decimal("6.40"))
        self.sub_orders = [SubOrderFactory(grouped_order=self.order, quantity=n + 1) for n in range(BUYERS)]
        self.pages: list[str] = []

    def teardown(self) -> None:
        if not hasattr(self, "rows"):
            return
        try:
            self.end_well()
        finally:
            transaction.set_rollback(True)
            self.rows.__exit__(None, None, None)

    # Buyers

    @rule(buyer=buyers, method=methods)
    def start(self, buyer: int, method: PaymentMethod) -> None:
        with suppress(NotAllowed):
            self.pages.append(checkout.start(self.sub_orders[buyer], method=method, terms=None, now=self.now))

    @precondition(lambda self: self.pages)
    @rule(which=anything, action=st.sampled_from(["pay", "pay", "pay", "refuse", "cancel"]))
    def decide_at_the_providers_page(self, which: int, action: str) -> None:
        """A page that is shut says so; the newest ones are used most."""
        page = self.pages[-1 - which % min(len(self.pages), 4)]
        with suppress(requests.RequestException):
            requests.post(page, data={"action": action}, timeout=10, allow_redirects=False)

    @rule(which=anything)
    def come_back(self, which: int) -> None:
        if payment := self.nth(Payment.objects.order_by("-pk"), which):
            checkout.settle(payment, now=self.now)

    @rule(which=anything)
    def come_back_by_cancel(self, which: int) -> None:
        if payment := self.nth(Payment.objects.order_by("-pk"), which):
            checkout.abandon(payment, now=self.now)

    # The bookseller

    @rule(buyer=buyers)
    def pay_by_hand(self, buyer: int) -> None:
        self.decide(
            lambda: checkout.record_by_hand(
                self.sub_orders[buyer], method=HandMethod.SHOP, reference="12", by=self.bookseller, now=self.now
            )
        )

    @rule(buyer=buyers)
    def cancel(self, buyer: int) -> None:
        self.decide(
            lambda: checkout.cancel_sub_order(
                self.sub_orders[buyer], by=self.bookseller, reason="Épuisé", refund=True, now=self.now
            )
        )

    @rule(really=st.integers(0, 9))
    def cancel_all(self, really: int) -> None:
        if really == 0:
            self.decide(lambda: checkout.cancel_order(self.order, by=self.bookseller, reason="Épuisé", now=self.now))

    @rule()
    def validate(self) -> None:
        self.decide(lambda: lifecycle.validate(self.order, by=self.bookseller, now=self.now))

    # The providers, their messages and the clock

    @rule(method=methods, fault=st.sampled_from(FAULTS))
    def fail(self, method: PaymentMethod, fault: tuple[str, str]) -> None:
        self.simulators[method].fault(fault[0], match=fault[1])

    @rule(method=methods, which=anything)
    def message(self, method: PaymentMethod, which: int) -> None:
        simulator = self.simulators[method]
        if events := simulator.events():
            body, proof = simulator.message(events[-1 - which % min(len(events), 6)])
            with suppress(Unknown):
                checkout.hear(method, proof, body, now=self.now)

    @rule(which=anything, good=st.booleans())
    def decide_what_waits(self, which: int, good: bool) -> None:
        for method, simulator in self.simulators.items():
            if waiting := self.waiting(method):
                self.end_waiting(simulator, method, waiting[which % len(waiting)], good)

    @rule(minutes=st.sampled_from([1, 2, 5, 25, 45, 200, 1000]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def clock(self) -> None:
        for payment in Payment.objects.due(self.now):
            checkout.settle(payment, now=self.now)
        for refund in Refund.objects.due(self.now):
            checkout.send_refund(refund, now=self.now)

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
        for (kind, _, _), reference in theirs.items() - {(key, theirs[key]) for key in ours}:
            # It moved and we have not heard of it: somebody is going to ask.
            if kind == "capture":
                assert Payment.objects.get(public_id=reference).next_check_at is not None
            else:
                assert Refund.objects.get(public_id=reference).next_try_at is not None
        for sub_order in SubOrder.objects.all():
            assert_verdict_agrees(sub_order)

    def end_well(self) -> None:
        """Everybody answers again, and three days pass."""
        for method, simulator in self.simulators.items():
            simulator.stage.faults.clear()
            for waiting in self.waiting(method):
                self.end_waiting(simulator, method, waiting, good=True)
        for _ in range(50):
            self.wait(120)
            self.books_agree()
            self.clock()
        assert Payment.objects.filter(next_check_at__isnull=False).count() == 0
        assert Payment.objects.in_doubt().count() == 0
        assert our_ledger() == sorted((e["kind"], e["id"], Decimal(e["amount"])) for e in self.entries())
        for sub_order in SubOrder.objects.all():
            online = sub_order.payments.received().exclude(method=PaymentMethod.BY_HAND)
            due = sub_order.total if sub_order.status == SubOrderStatus.PAID and online.exists() else Decimal("0.00")
            assert self.net(sub_order) == due

    # Helping hands

    def decide(self, what: Callable[[], object]) -> None:
        with suppress(NotAllowed):
            what()

    def nth(self, payments: Iterable[Payment], which: int) -> Payment | None:
        newest = list(payments)[:4]
        return newest[which % len(newest)] if newest else None

    def entries(self) -> list[dict[str, str]]:
        return [entry for simulator in self.simulators.values() for entry in simulator.stage.state["ledger"]]

    def waiting(self, method: PaymentMethod) -> list[str]:
        state = self.simulators[method].stage.state
        if method == PaymentMethod.CARD:
            return [
                o["id"]
                for o in state["objects"].values()
                if o["object"] == "payment_intent" and o["status"] == "processing"
            ]
        captures = (c for o in state["orders"].values() for c in self.captures_of(o))
        return [c["id"] for c in captures if c["status"] == CaptureStatus.PENDING]

    def captures_of(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        captures: list[dict[str, Any]] = order["purchase_units"][0].get("payments", {}).get("captures", [])
        return captures

    def end_waiting(self, simulator: Simulator, method: PaymentMethod, id: str, good: bool) -> None:
        if method == PaymentMethod.CARD:
            simulator.decide(f"payments/{id}", status="succeeded" if good else "failed")
        else:
            simulator.decide(f"captures/{id}", status="COMPLETED" if good else "DECLINED")

    def net(self, sub_order: SubOrder) -> Decimal:
        ids = {payment.public_id for payment in sub_order.payments.all()}
        ids |= {refund.public_id for refund in Refund.objects.filter(capture__payment__sub_order=sub_order)}
        signed = (
            Decimal(e["amount"]) * (1 if e["kind"] == "capture" else -1)
            for e in self.entries()
            if e["reference"] in ids
        )
        return sum(signed, Decimal("0.00"))


@pytest.mark.django_db
def test_any_order_of_events_leaves_the_books_in_agreement(
    paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    Shop.simulators = {PaymentMethod.PAYPAL: paypal_simulator, PaymentMethod.CARD: card_simulator}
    run_state_machine_as_test(Shop, settings=PROFILE)
