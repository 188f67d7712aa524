"""What the bridge needs to know of a validated group order: values only, no buyer's name or address among them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True)
class Place:
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    name: str
    street: str
    postcode: str
    city: str
    country: str


@dataclass(frozen=True)
class Customer:
    """The collectivity, and the initiator as its contact."""

    external_id: str
    name: str
    contact_name: str
    email: str
    phone: str


@dataclass(frozen=True)
class Line:
    """Copies of one book at the public price: euros, VAT included, never discounted. `vat_rate` is a percentage."""

    ean13: str
    title: str
    quantity: int
    unit_price: Decimal
    vat_rate: Decimal


@dataclass(frozen=True)
class Share:
    """What was received through one method (PAYPAL, CARD, BY_HAND). Euros."""

    method: str
    amount: Decimal


@dataclass(frozen=True)
class HandOver:
    group_order_number: int
    ordered_at: datetime
    customer: Customer
    billing: Place
    delivery_mode: str  # BOOKSHOP or COLLECTIVITY
    delivery: Place
    customer_reference: str
    comment: str
    lines: tuple[Line, ...]
    payments: tuple[Share, ...]
