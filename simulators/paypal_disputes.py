"""Disputes at PayPal: the buyer says that he never had the book, or never paid. The money is held at once."""

from decimal import Decimal

from flask import Response, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from simulators.paypal_errors import Problem
from simulators.paypal_state import Book, Json, iso, new_id


class Disputes:
    def __init__(self, book: Book):
        self._book = book
        self._stage = book.stage
        self._stage.state.setdefault("disputes", {})
        self._stage.route("POST", "/_sim/captures/<id>/dispute", self._open)

    def _open(self, id: str) -> Response | AnyResponse:
        """Once for a capture. By the button of the front page, or `{"reason"?}`."""
        with self._stage.lock:
            capture = self._book.find(id)
            if capture["status"] != "COMPLETED" or self._book.is_disputed(id):
                raise Problem(409)
            dispute = self._dispute(capture, (request.get_json(silent=True) or {}).get("reason", "UNAUTHORISED"))
            movement = new_id()
            self._stage.state["disputes"][movement] = {"capture": id, "dispute": dispute}
            self._book.hold(movement, capture)
            self._book.announce("CUSTOMER.DISPUTE.CREATED", "dispute", dispute, "1.0")
            self._stage.save()
        return redirect("/", 303) if request.form else jsonify(dispute)

    def _dispute(self, capture: Json, reason: str) -> Json:
        now = iso(self._stage.now())
        return {
            "dispute_id": f"PP-R-{new_id(3)}-{new_id(8)}",
            "create_time": now,
            "update_time": now,
            "disputed_transactions": [
                {
                    "seller_transaction_id": capture["id"],
                    "gross_amount": capture["amount"],
                    **({"custom": capture["custom_id"]} if "custom_id" in capture else {}),
                }
            ],
            "reason": reason,
            "status": "OPEN",
            "dispute_amount": capture["amount"] | {"value": f"{Decimal(capture['amount']['value']):.2f}"},
            "dispute_life_cycle_stage": "CHARGEBACK",
        }
