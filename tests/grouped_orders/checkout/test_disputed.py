"""A payer contests his payment: the bookseller is told at once, and nothing else happens by itself."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
import requests
import time_machine
from django.core.management import call_command
from lxml import html

from grouped_orders import checkout, ledger
from grouped_orders.models import Capture, LedgerDifference, Payment, Refund
from grouped_orders.payments.refusals import refusal
from grouped_orders.statuses import PaymentMethod, PaymentState, RefundState, SubOrderStatus
from tests.factories import BookshopFactory
from tests.grouped_orders.checkout.conftest import Buyer, kinds, refund_all
from tests.grouped_orders.checkout.ledger import net_of
from tests.simulation import Simulator

Tell = Callable[..., int]
PAID = (SubOrderStatus.PAID, [PaymentState.CAPTURED])


class Disputed:
    """What the provider says and does when the payment is contested."""

    def __init__(self, simulator: Simulator, capture: Capture) -> None:
        self.simulator = simulator
        self.capture = capture
        self.path = (
            f"{'captures' if capture.method == PaymentMethod.PAYPAL else 'payments'}/{capture.provider_id}/dispute"
        )
        opened = simulator.decide(self.path)
        self.id = opened["dispute_id"] if capture.method == PaymentMethod.PAYPAL else opened["id"]
        self.messages = [event for event in simulator.events() if "dispute" in str(event).lower()]


@pytest.fixture(params=[PaymentMethod.PAYPAL, PaymentMethod.CARD])
def simulator(buyer: Buyer, request: pytest.FixtureRequest) -> Simulator:
    """Each provider in turn, where the buyer paid his 12,80 €."""
    BookshopFactory(email="contact@dlivre.example")
    name = "paypal_simulator" if request.param == PaymentMethod.PAYPAL else "card_simulator"
    simulator: Simulator = request.getfixturevalue(name)
    simulator.pay(buyer.start(request.param))
    buyer.settle()
    return simulator


@pytest.fixture
def disputed(simulator: Simulator) -> Disputed:
    return Disputed(simulator, Capture.objects.get())


def differences() -> list[tuple[str, Payment | None, str]]:
    return [
        (row.provider_id, row.payment, row.what.replace("\u00a0", " "))
        for row in LedgerDifference.objects.order_by("pk")
    ]


def test_dispute_is_told_to_the_bookseller_once_and_changes_nothing(
    buyer: Buyer, disputed: Disputed, tell: Tell
) -> None:
    answers = [tell(disputed.simulator, message) for message in (*disputed.messages, *disputed.messages)]
    assert set(answers) == {200}
    number = buyer.sub_order.pk
    assert differences() == [
        (
            disputed.id,
            buyer.last,
            f"Litige ouvert sur le paiement de la sous-commande n° {number} : répondez dans l’espace du prestataire",
        )
    ]
    assert (buyer.truth, Refund.objects.count()) == (PAID, 0)
    assert kinds() == ["provider_differs", "sub_order_paid"]
    assert net_of(disputed.simulator) == Decimal("0.00")
    call_command("check_ledger")


def test_dispute_without_its_message_is_found_the_next_day(buyer: Buyer, disputed: Disputed) -> None:
    with time_machine.travel(buyer.now + timedelta(days=1), tick=False):
        told = ledger.compare(PaymentMethod(disputed.capture.method), now=buyer.now + timedelta(days=1))
    day = re.sub(r"\d\d/\d\d/\d{4}", "…", told[0].what)
    assert (len(told), day.replace("\u00a0", " ")) == (
        1,
        "-12,80 € : litige ou correction chez le prestataire, le …",
    )
    assert (told[0].payment, buyer.truth) == (buyer.last, PAID)


def test_refund_of_what_is_disputed_is_refused_and_says_why(buyer: Buyer, disputed: Disputed) -> None:
    checkout.request_refund(disputed.capture, by=None, reason="Erreur", now=buyer.now)
    refund_all(buyer)
    refund = Refund.objects.get()
    assert (refund.state, refusal(refund.error).replace("\u00a0", " ")) == (
        RefundState.FAILED,
        "L’acheteur a contesté ce paiement : répondez au litige dans l’espace du prestataire, sans rembourser ici.",
    )
    assert net_of(disputed.simulator) == Decimal("0.00")


def test_dispute_of_another_business_of_the_same_account_is_kept_and_concerns_nobody(
    buyer: Buyer, disputed: Disputed, tell: Tell
) -> None:
    Capture.objects.update(provider_id="ELSEWHERE")
    assert [tell(disputed.simulator, message) for message in disputed.messages] == [200] * len(disputed.messages)
    assert differences() == []


def test_button_of_the_front_page_opens_a_dispute_once(simulator: Simulator) -> None:
    def buttons() -> list[str]:
        page = html.fromstring(requests.get(simulator.url, timeout=5).text)
        return [form.get("action") for form in page.xpath("//form[.//button[text()='Ouvrir un litige']]")]

    (action,) = buttons()
    pressed = requests.post(simulator.url + action, data={"action": "dispute"}, timeout=5, allow_redirects=False)
    again = requests.post(simulator.url + action, data={"action": "dispute"}, timeout=5, allow_redirects=False)
    assert (pressed.status_code, again.status_code, buttons()) == (303, 409, [action])
    assert [kind for kind, _amount, _ours in simulator.moved()] == ["capture", "dispute"]
