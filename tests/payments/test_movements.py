"""The providers' own lists of what moved, read to the last page and never believed when they are not whole."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from grouped_orders.payments import card as card_module
from grouped_orders.payments import paypal_report
from grouped_orders.payments.base import Attempt, Money, Movement, PaymentProvider, Unknown
from grouped_orders.payments.card import Card
from grouped_orders.payments.paypal import PayPal
from grouped_orders.payments.paypal_api import PayPalApi
from tests.payments.conftest import OUR_ID
from tests.simulation import Simulator

MakeAttempt = Callable[..., Attempt]
FIVE = Money(Decimal("5.00"), "EUR")


@pytest.fixture(params=["paypal", "card"])
def both(request: pytest.FixtureRequest) -> tuple[PaymentProvider, Simulator]:
    return request.getfixturevalue(request.param), request.getfixturevalue(f"{request.param}_simulator")


Both = tuple[PaymentProvider, Simulator]


def listed(provider: PaymentProvider, *, since: timedelta = timedelta(hours=1)) -> list[Movement]:
    """All of the last hour, oldest first."""
    now = datetime.now(UTC)
    return sorted(provider.list_movements(now - since, now), key=lambda movement: movement.at)


def paid(both: Both, attempt: Attempt) -> str:
    provider, simulator = both
    redirect = provider.create(attempt, key=f"cre-{attempt.our_id}")
    simulator.pay(redirect.url)
    (capture,) = provider.capture(redirect.ref, key=f"cap-{attempt.our_id}").captures
    return capture.id


def later(simulator: Simulator) -> None:
    """The provider's clock a minute behind, so that what happens now is surely over."""
    simulator.advance(-60)


def shape(movements: list[Movement]) -> set[tuple[Any, ...]]:
    return {(m.kind, m.id, m.money, m.our_id, m.of) for m in movements}


