"""Anything in any order, 500 steps an example (see shop.py): the providers' books and ours agree after each.

`make test LONG=10 ARGS=tests/grouped_orders/checkout/test_random.py` runs ten examples, and new ones each time.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from grouped_orders.statuses import PaymentMethod
from tests.grouped_orders.checkout.shop import Shop
from tests.simulation import Simulator

STEPS = 500
# How many examples, new ones each time; without it two, always the same.
LONG = int(os.environ.get("LONG") or 0)
PROFILE = settings(
    max_examples=LONG or 2,
    stateful_step_count=STEPS + 1,  # the first one opens the shop
    derandomize=not LONG,
    deadline=None,
    phases=[Phase.generate],  # steps by the hundred are not shortened in any useful time
    database=None,
    suppress_health_check=list(HealthCheck),
)
# What an example meets at least, on average: a shop where nobody pays and nothing fails proves nothing.
FLOOR = {
    "capture": 20,
    "refund": 8,
    "webhooks": 10,
    "faults": 20,
    "capture unheard of": 2,
    "refund unheard of": 1,
    "capturing payment": 1,
    "pending payment": 1,
    "told not debited": 1,
    "given back in part": 3,
    "refunded at the dashboard": 1,
    "cancelled": 3,
    "refused": 10,
}


@pytest.mark.django_db
def test_any_order_of_events_leaves_the_books_in_agreement(
    paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    Shop.simulators = {PaymentMethod.PAYPAL: paypal_simulator, PaymentMethod.CARD: card_simulator}
    Shop.reached = []
    run_state_machine_as_test(Shop, settings=PROFILE)
    whole = [met for met in Shop.reached if met["steps"] == STEPS]
    assert len(whole) >= PROFILE.max_examples
    met = sum(whole, Counter[str]())
    assert {name: met[name] / len(whole) for name, least in FLOOR.items() if met[name] < least * len(whole)} == {}
