"""Rows for the tests, plain and without surprise: what a test needs to be so, it says."""

from datetime import date
from decimal import Decimal
from typing import Any

import factory
from django.db.models import Model
from factory.django import DjangoModelFactory

from catalog.models import Book
from collectivities.models import Address, Bookshop, Collectivity, Terms, User
from grouped_orders.models import GroupedOrder, SubOrder
from grouped_orders.statuses import PickupMode


def ean13(nth: int) -> str:
    """The nth EAN of a prefix that belongs to nobody, with its check digit."""
    digits = f"97910999{nth:04d}"
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


class BookshopFactory(DjangoModelFactory[Bookshop]):
    class Meta:
        model = Bookshop
        django_get_or_create = ("only_one",)

    only_one = True
    name = "DLIVRE"
    email = "contact@dlivre.example"


class TermsFactory(DjangoModelFactory[Terms]):
    class Meta:
        model = Terms

    version = factory.Sequence(lambda n: f"2026-{n}")
    text = "Prix. Le prix public.\n\nPaiement. En ligne."


class CollectivityFactory(DjangoModelFactory[Collectivity]):
    class Meta:
        model = Collectivity

    name = factory.Sequence(lambda n: f"COLLEGE N° {n}")
    customer_code = factory.Sequence(lambda n: f"C{n}")


class AddressFactory(DjangoModelFactory[Address]):
    """A place of a collectivity; give `collectivity=None, bookshop=…` for one of the shop."""

    class Meta:
        model = Address

    collectivity = factory.SubFactory(CollectivityFactory)
    name = "ANNEXE"
    street = "2, rue des jonquilles"
    postcode = "5500"
    city = "DINANT"
    country = "BE"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"compte{n}@ecole.example")
    first_name = "Camille"
    last_name = "Dumont"
    password = "demo"

    @classmethod
    def _create(cls, model_class: type[Model], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(*args, **kwargs)


class BookFactory(DjangoModelFactory[Book]):
    class Meta:
        model = Book

    ean13 = factory.Sequence(ean13)
    title = "LE LIVRE QU'IL NE FAUT PAS LIRE"
    authors = "LAROCHE SOPHIE"
    publisher = "MIC MAC EDITION"
    price = Decimal("6.40")


class GroupedOrderFactory(DjangoModelFactory[GroupedOrder]):
    class Meta:
        model = GroupedOrder

    book = factory.SubFactory(BookFactory)
    collectivity = factory.SubFactory(CollectivityFactory)
    initiator = factory.SubFactory(UserFactory, collectivity=factory.SelfAttribute("..collectivity"))
    deadline = date(2026, 12, 24)
    unit_price = Decimal("6.40")
    vat_rate = Decimal("6.00")
    pickup_mode = PickupMode.COLLECTIVITY
    pickup_name = "ANNEXE"
    pickup_street = "2, rue des jonquilles"
    pickup_postcode = "5500"
    pickup_city = "DINANT"
    pickup_country = "BE"
    billing_name = factory.SelfAttribute("collectivity.name")
    billing_street = "25, rue de Bruges"
    billing_postcode = "5500"
    billing_city = "DINANT"
    billing_country = "BE"


class SubOrderFactory(DjangoModelFactory[SubOrder]):
    """Awaiting payment. One that is paid or cancelled comes to it by the verbs, never by a factory."""

    class Meta:
        model = SubOrder

    grouped_order = factory.SubFactory(GroupedOrderFactory)
    first_name = "Louise"
    last_name = "Grandville"
    email = factory.Sequence(lambda n: f"louise{n}@free.example")
    quantity = 1
    total = factory.LazyAttribute(
        lambda made: made.grouped_order.unit_price * made.quantity + made.grouped_order.shipping_fee
    )
