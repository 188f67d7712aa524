"""The card client on its straight path and through what the payer may do, against the simulator."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from grouped_orders.payments.base import Attempt, CaptureInfo, Money, PaymentProvider, Snapshot
from tests.payments.conftest import CANCEL_URL, OUR_ID, RETURN_URL
from tests.simulation import Simulator

EUROS = Money(Decimal("74.50"), "EUR")
MakeAttempt = Callable[..., Attempt]


def test_card_session_has_a_page_and_is_open(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    assert redirect.url == f"{card_simulator.url}/c/pay/{redirect.ref}"
    assert card.fetch(redirect.ref) == Snapshot(redirect.ref, "open", EUROS, OUR_ID)
    assert card_simulator.moved() == []


def test_card_money_moves_at_the_payers_click(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    assert card_simulator.pay(redirect.url) == RETURN_URL
    snapshot = card.fetch(redirect.ref)
    (capture,) = snapshot.captures
    assert capture == CaptureInfo(capture.id, "COMPLETED", EUROS, fee=Decimal("1.37"), at=capture.at)
    assert capture.at is not None and abs(datetime.now(UTC) - capture.at) < timedelta(minutes=1)
    assert snapshot == Snapshot(redirect.ref, "done", EUROS, OUR_ID, captures=(capture,))
    assert card.capture(redirect.ref, key="cap-1") == snapshot
    assert card_simulator.moved() == [("capture", "74.50", OUR_ID)]


def test_card_cancel_leaves_the_session_open(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    assert card_simulator.cancel(redirect.url) == CANCEL_URL
    assert card.fetch(redirect.ref).phase == "open"
    assert card_simulator.moved() == []


def test_card_refused_may_try_again_on_the_same_page(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    assert "Votre carte a été refusée." in card_simulator.refuse(redirect.url)
    assert card.fetch(redirect.ref) == Snapshot(redirect.ref, "open", EUROS, OUR_ID)
    assert card_simulator.moved() == []
    card_simulator.pay(redirect.url)
    assert card.fetch(redirect.ref).phase == "done"
    assert card_simulator.moved() == [("capture", "74.50", OUR_ID)]


def test_card_expired_session_can_no_longer_be_paid(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    assert card.expire(redirect.ref).phase == "dead"
    assert card.expire(redirect.ref).phase == "dead"
    assert card_simulator.moved() == []


def test_card_expire_of_a_paid_session_says_that_it_is_paid(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    card_simulator.pay(redirect.url)
    assert card.expire(redirect.ref) == card.fetch(redirect.ref)
    assert card.fetch(redirect.ref).captures[0].status == "COMPLETED"


def test_card_refund_is_made_once_whatever_the_key(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    card_simulator.pay(redirect.url)
    capture = card.fetch(redirect.ref).captures[0]
    money = Money(Decimal("14.90"), "EUR")
    refund = card.refund(capture.id, money, our_id="refund-1", key="rf-1")
    assert (refund.status, refund.money) == ("COMPLETED", money)
    # Stripe forgets a key after a day; the refund is found by our own id.
    assert card.refund(capture.id, money, our_id="refund-1", key="rf-2") == refund
    assert card.fetch_refund(refund.id) == refund
    assert card_simulator.moved() == [("capture", "74.50", OUR_ID), ("refund", "14.90", "refund-1")]


def test_card_shows_every_refund_of_a_session_even_many(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    card_simulator.pay(redirect.url)
    capture = card.fetch(redirect.ref).captures[0]
    ours = card.refund(capture.id, Money(Decimal("1.00"), "EUR"), our_id="refund-1", key="rf-1")
    for _nth in range(11):
        card_simulator.decide(f"payments/{capture.id}/refund", amount=50)

    shown = card.fetch(redirect.ref).refunds

    assert sorted(refund.money.amount for refund in shown) == [Decimal("0.50")] * 11 + [Decimal("1.00")]
    assert {refund.our_id for refund in shown} == {None, "refund-1"}
    assert ours in shown and {refund.of for refund in shown} == {capture.id}
