"""Fifty processes of the shop at once, as on the last evening: one capture, one page, one mail.

Not threads: each has its own connections, tokens and memory, and shares nothing with the others but the database and
the providers. All wait at one barrier, and one stroke lets them go.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from grouped_orders.models import Payment, ProviderEvent
from grouped_orders.models.order import deadline_end
from grouped_orders.statuses import PaymentMethod, PaymentState, SubOrderStatus
from tests.grouped_orders.checkout.conftest import Buyer, kinds, shop_settings
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.processes import Maker, maker_of
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 50

Job = dict[str, Any]
AtOnce = Callable[[list[Job]], list[Any]]


@pytest.fixture(scope="module")
def maker(django_db_setup: None) -> Iterator[Maker]:
    with maker_of("tests.grouped_orders.checkout.crowd") as maker:
        yield maker


@pytest.fixture
def at_once(maker: Maker) -> AtOnce:
    """Each job in a process of its own, all from one moment; what each of them got."""

    def at_once(jobs: list[Job]) -> list[Any]:
        answers: list[Any] = maker.ask({"settings": shop_settings(), "jobs": jobs})
        assert "died" not in answers
        return answers

    return at_once


def job(what: str, at: datetime, after: float = 0, **more: Any) -> Job:
    """`after` so many seconds; its clock shows `at` when it is let go."""
    return {"what": what, "at": at.isoformat(), "after": after, **more}


def doors(buyer: Buyer, simulator: Simulator, back: str) -> list[dict[str, Any]]:
    """The four ways to `settle`: return page, webhook, clock, « Vérifier mon paiement »."""
    body, proof = simulator.message(simulator.events()[-1])
    webhook = reverse(f"payments:{simulator.stage.app.name}_webhook")
    return [
        {"what": "open", "path": "/" + back.split("/", 3)[3]},
        {"what": "hear", "path": webhook, "body": body.decode(), "headers": proof},
        {"what": "clock"},
        {"what": "press", "path": reverse("buyer:verify", args=[buyer.sub_order.secret]), "form": {}},
    ]


@pytest.mark.parametrize("method", [PaymentMethod.PAYPAL, PaymentMethod.CARD])
def test_fifty_settles_from_four_doors_take_the_money_once(
    buyer: Buyer, paypal_simulator: Simulator, card_simulator: Simulator, at_once: AtOnce, method: PaymentMethod
) -> None:
    simulator = paypal_simulator if method == PaymentMethod.PAYPAL else card_simulator
    back = simulator.pay(buyer.start(method))
    Payment.objects.update(next_check_at=buyer.now)
    ways = doors(buyer, simulator, back)
    answers = at_once([job(at=buyer.now, **ways[nth % 4]) for nth in range(MANY)])
    assert Counter(answer[0] if answer else None for answer in answers) == {302: 25, 200: 13, None: 12}
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert [kind for kind, _, _ in simulator.moved()] == ["capture"]
    assert (kinds(), ProviderEvent.objects.count()) == (["sub_order_paid"], 1)
    assert_ledger_agrees(paypal_simulator, card_simulator)


def click(buyer: Buyer) -> dict[str, Any]:
    """« Commander et payer », by PayPal."""
    address = reverse("buyer:payment", args=[buyer.sub_order.secret])
    return {"what": "press", "path": address, "form": {"method": PaymentMethod.PAYPAL, "terms": "on"}}


def test_fifty_clicks_on_the_pay_button_begin_one_payment(
    buyer: Buyer, paypal_simulator: Simulator, at_once: AtOnce
) -> None:
    answers = at_once([job(at=buyer.now, **click(buyer)) for _ in range(MANY)])
    pages = [location for status, location in answers if status == 303]
    assert len(set(pages)) == 1
    # Whoever lost patience with a slow machine got the payment page again, with a sentence.
    assert {status for status, _ in answers} <= {303, 200}
    assert buyer.truth == (SubOrderStatus.PENDING, [PaymentState.REDIRECTED])
    assert len(paypal_simulator.stage.state["orders"]) == 1
    paypal_simulator.pay(pages[0])
    buyer.settle()
    assert kinds() == ["sub_order_paid"]
    assert_ledger_agrees(paypal_simulator)


def test_grace_that_ends_in_the_middle_of_fifty_settles_decides_once(
    buyer: Buyer, paypal_simulator: Simulator, at_once: AtOnce
) -> None:
    """The clock of all of them passes the last second of the grace while they work."""
    back = paypal_simulator.pay(buyer.start())
    ways = [way for way in doors(buyer, paypal_simulator, back) if way["what"] != "clock"]
    begin = deadline_end(buyer.sub_order.grouped_order.deadline) + timedelta(minutes=30, seconds=-0.5)
    at_once([job(at=begin, after=nth / MANY, **ways[nth % 3]) for nth in range(MANY)])
    status, states = buyer.truth
    moved = [kind for kind, _, _ in paypal_simulator.moved()]
    assert (status, states, moved, kinds()) in [
        (SubOrderStatus.PAID, [PaymentState.CAPTURED], ["capture"], ["sub_order_paid"]),
        (SubOrderStatus.PENDING, [PaymentState.SUPERSEDED], [], ["payment_superseded"]),
    ]
    assert_ledger_agrees(paypal_simulator)


def test_deadline_that_passes_in_the_middle_of_fifty_clicks_lets_one_payment_begin_and_finish(
    buyer: Buyer, paypal_simulator: Simulator, at_once: AtOnce
) -> None:
    # Half of them in time: a busy machine needs a second or two for the first.
    begin = deadline_end(buyer.sub_order.grouped_order.deadline) - timedelta(seconds=2.5)
    answers = at_once([job(at=begin, after=5 * nth / MANY, **click(buyer)) for nth in range(MANY)])
    pages = {location for status, location in answers if status == 303}
    own = reverse("buyer:sub_order", args=[buyer.sub_order.secret])
    # Too late: his own page, which says so.
    assert {location for status, location in answers if status == 302} == {own}
    assert len(pages) == 1
    buyer.now = begin + timedelta(minutes=29)
    paypal_simulator.pay(pages.pop())
    buyer.settle()
    assert buyer.truth == (SubOrderStatus.PAID, [PaymentState.CAPTURED])
    assert kinds() == ["sub_order_paid"]
    assert_ledger_agrees(paypal_simulator)
