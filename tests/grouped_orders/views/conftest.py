from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from collectivities.models import User
from tests.factories import CollectivityFactory, UserFactory

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
