"""What each provider is told of an attempt: this, and nothing more."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Request

from grouped_orders.payments.base import Attempt, Redirect
from grouped_orders.payments.card import API_VERSION, Card
from grouped_orders.payments.paypal import PayPal
from grouped_orders.payments.paypal_api import PayPalApi
from tests.payments.conftest import CANCEL_URL, OUR_ID, RETURN_URL

MakeAttempt = Callable[..., Attempt]


def test_paypal_is_told_the_amount_the_purchase_and_our_id(scripted: Callable[..., Any], attempt: MakeAttempt) -> None:
    def order(request: Request) -> Any:
        return 200, {"id": "O1", "links": [{"rel": "payer-action", "href": f"{request.host_url}page"}]}

    url, script = scripted(order)
    api = PayPalApi(url=url, client_id="c", client_secret="s")
    paypal = PayPal(api, page_origin=url, webhook_id="W", locale="fr-BE")
    assert paypal.create(attempt(description="é" * 130), key="cre-1") == Redirect("O1", f"{url}/page")
    (asked,) = script.asked
    assert (asked.method, asked.path, asked.headers["PayPal-Request-Id"]) == ("POST", "/v2/checkout/orders", "cre-1")
    assert json.loads(asked.get_data()) == {
        "intent": "CAPTURE",
        "purchase_units": [
            {
                "amount": {"currency_code": "EUR", "value": "74.50"},
                "custom_id": OUR_ID,
                "description": "é" * 127,
            }
        ],
        "payment_source": {
            "paypal": {
                "experience_context": {
                    "user_action": "PAY_NOW",
                    "shipping_preference": "NO_SHIPPING",
                    "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
                    "locale": "fr-BE",
                    "return_url": RETURN_URL,
                    "cancel_url": CANCEL_URL,
                }
            }
        },
    }


def test_stripe_is_told_the_amount_the_purchase_and_our_id(scripted: Callable[..., Any], attempt: MakeAttempt) -> None:
    def session(request: Request) -> Any:
        return 200, {"id": "cs_1", "object": "checkout.session", "url": f"{request.host_url}page"}

    url, script = scripted(session)
    card = Card(url=url, secret_key="sk_test_x", webhook_secret="w", page_origin=url)
    half_past_nine = datetime(2026, 4, 6, 9, 30, tzinfo=UTC)
    assert card.create(attempt(expires_at=half_past_nine), key="cre-1") == Redirect("cs_1", f"{url}/page")
    (asked,) = script.asked
    assert (asked.method, asked.path) == ("POST", "/v1/checkout/sessions")
    assert asked.headers["Idempotency-Key"] == "cre-1"
    assert asked.headers["Authorization"] == "Bearer sk_test_x"
    assert asked.headers["Stripe-Version"] == API_VERSION
    assert "telemetry_id" not in asked.headers["X-Stripe-Client-User-Agent"]
    assert asked.form.to_dict() == {
        "mode": "payment",
        "locale": "fr",
        "allowed_payment_method_types[0]": "card",
        "allowed_payment_method_types[1]": "bancontact",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "7450",
        "line_items[0][price_data][product_data][name]": "Commande n° 65 : 5 × Le petit prince",
        "client_reference_id": OUR_ID,
        "metadata[payment]": OUR_ID,
        "payment_intent_data[metadata][payment]": OUR_ID,
        "customer_email": "parent@example.org",
        "success_url": RETURN_URL,
        "cancel_url": CANCEL_URL,
        # Two minutes more than asked: Stripe counts its 30 minutes from when it reads this.
        "expires_at": str(int(half_past_nine.timestamp()) + 120),
    }
