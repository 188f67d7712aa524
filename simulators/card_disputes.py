"""Disputes at Stripe: the bank takes the money back from the shop at once, and asks for an explanation."""

from flask import Response, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from simulators.card_errors import Problem
from simulators.card_state import Book, Json, new_id


class Disputes:
    def __init__(self, book: Book):
        self._book = book
        self._stage = book.stage
        self._stage.route("POST", "/_sim/payments/<id>/dispute", self._open)

    def _open(self, id: str) -> Response | AnyResponse:
        """Once for a payment intent. By the button of the front page, or `{"reason"?}`."""
        with self._stage.lock:
            intent = self._book.find("payment_intent", id)
            if intent["status"] != "succeeded":
                raise Problem(f"This payment is {intent['status']}.", status=409)
            charge = self._book.find("charge", intent["latest_charge"])
            if charge["disputed"] or charge["amount_refunded"]:
                raise Problem("This charge is disputed or refunded already.", status=409)
            dispute = self._dispute(charge, (request.get_json(silent=True) or {}).get("reason", "fraudulent"))
            charge["disputed"] = True
            self._book.move_money("dispute", dispute, charge["metadata"].get("payment", ""))
            for event in ("created", "funds_withdrawn"):
                self._book.announce(f"charge.dispute.{event}", dispute)
            self._stage.save()
        return redirect("/", 303) if request.form else jsonify(self._book.shown(dispute))

    def _dispute(self, charge: Json, reason: str) -> Json:
        return self._book.keep(
            {
                "id": new_id("dp"),
                "object": "dispute",
                "amount": charge["amount"],
                "balance_transactions": [],
                "charge": charge["id"],
                "created": int(self._stage.now()),
                "currency": charge["currency"],
                "is_charge_refundable": False,
                "livemode": False,
                "metadata": {},
                "payment_intent": charge["payment_intent"],
                "reason": reason,
                "status": "needs_response",
            }
        )
