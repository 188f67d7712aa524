"""Refunds made at a provider's own dashboard, and what a provider says of ours later."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.management import call_command

from grouped_orders import checkout, ledger
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import Capture, JournalEntry, LedgerDifference, Refund, SubOrder
from grouped_orders.statuses import MoneyBack, PaymentMethod, RefundSource, RefundState, SubOrderStatus
from tests.factories import BookshopFactory, UserFactory
from tests.grouped_orders.checkout.conftest import Buyer, kinds, refund_all
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.simulation import Simulator

Tell = Callable[..., int]


class Shop:
    """One provider, and what its dashboard does."""

    def __init__(self, method: PaymentMethod, simulator: Simulator):
        self.method, self.simulator = method, simulator

    def refund_at_dashboard(self, capture: Capture, euros: str) -> None:
        if self.method == PaymentMethod.PAYPAL:
            self.simulator.decide(f"captures/{capture.provider_id}/refund", amount=euros)
        else:
            self.simulator.decide(f"payments/{capture.provider_id}/refund", amount=int(Decimal(euros) * 100))

    def fail(self, refund: Refund) -> None:
        status = "FAILED" if self.method == PaymentMethod.PAYPAL else "failed"
        self.simulator.decide(f"refunds/{refund.provider_id}", status=status)

    def finish(self, refund: Refund) -> None:
        status = "COMPLETED" if self.method == PaymentMethod.PAYPAL else "succeeded"
        self.simulator.decide(f"refunds/{refund.provider_id}", status=status)


@pytest.fixture(params=[PaymentMethod.PAYPAL, PaymentMethod.CARD])
def shop(request: pytest.FixtureRequest) -> Shop:
    method = request.param
    name = "paypal_simulator" if method == PaymentMethod.PAYPAL else "card_simulator"
    return Shop(method, request.getfixturevalue(name))


@pytest.fixture
def capture(buyer: Buyer, shop: Shop) -> Capture:
    """12,80 €, paid."""
    shop.simulator.pay(buyer.start(shop.method))
    buyer.settle()
    return Capture.objects.get()


def refunds() -> list[tuple[str, Decimal, str]]:
    return list(Refund.objects.order_by("pk").values_list("source", "amount", "state"))


def test_refund_at_the_dashboard_becomes_a_row_at_its_webhook(
    buyer: Buyer, shop: Shop, capture: Capture, tell: Tell
) -> None:
    shop.refund_at_dashboard(capture, "5.00")

    assert tell(shop.simulator, shop.simulator.events()[-1]) == 200
    assert tell(shop.simulator, shop.simulator.events()[-1]) == 200

    assert refunds() == [(RefundSource.EXTERNAL, Decimal("5.00"), RefundState.DONE)]
    assert Capture.objects.get().refundable == Decimal("7.80")
    assert kinds().count("refund_done") == 1
    assert_ledger_agrees(shop.simulator)
    call_command("check_ledger")


def test_refund_at_the_dashboard_is_a_difference_while_the_sub_order_stays_paid(
    buyer: Buyer, shop: Shop, capture: Capture
) -> None:
    BookshopFactory(email="odile@librairie.example")
    shop.refund_at_dashboard(capture, "12.80")
    buyer.settle()
    buyer.settle()

    assert buyer.truth[0] == SubOrderStatus.PAID
    assert [difference.what for difference in LedgerDifference.objects.all()] == [
        f"12,80\u00a0€ remboursés chez le prestataire, alors que la sous-commande n°\u00a0{buyer.sub_order.pk} "
        "reste «\u00a0Payée\u00a0»"
    ]
    assert kinds().count("provider_differs") == 1
    assert_ledger_agrees(shop.simulator)


def test_cancelling_what_the_dashboard_gave_back_asks_for_nothing_more(
    buyer: Buyer, shop: Shop, capture: Capture
) -> None:
    shop.refund_at_dashboard(capture, "12.80")
    buyer.settle()

    checkout.cancel_sub_order(buyer.sub_order, by=UserFactory(), reason="Désistement", refund=None, now=buyer.now)
    refund_all(buyer)

    assert buyer.truth[0] == SubOrderStatus.CANCELLED
    assert refunds() == [(RefundSource.EXTERNAL, Decimal("12.80"), RefundState.DONE)]
    assert_ledger_agrees(shop.simulator)
    call_command("check_ledger")


def test_refund_noted_by_hand_and_made_at_the_dashboard_is_counted_once(
    buyer: Buyer, shop: Shop, capture: Capture
) -> None:
    checkout.cancel_sub_order(
        buyer.sub_order,
        by=UserFactory(),
        reason="Désistement",
        refund=MoneyBack.BY_HAND,
        note="depuis mon compte",
        now=buyer.now,
    )
    shop.refund_at_dashboard(capture, "12.80")
    buyer.settle()

    assert refunds() == [(RefundSource.EXTERNAL, Decimal("12.80"), RefundState.DONE)]
    assert Refund.objects.get().note == "depuis mon compte"
    assert kinds().count("refund_done") == 1
    assert_ledger_agrees(shop.simulator)
    call_command("check_ledger")


def test_refund_asked_here_and_made_at_the_dashboard_meanwhile_is_made_once(
    buyer: Buyer, shop: Shop, capture: Capture
) -> None:
    """The provider refuses ours, in whichever order we learn of it; nobody is asked to make it again."""
    checkout.cancel_sub_order(
        buyer.sub_order, by=UserFactory(), reason="Désistement", refund=MoneyBack.ONLINE, now=buyer.now
    )
    shop.refund_at_dashboard(capture, "12.80")
    buyer.settle()
    call_command("check_ledger")
    refund_all(buyer)

    assert refunds() == [
        (RefundSource.ONLINE, Decimal("12.80"), RefundState.FAILED),
        (RefundSource.EXTERNAL, Decimal("12.80"), RefundState.DONE),
    ]
    assert not Refund.objects.unfinished().exists()
    assert_ledger_agrees(shop.simulator)
    call_command("check_ledger")


def test_refund_refused_before_the_dashboard_s_own_is_noticed_is_not_made_again(
    buyer: Buyer, shop: Shop, capture: Capture
) -> None:
    shop.refund_at_dashboard(capture, "12.80")
    checkout.cancel_sub_order(
        buyer.sub_order, by=UserFactory(), reason="Désistement", refund=MoneyBack.ONLINE, now=buyer.now
    )
    refund_all(buyer)
    assert Refund.objects.unfinished().count() == 1

    buyer.settle()

    assert not Refund.objects.unfinished().exists()
    assert [row[0] for row in refunds() if row[2] == RefundState.DONE] == [RefundSource.EXTERNAL]
    assert_ledger_agrees(shop.simulator)


def test_webhook_of_our_own_refund_before_the_answer_is_no_second_refund(
    buyer: Buyer, shop: Shop, capture: Capture, tell: Tell
) -> None:
    """The answer to our call is lost; the message comes first, and the repeated call gets the same refund."""
    refund = checkout.request_refund(capture, by=None, reason="Livre abîmé", now=buyer.now)
    shop.simulator.fault("drop_after", match="/refund" if shop.method == PaymentMethod.PAYPAL else "POST /v1/refunds")
    checkout.send_refund(refund, now=buyer.now)

    assert tell(shop.simulator, shop.simulator.events()[-1]) == 200
    assert refunds() == [(RefundSource.ONLINE, Decimal("12.80"), RefundState.DONE)]
    buyer.wait(hours=1)
    refund_all(buyer)

    assert kinds().count("refund_done") == 1
    assert_ledger_agrees(shop.simulator)


def test_refund_at_the_dashboard_that_waits_is_followed_to_its_end(buyer: Buyer, shop: Shop, capture: Capture) -> None:
    shop.simulator.fault("refund_pending")
    shop.refund_at_dashboard(capture, "12.80")
    buyer.settle()
    assert refunds() == [(RefundSource.EXTERNAL, Decimal("12.80"), RefundState.PENDING)]

    shop.finish(Refund.objects.get())
    buyer.wait(hours=1)
    refund_all(buyer)

    assert refunds() == [(RefundSource.EXTERNAL, Decimal("12.80"), RefundState.DONE)]
    assert_ledger_agrees(shop.simulator)


def test_refund_that_failed_at_the_dashboard_is_none(buyer: Buyer, shop: Shop, capture: Capture) -> None:
    shop.simulator.fault("refund_failed")
    shop.refund_at_dashboard(capture, "12.80")
    buyer.settle()

    assert refunds() == []
    assert Capture.objects.get().refundable == Decimal("12.80")


def test_refund_at_the_dashboard_known_before_its_payment_leaves_the_sub_order_unpaid(buyer: Buyer, shop: Shop) -> None:
    """The return was lost, and the bookseller gave the money back where he saw it."""
    shop.simulator.pay(buyer.start(shop.method))
    if shop.method == PaymentMethod.PAYPAL:
        shop.simulator.fault("drop_after", match="/capture")
        buyer.settle()
    id = shop.simulator.ledger()["entries"][0]["id"]
    shop.refund_at_dashboard(Capture(provider_id=id), "12.80")
    buyer.wait(minutes=2)
    buyer.settle()

    assert buyer.truth[0] == SubOrderStatus.PENDING
    assert refunds() == [(RefundSource.EXTERNAL, Decimal("12.80"), RefundState.DONE)]
    assert_ledger_agrees(shop.simulator)
    call_command("check_ledger")


def test_more_than_what_is_left_cannot_be_given_back_after_the_dashboard(
    buyer: Buyer, shop: Shop, capture: Capture
) -> None:
    shop.refund_at_dashboard(capture, "10.00")
    buyer.settle()

    with pytest.raises(NotAllowed):
        checkout.request_refund(capture, amount=Decimal("5.00"), by=None, reason="Livre abîmé", now=buyer.now)

    assert [row[0] for row in refunds()] == [RefundSource.EXTERNAL]


def test_daily_comparison_finds_a_refund_of_the_dashboard_known_already(
    buyer: Buyer, shop: Shop, capture: Capture
) -> None:
    checkout.cancel_sub_order(
        buyer.sub_order, by=UserFactory(), reason="Désistement", refund=MoneyBack.NOTHING, now=buyer.now
    )
    shop.refund_at_dashboard(capture, "12.80")
    buyer.settle()
    buyer.wait(days=1)
    shop.simulator.advance(24 * 3600)

    assert ledger.compare(shop.method, now=buyer.now) == []


def test_refund_that_comes_back_from_the_bank_is_to_be_made_again(buyer: Buyer, card_simulator: Simulator) -> None:
    """Stripe may call a refund succeeded, and failed days later."""
    card_simulator.pay(buyer.start(PaymentMethod.CARD))
    buyer.settle()
    refund = checkout.request_refund(Capture.objects.get(), by=None, reason="Livre abîmé", now=buyer.now)
    refund = checkout.send_refund(refund, now=buyer.now)
    assert refund.state == RefundState.DONE

    card_simulator.decide(f"refunds/{refund.provider_id}/return")
    buyer.settle()

    refund.refresh_from_db()
    assert (refund.state, refund.done_at, refund.may_be_retried) == (RefundState.FAILED, None, True)
    assert JournalEntry.objects.filter(what__startswith="Remboursement annulé par le prestataire").count() == 1
    assert SubOrder.objects.get().status == SubOrderStatus.PAID
    assert_ledger_agrees(card_simulator)

    again = checkout.retry_refund(refund, by=UserFactory(), now=buyer.now)
    again = checkout.send_refund(again, now=buyer.now)

    assert again.state == RefundState.DONE
    assert card_simulator.ledger()["total"] == "0.00"
    assert_ledger_agrees(card_simulator)


@pytest.mark.parametrize("noticed", ["before", "after"])
def test_rest_of_a_refund_partly_made_at_the_dashboard_is_still_to_be_made(
    buyer: Buyer, shop: Shop, capture: Capture, noticed: str
) -> None:
    """The provider refuses the whole, since a part went back already; the buyer must not lose the rest."""
    shop.refund_at_dashboard(capture, "5.00")
    buyer.be_cancelled(UserFactory())
    if noticed == "before":
        buyer.settle()
    refund_all(buyer)
    buyer.settle()
    (rest,) = Refund.objects.unfinished()
    assert (rest.amount, rest.may_be_retried) == (Decimal("7.80"), True)

    checkout.retry_refund(rest, by=UserFactory(), now=buyer.now)
    refund_all(buyer)

    assert shop.simulator.ledger()["total"] == "0.00"
    assert not Refund.objects.unfinished().exists()
    assert_ledger_agrees(shop.simulator)
    call_command("check_ledger")


def test_refund_made_at_the_dashboard_in_two_parts_leaves_no_rest(buyer: Buyer, shop: Shop, capture: Capture) -> None:
    refund = checkout.request_refund(capture, amount=Decimal("10.00"), by=None, reason="Livre abîmé", now=buyer.now)
    shop.simulator.fault("refund_refused")
    checkout.send_refund(refund, now=buyer.now)
    for left in ("5.00", None):
        shop.refund_at_dashboard(capture, "5.00")
        buyer.settle()
        assert [str(rest.amount) for rest in Refund.objects.unfinished()] == [left][: left is not None]
    assert shop.simulator.ledger()["total"] == "2.80"
    assert_ledger_agrees(shop.simulator)
