"""Two pages open, answers that never come: nothing is lost, nothing taken twice, nobody told « échec » by mistake.

Each test ends by comparing the providers' own ledgers with our rows.
"""

import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.urls import reverse

from grouped_orders import clock, payments
from grouped_orders.checkout import AlreadyPaid
from grouped_orders.models import Payment
from grouped_orders.payments import card, paypal_api
from grouped_orders.statuses import PaymentMethod, PaymentState, SubOrderStatus
from tests.grouped_orders.checkout.conftest import MANY, Buyer, kinds, refund_all, struck
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees, net_of
from tests.pages import Page
from tests.simulation import Simulator

PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD
PAID, PENDING, CANCELLED = SubOrderStatus.PAID, SubOrderStatus.PENDING, SubOrderStatus.CANCELLED
Tell = Callable[..., int]


# Two pages open -----------------------------------------------------------------------------------


def test_two_paypal_pages_both_approved_take_the_money_once(buyer: Buyer, paypal_simulator: Simulator) -> None:
    first = buyer.start()
    buyer.wait(minutes=21)
    second = buyer.start()
    old, new = buyer.sub_order.payments.order_by("pk")
    paypal_simulator.pay(first)
    paypal_simulator.pay(second)
    buyer.settle(old)
    assert buyer.truth == (PENDING, [PaymentState.SUPERSEDED, PaymentState.REDIRECTED])
    buyer.settle(new)
    buyer.settle(old)
    assert buyer.truth == (PAID, [PaymentState.SUPERSEDED, PaymentState.CAPTURED])
    # He approved twice, and is told which one was not debited.
    assert kinds() == ["payment_superseded", "sub_order_paid"]
    assert net_of(paypal_simulator) == Decimal("12.80")
    assert_ledger_agrees(paypal_simulator)


