"""PayPal's simulator, as a program that knows nothing of the shop sees it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.paypal import PayPal
from simulators.stage import Stage
from tests.simulation import PAYPAL, Simulator, served

HOUR = 3600
EXPERIENCE = {"return_url": "http://shop.example/retour?a=1", "cancel_url": "http://shop.example/annulation"}


def _order(value: str = "23.50", **unit: Any) -> dict[str, Any]:
    return {
        "intent": "CAPTURE",
        "purchase_units": [{"amount": {"currency_code": "EUR", "value": value}, **unit}],
        "payment_source": {"paypal": {"experience_context": EXPERIENCE}},
    }


Ask = Callable[..., requests.Response]


def _asking(url: str) -> Ask:
    access = requests.post(
        f"{url}/v1/oauth2/token",
        auth=(PAYPAL.client_id, PAYPAL.client_secret),
        data={"grant_type": "client_credentials"},
        timeout=5,
    ).json()["access_token"]

    def ask(method: str, path: str, json: Any = None, *, key: str = "", prefer: str = "representation") -> Any:
        headers = {"Authorization": f"Bearer {access}", "Prefer": f"return={prefer}"}
        if key:
            headers["PayPal-Request-Id"] = key
        return requests.request(method, url + path, json=json, headers=headers, timeout=5)

    return ask


@pytest.fixture
def ask(paypal_simulator: Simulator) -> Ask:
    return _asking(paypal_simulator.url)


def _issue(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["details"][0]["issue"]


def test_token_wants_the_right_secret(paypal_simulator: Simulator) -> None:
    answer = requests.post(
        f"{paypal_simulator.url}/v1/oauth2/token",
        auth=(PAYPAL.client_id, "guessed"),
        data={"grant_type": "client_credentials"},
        timeout=5,
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_token_ends(paypal_simulator: Simulator, ask: Ask) -> None:
    assert ask("GET", "/v2/checkout/orders/NONE").status_code == 404
    paypal_simulator.advance(9 * HOUR + 1)
    assert ask("GET", "/v2/checkout/orders/NONE").json()["name"] == "AUTHENTICATION_FAILURE"


def test_order_with_a_source_wants_the_payer(paypal_simulator: Simulator, ask: Ask) -> None:
    answer = ask("POST", "/v2/checkout/orders", _order(), key="k1")
    order = answer.json()
    assert (answer.status_code, order["status"]) == (200, "PAYER_ACTION_REQUIRED")
    page = f"{paypal_simulator.url}/checkoutnow?token={order['id']}"
    assert {link["rel"]: link["href"] for link in order["links"]}["payer-action"] == page


def test_order_without_a_source_wants_an_approval(ask: Ask) -> None:
    asked = _order()
    del asked["payment_source"]
    answer = ask("POST", "/v2/checkout/orders", asked)
    assert (answer.status_code, answer.json()["status"]) == (201, "CREATED")
    assert [link["rel"] for link in answer.json()["links"]] == ["self", "approve"]


def test_minimal_answer_holds_the_order_only_by_its_id(ask: Ask) -> None:
    order = ask("POST", "/v2/checkout/orders", _order(), key="k1", prefer="minimal").json()
    assert sorted(order) == ["id", "links", "payment_source", "status"]


def test_request_id_is_kept_six_hours(paypal_simulator: Simulator, ask: Ask) -> None:
    first = ask("POST", "/v2/checkout/orders", _order(), key="k1").json()
    paypal_simulator.advance(6 * HOUR - 60)
    assert ask("POST", "/v2/checkout/orders", _order(), key="k1").json() == first
    paypal_simulator.advance(6 * HOUR + 60)
    assert ask("POST", "/v2/checkout/orders", _order(), key="k1").json()["id"] != first["id"]


def test_refused_capture_stays_refused_under_its_key(paypal_simulator: Simulator, ask: Ask) -> None:
    id = ask("POST", "/v2/checkout/orders", _order(), key="k1").json()["id"]
    page = f"{paypal_simulator.url}/checkoutnow?token={id}"
    paypal_simulator.pay(page)
    paypal_simulator.fault("instrument_declined")
    assert _issue(ask("POST", f"/v2/checkout/orders/{id}/capture", {}, key="c1")) == (422, "INSTRUMENT_DECLINED")
    paypal_simulator.pay(page)
    assert _issue(ask("POST", f"/v2/checkout/orders/{id}/capture", {}, key="c1")) == (422, "INSTRUMENT_DECLINED")
    assert ask("POST", f"/v2/checkout/orders/{id}/capture", {}, key="c2").json()["status"] == "COMPLETED"


def test_replayed_capture_says_what_it_said_then(paypal_simulator: Simulator, ask: Ask) -> None:
    id = ask("POST", "/v2/checkout/orders", _order(), key="k1").json()["id"]
    paypal_simulator.pay(f"{paypal_simulator.url}/checkoutnow?token={id}")
    said = ask("POST", f"/v2/checkout/orders/{id}/capture", {}, key="c1").json()
    capture = said["purchase_units"][0]["payments"]["captures"][0]["id"]
    ask("POST", f"/v2/payments/captures/{capture}/refund", {}, key="r1")
    assert ask("GET", f"/v2/payments/captures/{capture}").json()["status"] == "REFUNDED"
    assert ask("POST", f"/v2/checkout/orders/{id}/capture", {}, key="c1").json() == said


def test_order_that_nobody_approves_is_forgotten(paypal_simulator: Simulator, ask: Ask) -> None:
    id = ask("POST", "/v2/checkout/orders", _order(), key="k1").json()["id"]
    approved = ask("POST", "/v2/checkout/orders", _order(), key="k2").json()["id"]
    paypal_simulator.pay(f"{paypal_simulator.url}/checkoutnow?token={approved}")
    paypal_simulator.advance(3 * HOUR + 1)
    assert _issue(ask("GET", f"/v2/checkout/orders/{id}")) == (404, "INVALID_RESOURCE_ID")
    assert ask("GET", f"/v2/checkout/orders/{approved}").json()["status"] == "APPROVED"
    page = requests.get(f"{paypal_simulator.url}/checkoutnow?token={id}", timeout=5)
    assert "Cette page n’est plus valable" in page.text


def test_patch_changes_the_amount_until_it_is_paid(paypal_simulator: Simulator, ask: Ask) -> None:
    id = ask("POST", "/v2/checkout/orders", _order(), key="k1").json()["id"]
    path = "/purchase_units/@reference_id=='default'/amount"
    change = [{"op": "replace", "path": path, "value": {"currency_code": "EUR", "value": "9.90"}}]
    assert ask("PATCH", f"/v2/checkout/orders/{id}", change).status_code == 204
    assert ask("GET", f"/v2/checkout/orders/{id}").json()["purchase_units"][0]["amount"]["value"] == "9.90"
    elsewhere = [{**change[0], "path": "/intent"}]
    assert _issue(ask("PATCH", f"/v2/checkout/orders/{id}", elsewhere)) == (422, "INVALID_JSON_POINTER_FORMAT")
    paypal_simulator.pay(f"{paypal_simulator.url}/checkoutnow?token={id}")
    ask("POST", f"/v2/checkout/orders/{id}/capture", {}, key="c1")
    assert _issue(ask("PATCH", f"/v2/checkout/orders/{id}", change)) == (422, "ORDER_ALREADY_COMPLETED")
    assert paypal_simulator.moved() == [("capture", "9.90", "")]


def test_page_names_the_merchant_the_amount_and_the_purchase(paypal_simulator: Simulator, ask: Ask) -> None:
    id = ask("POST", "/v2/checkout/orders", _order("1234.50", description="Livre <b>"), key="k1").json()["id"]
    page = requests.get(f"{paypal_simulator.url}/checkoutnow?token={id}", timeout=5).text
    for text in (
        '<html lang="fr">',
        "<title>Payer Librairie D Livre</title>",
        '<dd class="amount">1\u202f234,50\u00a0€</dd>',
        "<dd>Livre &lt;b&gt;</dd>",
        ">Payer</button>",
        ">Annuler</button>",
    ):
        assert text in page


def test_second_click_on_pay_finds_a_page_that_is_over(paypal_simulator: Simulator, ask: Ask) -> None:
    id = ask("POST", "/v2/checkout/orders", _order(), key="k1").json()["id"]
    page = f"{paypal_simulator.url}/checkoutnow?token={id}"
    assert paypal_simulator.pay(page).startswith(f"http://shop.example/retour?a=1&token={id}&PayerID=")
    again = requests.post(page, data={"action": "pay"}, timeout=5)
    assert "Cette page n’est plus valable" in again.text
    assert f"http://shop.example/retour?a=1&amp;token={id}" in again.text


def test_refund_comes_too_late_after_180_days(paypal_simulator: Simulator, ask: Ask) -> None:
    id = ask("POST", "/v2/checkout/orders", _order(), key="k1").json()["id"]
    paypal_simulator.pay(f"{paypal_simulator.url}/checkoutnow?token={id}")
    order = ask("POST", f"/v2/checkout/orders/{id}/capture", {}, key="c1").json()
    capture = order["purchase_units"][0]["payments"]["captures"][0]["id"]
    paypal_simulator.advance(181 * 24 * HOUR)
    late = _asking(paypal_simulator.url)
    answer = late("POST", f"/v2/payments/captures/{capture}/refund", {}, key="r1")
    assert _issue(answer) == (422, "REFUND_TIME_LIMIT_EXCEEDED")


def test_report_shows_the_ledger(paypal_simulator: Simulator, ask: Ask) -> None:
    id = ask("POST", "/v2/checkout/orders", _order(custom_id="ours"), key="k1").json()["id"]
    paypal_simulator.pay(f"{paypal_simulator.url}/checkoutnow?token={id}")
    order = ask("POST", f"/v2/checkout/orders/{id}/capture", {}, key="c1").json()
    capture = order["purchase_units"][0]["payments"]["captures"][0]["id"]
    ask("POST", f"/v2/payments/captures/{capture}/refund", {"amount": {"currency_code": "EUR", "value": "3.50"}})
    assert paypal_simulator.ledger()["total"] == "20.00"
    day = paypal_simulator.ledger()["entries"][0]["at"][:10]
    report = ask("GET", f"/v1/reporting/transactions?start_date={day}T00:00:00Z&end_date={day}T23:59:59Z").json()
    rows = [row["transaction_info"] for row in report["transaction_details"]]
    assert [(r["transaction_amount"]["value"], r["transaction_event_code"], r["custom_field"]) for r in rows] == [
        ("23.50", "T0006", "ours"),
        ("-3.50", "T1107", "ours"),
    ]


def test_state_outlives_the_program(tmp_path: Path) -> None:
    file = tmp_path / "paypal.json"
    first = PayPal(Stage("paypal", state_file=file), PAYPAL)
    with served(first.stage.app) as url:
        ask = _asking(url)
        id = ask("POST", "/v2/checkout/orders", _order(), key="k1").json()["id"]
        first.webhooks.stop()
    second = PayPal(Stage("paypal", state_file=file), PAYPAL)
    with served(second.stage.app) as url:
        simulator = Simulator(url, second.stage, second.webhooks)
        again = _asking(url)
        assert again("POST", "/v2/checkout/orders", _order(), key="k1").json()["id"] == id
        simulator.pay(f"{url}/checkoutnow?token={id}")
        assert again("POST", f"/v2/checkout/orders/{id}/capture", {}, key="c1").json()["status"] == "COMPLETED"
        assert simulator.ledger()["total"] == "23.50"
        second.webhooks.stop()
