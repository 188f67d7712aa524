"""Answers that are not yes, money that is not what we asked, and decisions taken meanwhile.

Each test ends by comparing the providers' own ledgers with our rows.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from pytest_django import Settings

from grouped_orders import payments
from grouped_orders.checkout import AlreadyPaid
from grouped_orders.lifecycle import validation_blockers
from grouped_orders.models import Capture, JournalEntry, Payment, Refund
from grouped_orders.models.order import deadline_end
from grouped_orders.payments import paypal
from grouped_orders.statuses import CaptureStatus, PaymentMethod, PaymentState, RefundState, SubOrderStatus
from tests.grouped_orders.checkout.conftest import Buyer, kinds, refund_all
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees, net_of
from tests.pages import Page
from tests.simulation import Simulator

PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD
PAID, PENDING, CANCELLED = SubOrderStatus.PAID, SubOrderStatus.PENDING, SubOrderStatus.CANCELLED
Tell = Callable[..., int]


# Answers that are not yes -------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["COMPLETED", "DECLINED"])
def test_pending_is_not_paid_until_it_is(buyer: Buyer, paypal_simulator: Simulator, fate: str) -> None:
    back = paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("capture_pending")
    assert "Nous vérifions votre paiement." in Page(buyer.come_back(back)).main
    assert buyer.truth == (PENDING, [PaymentState.PENDING])
    order = buyer.sub_order.grouped_order
    assert validation_blockers(order, deadline_end(order.deadline))[0].startswith("Des paiements sont en attente")
    with pytest.raises(AlreadyPaid):
        buyer.start()
    assert_ledger_agrees(paypal_simulator)

    paypal_simulator.decide(f"captures/{Capture.objects.get().provider_id}", status=fate)
    buyer.wait(days=2)
    buyer.settle()
    if fate == "COMPLETED":
        assert (buyer.truth, kinds()) == ((PAID, [PaymentState.CAPTURED]), ["sub_order_paid"])
    else:
        # The bookseller reads it in the journal; the payer is told once, and may pay again.
        buyer.settle()
        assert (buyer.truth, kinds()) == ((PENDING, [PaymentState.FAILED]), ["payment_denied"])
        assert JournalEntry.objects.filter(what__contains="finalement refusé").count() == 1
        paypal_simulator.pay(buyer.start())
        buyer.settle()
        assert buyer.truth == (PAID, [PaymentState.FAILED, PaymentState.CAPTURED])
    assert_ledger_agrees(paypal_simulator)


@pytest.mark.parametrize("simulator_of", [PAYPAL, CARD])
def test_pending_that_completes_after_the_cancellation_is_given_back(
    buyer: Buyer, simulator_of: PaymentMethod, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    simulator = paypal_simulator if simulator_of == PAYPAL else card_simulator
    simulator.fault("capture_pending", match="/capture|/c/pay")
    simulator.pay(buyer.start(simulator_of))
    buyer.settle()
    assert buyer.truth == (PENDING, [PaymentState.PENDING])
    buyer.be_cancelled()
    provider_id = Capture.objects.get().provider_id
    if simulator_of == PAYPAL:
        simulator.decide(f"captures/{provider_id}", status="COMPLETED")
    else:
        simulator.decide(f"payments/{provider_id}", status="succeeded")
    buyer.settle()
    refund_all(buyer)
    assert buyer.truth == (CANCELLED, [PaymentState.CAPTURED])
    assert kinds() == ["refund_done", "sub_order_cancelled"]
    assert net_of(simulator) == Decimal("0.00")
    assert_ledger_agrees(paypal_simulator, card_simulator)


def test_completed_order_with_a_declined_capture_is_not_paid(buyer: Buyer, paypal_simulator: Simulator) -> None:
    back = paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("capture_declined")
    page = Page(buyer.come_back(back))
    assert "Le paiement a été refusé. Rien n’a été débité." in page.main
    assert buyer.truth == (PENDING, [PaymentState.FAILED])
    assert_ledger_agrees(paypal_simulator)


def test_declined_instrument_sends_the_payer_back_to_his_page(buyer: Buyer, paypal_simulator: Simulator) -> None:
    page = buyer.press().headers["Location"]
    back = paypal_simulator.pay(page)
    paypal_simulator.fault("instrument_declined")
    own = Page(buyer.come_back(back))
    assert "Le paiement a été refusé. Rien n’a été débité." in own.main
    assert "Payer à nouveau · 12,80 €" in own.links()
    assert buyer.press().headers["Location"] == page
    own = Page(buyer.come_back(paypal_simulator.pay(page)))
    assert "Votre commande est payée. Merci !" in own.main
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert_ledger_agrees(paypal_simulator)


def test_refused_capture_is_not_asked_for_again(buyer: Buyer, paypal_simulator: Simulator) -> None:
    """Approved still, and refused: whoever comes back to it must not start it all over."""
    paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("capture_refused")
    for _ in range(3):
        buyer.settle()
    assert buyer.truth == (PENDING, [PaymentState.FAILED])
    assert (buyer.last.next_check_at, kinds()) == (None, [])
    assert_ledger_agrees(paypal_simulator)


@pytest.mark.parametrize("state", [PaymentState.SUPERSEDED, PaymentState.EXPIRED, PaymentState.FAILED])
def test_approved_attempt_that_was_given_up_is_not_captured(
    buyer: Buyer, paypal_simulator: Simulator, state: PaymentState
) -> None:
    paypal_simulator.pay(buyer.start())
    Payment.objects.update(state=state, next_check_at=buyer.now)
    for _ in range(2):
        buyer.settle()
    assert buyer.truth == (PENDING, [state])
    # Nothing is left to ask, every thirty seconds, for ever.
    assert Payment.objects.due(buyer.now + timedelta(days=9)).count() == 0
    assert kinds() == ([] if state == PaymentState.FAILED else ["payment_superseded"])
    assert_ledger_agrees(paypal_simulator)


def test_attempt_without_a_page_leaves_the_clock(buyer: Buyer, card_simulator: Simulator) -> None:
    """Superseded before its provider answered, its maker killed: it must not stand first in the queue for ever."""
    Payment.objects.create(sub_order=buyer.sub_order, method=CARD, amount=1, state=PaymentState.CREATED)
    buyer.start(CARD)
    old = buyer.sub_order.payments.earliest("pk")
    buyer.wait(minutes=31)
    buyer.settle(old)
    assert buyer.truth == (PENDING, [PaymentState.SUPERSEDED, PaymentState.REDIRECTED])
    old.refresh_from_db()
    assert old.next_check_at is None
    assert_ledger_agrees(card_simulator)


# Money that is not what we asked ------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [("wrong_amount", "1.00"), ("wrong_currency", "USD"), ("wrong_payee", "ZZZZZZZZZZZZZ")]
)
def test_wrong_approval_is_not_taken(buyer: Buyer, paypal_simulator: Simulator, fault: tuple[str, str]) -> None:
    paypal_simulator.fault(fault[0], value=fault[1])
    back = paypal_simulator.pay(buyer.start())
    assert "Votre paiement n’a pas été débité." in Page(buyer.come_back(back)).main
    assert buyer.truth == (PENDING, [PaymentState.SUPERSEDED])
    assert (kinds(), paypal_simulator.moved()) == (["payment_superseded"], [])
    assert_ledger_agrees(paypal_simulator)


@pytest.mark.parametrize("fault", [("wrong_amount", "1.00"), ("wrong_currency", "USD")])
def test_wrong_capture_is_kept_and_shown_and_does_not_count(
    buyer: Buyer, paypal_simulator: Simulator, fault: tuple[str, str]
) -> None:
    paypal_simulator.pay(buyer.start())
    paypal_simulator.fault(fault[0], match="/capture", value=fault[1])
    for _ in range(2):
        buyer.settle()
    assert buyer.truth == (PENDING, [PaymentState.CAPTURED])
    assert (buyer.last.set_aside, kinds(), Refund.objects.count()) == (True, [], 0)
    assert JournalEntry.objects.filter(what__contains="Montant reçu inattendu").count() == 1
    assert_ledger_agrees(paypal_simulator)


def test_wrong_card_amount_is_kept_and_shown_and_does_not_count(buyer: Buyer, card_simulator: Simulator) -> None:
    card_simulator.fault("wrong_amount", value=100)
    card_simulator.pay(buyer.start(CARD))
    for _ in range(2):
        buyer.settle()
    assert buyer.truth == (PENDING, [PaymentState.CAPTURED])
    assert JournalEntry.objects.filter(what__contains="Montant reçu inattendu").count() == 1
    assert_ledger_agrees(card_simulator)


def test_money_taken_twice_by_the_provider_counts_once_and_the_rest_goes_back(
    buyer: Buyer, paypal_simulator: Simulator
) -> None:
    paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("capture_twice")
    for _ in range(2):
        buyer.settle()
    refund_all(buyer)
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert [kind for kind, _, _ in paypal_simulator.moved()] == ["capture", "capture", "refund"]
    assert (net_of(paypal_simulator), kinds()) == (Decimal("12.80"), ["refund_done", "sub_order_paid"])
    assert_ledger_agrees(paypal_simulator)


def test_second_capture_that_waits_is_followed_and_goes_back_when_it_comes(
    buyer: Buyer, paypal_simulator: Simulator
) -> None:
    paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("capture_twice")
    paypal_simulator.fault("capture_pending")
    buyer.settle()
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    waiting = Capture.objects.get(status=CaptureStatus.PENDING)
    paypal_simulator.decide(f"captures/{waiting.provider_id}", status="COMPLETED")
    buyer.wait(minutes=2)
    for payment in Payment.objects.due(buyer.now):
        buyer.settle(payment)
    refund_all(buyer)
    assert [refund.capture for refund in Refund.objects.all()] == [waiting]
    assert (buyer.last.next_check_at, net_of(paypal_simulator)) == (None, Decimal("12.80"))
    assert_ledger_agrees(paypal_simulator)


def test_late_answer_does_not_unsay_money_received(
    buyer: Buyer, paypal_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ask; the one that asked first, while it was pending, is the last to write down what it heard."""
    paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("capture_pending")
    buyer.settle()
    fetch = paypal.PayPal.fetch
    early = fetch(payments.provider(PAYPAL), buyer.last.provider_ref)  # type: ignore[arg-type]
    paypal_simulator.decide(f"captures/{Capture.objects.get().provider_id}", status="COMPLETED")
    buyer.settle()
    monkeypatch.setattr(paypal.PayPal, "fetch", lambda *_: early)
    buyer.settle()
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert_ledger_agrees(paypal_simulator)


