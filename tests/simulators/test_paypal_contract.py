"""Client and simulator of PayPal speak as PayPal's official OpenAPI files say."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests
from flask import Response, request

from grouped_orders import payments
from grouped_orders.payments.base import Attempt, BadSignature, Money, Refused
from grouped_orders.statuses import PaymentMethod
from simulators.paypal_errors import ISSUES, NAMES
from tests.simulation import PAYPAL, Simulator
from tests.simulators.contract import SPECS, Contract, Exchange

pytestmark = pytest.mark.skipif(not SPECS.exists(), reason="PayPal’s OpenAPI files are not next to the repository")

ORDER = {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "EUR", "value": "23.50"}}]}


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract()


@pytest.fixture
def exchanges(paypal_simulator: Simulator) -> list[Exchange]:
    """Everything that is said to the API from now on."""
    heard: list[Exchange] = []

    @paypal_simulator.stage.app.after_request
    def hear(response: Response) -> Response:
        if request.path.startswith(("/v2/", "/v1/notifications/")):
            heard.append(
                Exchange(
                    request.method,
                    request.path,
                    request.headers.get("PayPal-Request-Id", ""),
                    json.loads(request.get_data()) if request.get_data() else None,
                    response.status_code,
                    json.loads(response.get_data()) if response.get_data() else None,
                )
            )
        return response

    return heard


def test_contract_refuses_what_paypal_would(contract: Contract) -> None:
    for wrong in (
        {**ORDER, "intent": "SALE"},
        {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "EUR", "value": "23,50"}}]},
        {"intent": "CAPTURE"},
    ):
        assert contract.breaches(Exchange("POST", "/v2/checkout/orders", "", wrong, 201, {})) != []
    invented = {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "INSTRUMENT_DECLINED", "description": "No."}]}
    assert contract.breaches(Exchange("POST", "/v2/checkout/orders/A1/capture", "", {}, 422, invented)) != []
    assert contract.breaches(Exchange("GET", "/v2/checkout/baskets/A1", "", None, 200, {})) != []
    assert contract.breaches(Exchange("POST", "/v2/checkout/orders", "", ORDER, 201, {})) == []


def test_a_payment_from_end_to_end_keeps_the_contract(
    contract: Contract, paypal_simulator: Simulator, exchanges: list[Exchange]
) -> None:
    paypal = payments.provider(PaymentMethod.PAYPAL)
    attempt = Attempt(
        our_id="0123456789abcdef0123456789abcdef",
        money=Money(Decimal("74.50"), "EUR"),
        description="Commande n° 65 : 5 × " + "Une très longue histoire " * 10,
        email="parent@example.org",
        return_url="http://shop.example/retour/",
        cancel_url="http://shop.example/annulation/",
        expires_at=datetime.now(UTC) + timedelta(minutes=30),
    )
    redirect = paypal.create(attempt, key="cre-0123456789abcdef0123456789abcdef")
    with pytest.raises(Refused):
        paypal.capture(redirect.ref, key="cap-0")
    paypal_simulator.pay(redirect.url)
    paypal.fetch(redirect.ref)
    paypal_simulator.fault("instrument_declined")
    with pytest.raises(Refused):
        paypal.capture(redirect.ref, key="cap-1")
    paypal_simulator.pay(redirect.url)
    paypal_simulator.fault("capture_pending")
    capture = paypal.capture(redirect.ref, key="cap-2").captures[0].id
    paypal.capture(redirect.ref, key="cap-3")
    with pytest.raises(Refused):
        paypal.refund(capture, Money(Decimal("1.00"), "EUR"), our_id="r0", key="rf-0")
    paypal_simulator.decide(f"captures/{capture}", status="COMPLETED")
    paypal_simulator.fault("refund_pending")
    for number, amount in enumerate(("4.50", "10.00", "99.00", "60.00", "1.00"), start=1):
        try:
            refund = paypal.refund(capture, Money(Decimal(amount), "EUR"), our_id=f"r{number}", key=f"rf-{number}")
            paypal.fetch_refund(refund.id)
        except Refused:
            assert amount in ("99.00", "1.00")
    paypal.fetch(redirect.ref)
    paypal.fetch("5O190127TN364715T")
    for event in paypal_simulator.events():
        with pytest.raises(BadSignature):
            paypal.parse_webhook(
                {
                    "PayPal-Auth-Algo": "SHA256withRSA",
                    "PayPal-Cert-Url": "https://api-m.paypal.com/v1/notifications/certs/1",
                    "PayPal-Transmission-Id": "3d5b7c9a-0000-4000-8000-000000000000",
                    "PayPal-Transmission-Sig": "forged+signature==",
                    "PayPal-Transmission-Time": "2026-11-24T09:00:00Z",
                },
                json.dumps(event).encode(),
            )
    assert {exchange.status for exchange in exchanges} == {200, 201, 404, 422}
    assert len(exchanges) > 20
    assert [breach for exchange in exchanges for breach in contract.breaches(exchange)] == []


def test_refusals_are_in_paypals_words(
    contract: Contract, paypal_simulator: Simulator, exchanges: list[Exchange], token: str
) -> None:
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
    assert [exchange.status for exchange in exchanges] == [400] * 6 + [422] * 3 + [400] * 2 + [422, 401]
    wrong = [breach for exchange in exchanges for breach in contract.breaches(exchange, request_too=False)]
    assert wrong == []


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
