"""What a provider, its bank or the bookseller at its own dashboard does, behind the shop's back."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from grouped_orders.statuses import CaptureStatus, PaymentMethod
from tests.simulation import Simulator


@dataclass
class Dashboard:
    """PayPal's or the card provider's; ids are the provider's own."""

    method: PaymentMethod
    simulator: Simulator

    @property
    def is_card(self) -> bool:
        return self.method == PaymentMethod.CARD

    def waiting_payments(self) -> list[str]:
        """Payments that the bank still has to decide."""
        state = self.simulator.stage.state
        if self.is_card:
            objects = state["objects"].values()
            return [o["id"] for o in objects if o["object"] == "payment_intent" and o["status"] == "processing"]
        captures = (c for order in state["orders"].values() for c in _captures_of(order))
        return [c["id"] for c in captures if c["status"] == CaptureStatus.PENDING]

    def waiting_refunds(self) -> list[str]:
        state = self.simulator.stage.state
        if self.is_card:
            return [o["id"] for o in state["objects"].values() if o["object"] == "refund" and o["status"] == "pending"]
        return [id for id, row in state["refunds"].items() if row["refund"]["status"] == "PENDING"]

    def end_payment(self, id: str, *, good: bool) -> None:
        if self.is_card:
            self.simulator.decide(f"payments/{id}", status="succeeded" if good else "failed")
        else:
            self.simulator.decide(f"captures/{id}", status="COMPLETED" if good else "DECLINED")

    def end_refund(self, id: str, *, good: bool) -> None:
        words = ("succeeded", "failed") if self.is_card else ("COMPLETED", "FAILED")
        self.simulator.decide(f"refunds/{id}", status=words[0] if good else words[1])

    def refund(self, capture_id: str, amount: Decimal) -> str:
        """Give back so many euros of a capture; the refund's id."""
        if self.is_card:
            made = self.simulator.decide(f"payments/{capture_id}/refund", amount=int(amount * 100))
        else:
            made = self.simulator.decide(f"captures/{capture_id}/refund", amount=str(amount))
        return str(made["id"])


def _captures_of(order: dict[str, Any]) -> list[dict[str, Any]]:
    captures: list[dict[str, Any]] = order["purchase_units"][0].get("payments", {}).get("captures", [])
    return captures