# The deadline and the bookseller ------------------------------------------------------------------


def test_card_paid_long_after_the_deadline_is_given_back_and_the_payer_is_told(
    buyer: Buyer, card_simulator: Simulator
) -> None:
    page = buyer.start(CARD)
    session = next(o for o in card_simulator.stage.state["objects"].values() if o["object"] == "checkout.session")
    session["expires_at"] += 10 * 86400  # a page that its provider forgot to shut
    end = deadline_end(buyer.sub_order.grouped_order.deadline)
    card_simulator.advance((end - buyer.now).total_seconds() + 31 * 60)
    back = card_simulator.pay(page)
    assert "Paiement arrivé après la date limite" in Page(buyer.come_back(back)).main
    assert buyer.truth == (PENDING, [PaymentState.CAPTURED])
    buyer.now = end + timedelta(minutes=32)
    refund_all(buyer)
    assert (kinds(), net_of(card_simulator)) == (["refund_done"], Decimal("0.00"))
    assert "12,80 € vous ont été remboursés" in Page(buyer.read_page()).main
    assert_ledger_agrees(card_simulator)


def test_card_paid_in_time_and_heard_of_late_counts(buyer: Buyer, card_simulator: Simulator) -> None:
    """Our clock was stopped, not the payer's."""
    card_simulator.pay(buyer.start(CARD))
    buyer.now = deadline_end(buyer.sub_order.grouped_order.deadline) + timedelta(hours=5)
    buyer.settle()
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert_ledger_agrees(card_simulator)


