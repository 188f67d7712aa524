"""What nobody can know is Unknown, what moved is found again, and both clients agree on which is which."""

import logging
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from grouped_orders import payments
from grouped_orders.payments.base import (
    Attempt,
    CaptureInfo,
    Money,
    PaymentProvider,
    Refused,
    Snapshot,
    Unknown,
    same_origin,
)
from grouped_orders.payments.card import TIMEOUT, Card
from grouped_orders.payments.paypal import PayPal
from grouped_orders.payments.paypal_api import PayPalApi
from grouped_orders.statuses import PaymentMethod
from tests.payments.conftest import OUR_ID
from tests.simulation import Simulator

MakeAttempt = Callable[..., Attempt]
FIVE = Money(Decimal("5.00"), "EUR")


@pytest.fixture(params=["paypal", "card"])
def both(request: pytest.FixtureRequest) -> tuple[PaymentProvider, Simulator]:
    return request.getfixturevalue(request.param), request.getfixturevalue(f"{request.param}_simulator")


Both = tuple[PaymentProvider, Simulator]


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "html", "truncated", "empty"])
def test_lost_answer_of_a_new_attempt_is_unknown_and_the_key_finds_it_again(
    both: Both, attempt: MakeAttempt, fault: str
) -> None:
    provider, simulator = both
    asked = attempt()
    simulator.fault(fault, match="POST /v[12]/checkout")
    with pytest.raises(Unknown):
        provider.create(asked, key="cre-1")
    redirect = provider.create(asked, key="cre-1")
    assert provider.create(asked, key="cre-1") == redirect
    made = simulator.stage.state.get("orders") or [
        thing for thing in simulator.stage.state["objects"].values() if thing["object"] == "checkout.session"
    ]
    assert len(made) == 1


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 502, 503])
def test_fetch_that_fails_is_unknown(both: Both, attempt: MakeAttempt, status: int) -> None:
    provider, simulator = both
    redirect = provider.create(attempt(), key="cre-1")
    simulator.fault("status", match="GET /v", status=status, times=2)
    with pytest.raises(Unknown):
        provider.fetch(redirect.ref)
    simulator.clear_faults()
    assert provider.fetch(redirect.ref).phase == "open"


def test_fetch_of_what_the_provider_does_not_know_is_dead(both: Both) -> None:
    provider, _ = both
    assert provider.fetch("5O190127TN364715T").phase == "dead"
    assert provider.fetch("../../v1/accounts").phase == "dead"


