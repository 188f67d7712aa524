"""The PayPal client on its straight path and through what the payer may do, against the simulator."""

from collections.abc import Callable
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from grouped_orders.payments.base import Attempt, CaptureInfo, Money, PaymentProvider, Redirect, Refused, Snapshot
from tests.payments.conftest import CANCEL_URL, OUR_ID, RETURN_URL
from tests.simulation import PAYPAL, Simulator

EUROS = Money(Decimal("74.50"), "EUR")
MakeAttempt = Callable[..., Attempt]


def test_paypal_order_has_a_page_and_is_open(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = paypal.create(attempt(), key="cre-1")
    assert redirect.url == f"{paypal_simulator.url}/checkoutnow?token={redirect.ref}"
    assert paypal.fetch(redirect.ref) == Snapshot(redirect.ref, "open", EUROS, OUR_ID, payee=PAYPAL.merchant_id)
    assert paypal_simulator.moved() == []


def test_paypal_approval_moves_no_money_and_capture_does(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = paypal.create(attempt(), key="cre-1")
    back = paypal_simulator.pay(redirect.url)
    assert back.partition("?")[0] == RETURN_URL
    assert parse_qs(urlsplit(back).query)["token"] == [redirect.ref]
    assert paypal.fetch(redirect.ref).phase == "approved"
    assert paypal_simulator.moved() == []

    snapshot = paypal.capture(redirect.ref, key="cap-1")
    (capture,) = snapshot.captures
    assert capture == CaptureInfo(capture.id, "COMPLETED", EUROS, fee=Decimal("2.51"))
    assert snapshot == Snapshot(redirect.ref, "done", EUROS, OUR_ID, payee=PAYPAL.merchant_id, captures=(capture,))
    assert snapshot == paypal.fetch(redirect.ref)
    assert paypal_simulator.moved() == [("capture", "74.50", OUR_ID)]


def test_paypal_cancel_comes_back_without_money(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = paypal.create(attempt(), key="cre-1")
    assert paypal_simulator.cancel(redirect.url) == f"{CANCEL_URL}?token={redirect.ref}"
    assert paypal.expire(redirect.ref).phase == "open"
    with pytest.raises(Refused) as refused:
        paypal.capture(redirect.ref, key="cap-1")
    assert (refused.value.code, refused.value.by_payer) == ("ORDER_NOT_APPROVED", True)
    assert paypal_simulator.moved() == []


def test_paypal_declined_instrument_is_for_the_payer_to_mend(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = paypal.create(attempt(), key="cre-1")
    paypal_simulator.pay(redirect.url)
    paypal_simulator.fault("instrument_declined")
    with pytest.raises(Refused) as refused:
        paypal.capture(redirect.ref, key="cap-1")
    assert (refused.value.code, refused.value.by_payer) == ("INSTRUMENT_DECLINED", True)
    assert paypal_simulator.moved() == []

    paypal_simulator.pay(redirect.url)
    assert paypal.capture(redirect.ref, key="cap-2").captures[0].status == "COMPLETED"
    assert paypal_simulator.moved() == [("capture", "74.50", OUR_ID)]


def test_paypal_refund_is_made_once_for_a_key(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    capture = _paid(paypal, paypal_simulator, attempt()).captures[0]
    money = Money(Decimal("14.90"), "EUR")
    refund = paypal.refund(capture.id, money, our_id="refund-1", key="rf-1")
    assert (refund.status, refund.money) == ("COMPLETED", money)
    assert paypal.refund(capture.id, money, our_id="refund-1", key="rf-1") == refund
    assert paypal.fetch_refund(refund.id) == refund
    assert paypal_simulator.moved() == [("capture", "74.50", OUR_ID), ("refund", "14.90", "refund-1")]


def test_paypal_create_with_the_same_key_is_the_same_order(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    first = paypal.create(attempt(), key="cre-1")
    assert paypal.create(attempt(), key="cre-1") == first
    assert isinstance(first, Redirect)


def _paid(paypal: PaymentProvider, simulator: Simulator, attempt: Attempt) -> Snapshot:
    redirect = paypal.create(attempt, key=f"cre-{attempt.our_id}")
    simulator.pay(redirect.url)
    return paypal.capture(redirect.ref, key=f"cap-{attempt.our_id}")
