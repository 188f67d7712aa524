"""Two books of the same money: the providers' own and ours. They agree to the cent, or a test fails."""

from collections import defaultdict
from decimal import Decimal

from grouped_orders.models import Capture, Payment, Refund, SubOrder
from grouped_orders.statuses import PaymentMethod, RefundSource, RefundState, SubOrderStatus
from tests.simulation import Simulator

Moved = list[tuple[str, str, Decimal]]


def assert_ledger_agrees(*simulators: Simulator) -> None:
    """What really moved is what our rows say moved; and each sub-order's verdict is what its rows make it."""
    assert our_ledger() == their_ledger(*simulators)
    assert_verdicts_agree()


def assert_verdicts_agree() -> None:
    """« Payée » is one payment received, as it was asked; « En attente » is none. Never two.

    What a payment took a second time is asked back whole; another amount than what was asked waits for a person. What
    was given back, in part or whole, of the capture that counts leaves the verdict as it is.
    """
    asked_back: dict[int, Decimal] = defaultdict(Decimal)
    for capture, amount in Refund.objects.filter(replaced_by=None).values_list("capture", "amount"):
        asked_back[capture] += amount
    payments: dict[int, list[int]] = defaultdict(list)
    for sub_order, payment in Payment.objects.received().values_list("sub_order", "pk"):
        payments[sub_order].append(payment)
    captures: dict[int, list[tuple[int, Decimal]]] = defaultdict(list)
    for payment, capture, amount in Capture.objects.received().values_list("payment", "pk", "amount"):
        captures[payment].append((capture, amount))
    for pk, status, total in SubOrder.objects.values_list("pk", "status", "total"):
        match status:
            case SubOrderStatus.PAID:
                (payment,) = payments[pk]
                assert total in [amount for _, amount in captures[payment]]
                assert sum(asked_back[capture] < amount == total for capture, amount in captures[payment]) <= 1
            case SubOrderStatus.PENDING:
                assert payments[pk] == []
            case SubOrderStatus.CANCELLED:
                assert len(payments[pk]) <= 1


def our_ledger() -> Moved:
    online = [PaymentMethod.PAYPAL, PaymentMethod.CARD]
    captures = Capture.objects.received().filter(method__in=online).values_list("provider_id", "amount")
    done = Refund.objects.filter(state=RefundState.DONE, capture__method__in=online)
    # What the bookseller gave back himself, after the provider refused, moved nothing there.
    refunds = done.exclude(source=RefundSource.BY_HAND).values_list("provider_id", "amount")
    return sorted([("capture", *capture) for capture in captures] + [("refund", *refund) for refund in refunds])


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
