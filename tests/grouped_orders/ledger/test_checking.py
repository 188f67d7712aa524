"""Each thing that can disagree is made by a raw UPDATE, where no verb of ours would have made it, and found."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from grouped_orders import checkout, clock, ledger, lifecycle
from grouped_orders.models import GroupedOrder, Mail, Payment
from grouped_orders.statuses import HandMethod, MoneyBack, PaymentMethod, PaymentState
from tests.conftest import Errors
from tests.factories import BookshopFactory, GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture(autouse=True)
def at_that_time() -> Iterator[None]:
    """However long the suite has run by now: a provider's page is made for a time that must not be over."""
    with time_machine.travel(NOW):
        yield


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def found() -> list[str]:
    """What is said, with ordinary spaces."""
    return [line.replace("\u00a0", " ") for line in ledger.differences()]


def paid(order: GroupedOrder | None = None, **fields: Any) -> Payment:
    sub_order = SubOrderFactory(grouped_order=order or GroupedOrderFactory(), **fields)
    return checkout.record_by_hand(
        sub_order, method=HandMethod.CHEQUE, reference="0419", by=UserFactory(is_staff=True), now=NOW
    )


def cancelled(refund: MoneyBack, note: str = "") -> Payment:
    payment = paid()
    checkout.cancel_sub_order(payment.sub_order, by=UserFactory(), reason="Erreur", refund=refund, note=note, now=NOW)
    return payment


def validated() -> GroupedOrder:
    order = GroupedOrderFactory(deadline=timezone.localdate() - timedelta(days=1), shipping_fee=Decimal("1.00"))
    for quantity in (1, 2):
        paid(order, quantity=quantity)
    return lifecycle.validate(order, by=UserFactory(is_staff=True), now=NOW)


def story(paypal: Simulator, card: Simulator) -> None:
    """Something of everything that may happen."""
    order = GroupedOrderFactory(deadline=timezone.localdate() + timedelta(days=1))
    for simulator, method in ((paypal, PaymentMethod.PAYPAL), (card, PaymentMethod.CARD)):
        for refund in (None, MoneyBack.ONLINE, MoneyBack.NOTHING):
            sub_order = SubOrderFactory(grouped_order=order, quantity=3)
            simulator.pay(checkout.start(sub_order, method=method, terms=None, now=NOW))
            payment = checkout.settle(sub_order.payments.get(), now=NOW)
            if refund:
                checkout.cancel_sub_order(sub_order, by=UserFactory(), reason="Erreur", refund=refund, now=NOW)
            else:
                capture = payment.captures.get()
                checkout.refund_part(
                    *(capture,),
                    amount=Decimal("1.00"),
                    left=capture.refundable,
                    refund=MoneyBack.ONLINE,
                    by=UserFactory(),
                    reason="Abîmé",
                    now=NOW,
                )
    clock.send_refunds()
    waiting = SubOrderFactory(grouped_order=order)
    checkout.start(waiting, method=PaymentMethod.PAYPAL, terms=None, now=NOW)
    cancelled(MoneyBack.BY_HAND, note="en espèces")
    validated()
    whole = GroupedOrderFactory()
    paid(whole)
    checkout.cancel_order(whole, by=UserFactory(), reason="Épuisé", now=NOW)
    # Paid at the card's page although the shop had taken another payment since: it goes back.
    twice = SubOrderFactory(grouped_order=order)
    page = checkout.start(twice, method=PaymentMethod.CARD, terms=None, now=NOW)
    card.fault("status", match="GET /v1/checkout/sessions", times=0, status=500)
    card.fault("status", match="POST .*/expire", times=0, status=500)
    checkout.record_by_hand(twice, method=HandMethod.SHOP, reference="12", by=UserFactory(), now=NOW)
    card.pay(page)
    card.clear_faults()
    checkout.settle(twice.payments.get(method=PaymentMethod.CARD), now=NOW)


def test_clean_story_finds_nothing(paypal_simulator: Simulator, card_simulator: Simulator) -> None:
    story(paypal_simulator, card_simulator)
    assert Payment.objects.filter(state=PaymentState.CAPTURED).count() == 12
    assert found() == []


def test_paid_without_a_payment_is_found() -> None:
    payment = paid()
    sql("UPDATE grouped_orders_capture SET status = 'FAILED'")
    sql("UPDATE grouped_orders_payment SET state = 'FAILED'")
    assert found() == [f"Sous-commande n° {payment.sub_order_id} : payée, encaissée 0 fois"]


