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
    "LIBRISOFT_TRANSPORT": "push",
    "LIBRISOFT_URL": "https://librisoft.dlivre.example",
    "LIBRISOFT_TOKEN": "jeton",
    "LIBRISOFT_FOLDER": "",
    "MEDIA_ROOT": "/srv/libriweb/media",
    "STATIC_ROOT": "/srv/libriweb/static",
    "COVER_ORIGINS": ["https://images.example"],
}
PULL = {"LIBRISOFT_TRANSPORT": "pull", "LIBRISOFT_URL": "", "LIBRISOFT_TOKEN": "t" * 32}
FILE = {"LIBRISOFT_TRANSPORT": "file", "LIBRISOFT_URL": "", "LIBRISOFT_FOLDER": "/srv/librisoft"}
DEMO = {
    **SHOP,
    "SITE_URL": "http://127.0.0.1:8000",
    "SECRET_KEY": "short",
    "PAYPAL_API_URL": "http://127.0.0.1:8091",
    "PAYPAL_PAGE_ORIGIN": "http://127.0.0.1:8091",
    "STRIPE_SECRET_KEY": "sk_test_1",
    "STRIPE_API_URL": "http://127.0.0.1:8092",
    "STRIPE_PAGE_ORIGIN": "http://127.0.0.1:8092",
    "LIBRISOFT_URL": "http://127.0.0.1:8090",
}
NO_PAYPAL = dict.fromkeys(["PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_ID", "PAYPAL_MERCHANT_ID"], "")


SOUND = {
    "shop": SHOP,
    "demo": DEMO,
    "without PayPal": {**SHOP, **NO_PAYPAL},
    "LIBRISOFT in the shop": {**SHOP, "LIBRISOFT_URL": "http://192.168.1.20:8090"},
    "LIBRISOFT in the shop, by name": {**SHOP, "LIBRISOFT_URL": "http://caisse:8090"},
    "without LIBRISOFT": {**SHOP, "LIBRISOFT_URL": "", "LIBRISOFT_TOKEN": ""},
    "by pull": {**SHOP, **PULL},
    "demo by pull": {**DEMO, **PULL},
    "by file": {**SHOP, **FILE},
}


@pytest.mark.parametrize("given", SOUND.values(), ids=list(SOUND))
def test_sound_settings_start(given: dict[str, object]) -> None:
    refuse_dangerous_settings(SimpleNamespace(**given))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({**SHOP, "SECRET_KEY": "short"}, "SECRET_KEY must be at least 50 random characters on a public site."),
        ({**SHOP, "DEBUG": True}, "DEBUG must be off on a public site."),
        (
            {**SHOP, "COVER_ORIGINS": ["http://images.example"]},
            "COVER_ORIGINS: http://images.example must begin with https.",
        ),
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
        ({**SHOP, "LIBRISOFT_TRANSPORT": "fax"}, "LIBRISOFT_TRANSPORT must be push, pull or file."),
        ({**SHOP, "LIBRISOFT_TOKEN": ""}, "LIBRISOFT is half configured: LIBRISOFT_TOKEN missing."),
        (
            {**SHOP, "LIBRISOFT_URL": "librisoft.dlivre.example"},
            "LIBRISOFT_URL must begin with https:// (or http:// within the shop).",
        ),
        (
            {**SHOP, "LIBRISOFT_URL": "http://librisoft.dlivre.example"},
            "LIBRISOFT_URL must be https: the token would cross the Internet in clear.",
        ),
        (
            {**SHOP, **PULL, "LIBRISOFT_TOKEN": "t" * 31},
            "LIBRISOFT_TOKEN must be at least 32 random characters: by pull it opens the orders.",
        ),
        (
            {
                **SHOP,
                **PULL,
                **NO_PAYPAL,
                "STRIPE_SECRET_KEY": "",
                "STRIPE_WEBHOOK_SECRET": "",
                "SITE_URL": "http://a.b",
            },
            "SITE_URL must be https by pull: LIBRISOFT's token would cross the network in clear.",
        ),
        (
            {**SHOP, **FILE, "LIBRISOFT_FOLDER": "librisoft"},
            "LIBRISOFT_FOLDER must be an absolute path: by file it holds the orders.",
        ),
        (
            {**SHOP, **FILE, "LIBRISOFT_FOLDER": "/srv/libriweb/media/librisoft"},
            "LIBRISOFT_FOLDER must not be in MEDIA_ROOT: its orders would be public.",
        ),
    ],
)
def test_dangerous_settings_refuse_to_start(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        refuse_dangerous_settings(SimpleNamespace(**given))
    assert str(refusal.value) == f"Refused to start:\n{reason}"