def test_what_moved_is_listed_under_the_ids_we_know(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator = both
    later(simulator)
    capture = paid(both, attempt())
    refund = provider.refund(capture, FIVE, our_id="r1", key="rf-1")
    simulator.fault("refund_pending")
    provider.refund(capture, FIVE, our_id="r2", key="rf-2")
    simulator.advance(0)
    movements = listed(provider)
    assert shape(movements) == {
        ("capture", capture, Money(Decimal("74.50"), "EUR"), OUR_ID, None),
        ("refund", refund.id, FIVE, "r1", capture),
    }
    assert all(datetime.now(UTC) - timedelta(minutes=2) < m.at < datetime.now(UTC) for m in movements)


def test_refund_made_at_the_dashboard_is_listed_with_its_capture(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator = both
    later(simulator)
    capture = paid(both, attempt())
    if provider.needs_capture:
        made = simulator.decide(f"captures/{capture}/refund", amount="5.00")
    else:
        made = simulator.decide(f"payments/{capture}/refund", amount=500)
    simulator.advance(0)
    (refund,) = [movement for movement in listed(provider) if movement.kind == "refund"]
    assert (refund.id, refund.money, refund.of) == (made["id"], FIVE, capture)


def test_list_is_read_to_its_last_page(both: Both, attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, simulator = both
    monkeypatch.setattr(paypal_report, "PAGE_SIZE", 2)
    monkeypatch.setattr(card_module, "PAGE_SIZE", 2)
    later(simulator)
    captures = {paid(both, attempt(our_id=f"{number:032x}")) for number in range(5)}
    simulator.advance(0)
    movements = listed(provider)
    assert len(movements) == 5
    assert {movement.id for movement in movements} == captures


def test_list_has_what_moved_in_the_time_asked_for_only(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator = both
    simulator.advance(-7200)
    paid(both, attempt())
    simulator.advance(0)
    assert listed(provider) == []
    assert len(listed(provider, since=timedelta(hours=3))) == 1


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "html", "truncated", "empty"])
def test_list_that_does_not_come_whole_is_unknown(both: Both, fault: str) -> None:
    provider, simulator = both
    simulator.fault(fault, match="GET /v1/")
    with pytest.raises(Unknown):
        listed(provider)


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_list_that_is_refused_is_unknown(both: Both, status: int) -> None:
    provider, simulator = both
    body = {"name": "INVALID_REQUEST", "error": {"type": "invalid_request_error"}}
    simulator.fault("status", match="GET /v1/", times=2, status=status, body=body)
    with pytest.raises(Unknown):
        listed(provider)


def test_paypal_list_that_does_not_reach_so_far_yet_is_unknown(
    paypal: PaymentProvider, paypal_simulator: Simulator
) -> None:
    paypal_simulator.fault("report_late", seconds=10)
    with pytest.raises(Unknown, match="does not reach"):
        listed(paypal)
    assert listed(paypal) == []


def line(code: str, value: str, status: str = "S", **more: str) -> Any:
    info = {
        "transaction_id": f"{code}{status}",
        "transaction_event_code": code,
        "transaction_initiation_date": "2026-11-24T09:00:00+0000",
        "transaction_amount": {"currency_code": "EUR", "value": value},
        "transaction_status": status,
        **more,
    }
    return {"transaction_info": info}


def test_paypal_words_for_what_moves_are_told_apart(scripted: Callable[..., Any]) -> None:
    lines = [
        line("T0006", "5.00", custom_field="ours"),
        line("T0006", "5.00", "V"),
        line("T0006", "5.00", "P"),
        line("T0006", "5.00", "D"),
        line("T0001", "-5.00"),
        line("T0400", "-90.00"),
        line("T1107", "-5.00", paypal_reference_id="C1"),
        line("T1201", "-5.00", paypal_reference_id="C1"),
        line("T1202", "5.00", paypal_reference_id="C1"),
    ]
    url, script = scripted((200, {"transaction_details": lines, "total_pages": 1}))
    api = PayPalApi(url=url, client_id="c", client_secret="s")
    paypal = PayPal(api, page_origin=url, webhook_id="W", locale="fr-BE")
    since = datetime(2026, 11, 1, tzinfo=UTC)
    movements = list(paypal.list_movements(since, since + timedelta(days=30)))
    at, lost = datetime(2026, 11, 24, 9, tzinfo=UTC), Money(Decimal("-5.00"), "EUR")
    assert movements == [
        Movement("T0006S", "capture", FIVE, at, our_id="ours"),
        Movement("T0006V", "capture", FIVE, at),
        Movement("T1107S", "refund", FIVE, at, of="C1"),
        Movement("T1201S", "other", lost, at, of="C1"),
        Movement("T1202S", "other", FIVE, at, of="C1"),
    ]
    (asked,) = script.asked
    assert asked.args.to_dict() == {
        "start_date": "2026-11-01T00:00:00Z",
        "end_date": "2026-12-01T00:00:00Z",
        "page_size": "500",
        "page": "1",
    }


def test_card_words_for_what_moves_are_told_apart(scripted: Callable[..., Any]) -> None:
    charge = {"object": "charge", "id": "ch_1", "amount": 500, "currency": "eur", "payment_intent": "pi_1"}
    refund = {"object": "refund", "id": "re_1", "amount": 500, "currency": "eur", "payment_intent": "pi_1"}
    dispute = {"object": "dispute", "id": "dp_1", "amount": 500, "currency": "eur", "payment_intent": "pi_1"}
    lines = [
        ("payment", 500, charge),
        ("payment_refund", -500, refund),
        ("adjustment", -500, dispute),
        ("refund_failure", 500, refund),
        ("payout", -9000, "po_1"),
        ("stripe_fee", -12, None),
    ]
    data = [
        {
            **{"object": "balance_transaction", "id": f"txn_{kind}", "type": kind, "amount": amount},
            **{"currency": "eur", "created": 1795510800, "source": source},
        }
        for kind, amount, source in lines
    ]
    url, script = scripted((200, {"object": "list", "data": data, "has_more": False}))
    card = Card(url=url, secret_key="sk_test_x", webhook_secret="w", page_origin=url)
    since = datetime(2026, 11, 1, tzinfo=UTC)
    at = datetime.fromtimestamp(1795510800, UTC)
    assert list(card.list_movements(since, since + timedelta(days=30))) == [
        Movement("pi_1", "capture", FIVE, at),
        Movement("re_1", "refund", FIVE, at, of="pi_1"),
        Movement("txn_adjustment", "other", Money(Decimal("-5.00"), "EUR"), at, of="pi_1"),
        Movement("txn_refund_failure", "other", FIVE, at, of="pi_1"),
    ]
    (asked,) = script.asked
    assert asked.args.to_dict() == {
        "created[gte]": "1793491200",
        "created[lt]": "1796083200",
        "limit": "100",
        "expand[0]": "data.source",
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"total_pages": "many"},
        {"total_pages": 1, "transaction_details": [{}]},
        {"total_pages": 1, "transaction_details": [line("T0006", "five")]},
        {"total_pages": 1, "transaction_details": ["T0006"]},
        {"total_pages": 1, "last_refreshed_datetime": "yesterday"},
    ],
)
def test_paypal_list_that_nobody_can_read_is_unknown(scripted: Callable[..., Any], body: Any) -> None:
    url, _ = scripted((200, body))
    api = PayPalApi(url=url, client_id="c", client_secret="s")
    with pytest.raises(Unknown):
        listed(PayPal(api, page_origin=url, webhook_id="W", locale="fr-BE"))


@pytest.mark.parametrize("body", [{}, {"object": "list"}, {"object": "list", "data": [], "has_more": True}])
def test_card_list_that_nobody_can_read_is_unknown(scripted: Callable[..., Any], body: Any) -> None:
    url, _ = scripted((200, body))
    with pytest.raises(Unknown):
        listed(Card(url=url, secret_key="sk_test_x", webhook_secret="w", page_origin=url))


@pytest.mark.parametrize("source", [None, "ch_1", {"object": "charge", "id": "ch_1"}])
def test_card_movement_that_does_not_say_what_it_is_for_is_unknown(scripted: Callable[..., Any], source: Any) -> None:
    movement = {"object": "balance_transaction", "id": "txn_1", "type": "charge", "amount": 1, "currency": "eur"}
    data = [{**movement, "created": 1795510800, "source": source}]
    url, _ = scripted((200, {"object": "list", "data": data, "has_more": False}))
    with pytest.raises(Unknown):
        listed(Card(url=url, secret_key="sk_test_x", webhook_secret="w", page_origin=url))