def test_paid_with_another_amount_is_found() -> None:
    payment = paid()
    sql("UPDATE grouped_orders_capture SET amount = 6.39")
    assert found() == [f"Sous-commande n° {payment.sub_order_id} : payée, 6,39 € encaissés pour 6,40 € dus"]


def test_paid_in_another_currency_is_found() -> None:
    payment = paid()
    sql("UPDATE grouped_orders_capture SET currency = 'USD'")
    assert found() == [f"Sous-commande n° {payment.sub_order_id} : payée, dans une autre devise que l’euro"]


def test_pending_with_money_is_found() -> None:
    payment = paid()
    sql("UPDATE grouped_orders_suborder SET status = 'PENDING', paid_at = NULL")
    assert found() == [
        f"Sous-commande n° {payment.sub_order_id} : en attente de paiement, alors qu’un paiement est encaissé"
    ]


@pytest.mark.parametrize(
    ("state", "label"), [("REDIRECTED", "Chez le prestataire"), ("PENDING", "En attente chez le prestataire")]
)
def test_money_under_a_payment_that_does_not_say_so_is_found(state: str, label: str) -> None:
    payment = paid()
    sql("UPDATE grouped_orders_payment SET state = %s", state)
    sql("UPDATE grouped_orders_suborder SET status = 'PENDING', paid_at = NULL")
    assert found() == [f"Paiement n° {payment.pk} : « {label} », alors que l’argent est encaissé"]


@pytest.mark.parametrize(("state", "label"), [("CAPTURED", "Encaissé"), ("PENDING", "En attente chez le prestataire")])
def test_payment_that_no_capture_proves_is_found(state: str, label: str) -> None:
    payment = cancelled(MoneyBack.NOTHING)
    sql("UPDATE grouped_orders_payment SET state = %s", state)
    sql("UPDATE grouped_orders_capture SET status = 'DECLINED'")
    assert found() == [f"Paiement n° {payment.pk} : « {label} », sans l’encaissement qui le prouve"]


def test_money_that_waits_for_a_rival_s_end_is_not_a_difference() -> None:
    payment = paid()
    sql("UPDATE grouped_orders_payment SET state = 'REDIRECTED'")
    sql("UPDATE grouped_orders_suborder SET status = 'PENDING', paid_at = NULL")
    Payment.objects.create(
        sub_order=payment.sub_order, method=PaymentMethod.CARD, amount=1, state=PaymentState.CAPTURING
    )
    assert found() == []


def test_captured_without_its_date_is_found() -> None:
    payment = paid()
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("ALTER TABLE grouped_orders_payment DROP CONSTRAINT payment_captured_has_its_date")
    sql("UPDATE grouped_orders_payment SET captured_at = NULL")
    assert found() == [f"Paiement n° {payment.pk} : encaissé, sans sa date"]


def test_more_given_back_than_received_is_found() -> None:
    payment = cancelled(MoneyBack.BY_HAND, note="en espèces")
    sql("UPDATE grouped_orders_refund SET amount = 6.41")
    assert found() == [f"Paiement n° {payment.pk} : 6,41 € remboursés pour 6,40 € encaissés"]


def test_giving_back_what_never_came_is_found() -> None:
    payment = cancelled(MoneyBack.BY_HAND, note="en espèces")
    sql("UPDATE grouped_orders_capture SET status = 'FAILED'")
    sql("UPDATE grouped_orders_payment SET state = 'FAILED'")
    assert found() == [f"Paiement n° {payment.pk} : 6,40 € remboursés pour 0,00 € encaissés"]


def test_total_that_does_not_add_up_is_found() -> None:
    order = GroupedOrderFactory(shipping_fee=Decimal("1.50"))
    sub_order = SubOrderFactory(grouped_order=order, quantity=2)
    sql("UPDATE grouped_orders_suborder SET quantity = 3")
    assert found() == [f"Sous-commande n° {sub_order.pk} : total de 14,30 € au lieu de 20,70 €"]


