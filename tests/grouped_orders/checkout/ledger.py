"""Two books of the same money: the providers' own and ours. They agree to the cent, or a test fails."""

from decimal import Decimal

from grouped_orders.models import Capture, Refund, SubOrder
from grouped_orders.statuses import PaymentMethod, RefundState, SubOrderStatus
from tests.simulation import Simulator

Moved = list[tuple[str, str, Decimal]]


def assert_ledger_agrees(*simulators: Simulator) -> None:
    """What really moved is what our rows say moved; and each sub-order's verdict is what its rows make it."""
    assert our_ledger() == their_ledger(*simulators)
    for sub_order in SubOrder.objects.all():
        assert_verdict_agrees(sub_order)


def assert_verdict_agrees(sub_order: SubOrder) -> None:
    """« Payée » is one payment received, as it was asked; « En attente » is none. Never two.

    What a payment took beyond that is asked back whole; what was given back of the one that counts is another story.
    """
    received = list(sub_order.payments.received())
    match sub_order.status:
        case SubOrderStatus.PAID:
            (payment,) = received
            captures = list(payment.captures.received())
            assert sub_order.total in [capture.amount for capture in captures]
            assert len([capture for capture in captures if not _asked_back(capture)]) <= 1
        case SubOrderStatus.PENDING:
            assert received == []
        case SubOrderStatus.CANCELLED:
            assert len(received) <= 1


def _asked_back(capture: Capture) -> bool:
    return sum(r.amount for r in capture.refunds.all() if r.replaced_by_id is None) >= capture.amount


def our_ledger() -> Moved:
    online = [PaymentMethod.PAYPAL, PaymentMethod.CARD]
    captures = Capture.objects.received().filter(method__in=online)
    refunds = Refund.objects.filter(state=RefundState.DONE, capture__method__in=online).exclude(provider_id="")
    return sorted(
        [("capture", capture.provider_id, capture.amount) for capture in captures]
        + [("refund", refund.provider_id, refund.amount) for refund in refunds]
    )


def their_ledger(*simulators: Simulator) -> Moved:
    """A refund that came back moved nothing in the end."""
    entries = [entry for simulator in simulators for entry in simulator.ledger()["entries"]]
    returned = {entry["id"] for entry in entries if entry["kind"] == "returned"}
    return sorted(
        (entry["kind"], entry["id"], Decimal(entry["amount"])) for entry in entries if entry["id"] not in returned
    )


def net_of(*simulators: Simulator) -> Decimal:
    """What the shop is left with, before fees."""
    return sum((Decimal(simulator.ledger()["total"]) for simulator in simulators), Decimal("0.00"))
