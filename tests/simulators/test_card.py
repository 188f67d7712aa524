"""The card's simulator, as a program that knows nothing of the shop sees it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from stripe.params import RefundCreateParams
from stripe.params.checkout import SessionCreateParams

from simulators.card import KNOWN, Stripe
from simulators.stage import Stage
from tests.simulation import CARD, Simulator, served

Ask = Callable[..., requests.Response]


def _session(**changes: str) -> dict[str, str]:
    return {
        "mode": "payment",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "2350",
        "line_items[0][price_data][product_data][name]": "Livre",
        "client_reference_id": "ours",
        "metadata[payment]": "ours",
        "payment_intent_data[metadata][payment]": "ours",
        "success_url": "http://shop.example/retour?s={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://shop.example/annulation",
        **changes,
    }


def _asking(url: str) -> Ask:
    def ask(method: str, path: str, form: dict[str, str] | None = None, *, key: str = "") -> requests.Response:
        headers = {"Authorization": f"Bearer {CARD.secret_key}"} | ({"Idempotency-Key": key} if key else {})
        return requests.request(method, url + path, data=form, headers=headers, timeout=5)

    return ask


@pytest.fixture
def ask(card_simulator: Simulator) -> Ask:
    return _asking(card_simulator.url)


def _error(answer: requests.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["type"], error.get("code")


def test_key_must_be_the_shops(card_simulator: Simulator) -> None:
    url = f"{card_simulator.url}/v1/checkout/sessions"
    for headers in ({}, {"Authorization": "Bearer sk_test_other"}):
        assert _error(requests.post(url, headers=headers, timeout=5)) == (401, "invalid_request_error", None)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payment_method_types[0]": "card"}, "parameter_unknown"),
        ({"surprise": "1"}, "parameter_unknown"),
        ({"line_items[0][price_data][unit_amount]": "49"}, "amount_too_small"),
        ({"mode": "subscription"}, None),
        ({"line_items[0][price_data][product_data][name]": ""}, "parameter_missing"),
    ],
)
def test_session_that_stripe_would_refuse_is_refused(ask: Ask, changes: dict[str, str], code: str | None) -> None:
    answer = ask("POST", "/v1/checkout/sessions", _session(**changes))
    assert _error(answer) == (400, "invalid_request_error", code)


@pytest.mark.parametrize(("minutes", "status"), [(29, 400), (31, 200), (24 * 60 - 1, 200), (24 * 60 + 1, 400)])
def test_session_lives_30_minutes_to_a_day(ask: Ask, minutes: int, status: int) -> None:
    ends = str(int(time.time()) + minutes * 60)
    assert ask("POST", "/v1/checkout/sessions", _session(expires_at=ends)).status_code == status


def test_key_gives_the_same_answer_to_the_same_request_only(ask: Ask) -> None:
    first = ask("POST", "/v1/checkout/sessions", _session(), key="k1")
    again = ask("POST", "/v1/checkout/sessions", _session(), key="k1")
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = ask("POST", "/v1/checkout/sessions", _session(client_reference_id="x"), key="k1")
    assert _error(other) == (400, "idempotency_error", None)


def test_paid_session_can_be_neither_expired_nor_paid_again(card_simulator: Simulator, ask: Ask) -> None:
    session = ask("POST", "/v1/checkout/sessions", _session()).json()
    assert card_simulator.pay(session["url"]) == f"http://shop.example/retour?s={session['id']}"
    assert _error(ask("POST", f"/v1/checkout/sessions/{session['id']}/expire")) == (400, "invalid_request_error", None)
    again = requests.post(session["url"], data={"action": "pay"}, timeout=5)
    assert "Cette page n’est plus valable" in again.text
    assert card_simulator.moved() == [("capture", "23.50", "ours")]


def test_page_has_its_three_buttons_and_says_what_is_paid(card_simulator: Simulator, ask: Ask) -> None:
    session = ask("POST", "/v1/checkout/sessions", _session()).json()
    page = requests.get(session["url"], timeout=5).text
    for text in (
        '<html lang="fr">',
        "<title>Payer Librairie D Livre</title>",
        '<dd class="amount">23,50\u00a0€</dd>',
        "<dd>Livre</dd>",
        ">Payer</button>",
        ">Annuler</button>",
        ">Carte refusée</button>",
    ):
        assert text in page
    assert 'role="alert"' not in page
    assert 'role="alert">Votre carte a été refusée.' in card_simulator.refuse(session["url"])


def test_expansion_shows_the_payment_and_its_fee(card_simulator: Simulator, ask: Ask) -> None:
    session = ask("POST", "/v1/checkout/sessions", _session()).json()
    card_simulator.pay(session["url"])
    path = f"/v1/checkout/sessions/{session['id']}"
    assert ask("GET", path).json()["payment_intent"].startswith("pi_")
    deep = ask("GET", f"{path}?expand[]=payment_intent.latest_charge.balance_transaction").json()
    movement = deep["payment_intent"]["latest_charge"]["balance_transaction"]
    assert (movement["amount"], movement["fee"], movement["net"]) == (2350, 60, 2290)
    assert _error(ask("GET", f"{path}?expand[]=nothing"))[2] == "parameter_unknown"


def test_events_not_delivered_are_listed(card_simulator: Simulator, ask: Ask) -> None:
    session = ask("POST", "/v1/checkout/sessions", _session()).json()
    card_simulator.fault("webhook_lost")
    card_simulator.pay(session["url"])
    (event,) = ask("GET", "/v1/events?delivery_success=false").json()["data"]
    assert (event["type"], event["data"]["object"]["id"]) == ("checkout.session.completed", session["id"])
    assert ask("GET", f"/v1/events?created[gte]={event['created'] + 60}").json()["data"] == []


def test_refund_from_the_dashboard_is_in_the_ledger(card_simulator: Simulator, ask: Ask) -> None:
    session = ask("POST", "/v1/checkout/sessions", _session()).json()
    card_simulator.pay(session["url"])
    intent = ask("GET", f"/v1/checkout/sessions/{session['id']}").json()["payment_intent"]
    card_simulator.decide(f"payments/{intent}/refund", amount=350)
    assert card_simulator.moved() == [("capture", "23.50", "ours"), ("refund", "3.50", "ours")]
    assert card_simulator.ledger()["total"] == "20.00"
    front = requests.get(card_simulator.url, timeout=5).text
    assert "<tr><td>Remboursement</td><td>ours</td><td>\u22123,50\u00a0€</td></tr>" in front
    assert "<td>20,00\u00a0€</td>" in front


def test_state_outlives_the_program(tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    first = Stripe(Stage("card", state_file=file), CARD)
    with served(first.stage.app) as url:
        id = _asking(url)("POST", "/v1/checkout/sessions", _session()).json()["id"]
        first.webhooks.stop()
    second = Stripe(Stage("card", state_file=file), CARD)
    with served(second.stage.app) as url:
        simulator = Simulator(url, second.stage, second.webhooks)
        simulator.pay(f"{url}/c/pay/{id}")
        assert _asking(url)("GET", f"/v1/checkout/sessions/{id}").json()["payment_status"] == "paid"
        assert simulator.ledger()["total"] == "23.50"
        second.webhooks.stop()


def test_simulator_takes_no_parameter_that_stripe_has_not() -> None:
    assert set(SessionCreateParams.__annotations__) >= KNOWN
    assert {"payment_intent", "amount", "metadata", "reason"} <= set(RefundCreateParams.__annotations__)
