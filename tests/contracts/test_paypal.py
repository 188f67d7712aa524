"""Client and simulator of PayPal speak as PayPal's official OpenAPI files say."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from grouped_orders import payments
from grouped_orders.payments.base import Attempt, BadSignature, Money, Refused
from grouped_orders.statuses import PaymentMethod
from simulators.paypal_errors import ISSUES, NAMES
from tests.contracts import paypal
from tests.contracts.exchanges import SPECS, Exchange, read
from tests.simulation import PAYPAL, Simulator

pytestmark = pytest.mark.skipif(not SPECS.exists(), reason="PayPal’s OpenAPI files are not next to the repository")

ORDER = {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "EUR", "value": "23.50"}}]}


def said_to(simulator: Simulator) -> list[Exchange]:
    """Everything that was said to the API, and is judged when the test is over."""
    unjudged = tuple(paypal.UNJUDGED)
    return [e for e in read(simulator.stage.exchanges, paypal.CLIENT) if not e.path.startswith((*unjudged, "/check"))]


def test_contract_refuses_what_paypal_would() -> None:
    def breaches(line: str, asked: Any, status: int, answer: Any) -> list[str]:
        method, path = line.split()
        headers = {"authorization": "Bearer A21"}
        return paypal.contract().breaches(Exchange(method, path, status, answer, asked, headers=headers))

    for wrong in (
        {**ORDER, "intent": "SALE"},
        {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "EUR", "value": "23,50"}}]},
        {"intent": "CAPTURE"},
    ):
        assert breaches("POST /v2/checkout/orders", wrong, 201, {}) != []
    invented = {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "INSTRUMENT_DECLINED", "description": "No."}]}
    assert breaches("POST /v2/checkout/orders/A1/capture", {}, 422, invented) != []
    assert breaches("GET /v2/checkout/baskets/A1", None, 200, {}) != []
    assert breaches("POST /v2/checkout/orders", ORDER, 201, {}) == []


def test_a_payment_from_end_to_end_keeps_the_contract(paypal_simulator: Simulator) -> None:
    provider = payments.provider(PaymentMethod.PAYPAL)
    attempt = Attempt(
        our_id="0123456789abcdef0123456789abcdef",
        money=Money(Decimal("74.50"), "EUR"),
        description="Commande n° 65 : 5 × " + "Une très longue histoire " * 10,
        email="parent@example.org",
        return_url="http://shop.example/retour/",
        cancel_url="http://shop.example/annulation/",
        expires_at=datetime.now(UTC) + timedelta(minutes=30),
    )
    redirect = provider.create(attempt, key="cre-0123456789abcdef0123456789abcdef")
    with pytest.raises(Refused):
        provider.capture(redirect.ref, key="cap-0")
    paypal_simulator.pay(redirect.url)
    provider.fetch(redirect.ref)
    paypal_simulator.fault("instrument_declined")
    with pytest.raises(Refused):
        provider.capture(redirect.ref, key="cap-1")
    paypal_simulator.pay(redirect.url)
    paypal_simulator.fault("capture_pending")
    capture = provider.capture(redirect.ref, key="cap-2").captures[0].id
    provider.capture(redirect.ref, key="cap-3")
    with pytest.raises(Refused):
        provider.refund(capture, Money(Decimal("1.00"), "EUR"), our_id="r0", key="rf-0")
    paypal_simulator.decide(f"captures/{capture}", status="COMPLETED")
    paypal_simulator.fault("refund_pending")
    for number, amount in enumerate(("4.50", "10.00", "99.00", "60.00", "1.00"), start=1):
        try:
            refund = provider.refund(capture, Money(Decimal(amount), "EUR"), our_id=f"r{number}", key=f"rf-{number}")
            provider.fetch_refund(refund.id)
        except Refused:
            assert amount in ("99.00", "1.00")
    provider.fetch(redirect.ref)
    provider.fetch("5O190127TN364715T")
    for event in paypal_simulator.events():
        with pytest.raises(BadSignature):
            provider.parse_webhook(
                {
                    "PayPal-Auth-Algo": "SHA256withRSA",
                    "PayPal-Cert-Url": "https://api-m.paypal.com/v1/notifications/certs/1",
                    "PayPal-Transmission-Id": "3d5b7c9a-0000-4000-8000-000000000000",
                    "PayPal-Transmission-Sig": "forged+signature==",
                    "PayPal-Transmission-Time": "2026-11-24T09:00:00Z",
                },
                json.dumps(event).encode(),
            )
    said = said_to(paypal_simulator)
    assert {exchange.status for exchange in said} == {200, 201, 404, 422}
    assert (len(said) > 20, {exchange.by_us for exchange in said}) == (True, {True})


def test_refusals_are_in_paypals_words(paypal_simulator: Simulator, token: str) -> None:
    url, headers = paypal_simulator.url, {"Authorization": f"Bearer {token}"}
    amount = ORDER["purchase_units"][0]["amount"]  # type: ignore[index]
    for asked in (
        {},
        {**ORDER, "intent": "SALE"},
        {**ORDER, "intent": "AUTHORIZE"},
        {**ORDER, "purchase_units": []},
        {**ORDER, "purchase_units": [{}]},
        {**ORDER, "purchase_units": [{"amount": {**amount, "value": "23,50"}}]},
        {**ORDER, "purchase_units": [{"amount": {**amount, "value": "23.505"}}]},
        {**ORDER, "purchase_units": [{"amount": {**amount, "value": "-1.00"}}]},
        {**ORDER, "purchase_units": [{"amount": {**amount, "currency_code": "FRF"}}]},
        {**ORDER, "purchase_units": [{"amount": amount, "custom_id": "x" * 128}]},
        {**ORDER, "payment_source": {"paypal": {}}},
        {**ORDER, "purchase_units": [{"amount": amount, "payee": {"merchant_id": "ELSEWHERE2222"}}]},
    ):
        requests.post(f"{url}/v2/checkout/orders", json=asked, headers=headers, timeout=5)
    requests.post(f"{url}/v2/checkout/orders", json=ORDER, timeout=5)
    said = [exchange.status for exchange in said_to(paypal_simulator)]
    assert said == [400] * 6 + [422] * 3 + [400] * 2 + [422, 401]


def test_every_refusal_the_simulator_knows_is_paypals_own() -> None:
    catalogue = json.loads((SPECS / "paypal_error_catalogue.json").read_text())
    said: dict[int, set[tuple[str, str]]] = {}
    for operation, errors in catalogue.items():
        status = int(operation.rsplit(" ", 1)[1])
        said.setdefault(status, set()).update(errors["issues"].items())
        if status in NAMES:
            assert (errors["name"], errors["message"]) == ([NAMES[status][0]], [NAMES[status][1]])
    ours = {(status, issue, text) for status, known in ISSUES.items() for issue, text in known.items()}
    invented = {(status, issue) for status, issue, text in ours if (issue, text) not in said[status]}
    assert invented == set()


@pytest.fixture
def token(paypal_simulator: Simulator) -> str:
    answer = requests.post(
        f"{paypal_simulator.url}/v1/oauth2/token",
        auth=(PAYPAL.client_id, PAYPAL.client_secret),
        data={"grant_type": "client_credentials"},
        timeout=5,
    )
    access: str = answer.json()["access_token"]
    return access