def test_refund_of_more_than_there_is_is_refused(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator = both
    capture = _paid(provider, simulator, attempt())
    with pytest.raises(Refused):
        provider.refund(capture, Money(Decimal("74.51"), "EUR"), our_id="r1", key="rf-1")
    provider.refund(capture, Money(Decimal("74.50"), "EUR"), our_id="r2", key="rf-2")
    with pytest.raises(Refused):
        provider.refund(capture, FIVE, our_id="r3", key="rf-3")
    assert simulator.ledger()["total"] == "0.00"


def test_refund_whose_answer_is_lost_is_made_once(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator = both
    capture = _paid(provider, simulator, attempt())
    simulator.fault("drop_after", match="POST .*refund")
    with pytest.raises(Unknown):
        provider.refund(capture, FIVE, our_id="r1", key="rf-1")
    refund = provider.refund(capture, FIVE, our_id="r1", key="rf-1")
    assert provider.fetch_refund(refund.id) == refund
    assert simulator.ledger()["total"] == "69.50"


def test_refund_that_waits_is_followed_to_its_end(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator = both
    capture = _paid(provider, simulator, attempt())
    simulator.fault("refund_pending")
    refund = provider.refund(capture, FIVE, our_id="r1", key="rf-1")
    assert (refund.status, simulator.ledger()["total"]) == ("PENDING", "74.50")
    simulator.decide(f"refunds/{refund.id}", status="COMPLETED" if provider.needs_capture else "succeeded")
    assert provider.fetch_refund(refund.id).status == "COMPLETED"
    assert simulator.ledger()["total"] == "69.50"


def test_refund_that_fails_moves_nothing(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator = both
    capture = _paid(provider, simulator, attempt())
    simulator.fault("refund_failed")
    assert provider.refund(capture, FIVE, our_id="r1", key="rf-1").status == "FAILED"
    simulator.fault("refund_refused")
    with pytest.raises(Refused):
        provider.refund(capture, FIVE, our_id="r2", key="rf-2")
    assert simulator.ledger()["total"] == "74.50"


@pytest.mark.parametrize(("kind", "money"), [("wrong_amount", ("1.00", "EUR")), ("wrong_currency", ("74.50", "USD"))])
def test_snapshot_shows_the_money_that_the_provider_will_take(
    both: Both, attempt: MakeAttempt, kind: str, money: tuple[str, str]
) -> None:
    provider, simulator = both
    simulator.fault(kind)
    redirect = provider.create(attempt(), key="cre-1")
    assert provider.fetch(redirect.ref).money == Money(Decimal(money[0]), money[1])


def test_page_elsewhere_is_not_for_the_payer(both: Both, attempt: MakeAttempt, settings: Any) -> None:
    provider, _ = both
    settings.PAYPAL_PAGE_ORIGIN = settings.STRIPE_PAGE_ORIGIN = "https://www.paypal.example"
    method = PaymentMethod.PAYPAL if provider.needs_capture else PaymentMethod.CARD
    with pytest.raises(Refused) as refused:
        payments.provider(method).create(attempt(), key="cre-1")
    assert refused.value.code == "UNTRUSTED_PAGE"


def test_log_holds_neither_secret_nor_address(
    both: Both, attempt: MakeAttempt, caplog: pytest.LogCaptureFixture
) -> None:
    provider, simulator = both
    with caplog.at_level(logging.DEBUG):
        capture = _paid(provider, simulator, attempt())
        simulator.fault("status", match="GET /v", status=500)
        with pytest.raises(Unknown):
            provider.fetch("5O190127TN364715T")
        with pytest.raises(Refused):
            provider.refund(capture, Money(Decimal("99.00"), "EUR"), our_id="r", key="rf")
    for secret in ("client-secret", "sk_test_shop", "Bearer", "Basic", "parent@example.org", "A21AA"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "https://www.paypal.com.evil.example/checkoutnow",
        "https://www.paypal.com@evil.example/checkoutnow",
        "https://payer@www.paypal.com/checkoutnow",
        "http://www.paypal.com/checkoutnow",
        "https://www.paypal.com:8443/checkoutnow",
        "https://www.paypal.com:port/checkoutnow",
        "//www.paypal.com/checkoutnow",
        "javascript:alert(1)",
        "",
    ],
)
def test_origin_that_only_looks_right_is_wrong(url: str) -> None:
    assert same_origin("https://www.paypal.com/checkoutnow?token=1", "https://www.paypal.com")
    assert not same_origin(url, "https://www.paypal.com")


# PayPal's own doubts


def test_paypal_capture_whose_answer_is_lost_took_the_money_once(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = paypal.create(attempt(), key="cre-1")
    paypal_simulator.pay(redirect.url)
    paypal_simulator.fault("drop_after", match="/capture$")
    with pytest.raises(Unknown):
        paypal.capture(redirect.ref, key="cap-1")
    assert paypal.capture(redirect.ref, key="cap-1") == paypal.fetch(redirect.ref)
    # Another key meets ORDER_ALREADY_CAPTURED, which is the same good news.
    assert paypal.capture(redirect.ref, key="cap-2") == paypal.fetch(redirect.ref)
    assert paypal_simulator.moved() == [("capture", "74.50", OUR_ID)]


def test_paypal_pending_capture_is_followed_to_its_end(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = paypal.create(attempt(), key="cre-1")
    paypal_simulator.pay(redirect.url)
    paypal_simulator.fault("capture_pending", reason="UNILATERAL")
    snapshot = paypal.capture(redirect.ref, key="cap-1")
    (capture,) = snapshot.captures
    assert (snapshot.phase, capture.status, capture.reason, capture.fee) == ("done", "PENDING", "UNILATERAL", None)
    assert paypal_simulator.moved() == []
    with pytest.raises(Refused) as refused:
        paypal.refund(capture.id, FIVE, our_id="r", key="rf")
    assert refused.value.code == "PENDING_CAPTURE"
    paypal_simulator.decide(f"captures/{capture.id}", status="COMPLETED")
    assert paypal.fetch(redirect.ref).captures[0].status == "COMPLETED"
    assert paypal_simulator.moved() == [("capture", "74.50", OUR_ID)]


def test_paypal_completed_order_with_a_declined_capture_is_declined(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = paypal.create(attempt(), key="cre-1")
    paypal_simulator.pay(redirect.url)
    paypal_simulator.fault("capture_declined")
    snapshot = paypal.capture(redirect.ref, key="cap-1")
    assert [capture.status for capture in snapshot.captures] == ["DECLINED"]
    assert paypal_simulator.stage.state["orders"][redirect.ref]["status"] == "COMPLETED"
    assert paypal_simulator.moved() == []


def test_paypal_shows_who_is_paid_and_every_capture(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    paypal_simulator.fault("wrong_payee", value="ELSEWHERE2222")
    redirect = paypal.create(attempt(), key="cre-1")
    assert paypal.fetch(redirect.ref).payee == "ELSEWHERE2222"
    paypal_simulator.pay(redirect.url)
    paypal_simulator.fault("capture_twice")
    assert [c.status for c in paypal.capture(redirect.ref, key="cap-1").captures] == ["COMPLETED", "COMPLETED"]
    assert paypal_simulator.ledger()["total"] == "149.00"


def test_paypal_refunded_capture_still_counts_as_received(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = paypal.create(attempt(), key="cre-1")
    paypal_simulator.pay(redirect.url)
    capture = paypal.capture(redirect.ref, key="cap-1").captures[0]
    paypal_simulator.decide(f"captures/{capture.id}/refund", amount="74.50")
    assert paypal.fetch(redirect.ref).captures == (capture,)


def test_paypal_minimal_answer_is_asked_again_in_full(scripted: Callable[..., Any]) -> None:
    capture = {"id": "C1", "status": "COMPLETED", "amount": {"currency_code": "EUR", "value": "5.00"}}
    full = {
        "id": "O1",
        "status": "COMPLETED",
        "purchase_units": [
            {
                "amount": {"currency_code": "EUR", "value": "5.00"},
                "custom_id": "ours",
                "payee": {"merchant_id": "SHPMERCHANT22"},
                "payments": {"captures": [capture]},
            }
        ],
    }
    url, script = scripted(
        (201, {"id": "O1", "status": "COMPLETED", "purchase_units": [{"payments": {"captures": [capture]}}]}),
        (200, full),
    )
    snapshot = _paypal_at(url).capture("O1", key="k")
    assert (snapshot.money, snapshot.our_id, snapshot.payee) == (FIVE, "ours", "SHPMERCHANT22")
    assert [request.method for request in script.asked] == ["POST", "GET"]


@pytest.mark.parametrize("status", ["APPROVED", "PAYER_ACTION_REQUIRED", "VOIDED"])
def test_paypal_capture_tells_more_than_the_order_that_holds_it(scripted: Callable[..., Any], status: str) -> None:
    money = {"currency_code": "EUR", "value": "5.00"}
    capture = {"id": "C1", "status": "COMPLETED", "amount": money, "custom_id": "ours"}
    unit = {"amount": money, "payments": {"captures": [capture]}}
    url, _ = scripted((200, {"id": "O1", "status": status, "purchase_units": [unit]}))
    expected = Snapshot("O1", "done", FIVE, "ours", captures=(CaptureInfo("C1", "COMPLETED", FIVE),))
    assert _paypal_at(url).fetch("O1") == expected


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": "O1", "status": "COMPLETED", "purchase_units": []},
        {"id": "O1", "status": "NEW_WORD", "purchase_units": [{}]},
        {"id": "O1", "status": "CREATED", "purchase_units": [{"amount": {"currency_code": "EUR", "value": "x"}}]},
        {"id": "O1", "status": "CREATED", "purchase_units": [{"payments": {"captures": [{"status": "LATER"}]}}]},
        {"id": "O1", "status": "CREATED", "purchase_units": ["unit"]},
        {"id": "../O1", "status": "CREATED", "purchase_units": [{}]},
    ],
)
def test_paypal_order_that_nobody_can_read_is_unknown(scripted: Callable[..., Any], body: Any) -> None:
    url, _ = scripted((200, body))
    with pytest.raises(Unknown):
        _paypal_at(url).fetch("O1")


# The card's own doubts


def test_card_payment_that_waits_is_followed_to_its_end(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    card_simulator.fault("capture_pending")
    card_simulator.pay(redirect.url)
    (capture,) = card.fetch(redirect.ref).captures
    assert (capture.status, card_simulator.moved()) == ("PENDING", [])
    card_simulator.decide(f"payments/{capture.id}", status="succeeded")
    assert card.fetch(redirect.ref).captures[0].status == "COMPLETED"
    assert card_simulator.moved() == [("capture", "74.50", OUR_ID)]


def test_card_payment_that_the_bank_refuses_later_is_failed(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    card_simulator.fault("capture_pending")
    card_simulator.pay(redirect.url)
    (capture,) = card.fetch(redirect.ref).captures
    card_simulator.decide(f"payments/{capture.id}", status="failed")
    snapshot = card.fetch(redirect.ref)
    assert (snapshot.phase, snapshot.captures[0].status) == ("done", "FAILED")
    assert card_simulator.moved() == []


def test_card_session_that_ends_by_itself_is_dead(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    redirect = card.create(attempt(), key="cre-1")
    card_simulator.advance(33 * 60)
    assert card.fetch(redirect.ref).phase == "dead"


def test_card_key_used_for_another_request_is_unknown(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt
) -> None:
    card.create(attempt(), key="cre-1")
    with pytest.raises(Unknown):
        card.create(attempt(money=FIVE), key="cre-1")


@pytest.mark.parametrize(
    "answer",
    [
        (401, {"error": "nobody"}),
        (404, {"error": "nothing"}),
        (404, "<html>Nothing here</html>"),
        (200, "[]"),
        (200, {}),
        (200, {"id": "cs_1", "object": "checkout.session", "status": "complete", "payment_intent": None}),
        (200, {"id": "cs_1", "object": "checkout.session", "status": "complete", "payment_intent": "pi_1"}),
        (302, "", {"Location": "/elsewhere"}),
        (204, ""),
    ],
)
def test_card_answer_in_an_unexpected_shape_is_unknown(scripted: Callable[..., Any], answer: Any) -> None:
    url, script = scripted(answer)
    with pytest.raises(Unknown):
        _card_at(url).fetch("cs_1")
    assert len(script.asked) == 1


def test_card_call_that_is_never_answered_ends_by_itself(scripted: Callable[..., Any]) -> None:
    url, script = scripted(lambda request: (time.sleep(1), (200, {}))[1])
    started = time.monotonic()
    with pytest.raises(Unknown):
        _card_at(url, timeout=(0.2, 0.2)).fetch("cs_1")
    assert time.monotonic() - started < 0.9
    assert len(script.asked) == 1
    assert TIMEOUT == (4, 10)


def test_card_amount_finer_than_a_cent_is_never_asked(card: PaymentProvider, attempt: MakeAttempt) -> None:
    with pytest.raises(ValueError, match="not exact to the cent"):
        card.create(attempt(money=Money(Decimal("1.005"), "EUR")), key="cre-1")


def _paypal_at(url: str) -> PayPal:
    api = PayPalApi(url=url, client_id="c", client_secret="s")
    return PayPal(api, page_origin=url, webhook_id="WEBHOOK1", locale="fr-BE")


def _card_at(url: str, **options: Any) -> Card:
    return Card(url=url, secret_key="sk_test_x", webhook_secret="whsec_x", page_origin=url, **options)


def _paid(provider: PaymentProvider, simulator: Simulator, attempt: Attempt) -> str:
    """Pay an attempt to its end; the capture's id."""
    redirect = provider.create(attempt, key=f"cre-{attempt.our_id}")
    simulator.pay(redirect.url)
    (capture,) = provider.capture(redirect.ref, key=f"cap-{attempt.our_id}").captures
    return capture.id
