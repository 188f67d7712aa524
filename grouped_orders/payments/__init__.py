"""The payment providers this shop has, from its settings."""

from functools import cache

from django.conf import settings

from grouped_orders.payments.base import PaymentProvider, Unknown
from grouped_orders.payments.card import Card
from grouped_orders.payments.paypal import PayPal
from grouped_orders.payments.paypal_api import PayPalApi
from grouped_orders.statuses import PaymentMethod


def enabled_methods() -> list[PaymentMethod]:
    """The methods a buyer may choose: those whose credentials are set, in the order of the page."""
    return [
        method
        for method, credential in (
            (PaymentMethod.PAYPAL, settings.PAYPAL_CLIENT_ID and settings.PAYPAL_MERCHANT_ID),
            (PaymentMethod.CARD, settings.STRIPE_SECRET_KEY),
        )
        if credential
    ]


def payees(method: str) -> frozenset[str]:
    """Whom a payment may be for; empty when the provider's answers name nobody."""
    return frozenset({settings.PAYPAL_MERCHANT_ID} if method == PaymentMethod.PAYPAL else ())


def provider(method: str) -> PaymentProvider:
    """The client of one method, the same for the whole process: connections and tokens are shared.

    A payment made before its method was switched off is still followed, as long as the credentials are there;
    without them nobody can say what became of it: raises Unknown.
    """
    if not _has_credentials(method):
        raise Unknown("no credentials")
    if method == PaymentMethod.PAYPAL:
        return _paypal(
            settings.PAYPAL_API_URL,
            settings.PAYPAL_CLIENT_ID,
            settings.PAYPAL_CLIENT_SECRET,
            settings.PAYPAL_PAGE_ORIGIN,
            settings.PAYPAL_WEBHOOK_ID,
            settings.SHOP_COUNTRY,
        )
    if method == PaymentMethod.CARD:
        return _card(
            settings.STRIPE_API_URL,
            settings.STRIPE_SECRET_KEY,
            settings.STRIPE_WEBHOOK_SECRET,
            settings.STRIPE_PAGE_ORIGIN,
        )
    raise ValueError(f"no provider for {method}")


def _has_credentials(method: str) -> bool:
    if method == PaymentMethod.PAYPAL:
        return bool(settings.PAYPAL_CLIENT_ID and settings.PAYPAL_CLIENT_SECRET)
    return method != PaymentMethod.CARD or bool(settings.STRIPE_SECRET_KEY)


@cache
def _paypal(url: str, client_id: str, client_secret: str, page_origin: str, webhook_id: str, country: str) -> PayPal:
    api = PayPalApi(url=url, client_id=client_id, client_secret=client_secret)
    return PayPal(api, page_origin=page_origin, webhook_id=webhook_id, locale=f"fr-{country}")


@cache
def _card(url: str, secret_key: str, webhook_secret: str, page_origin: str) -> Card:
    return Card(url=url, secret_key=secret_key, webhook_secret=webhook_secret, page_origin=page_origin)