@pytest.mark.parametrize(
    ("update", "lines"),
    [
        (
            "UPDATE librisoft_bridge_shoporderline SET quantity = 4",
            ["4 ex. envoyés à LIBRISOFT pour 3 payés", "25,60 € de livres envoyés à LIBRISOFT pour 19,20 € payés"],
        ),
        (
            "UPDATE librisoft_bridge_shoporderline SET unit_price = 6.41",
            ["19,23 € de livres envoyés à LIBRISOFT pour 19,20 € payés"],
        ),
        (
            """UPDATE librisoft_bridge_shoporder SET payments = '[{"method": "BY_HAND", "amount": "21.19"}]'""",
            ["21,19 € encaissés envoyés à LIBRISOFT pour 21,20 € payés"],
        ),
    ],
)
def test_classic_order_that_says_otherwise_is_found(update: str, lines: list[str]) -> None:
    order = validated()
    assert found() == []
    sql(update)
    assert found() == [f"Commande groupée n° {order.pk} : {line}" for line in lines]


@pytest.mark.parametrize(
    ("refund", "lost"),
    [(MoneyBack.BY_HAND, "grouped_orders_refund"), (MoneyBack.NOTHING, "grouped_orders_journalentry")],
)
def test_money_kept_from_a_cancelled_sub_order_without_a_word_is_found(refund: MoneyBack, lost: str) -> None:
    payment = cancelled(refund, note="en espèces")
    sql(f"DELETE FROM {lost}")
    assert found() == [
        f"Sous-commande n° {payment.sub_order_id} : 6,40 € encaissés (paiement n° {payment.pk}) et gardés sans "
        "explication, 0,00 € à rembourser ou remboursés"
    ]


def test_money_set_aside_and_not_asked_back_is_found() -> None:
    payment = paid()
    sub_order = SubOrderFactory(grouped_order=payment.sub_order.grouped_order)
    sql("UPDATE grouped_orders_payment SET set_aside = true, sub_order_id = %s", sub_order.pk)
    sql("DELETE FROM grouped_orders_journalentry")
    sql("UPDATE grouped_orders_suborder SET status = 'PENDING', paid_at = NULL")
    assert found() == [
        f"Sous-commande n° {sub_order.pk} : 6,40 € encaissés (paiement n° {payment.pk}) et gardés sans "
        "explication, 0,00 € à rembourser ou remboursés"
    ]


def test_check_asks_the_database_as_often_for_many_as_for_one() -> None:
    asked = []
    for _more in range(2):
        validated()
        cancelled(MoneyBack.NOTHING)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert found() == []
        asked.append(len(queries))
    assert asked == [8, 8]


# The command and the clock --------------------------------------------------------------------


def test_command_says_that_all_is_right() -> None:
    paid()
    said = StringIO()
    call_command("check_ledger", stdout=said)
    assert said.getvalue() == "Les comptes sont justes.\n"


def test_command_prints_a_line_for_each_difference_and_exits_1() -> None:
    payments = [paid(), paid()]
    sql("UPDATE grouped_orders_capture SET amount = 1")
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("check_ledger", stdout=said)
    assert ended.value.code == 1
    assert said.getvalue().replace("\u00a0", " ").splitlines() == [
        f"Sous-commande n° {payment.sub_order_id} : payée, 1,00 € encaissés pour 6,40 € dus" for payment in payments
    ]


@pytest.mark.logs_errors
def test_difference_is_logged_and_told_to_the_bookshop_once_a_day(no_error_logged: Errors) -> None:
    BookshopFactory(email="contact@dlivre.example")
    payment = paid(email="parent@example.org", last_name="Grandville")
    clock.check_ledger()
    assert (no_error_logged.lines, Mail.objects.filter(kind="ledger_differs").count()) == ([], 0)
    sql("UPDATE grouped_orders_capture SET amount = 1")
    for _ in range(2):
        clock.check_ledger()
    line = f"Sous-commande n° {payment.sub_order_id} : payée, 1,00\u00a0€ encaissés pour 6,40\u00a0€ dus"
    assert no_error_logged.lines == 2 * [f"grouped_orders.clock: The ledger does not agree with itself:\n{line}"]
    mail = Mail.objects.get(kind="ledger_differs")
    assert (mail.recipient, mail.subject) == (
        "contact@dlivre.example",
        "Un écart dans les comptes des commandes groupées",
    )
    assert line.replace("n° ", "n°\u00a0").replace(" :", "\u00a0:") in mail.text
    assert "Grandville" not in mail.text + mail.html
