from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured

from libriweb.checks import refuse_dangerous_settings

SHOP = {
    "SITE_URL": "https://commandes.dlivre.example",
    "SECRET_KEY": "k" * 60,
    "DEBUG": False,
    "PAYPAL_CLIENT_ID": "id",
    "PAYPAL_CLIENT_SECRET": "secret",
    "PAYPAL_WEBHOOK_ID": "hook",
    "PAYPAL_MERCHANT_ID": "merchant",
    "PAYPAL_API_URL": "https://api-m.paypal.com",
    "PAYPAL_PAGE_ORIGIN": "https://www.paypal.com",
    "STRIPE_SECRET_KEY": "sk_live_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1",
    "STRIPE_API_URL": "https://api.stripe.com",
    "STRIPE_PAGE_ORIGIN": "https://checkout.stripe.com",
}
DEMO = {
    **SHOP,
    "SITE_URL": "http://127.0.0.1:8000",
    "SECRET_KEY": "short",
    "PAYPAL_API_URL": "http://127.0.0.1:8091",
    "PAYPAL_PAGE_ORIGIN": "http://127.0.0.1:8091",
    "STRIPE_SECRET_KEY": "sk_test_1",
    "STRIPE_API_URL": "http://127.0.0.1:8092",
    "STRIPE_PAGE_ORIGIN": "http://127.0.0.1:8092",
}
NO_PAYPAL = dict.fromkeys(["PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_ID", "PAYPAL_MERCHANT_ID"], "")


@pytest.mark.parametrize("given", [SHOP, DEMO, {**SHOP, **NO_PAYPAL}], ids=["shop", "demo", "without PayPal"])
def test_sound_settings_start(given: dict[str, object]) -> None:
    refuse_dangerous_settings(SimpleNamespace(**given))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({**SHOP, "SECRET_KEY": "short"}, "SECRET_KEY must be at least 50 random characters on a public site."),
        ({**SHOP, "DEBUG": True}, "DEBUG must be off on a public site."),
        ({**SHOP, "PAYPAL_WEBHOOK_ID": ""}, "PayPal is half configured: PAYPAL_WEBHOOK_ID missing."),
        ({**SHOP, "STRIPE_WEBHOOK_SECRET": ""}, "Stripe is half configured: STRIPE_WEBHOOK_SECRET missing."),
        (
            {**DEMO, "PAYPAL_API_URL": "https://api-m.paypal.com"},
            "PAYPAL_API_URL and PAYPAL_PAGE_ORIGIN must both be PayPal's, or both a simulator's.\n"
            "PayPal is the real one while SITE_URL is only this machine: nobody could come back.",
        ),
        (
            {**SHOP, "PAYPAL_API_URL": "https://api-m.sandbox.paypal.com"},
            "PAYPAL_API_URL and PAYPAL_PAGE_ORIGIN must both be PayPal's sandbox, or neither.",
        ),
        (
            {**DEMO, "STRIPE_SECRET_KEY": "sk_live_1"},
            "STRIPE_SECRET_KEY is a live key: it must not be given to a simulator.",
        ),
        (
            {**DEMO, **NO_PAYPAL, "SITE_URL": "https://commandes.dlivre.example", "SECRET_KEY": "k" * 60},
            "Stripe points at a simulator while SITE_URL is a public site.",
        ),
    ],
)
def test_dangerous_settings_refuse_to_start(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        refuse_dangerous_settings(SimpleNamespace(**given))
    assert str(refusal.value) == f"Refused to start:\n{reason}"
