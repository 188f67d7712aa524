"""A whole story of payments with faults, every line of the log read: no secret, no token, no address in it."""

import logging
from collections.abc import Callable

import pytest

from grouped_orders import payments
from grouped_orders.models import JournalEntry, Payment, ProviderEvent, Refund
from grouped_orders.statuses import PaymentMethod, RefundState
from tests.factories import SubOrderFactory, UserFactory
from tests.grouped_orders.checkout.conftest import Buyer, refund_all
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.simulation import CARD as CARD_OPTIONS
from tests.simulation import PAYPAL as PAYPAL_OPTIONS
from tests.simulation import Simulator

PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD
# The server's own lines of requests are not ours to write, and the test client's name the address that is opened.
NOT_OURS = ("werkzeug", "asyncio")


@pytest.mark.logs_errors  # « come back later » to a webhook is a 503
def test_no_secret_reaches_a_log_line_or_a_row(
    buyer: Buyer,
    paypal_simulator: Simulator,
    card_simulator: Simulator,
    tell: Callable[..., int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    others = [Buyer(SubOrderFactory(grouped_order=buyer.sub_order.grouped_order), buyer.now, buyer.client)]
    for one, method, simulator in ((buyer, PAYPAL, paypal_simulator), (others[0], CARD, card_simulator)):
        for fault in ("status", "html", "truncated", "drop_before"):
            simulator.fault(fault, match="/v[12]/", status=401)
            one.press(method)
        simulator.clear_faults()
        back = simulator.pay(one.press(method).headers["Location"])
        for fault in ("status", "html", "truncated", "drop_after"):
            simulator.fault(fault, match="/v[12]/", status=500)
            one.come_back(back)
        simulator.clear_faults()
        event = simulator.events()[-1]
        assert tell(simulator, event) == 200
        name = "PAYPAL-TRANSMISSION-SIG" if method == PAYPAL else "Stripe-Signature"
        assert tell(simulator, event, **{name: "t=1,v1=c2VjcmV0"}) == 400
        one.come_back(back)
        one.be_cancelled(UserFactory())
        simulator.fault("status", match="/refund", status=503)
        for _ in range(3):
            one.wait(minutes=5)
            refund_all(one)
    paypal_simulator.fault("status", match="verify", status=503)
    assert tell(paypal_simulator, paypal_simulator.events()[0] | {"id": "WH-9"}) == 503
    assert [refund.state for refund in Refund.objects.all()] == [RefundState.DONE] * 2
    assert_ledger_agrees(paypal_simulator, card_simulator)

    tokens = list(paypal_simulator.stage.state["tokens"])
    assert tokens
    secrets = [
        *tokens,
        payments.provider(PAYPAL)._api.basic_auth(),  # type: ignore[attr-defined]
        PAYPAL_OPTIONS.client_secret,
        CARD_OPTIONS.secret_key,
        CARD_OPTIONS.webhook_secret,
        "Authorization",
        "Bearer ",
    ]
    private = [text for one in (buyer, *others) for text in (one.sub_order.secret, one.sub_order.email)]
    lines = [record.getMessage() + str(record.exc_text or "") for record in caplog.records if is_ours(record)]
    assert lines
    assert [line for line in lines for secret in secrets + private if secret in line] == []
    rows = [
        str(row)
        for model in (Payment, Refund, ProviderEvent, JournalEntry)
        for row in model.objects.values()  # type: ignore[attr-defined]
    ]
    addresses = [one.sub_order.email for one in (buyer, *others)]
    assert [row for row in rows for secret in secrets + addresses if secret in row] == []


def is_ours(record: logging.LogRecord) -> bool:
    return not record.name.startswith(NOT_OURS)
