"""Settings that would lose money or secrets: the application refuses to start with them."""

from ipaddress import ip_address
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def refuse_dangerous_settings(settings: Any) -> None:
    """Raise ImproperlyConfigured with every reason, one a line, when these settings must not run."""
    reasons = [*_secrets(settings), *_paypal(settings), *_card(settings), *_librisoft(settings), *_covers(settings)]
    if reasons:
        raise ImproperlyConfigured("\n".join(["Refused to start:", *reasons]))


def _secrets(settings: Any) -> list[str]:
    https = settings.SITE_URL.startswith("https://")
    if https and (len(settings.SECRET_KEY) < 50 or settings.SECRET_KEY.startswith("django-insecure")):
        return ["SECRET_KEY must be at least 50 random characters on a public site."]
    if https and settings.DEBUG:
        return ["DEBUG must be off on a public site."]
    return []


def _covers(settings: Any) -> list[str]:
    return [
        f"COVER_ORIGINS: {origin} must begin with https."
        for origin in settings.COVER_ORIGINS
        if not origin.startswith("https://") and not _is_local(origin)
    ]


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


def _librisoft(settings: Any) -> list[str]:
    match settings.LIBRISOFT_TRANSPORT:
        case "push":
            return _librisoft_push(settings)
        case "pull":
            return _librisoft_pull(settings)
        case "file":
            return _librisoft_file(settings)
    return ["LIBRISOFT_TRANSPORT must be push, pull or file."]


def _librisoft_push(settings: Any) -> list[str]:
    given = {"LIBRISOFT_URL": settings.LIBRISOFT_URL, "LIBRISOFT_TOKEN": settings.LIBRISOFT_TOKEN}
    reasons = _all_or_none("LIBRISOFT", given)
    address = urlsplit(settings.LIBRISOFT_URL)
    if settings.LIBRISOFT_URL and address.scheme not in ("http", "https"):
        reasons.append("LIBRISOFT_URL must begin with https:// (or http:// within the shop).")
    elif address.scheme == "http" and not _is_in_the_shop(address.hostname or ""):
        reasons.append("LIBRISOFT_URL must be https: the token would cross the Internet in clear.")
    return reasons


def _librisoft_pull(settings: Any) -> list[str]:
    reasons = []
    if len(settings.LIBRISOFT_TOKEN) < 32:
        reasons.append("LIBRISOFT_TOKEN must be at least 32 random characters: by pull it opens the orders.")
    if not settings.SITE_URL.startswith("https://") and not _is_local(settings.SITE_URL):
        reasons.append("SITE_URL must be https by pull: LIBRISOFT's token would cross the network in clear.")
    return reasons


def _librisoft_file(settings: Any) -> list[str]:
    folder = PurePath(settings.LIBRISOFT_FOLDER)
    if not settings.LIBRISOFT_FOLDER or not folder.is_absolute():
        return ["LIBRISOFT_FOLDER must be an absolute path: by file it holds the orders."]
    served = {"MEDIA_ROOT": settings.MEDIA_ROOT, "STATIC_ROOT": settings.STATIC_ROOT}
    return [
        f"LIBRISOFT_FOLDER must not be in {name}: its orders would be public."
        for name, place in served.items()
        if folder.is_relative_to(place)
    ]


def _is_in_the_shop(host: str) -> bool:
    """This machine, or a private address of the shop's own network."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return host in LOOPBACK or "." not in host


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
