"""Stripe's refunds: asked for by the shop, made at the dashboard, decided later by the bank."""

from flask import Response, jsonify, request

from simulators.card_errors import Problem, required
from simulators.card_state import Book, Json, expansions, new_id


class Refunds:
    def __init__(self, book: Book):
        self._book = book
        self._stage = book.stage
        self._stage.route("POST", "/v1/refunds", self._create)
        self._stage.route("GET", "/v1/refunds", self._list)
        self._stage.route("GET", "/v1/refunds/<id>", self._get)
        self._stage.route("POST", "/_sim/payments/<id>/refund", self._by_hand)
        self._stage.route("POST", "/_sim/refunds/<id>", self._move)
        self._stage.route("POST", "/_sim/refunds/<id>/return", self._come_back)

    def _create(self) -> Response:
        return self._book.once(self._make)

    def _by_hand(self, id: str) -> Response:
        with self._stage.lock:
            refund = self._make({"payment_intent": id, **request.get_json(force=True)})
            self._stage.save()
            return jsonify(refund)

    def _make(self, asked: Json) -> Json:
        if "payment_intent" not in asked:
            raise required("payment_intent")
        intent = self._book.find("payment_intent", asked["payment_intent"], "payment_intent")
        if intent["status"] != "succeeded":
            raise Problem(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge = self._book.find("charge", intent["latest_charge"])
        if charge["disputed"]:
            raise Problem(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
            )
        left = charge["amount"] - charge["amount_refunded"]
        amount = int(asked.get("amount", left))
        if left == 0:
            raise Problem(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if amount <= 0:
            raise Problem("Invalid positive integer", code="parameter_invalid_integer", param="amount")
        if amount > left:
            raise Problem(
                f"Refund amount (€{amount / 100:.2f}) is greater than unrefunded amount on charge (€{left / 100:.2f})",
                param="amount",
            )
        if self._stage.strikes("refund_refused"):
            raise Problem(
                "Insufficient funds in your Stripe balance to refund this amount.", code="balance_insufficient"
            )
        refund = self._book.keep(
            {
                "id": new_id("re"),
                "object": "refund",
                "amount": amount,
                "balance_transaction": None,
                "charge": charge["id"],
                "created": int(self._stage.now()),
                "currency": charge["currency"],
                "metadata": asked.get("metadata", {}),
                "payment_intent": intent["id"],
                "reason": asked.get("reason"),
                "status": "succeeded",
            }
        )
        if self._stage.strikes("refund_pending"):
            refund["status"] = "pending"
        elif self._stage.strikes("refund_failed"):
            refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        if refund["status"] != "failed":
            charge["amount_refunded"] += amount
            charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._settle(refund, charge)
        return refund

    def _settle(self, refund: Json, charge: Json) -> None:
        """Say what became of a refund, and note the money if it moved."""
        if refund["status"] == "succeeded":
            refund["balance_transaction"] = self._book.move_money(
                "refund", refund, refund["metadata"].get("refund") or charge["metadata"].get("payment", "")
            )
            self._book.announce("charge.refunded", charge)
        elif refund["status"] == "failed":
            self._book.announce("refund.failed", refund)

    def _come_back(self, id: str) -> Response:
        """The bank could not take the money, days after « succeeded »: it is the shop's again."""
        with self._stage.lock:
            refund = self._book.find("refund", id)
            if refund["status"] != "succeeded":
                raise Problem(f"This refund is {refund['status']}.", status=409)
            charge = self._book.find("charge", refund["charge"])
            refund |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False
            refund["failure_balance_transaction"] = self._book.move_money(
                "returned", refund, refund["metadata"].get("refund") or charge["metadata"].get("payment", "")
            )
            self._book.announce("refund.failed", refund)
            self._stage.save()
            return jsonify(self._book.shown(refund))

    def _list(self) -> Response:
        with self._stage.lock:
            wanted = {name: request.args[name] for name in ("payment_intent", "charge") if name in request.args}
            refunds = [r for r in self._book.all("refund") if wanted.items() <= r.items()]
            return self._book.listed(refunds, "/v1/refunds")

    def _get(self, id: str) -> Response:
        with self._stage.lock:
            return jsonify(self._book.shown(self._book.find("refund", id), expansions()))

    def _move(self, id: str) -> Response:
        with self._stage.lock:
            refund = self._book.find("refund", id)
            if refund["status"] != "pending":
                raise Problem(f"This refund is {refund['status']}.", status=409)
            charge = self._book.find("charge", refund["charge"])
            refund["status"] = request.get_json(force=True)["status"]
            if refund["status"] == "failed":
                refund["failure_reason"] = "unknown"
                charge["amount_refunded"] -= refund["amount"]
                charge["refunded"] = False
            self._settle(refund, charge)
            self._stage.save()
            return jsonify(refund)
