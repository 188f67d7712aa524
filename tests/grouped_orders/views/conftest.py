from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
import time_machine

from collectivities.models import User
from grouped_orders.models import GroupedOrder, SubOrder
from tests.factories import (
    BookFactory,
    BookshopFactory,
    CollectivityFactory,
    GroupedOrderFactory,
    SubOrderFactory,
    TermsFactory,
    UserFactory,
)

NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)


@pytest.fixture
def noon() -> Iterator[datetime]:
    """Tuesday 24 November 2026, noon in Brussels, and it stays so."""
    with time_machine.travel(NOON, tick=False):
        yield NOON


@pytest.fixture
def initiator() -> User:
    return UserFactory(
        email="approbateur@victorprouve.example", collectivity=CollectivityFactory(name="COLLEGE VICTOR PROUVE")
    )


@pytest.fixture
def order() -> GroupedOrder:
    """Until Wednesday 25 November 2026."""
    BookshopFactory(phone="082 00 00 00")
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE", email="cdi@victorprouve.example")
    book = BookFactory(ean13="9782362210419", title="LE LIVRE QU'IL NE FAUT PAS LIRE !")
    return GroupedOrderFactory(book=book, collectivity=collectivity, deadline=date(2026, 11, 25))


@pytest.fixture
def sub_order(order: GroupedOrder) -> SubOrder:
    """Louise's two copies, 12,80 €, awaiting payment."""
    TermsFactory(version="2026-09")
    return SubOrderFactory(grouped_order=order, email="louise@free.example", quantity=2)
