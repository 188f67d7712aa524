"""Settings that would lose money or secrets: the application refuses to start with them."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def refuse_dangerous_settings(settings: Any) -> None:
    """Raise ImproperlyConfigured with every reason, one a line, when these settings must not run."""
    reasons = [*_secrets(settings), *_paypal(settings), *_card(settings)]
    if reasons:
        raise ImproperlyConfigured("\n".join(["Refused to start:", *reasons]))


def _secrets(settings: Any) -> list[str]:
    https = settings.SITE_URL.startswith("https://")
    if https and (len(settings.SECRET_KEY) < 50 or settings.SECRET_KEY.startswith("django-insecure")):
        return ["SECRET_KEY must be at least 50 random characters on a public site."]
    if https and settings.DEBUG:
        return ["DEBUG must be off on a public site."]
    return []


def _paypal(settings: Any) -> list[str]:
    given = {
        "PAYPAL_CLIENT_ID": settings.PAYPAL_CLIENT_ID,
        "PAYPAL_CLIENT_SECRET": settings.PAYPAL_CLIENT_SECRET,
        "PAYPAL_WEBHOOK_ID": settings.PAYPAL_WEBHOOK_ID,
        "PAYPAL_MERCHANT_ID": settings.PAYPAL_MERCHANT_ID,
    }
    reasons = _all_or_none("PayPal", given)
    if not settings.PAYPAL_CLIENT_ID:
        return reasons
    api, page = _is_local(settings.PAYPAL_API_URL), _is_local(settings.PAYPAL_PAGE_ORIGIN)
    if api != page:
        reasons.append("PAYPAL_API_URL and PAYPAL_PAGE_ORIGIN must both be PayPal's, or both a simulator's.")
    if ("sandbox" in settings.PAYPAL_API_URL) != ("sandbox" in settings.PAYPAL_PAGE_ORIGIN):
        reasons.append("PAYPAL_API_URL and PAYPAL_PAGE_ORIGIN must both be PayPal's sandbox, or neither.")
    return reasons + _real_site(settings, "PayPal", simulated=api)


def _card(settings: Any) -> list[str]:
    given = {
        "STRIPE_SECRET_KEY": settings.STRIPE_SECRET_KEY,
        "STRIPE_WEBHOOK_SECRET": settings.STRIPE_WEBHOOK_SECRET,
    }
    reasons = _all_or_none("Stripe", given)
    if not settings.STRIPE_SECRET_KEY:
        return reasons
    api, page = _is_local(settings.STRIPE_API_URL), _is_local(settings.STRIPE_PAGE_ORIGIN)
    if api != page:
        reasons.append("STRIPE_API_URL and STRIPE_PAGE_ORIGIN must both be Stripe's, or both a simulator's.")
    if api and "_live_" in settings.STRIPE_SECRET_KEY:
        reasons.append("STRIPE_SECRET_KEY is a live key: it must not be given to a simulator.")
    return reasons + _real_site(settings, "Stripe", simulated=api)


def _all_or_none(name: str, given: dict[str, str]) -> list[str]:
    missing = [variable for variable, value in given.items() if not value]
    return [f"{name} is half configured: {', '.join(missing)} missing."] if 0 < len(missing) < len(given) else []


def _real_site(settings: Any, name: str, *, simulated: bool) -> list[str]:
    """Real money needs a site that the provider can call back safely; a simulator's needs none."""
    if simulated == _is_local(settings.SITE_URL):
        return []
    if simulated:
        return [f"{name} points at a simulator while SITE_URL is a public site."]
    return [f"{name} is the real one while SITE_URL is only this machine: nobody could come back."]


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK
