"""What becomes of a sub-order that nobody pays: one reminder, then the cancellation by rule, and never by mistake."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from grouped_orders import checkout, clock
from grouped_orders.models import Capture, JournalEntry, Mail, Payment, SubOrder
from grouped_orders.models.order import deadline_end
from grouped_orders.statuses import HandMethod, MoneyBack, PaymentMethod, PaymentState, SubOrderStatus
from tests.factories import BookshopFactory, GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db

PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD
DEADLINE = date(2026, 11, 24)
END = deadline_end(DEADLINE)
BORN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LATE = END + timedelta(hours=48)


def subscribed(at: datetime = BORN, **order: Any) -> SubOrder:
    return SubOrderFactory(grouped_order=GroupedOrderFactory(**{"deadline": DEADLINE, **order}), created_at=at)


def started(sub_order: SubOrder, method: PaymentMethod, at: datetime) -> str:
    return checkout.start(sub_order, method=method, terms=None, now=at)


def remind(at: datetime) -> None:
    with time_machine.travel(at, tick=False):
        clock.remind_unpaid()


def cancel(at: datetime) -> None:
    with time_machine.travel(at, tick=False):
        clock.cancel_unpaid()


def reminded() -> list[int | None]:
    return list(Mail.objects.filter(kind="sub_order_reminder").values_list("sub_order_id", flat=True))


def status(sub_order: SubOrder) -> str:
    return SubOrder.objects.values_list("status", flat=True).get(pk=sub_order.pk)


# The reminder ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (BORN + timedelta(hours=24, seconds=-1), False),
        (BORN + timedelta(hours=24), True),
        (END - timedelta(seconds=1), True),
        (END, False),
    ],
)
def test_reminder_comes_after_24_hours_and_before_the_deadline(at: datetime, told: bool) -> None:
    sub_order = subscribed()
    remind(at)
    assert reminded() == ([sub_order.pk] if told else [])


def test_reminder_comes_once() -> None:
    sub_order = subscribed()
    for days in (1, 2, 3):
        remind(BORN + timedelta(days=days))
    assert reminded() == [sub_order.pk]


def test_reminder_says_how_to_pay_and_until_when(settings: Settings) -> None:
    settings.SITE_URL = "https://commandes.dlivre.example"
    sub_order = subscribed()
    remind(BORN + timedelta(days=1))
    mail = Mail.objects.get()
    text = mail.text.replace("\u00a0", " ")
    assert (mail.recipient, mail.subject) == (
        sub_order.email,
        f"Votre commande n°\u00a0{sub_order.pk} attend son paiement",
    )
    assert text.split("\n\n")[1:4] == [
        f"Vous avez commencé une commande (n° {sub_order.pk}) le 20/11/2026 (à 10:00:00), et nous n’avons pas encore "
        "reçu son paiement. Peut-être avez-vous été interrompu : vous pouvez la reprendre là où vous l’aviez laissée.",
        f"Payer ma commande :\n{sub_order.url}",
        "Elle peut être payée jusqu’au mardi 24 novembre 2026 à minuit. Ensuite, la commande groupée part chez le "
        "libraire, sans les commandes impayées.",
    ]
    assert f'href="{sub_order.url}"' in mail.html


def test_nobody_is_reminded_of_what_is_paid_cancelled_or_closed() -> None:
    by = UserFactory(is_staff=True)
    paid, cancelled, closed = subscribed(), subscribed(), subscribed()
    checkout.record_by_hand(paid, method=HandMethod.SHOP, reference="1", by=by, now=BORN)
    checkout.cancel_sub_order(cancelled, by=by, reason="Erreur", refund=None, now=BORN)
    checkout.cancel_order(closed.grouped_order, by=by, reason="Épuisé", now=BORN)
    remind(BORN + timedelta(days=1))
    assert reminded() == []


def test_payment_under_way_is_not_reminded_of(paypal_simulator: Simulator) -> None:
    sub_order = subscribed()
    paypal_simulator.pay(started(sub_order, PAYPAL, BORN))
    paypal_simulator.fault("capture_pending")
    checkout.settle(sub_order.payments.get(), now=BORN)
    remind(BORN + timedelta(days=1))
    assert (reminded(), status(sub_order)) == ([], SubOrderStatus.PENDING)


def test_payment_that_nobody_told_us_of_is_settled_instead_of_reminded(card_simulator: Simulator) -> None:
    sub_order = subscribed()
    with time_machine.travel(BORN):
        card_simulator.pay(started(sub_order, CARD, BORN))
    remind(BORN + timedelta(days=1))
    assert (reminded(), status(sub_order)) == ([], SubOrderStatus.PAID)


# The cancellation by rule ---------------------------------------------------------------------


def test_unpaid_is_cancelled_48_hours_after_the_deadline_and_never_before() -> None:
    sub_order = subscribed()
    cancel(LATE - timedelta(seconds=1))
    assert status(sub_order) == SubOrderStatus.PENDING
    cancel(LATE)
    sub_order.refresh_from_db()
    assert (sub_order.status, sub_order.cancelled_at) == (SubOrderStatus.CANCELLED, LATE)
    assert list(JournalEntry.objects.values_list("what", "reason", "actor")) == [
        (f"Sous-commande n° {sub_order.pk} : Annulée", "Restée impayée 48 h après la date limite", None)
    ]
    (mail,) = Mail.objects.all()
    assert (mail.kind, mail.recipient) == ("sub_order_cancelled", sub_order.email)
    assert mail.text.replace("\u00a0", " ").split("\n\n")[1:3] == [
        f"Votre commande n° {sub_order.pk}, passée le 20/11/2026 (à 10:00:00), n’a pas été payée avant la date limite "
        "(24/11/2026) : elle a été annulée automatiquement.",
        "Nous n’avons encaissé aucun paiement pour elle. S’il en arrivait un malgré tout, il vous serait remboursé.",
    ]


@pytest.mark.parametrize(("hours", "cancelled_after"), [(1, 1), (72, 72), (0, None)])
def test_shop_says_after_how_many_hours_or_never(hours: int, cancelled_after: int | None) -> None:
    BookshopFactory(cancels_unpaid_after=hours)
    sub_order = subscribed()
    cancel(END + timedelta(hours=cancelled_after or 0, seconds=-1))
    assert status(sub_order) == SubOrderStatus.PENDING
    cancel(END + timedelta(hours=cancelled_after or 1000))
    assert status(sub_order) == (SubOrderStatus.CANCELLED if cancelled_after else SubOrderStatus.PENDING)


def test_the_hours_are_real_ones_over_a_change_of_clocks() -> None:
    # Midnight of 24 October in Brussels is 22:00 UTC; the clocks go back in the next night.
    sub_order = subscribed(deadline=date(2026, 10, 24))
    cancel(datetime(2026, 10, 26, 21, 59, 59, tzinfo=UTC))
    assert status(sub_order) == SubOrderStatus.PENDING
    cancel(datetime(2026, 10, 26, 23, 0, 0, tzinfo=UTC))
    assert status(sub_order) == SubOrderStatus.CANCELLED


def test_deadline_moved_meanwhile_is_seen_under_the_lock() -> None:
    sub_order = subscribed()
    sub_order.grouped_order.deadline = DEADLINE + timedelta(days=1)
    sub_order.grouped_order.save(update_fields=["deadline"])
    assert not checkout.cancel_unpaid(sub_order, now=LATE)
    assert (status(sub_order), Mail.objects.count()) == (SubOrderStatus.PENDING, 0)


def test_paid_meanwhile_is_seen_under_the_lock() -> None:
    sub_order = subscribed()
    by = UserFactory(is_staff=True)
    checkout.record_by_hand(
        SubOrder.objects.get(pk=sub_order.pk), method=HandMethod.SHOP, reference="1", by=by, now=LATE
    )
    assert not checkout.cancel_unpaid(sub_order, now=LATE)
    assert status(sub_order) == SubOrderStatus.PAID


def test_card_paid_without_our_knowing_is_paid_and_not_cancelled(card_simulator: Simulator) -> None:
    before = END - timedelta(minutes=10)
    sub_order = subscribed()
    with time_machine.travel(before):
        card_simulator.pay(started(sub_order, CARD, before))
    cancel(LATE)
    assert status(sub_order) == SubOrderStatus.PAID
    assert card_simulator.moved() == [("capture", "6.40", sub_order.payments.get().public_id)]


def test_page_left_open_is_shut_before_the_cancellation(paypal_simulator: Simulator, card_simulator: Simulator) -> None:
    before = END - timedelta(minutes=10)
    sub_orders = [subscribed(), subscribed()]
    with time_machine.travel(before):
        started(sub_orders[0], PAYPAL, before)
        started(sub_orders[1], CARD, before)
    cancel(LATE)
    assert [status(sub_order) for sub_order in sub_orders] == [SubOrderStatus.CANCELLED] * 2
    assert list(Payment.objects.filter(next_check_at__isnull=False)) == []


@pytest.mark.parametrize("method", [PAYPAL, CARD])
def test_provider_that_does_not_answer_makes_the_rule_wait(
    method: PaymentMethod, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    before = END - timedelta(minutes=10)
    simulator = paypal_simulator if method == PAYPAL else card_simulator
    sub_order = subscribed()
    with time_machine.travel(before):
        page = started(sub_order, method, before)
        simulator.pay(page)
    if method == PAYPAL:
        simulator.fault("drop_after", match="/capture")
        checkout.settle(sub_order.payments.get(), now=before)
    simulator.fault("status", match="^(GET|POST) /v[12]/checkout", times=0, status=503)
    for hours in (0, 1, 2):
        cancel(LATE + timedelta(hours=hours))
    assert status(sub_order) == SubOrderStatus.PENDING
    simulator.clear_faults()
    cancel(LATE + timedelta(hours=9))
    assert status(sub_order) == SubOrderStatus.PAID
    assert simulator.ledger()["total"] == "6.40"


def test_payment_pending_at_the_provider_makes_the_rule_wait(paypal_simulator: Simulator) -> None:
    sub_order = subscribed()
    paypal_simulator.pay(started(sub_order, PAYPAL, BORN))
    paypal_simulator.fault("capture_pending")
    payment = checkout.settle(sub_order.payments.get(), now=BORN)
    cancel(LATE)
    assert status(sub_order) == SubOrderStatus.PENDING
    paypal_simulator.decide(f"captures/{payment.captures.get().provider_id}", status="DECLINED")
    with time_machine.travel(LATE + timedelta(hours=2), tick=False):
        clock.settle_payments()
        clock.cancel_unpaid()
    assert status(sub_order) == SubOrderStatus.CANCELLED


def test_money_of_another_amount_is_left_to_the_bookseller(paypal_simulator: Simulator) -> None:
    sub_order = subscribed()
    paypal_simulator.pay(started(sub_order, PAYPAL, BORN))
    paypal_simulator.fault("wrong_amount", match="/capture", value="1.00")
    checkout.settle(sub_order.payments.get(), now=BORN)
    assert [str(capture.amount) for capture in Capture.objects.all()] == ["1.00"]
    cancel(LATE)
    assert (status(sub_order), sub_order.payments.get().state) == (SubOrderStatus.PENDING, PaymentState.CAPTURED)


def test_bookseller_s_own_cancellation_does_not_say_that_it_was_the_rule() -> None:
    sub_order = subscribed()
    checkout.cancel_sub_order(sub_order, by=UserFactory(), reason="Doublon", refund=MoneyBack.NOTHING, now=LATE)
    assert "automatiquement" not in Mail.objects.get().text