def test_capture_unanswered_is_not_asked_again_once_the_sub_order_is_cancelled(
    buyer: Buyer, paypal_simulator: Simulator
) -> None:
    paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("drop_before", match="/capture")
    buyer.settle()
    buyer.be_cancelled()
    buyer.wait(minutes=2)
    buyer.settle()
    assert buyer.truth == (CANCELLED, [PaymentState.SUPERSEDED])
    # Its answer was never heard, so it is looked at again all the same.
    assert buyer.last.next_check_at == buyer.now + timedelta(hours=1)
    assert paypal_simulator.moved() == []
    assert_ledger_agrees(paypal_simulator)


def test_cancelled_while_capturing_is_given_back_with_one_mail(buyer: Buyer, paypal_simulator: Simulator) -> None:
    paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("drop_after", match="/capture")
    buyer.settle()
    buyer.be_cancelled()
    buyer.settle()
    for _ in range(2):
        refund_all(buyer)
    assert buyer.truth == (CANCELLED, [PaymentState.CAPTURED])
    assert [refund.state for refund in Refund.objects.all()] == [RefundState.DONE]
    assert (kinds(), net_of(paypal_simulator)) == (["refund_done", "sub_order_cancelled"], Decimal("0.00"))
    assert_ledger_agrees(paypal_simulator)


def test_late_expiry_of_an_old_attempt_leaves_the_paid_one_alone(
    buyer: Buyer, card_simulator: Simulator, paypal_simulator: Simulator, tell: Tell
) -> None:
    buyer.start(CARD)
    paypal_simulator.pay(buyer.start(PAYPAL))
    buyer.settle()
    expired = card_simulator.events()[-1]
    assert expired["type"] == "checkout.session.expired"
    assert tell(card_simulator, expired) == 200
    assert buyer.truth == (PAID, [PaymentState.SUPERSEDED, PaymentState.CAPTURED])
    assert_ledger_agrees(card_simulator, paypal_simulator)


@pytest.mark.parametrize("method", [PAYPAL, CARD])
def test_method_switched_off_while_a_payment_is_open_loses_nothing(
    buyer: Buyer, paypal_simulator: Simulator, card_simulator: Simulator, settings: Settings, method: PaymentMethod
) -> None:
    simulator = paypal_simulator if method == PAYPAL else card_simulator
    back = simulator.pay(buyer.start(method))
    names = ("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET") if method == PAYPAL else ("STRIPE_SECRET_KEY",)
    kept = {name: getattr(settings, name) for name in names}
    for name in names:
        setattr(settings, name, "")
    assert "Nous vérifions votre paiement." in Page(buyer.come_back(back)).main
    assert buyer.truth == (PENDING, [PaymentState.REDIRECTED])
    for name in names:
        setattr(settings, name, kept[name])
    buyer.settle()
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert_ledger_agrees(paypal_simulator, card_simulator)