def test_card_and_paypal_both_completed_leave_one_payment(
    buyer: Buyer, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    card_page = buyer.start(CARD)
    # The card's page cannot be shut: its provider does not answer while PayPal begins and captures.
    card_simulator.fault("status", match="/v1/checkout/sessions", times=0, status=500)
    paypal_simulator.pay(buyer.start(PAYPAL))
    card_simulator.pay(card_page)
    buyer.settle()
    assert buyer.truth == (PAID, [PaymentState.SUPERSEDED, PaymentState.CAPTURED])
    card_simulator.clear_faults()
    buyer.settle(buyer.sub_order.payments.earliest("pk"))
    assert buyer.truth == (PAID, [PaymentState.CAPTURED, PaymentState.CAPTURED])
    refund_all(buyer)
    assert net_of(paypal_simulator, card_simulator) == Decimal("12.80")
    assert net_of(card_simulator) == Decimal("0.00")
    assert_ledger_agrees(paypal_simulator, card_simulator)


def test_page_superseded_while_it_was_being_made_is_written_down_and_shut(
    buyer: Buyer, card_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another tab takes over between the call and its answer: the page that comes must not stay open, unknown to us."""
    create = card.Card.create

    def create_slowly(self: card.Card, *args: object, **kwargs: object) -> object:
        made = create(self, *args, **kwargs)  # type: ignore[arg-type]
        Payment.objects.update(state=PaymentState.SUPERSEDED, next_check_at=buyer.now)
        return made

    monkeypatch.setattr(card.Card, "create", create_slowly)
    with pytest.raises(AlreadyPaid):
        buyer.start(CARD)
    page = buyer.last.approve_url
    buyer.settle()
    assert buyer.truth == (PENDING, [PaymentState.SUPERSEDED])
    assert (buyer.last.next_check_at, page.startswith(card_simulator.url)) == (None, True)
    assert card_simulator.events()[-1]["type"] == "checkout.session.expired"
    assert_ledger_agrees(card_simulator)


def test_payment_that_waits_at_the_bank_forbids_a_second_one(
    buyer: Buyer, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    page = buyer.start(CARD)
    card_simulator.fault("capture_pending")
    card_simulator.pay(page)
    with pytest.raises(AlreadyPaid):
        buyer.start(PAYPAL)
    assert buyer.truth == (PENDING, [PaymentState.PENDING, PaymentState.SUPERSEDED])
    assert "Nous vérifions votre paiement." in Page(buyer.read_page()).main
    assert_ledger_agrees(paypal_simulator, card_simulator)


# Answers that never come --------------------------------------------------------------------------


def test_capture_answer_lost_then_ten_reloads_is_paid_once_and_never_a_failure(
    buyer: Buyer, paypal_simulator: Simulator
) -> None:
    back = paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("drop_after", match="/capture")
    pages = [Page(buyer.come_back(back)).main for _ in range(10)]
    assert "Nous vérifions votre paiement." in pages[0]
    assert [("refusé" in page or "échec" in page) for page in pages] == [False] * 10
    assert "Votre commande est payée. Merci !" in pages[-1]
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert (kinds(), net_of(paypal_simulator)) == (["sub_order_paid"], Decimal("12.80"))
    assert_ledger_agrees(paypal_simulator)


@pytest.mark.parametrize("kind", ["html", "truncated", "empty"])
def test_capture_answer_nobody_can_read_is_paid_once(buyer: Buyer, paypal_simulator: Simulator, kind: str) -> None:
    paypal_simulator.pay(buyer.start())
    paypal_simulator.fault(kind, match="/capture")
    buyer.settle()
    buyer.wait(minutes=2)
    buyer.settle()
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert net_of(paypal_simulator) == Decimal("12.80")
    assert_ledger_agrees(paypal_simulator)


def test_payer_who_never_comes_back_is_paid_by_the_clock(
    buyer: Buyer, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    paypal_simulator.fault("webhook_lost")
    paypal_simulator.pay(buyer.start())
    Payment.objects.update(next_check_at=buyer.now)
    clock.settle_payments()
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert kinds() == ["sub_order_paid"]
    assert_ledger_agrees(paypal_simulator, card_simulator)


def test_declined_answer_lost_gives_the_payer_his_page_back(buyer: Buyer, paypal_simulator: Simulator) -> None:
    """The order waits for the payer again: nobody may wait three days for a payment that will not come."""
    page = buyer.start()
    paypal_simulator.pay(page)
    paypal_simulator.fault("instrument_declined")
    paypal_simulator.fault("drop_after", match="/capture")
    buyer.settle()
    buyer.settle()
    assert buyer.truth == (PENDING, [PaymentState.CAPTURING])
    buyer.wait(minutes=2)
    buyer.settle()
    assert buyer.truth == (PENDING, [PaymentState.REDIRECTED])
    assert buyer.start() == page
    paypal_simulator.pay(page)
    buyer.settle()
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert_ledger_agrees(paypal_simulator)


@pytest.fixture
def impatient(paypal_simulator: Simulator, card_simulator: Simulator) -> float:
    """The clients give up after this many seconds instead of TIMEOUT."""
    patience = 0.4
    payments.provider(PAYPAL)._api.timeout = (patience, patience)  # type: ignore[attr-defined]
    payments.provider(CARD)._stripe._requestor._client._timeout = (patience, patience)  # type: ignore[attr-defined]
    return patience


@pytest.mark.parametrize("kind", ["delay", "status"])
@pytest.mark.parametrize("method", [PAYPAL, CARD])
def test_cancel_that_no_provider_confirms_is_neither_abandoned_nor_lost(
    buyer: Buyer,
    impatient: float,
    paypal_simulator: Simulator,
    card_simulator: Simulator,
    method: PaymentMethod,
    kind: str,
) -> None:
    """He paid in one tab and pressed « Annuler » in another, while the provider did not answer."""
    simulator = paypal_simulator if method == PAYPAL else card_simulator
    simulator.pay(buyer.start(method))
    simulator.fault(kind, match="GET /v", times=MANY, seconds=impatient * 2)
    cancel = reverse("payments:abandoned", args=[buyer.sub_order.secret, buyer.last.public_id])
    page = Page(buyer.client.get(cancel, follow=True))
    assert "Nous vérifions votre paiement. Ne payez pas une seconde fois" in page.main
    assert [word for word in ("annulé", "Rien n’a été débité", "Payer", "Reprendre") if word in page.main] == []
    assert buyer.truth == (PENDING, [PaymentState.REDIRECTED])
    simulator.clear_faults()
    buyer.wait(minutes=2)
    for payment in Payment.objects.due(buyer.now):
        buyer.settle(payment)
    buyer.settle()
    assert (buyer.truth, kinds()) == ((PAID, [PaymentState.CAPTURED]), ["sub_order_paid"])
    assert net_of(simulator) == Decimal("12.80")
    assert_ledger_agrees(paypal_simulator, card_simulator)


def test_unauthorized_for_ever_is_a_clean_message_and_few_calls(buyer: Buyer, paypal_simulator: Simulator) -> None:
    back = paypal_simulator.pay(buyer.start())
    paypal_simulator.fault("status", match="/v2/", times=MANY, status=401)
    assert "Nous vérifions votre paiement." in Page(buyer.come_back(back)).main
    assert struck(paypal_simulator) == 2
    paypal_simulator.clear_faults()
    buyer.settle()
    assert buyer.truth == (PAID, [PaymentState.CAPTURED])
    assert_ledger_agrees(paypal_simulator)


def seconds_of(hung: int) -> int:
    """What so many calls that hang cost at the clients' real patience."""
    return int(hung * max(paypal_api.TIMEOUT[1], card.TIMEOUT[1]))


def test_provider_that_hangs_lets_the_start_page_answer_within_25_seconds(
    buyer: Buyer, impatient: float, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    buyer.start(CARD)
    for simulator in (paypal_simulator, card_simulator):
        simulator.fault("delay", times=MANY, seconds=1.5)
    # The retry is for who fails at once; see starting.QUICK.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grouped_orders.checkout.starting.QUICK", impatient / 2)
        page = Page(buyer.press(PAYPAL))
    assert seconds_of(struck(paypal_simulator, card_simulator)) <= 25
    assert "Rien n’a été débité" in page.main
    for simulator in (paypal_simulator, card_simulator):
        simulator.clear_faults()
    assert_ledger_agrees(paypal_simulator, card_simulator)


def test_provider_that_hangs_lets_the_return_page_answer_within_25_seconds(
    buyer: Buyer, impatient: float, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    buyer.start(CARD)
    card_simulator.fault("delay", times=MANY, seconds=1.5)
    back = paypal_simulator.pay(buyer.start(PAYPAL))
    Payment.objects.filter(method=CARD).update(next_check_at=buyer.now)
    simulators = (paypal_simulator, card_simulator)
    before = struck(*simulators)
    paypal_simulator.fault("delay", match="/capture", times=MANY, seconds=1.5)
    response = buyer.client.get("/" + back.split("/", 3)[3])
    # 2 seconds at most are spent on waiting for a webhook that may have the answer.
    assert seconds_of(struck(*simulators) - before) + 2 <= 25
    assert response.status_code == 302
    for simulator in simulators:
        simulator.clear_faults()
    time.sleep(1.6)
    buyer.wait(minutes=2)
    for payment in buyer.sub_order.payments.all():
        buyer.settle(payment)
    assert buyer.truth == (PAID, [PaymentState.SUPERSEDED, PaymentState.CAPTURED])
    assert_ledger_agrees(paypal_simulator, card_simulator)
