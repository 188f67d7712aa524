"""A day later, the provider's own list is held against our rows, and what is said is told once."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from grouped_orders import checkout, clock, ledger, payments
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import Capture, JournalEntry, LedgerDifference, Mail, Payment, Refund
from grouped_orders.payments.base import Attempt, Money, Unknown
from grouped_orders.statuses import HandMethod, MoneyBack, PaymentMethod, RefundState, SubOrderStatus
from tests.factories import BookshopFactory, GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db

START = timezone.now()
TODAY = timezone.localdate(START).strftime("%d/%m/%Y")


class Shop(NamedTuple):
    method: PaymentMethod
    simulator: Simulator

    def paid(self, **fields: Any) -> Payment:
        order = GroupedOrderFactory(deadline=timezone.localdate() + timedelta(days=3))
        sub_order = SubOrderFactory(grouped_order=order, quantity=2, **fields)
        self.simulator.pay(checkout.start(sub_order, method=self.method, terms=None, now=timezone.now()))
        return checkout.settle(sub_order.payments.get(), now=timezone.now())

    def refunded_at_the_dashboard(self, payment: Payment, amount: str) -> str:
        capture = payment.captures.get().provider_id
        if self.method == PaymentMethod.PAYPAL:
            return self.simulator.decide(f"captures/{capture}/refund", amount=amount)["id"]
        return self.simulator.decide(f"payments/{capture}/refund", amount=int(Decimal(amount) * 100))["id"]

    def compare(self, *, after: timedelta = timedelta(days=1)) -> list[str]:
        """What is told that was not told before, with ordinary spaces and without the day."""
        with time_machine.travel(START + after, tick=False):
            return [
                re.sub(r" le \d\d/\d\d/\d{4}", "", told.what.replace("\u00a0", " "))
                for told in ledger.compare(self.method, now=timezone.now())
            ]


@pytest.fixture(params=["paypal", "card"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """One provider. What happens in a test happens at START; the comparison is made a day later."""
    BookshopFactory(email="contact@dlivre.example")
    method = PaymentMethod.PAYPAL if request.param == "paypal" else PaymentMethod.CARD
    simulator = request.getfixturevalue(f"{request.param}_simulator")
    with time_machine.travel(START):
        yield Shop(method, simulator)


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def cancel(payment: Payment, refund: MoneyBack = MoneyBack.ONLINE, note: str = "") -> None:
    checkout.cancel_sub_order(
        payment.sub_order, by=UserFactory(), reason="Erreur", refund=refund, note=note, now=timezone.now()
    )


def test_clean_day_tells_nothing(shop: Shop) -> None:
    shop.paid()
    cancel(shop.paid())
    clock.send_refunds()
    shop.simulator.fault("refund_pending")
    cancel(shop.paid())
    clock.send_refunds()
    by_hand = SubOrderFactory(grouped_order=GroupedOrderFactory())
    checkout.record_by_hand(by_hand, method=HandMethod.SHOP, reference="1", by=UserFactory(), now=timezone.now())
    assert [kind for kind, _amount, _ours in shop.simulator.moved()] == ["capture", "capture", "refund", "capture"]
    assert shop.compare() == []
    assert (LedgerDifference.objects.count(), Mail.objects.filter(kind="provider_differs").count()) == (0, 0)


def test_money_that_we_do_not_have_is_told(shop: Shop) -> None:
    payment = shop.paid()
    capture = payment.captures.get().provider_id
    Capture.objects.all().delete()
    assert shop.compare() == ["12,80 € encaissés chez le prestataire, inconnus ici"]
    told = LedgerDifference.objects.get()
    assert (told.method, told.provider_id, told.payment) == (shop.method, capture, payment)
    assert f"le {TODAY}" in told.what
    payment.sub_order.refresh_from_db()
    assert (payment.sub_order.status, Capture.objects.count()) == (SubOrderStatus.PAID, 0)


def pay_elsewhere(shop: Shop, our_id: str) -> None:
    """74,50 € come in under this reference, without a row of ours."""
    attempt = Attempt(
        our_id=our_id,
        money=Money(Decimal("74.50"), "EUR"),
        description="Commande",
        email="parent@example.org",
        return_url="http://shop.example/",
        cancel_url="http://shop.example/",
        expires_at=timezone.now() + timedelta(minutes=30),
    )
    provider = payments.provider(shop.method)
    redirect = provider.create(attempt, key="cre-1")
    shop.simulator.pay(redirect.url)
    provider.capture(redirect.ref, key="cap-1")


def test_money_of_a_shop_that_lost_its_rows_is_told(shop: Shop) -> None:
    pay_elsewhere(shop, "0123456789abcdef0123456789abcdef")
    assert shop.compare() == ["74,50 € encaissés chez le prestataire, inconnus ici"]
    assert LedgerDifference.objects.get().payment is None


def test_money_of_another_business_of_the_same_account_is_not_ours_to_judge(shop: Shop) -> None:
    pay_elsewhere(shop, "boutique-4471")
    assert shop.compare() == []


def test_money_that_the_provider_does_not_have_is_told(shop: Shop) -> None:
    payment = shop.paid()
    sql("UPDATE grouped_orders_capture SET provider_id = 'NOWHERE1'")
    assert shop.compare() == [
        "12,80 € encaissés chez le prestataire, inconnus ici",
        "12,80 € encaissés ici, absents de la liste du prestataire",
    ]
    told = LedgerDifference.objects.get(provider_id="NOWHERE1")
    assert told.payment == payment


def test_different_amounts_are_told(shop: Shop) -> None:
    shop.paid()
    sql("UPDATE grouped_orders_capture SET amount = 12.79")
    assert shop.compare() == ["12,80 € encaissés chez le prestataire, 12,79 € ici"]


def test_different_currencies_are_told(shop: Shop) -> None:
    shop.paid()
    sql("UPDATE grouped_orders_capture SET currency = 'CHF'")
    assert shop.compare() == ["12,80 € encaissés chez le prestataire, 12.80 CHF ici"]


def test_capture_that_failed_only_here_is_told(shop: Shop) -> None:
    shop.paid()
    sql("UPDATE grouped_orders_capture SET status = 'FAILED'")
    assert shop.compare() == ["12,80 € encaissés chez le prestataire, « Échoué » ici"]


def test_refund_made_at_the_dashboard_is_told(shop: Shop) -> None:
    payment = shop.paid()
    refund = shop.refunded_at_the_dashboard(payment, "5.00")
    assert shop.compare() == ["5,00 € remboursés chez le prestataire, inconnus ici"]
    told = LedgerDifference.objects.get()
    assert (told.provider_id, told.payment) == (refund, payment)
    assert Refund.objects.count() == 0


def test_refund_made_at_both_is_told(shop: Shop) -> None:
    """The provider said no first, then the bookseller gave the money back by hand, and it went online as well."""
    cancel(shop.paid())
    clock.send_refunds()
    sql("UPDATE grouped_orders_refund SET source = 'BY_HAND'")
    assert shop.compare() == ["12,80 € remboursés chez le prestataire, et notés remboursés à la main ici"]


def test_refund_that_failed_only_here_is_told(shop: Shop) -> None:
    cancel(shop.paid())
    clock.send_refunds()
    sql("UPDATE grouped_orders_refund SET state = 'FAILED'")
    assert shop.compare() == ["12,80 € remboursés chez le prestataire, « Échoué » ici"]


def test_refund_of_another_amount_is_told(shop: Shop) -> None:
    cancel(shop.paid())
    clock.send_refunds()
    sql("UPDATE grouped_orders_refund SET amount = 12.79")
    assert shop.compare() == ["12,80 € remboursés chez le prestataire, 12,79 € ici"]


def test_refund_that_the_provider_does_not_have_is_told(shop: Shop) -> None:
    payment = shop.paid()
    Refund.objects.create(
        capture=payment.captures.get(),
        amount=Decimal("1.00"),
        state=RefundState.DONE,
        done_at=timezone.now(),
        provider_id="NOWHERE1",
        reason="Abîmé",
    )
    assert shop.compare() == ["1,00 € remboursés ici, absents de la liste du prestataire"]


def test_refund_whose_answer_was_lost_is_known_by_our_own_number(shop: Shop) -> None:
    cancel(shop.paid())
    shop.simulator.fault("drop_after", match="POST .*refund")
    clock.send_refunds()
    assert Refund.objects.get().provider_id == ""
    assert shop.compare() == []


def test_what_moved_in_the_last_hours_is_left_to_settle(shop: Shop) -> None:
    payment = shop.paid()
    shop.refunded_at_the_dashboard(payment, "5.00")
    Capture.objects.update(amount=1)
    assert shop.compare(after=timedelta(hours=5, minutes=50)) == []
    assert len(shop.compare(after=timedelta(hours=6, minutes=10))) == 2


def test_difference_is_told_once_and_mailed_once(shop: Shop) -> None:
    payment = shop.paid()
    refund = shop.refunded_at_the_dashboard(payment, "5.00")
    assert len(shop.compare()) == 1
    for days in (2, 3, 29):
        assert shop.compare(after=timedelta(days=days)) == []
    assert LedgerDifference.objects.count() == 1
    mail = Mail.objects.get(kind="provider_differs")
    assert (mail.recipient, mail.subject) == (
        "contact@dlivre.example",
        "Un écart avec les comptes du prestataire de paiement",
    )
    label = PaymentMethod(shop.method).label
    line = f"{label} {refund} : 5,00 € remboursés chez le prestataire le {TODAY}, inconnus ici"
    assert line in mail.text.replace("\u00a0", " ")
    shop.refunded_at_the_dashboard(payment, "1.00")
    assert len(shop.compare()) == 1
    assert Mail.objects.filter(kind="provider_differs").count() == 2


def test_list_that_cannot_be_had_is_asked_for_again_the_next_day(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.refunded_at_the_dashboard(shop.paid(), "5.00")
    shop.simulator.fault("status", match="GET /v1/(reporting|balance)", times=0, status=503)
    with pytest.raises(Unknown):
        shop.compare()
    with time_machine.travel(START + timedelta(days=1), tick=False):
        clock.compare_with_providers()
    assert LedgerDifference.objects.count() == 0
    assert [record.levelname for record in caplog.records if record.name == "grouped_orders.clock"] == ["WARNING"]
    shop.simulator.clear_faults()
    with time_machine.travel(START + timedelta(days=2), tick=False):
        clock.compare_with_providers()
    assert LedgerDifference.objects.count() == 1


def test_provider_that_does_not_answer_does_not_hide_the_other(
    paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    paypal, card = Shop(PaymentMethod.PAYPAL, paypal_simulator), Shop(PaymentMethod.CARD, card_simulator)
    for shop in (paypal, card):
        shop.refunded_at_the_dashboard(shop.paid(), "5.00")
    paypal_simulator.fault("status", match="GET /v1/reporting", times=0, status=503)
    with time_machine.travel(START + timedelta(days=1), tick=False):
        clock.compare_with_providers()
    assert list(LedgerDifference.objects.values_list("method", flat=True)) == [PaymentMethod.CARD]


# « Traité » -------------------------------------------------------------------------------------


def test_settled_difference_says_by_whom_and_is_written_in_the_journal(shop: Shop) -> None:
    payment = shop.paid()
    shop.refunded_at_the_dashboard(payment, "5.00")
    shop.compare()
    by, now = UserFactory(is_staff=True), timezone.now()
    told = ledger.settle_difference(LedgerDifference.objects.get(), by=by, note="Geste commercial", now=now)
    told.refresh_from_db()
    assert (told.settled_by, told.settled_at, told.note) == (by, now, "Geste commercial")
    line = JournalEntry.objects.latest("pk")
    assert (line.sub_order, line.actor, line.reason) == (payment.sub_order, by, "Geste commercial")
    assert line.what == f"Écart avec le prestataire traité : {told.what}"
    assert shop.compare(after=timedelta(days=2)) == []


@pytest.mark.parametrize("note", ["", "  "])
def test_difference_is_not_settled_without_a_word(note: str, paypal_simulator: Simulator) -> None:
    told = LedgerDifference.objects.create(method=PaymentMethod.PAYPAL, provider_id="C1", what="5,00 €")
    with pytest.raises(NotAllowed, match="Dites ce qui"):
        ledger.settle_difference(told, by=UserFactory(), note=note, now=timezone.now())


def test_difference_is_settled_once() -> None:
    told = LedgerDifference.objects.create(method=PaymentMethod.PAYPAL, provider_id="C1", what="5,00 €")
    first = UserFactory()
    ledger.settle_difference(told, by=first, note="Vu", now=timezone.now())
    with pytest.raises(NotAllowed, match="déjà traité"):
        ledger.settle_difference(told, by=UserFactory(), note="Vu aussi", now=timezone.now())
    told.refresh_from_db()
    assert (told.settled_by, told.note) == (first, "Vu")
