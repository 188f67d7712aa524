from datetime import timedelta

import pytest
from celery import current_app
from django.conf import settings
from django.utils import timezone
from pytest_django import Settings

from grouped_orders import checkout, clock, lifecycle
from grouped_orders.models import Mail, Payment, Refund, SubOrder
from grouped_orders.statuses import HandMethod, OrderStatus, PaymentMethod, RefundState, SubOrderStatus
from librisoft_bridge import outbox, transmission
from librisoft_bridge.models import ShopOrder, Transmission
from tests.factories import BookshopFactory, GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.grouped_orders.admin.story import order_in
from tests.simulation import Simulator
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db


def test_every_scheduled_task_exists() -> None:
    current_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= set(current_app.tasks)


def test_return_that_never_came_is_settled_by_the_clock(paypal_simulator: Simulator) -> None:
    now = timezone.now()
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=timezone.localdate()))
    page = checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=None, now=now - timedelta(minutes=5))
    paypal_simulator.pay(page)
    clock.settle_payments()
    assert SubOrder.objects.get().status == SubOrderStatus.PAID
    assert Payment.objects.due(timezone.now() + timedelta(days=9)).count() == 0
    assert paypal_simulator.ledger()["total"] == "6.40"


def test_refund_that_waits_is_sent_by_the_clock(card_simulator: Simulator) -> None:
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=timezone.localdate()))
    page = checkout.start(sub_order, method=PaymentMethod.CARD, terms=None, now=timezone.now())
    card_simulator.pay(page)
    checkout.settle(sub_order.payments.get(), now=timezone.now())
    checkout.cancel_order(sub_order.grouped_order, by=UserFactory(), reason="Épuisé", now=timezone.now())
    clock.send_refunds()
    assert Refund.objects.get().state == RefundState.DONE
    assert card_simulator.ledger()["total"] == "0.00"


def test_refused_transmission_is_told_to_the_bookshop_once(librisoft_simulator: LibrisoftSimulator) -> None:
    BookshopFactory(email="contact@dlivre.example")
    yesterday = timezone.localdate() - timedelta(days=1)
    order = GroupedOrderFactory(deadline=yesterday)
    bookseller = UserFactory(is_staff=True)
    checkout.record_by_hand(
        SubOrderFactory(grouped_order=order),
        method=HandMethod.CHEQUE,
        reference="1",
        by=bookseller,
        now=timezone.now(),
    )
    order = lifecycle.validate(order, by=bookseller, now=timezone.now())
    librisoft_simulator.fault("refuse", message="EAN inconnu", times=2)
    shop_order = transmission.transmit(order.shop_order, now=timezone.now())
    for _ in range(2):
        clock.tell_failed_transmissions()
    assert list(Mail.objects.filter(kind="transmission_failed").values_list("recipient")) == [
        ("contact@dlivre.example",)
    ]
    assert "EAN inconnu" in Mail.objects.get(kind="transmission_failed").text

    outbox.resend(shop_order, now=timezone.now())
    transmission.transmit(shop_order, now=timezone.now())
    clock.tell_failed_transmissions()
    assert Mail.objects.filter(kind="transmission_failed").count() == 2


def test_order_that_librisoft_has_not_taken_for_hours_is_told_to_the_bookshop_once(settings: Settings) -> None:
    BookshopFactory(email="contact@dlivre.example")
    order = GroupedOrderFactory(deadline=timezone.localdate() - timedelta(days=1))
    bookseller = UserFactory(is_staff=True)
    sub_order = SubOrderFactory(grouped_order=order)
    now = timezone.now()
    checkout.record_by_hand(sub_order, method=HandMethod.CHEQUE, reference="1", by=bookseller, now=now)
    settings.LIBRISOFT_OVERDUE_HOURS = 4
    shop_order = lifecycle.validate(order, by=bookseller, now=now).shop_order
    assert shop_order is not None
    ShopOrder.objects.update(error="LIBRISOFT ne répond pas.", next_try_at=now + timedelta(minutes=5))
    clock.tell_failed_transmissions()
    assert Mail.objects.filter(kind="transmission_failed").count() == 0

    ShopOrder.objects.update(waiting_since=now - timedelta(hours=4))
    for _ in range(2):
        clock.tell_failed_transmissions()
    mail = Mail.objects.get(kind="transmission_failed")
    assert "LIBRISOFT ne l’a pas encore prise" in mail.text
    assert "LIBRISOFT ne répond pas. Nouvel essai à" in mail.text

    ShopOrder.objects.update(transmission=Transmission.FAILED)
    clock.tell_failed_transmissions()
    assert Mail.objects.filter(kind="transmission_failed").count() == 2


def test_second_number_of_librisoft_is_told_to_the_bookshop_once_for_each() -> None:
    BookshopFactory(email="contact@dlivre.example")
    order = order_in(OrderStatus.AWAITING_PROCESSING)
    Mail.objects.all().delete()
    for second in ("6999", "6999", "7000"):
        ShopOrder.objects.update(librisoft_number="6767", second_number=second)
        clock.tell_failed_transmissions()
    told = Mail.objects.filter(kind="librisoft_doubled").order_by("pk")
    assert [(mail.recipient, mail.grouped_order) for mail in told] == [("contact@dlivre.example", order)] * 2
    assert [("6767 et 6999" in mail.text, "6767 et 7000" in mail.text) for mail in told] == [
        (True, False),
        (False, True),
    ]


def test_refund_without_credentials_waits_and_stops_no_other(card_simulator: Simulator, settings: Settings) -> None:
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=timezone.localdate()))
    page = checkout.start(sub_order, method=PaymentMethod.CARD, terms=None, now=timezone.now())
    card_simulator.pay(page)
    checkout.settle(sub_order.payments.get(), now=timezone.now())
    checkout.cancel_order(sub_order.grouped_order, by=UserFactory(), reason="Épuisé", now=timezone.now())
    settings.STRIPE_SECRET_KEY = ""
    clock.send_refunds()
    refund = Refund.objects.get()
    assert (refund.state, refund.tries) == (RefundState.REQUESTED, 1)
