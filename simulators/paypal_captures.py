"""PayPal's Payments v2: captures, refunds and the report of transactions."""

from datetime import datetime, timedelta
from decimal import Decimal

from flask import Response, jsonify, request

from simulators.ledger import AWAY
from simulators.paypal_errors import Problem
from simulators.paypal_state import DAY, Book, Json, euros, iso, new_id

REFUND_KEYS_KEPT = 45 * DAY
REFUND_LIMIT = 180 * DAY


class Captures:
    def __init__(self, book: Book):
        self._book = book
        self._stage = book.stage
        self._stage.route("GET", "/v2/payments/captures/<id>", self._get)
        self._stage.route("POST", "/v2/payments/captures/<id>/refund", self._refund)
        self._stage.route("GET", "/v2/payments/refunds/<id>", self._get_refund)
        self._stage.route("GET", "/v1/reporting/transactions", self._transactions)
        self._stage.route("POST", "/_sim/captures/<id>", self._move)
        self._stage.route("POST", "/_sim/captures/<id>/refund", self._refund_by_hand)
        self._stage.route("POST", "/_sim/refunds/<id>", self._move_refund)

    def _get(self, id: str) -> Response:
        with self._stage.lock:
            return jsonify(self._book.shown(self._book.find(id)))

    def _refund(self, id: str) -> Response:
        asked = self._book.asked()
        return self._book.once(f"refund {id}", REFUND_KEYS_KEPT, lambda: (self._make(id, asked), 201))

    def _refund_by_hand(self, id: str) -> Response:
        with self._stage.lock:
            capture = self._book.find(id)
            amount = request.get_json(force=True).get("amount", capture["amount"]["value"])
            refund = self._make(id, {"amount": euros(capture["amount"], Decimal(amount))})
            self._stage.save()
        return jsonify(refund)

    def _make(self, capture_id: str, asked: Json) -> Json:
        capture = self._book.find(capture_id)
        amount = asked.get("amount", capture["amount"])
        self._check(capture, amount)
        now = iso(self._stage.now())
        id = new_id()
        host = request.host_url.rstrip("/")
        refund: Json = {
            "id": id,
            "status": "COMPLETED",
            "amount": {"currency_code": amount["currency_code"], "value": f"{Decimal(amount['value']):.2f}"},
            **{name: asked[name] for name in ("custom_id", "invoice_id", "note_to_payer") if name in asked},
            "create_time": now,
            "update_time": now,
            "links": [
                {"href": f"{host}/v2/payments/refunds/{id}", "rel": "self", "method": "GET"},
                {"href": f"{host}/v2/payments/captures/{capture_id}", "rel": "up", "method": "GET"},
            ],
        }
        if self._stage.strikes("refund_pending"):
            refund |= {"status": "PENDING", "status_details": {"reason": "ECHECK"}}
        elif self._stage.strikes("refund_failed"):
            refund["status"] = "FAILED"
        elif self._stage.strikes("refund_refused"):
            raise Problem(422, "REFUND_FAILED_INSUFFICIENT_FUNDS")
        self._stage.state["refunds"][id] = {"capture": capture_id, "refund": refund}
        self._settle(capture, refund)
        return refund

    def _check(self, capture: Json, amount: Json) -> None:
        if capture["status"] == "PENDING":
            raise Problem(422, "PENDING_CAPTURE")
        if capture["status"] == "REFUNDED":
            raise Problem(422, "CAPTURE_FULLY_REFUNDED")
        if capture["status"] not in ("COMPLETED", "PARTIALLY_REFUNDED"):
            raise Problem(422, "REFUND_NOT_ALLOWED")
        if self._book.is_disputed(capture["id"]):
            raise Problem(422, "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")
        if self._stage.now() - self._stage.state["captures"][capture["id"]]["at"] > REFUND_LIMIT:
            raise Problem(422, "REFUND_TIME_LIMIT_EXCEEDED")
        if amount["currency_code"] != capture["amount"]["currency_code"]:
            raise Problem(422, "REFUND_CAPTURE_CURRENCY_MISMATCH")
        if Decimal(amount["value"]) <= 0:
            raise Problem(422, "CANNOT_BE_ZERO_OR_NEGATIVE", field="/amount/value")
        if Decimal(amount["value"]) > Decimal(capture["amount"]["value"]) - self._given(capture["id"]):
            raise Problem(422, "REFUND_AMOUNT_EXCEEDED")

    def _given(self, capture_id: str, *states: str) -> Decimal:
        return sum(
            (
                Decimal(row["refund"]["amount"]["value"])
                for row in self._stage.state["refunds"].values()
                if row["capture"] == capture_id and row["refund"]["status"] in (states or ("COMPLETED", "PENDING"))
            ),
            Decimal("0.00"),
        )

    def _settle(self, capture: Json, refund: Json) -> None:
        if refund["status"] == "COMPLETED":
            self._book.give_back(refund, refund.get("custom_id") or capture.get("custom_id", ""))
            whole = self._given(capture["id"], "COMPLETED") == Decimal(capture["amount"]["value"])
            capture["status"] = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
            self._book.announce("PAYMENT.CAPTURE.REFUNDED", "refund", refund, "2.0")

    def _get_refund(self, id: str) -> Response:
        with self._stage.lock:
            return jsonify(self._find_refund(id)["refund"])

    def _find_refund(self, id: str) -> Json:
        found: Json | None = self._stage.state["refunds"].get(id)
        if found is None:
            raise Problem(404, "INVALID_RESOURCE_ID")
        return found

    def _move(self, id: str) -> Response:
        with self._stage.lock:
            capture = self._book.find(id)
            if capture["status"] != "PENDING":
                raise Problem(409)
            capture["status"] = request.get_json(force=True)["status"]
            capture.pop("status_details", None)
            capture["update_time"] = iso(self._stage.now())
            self._book.settle(capture)
            self._stage.save()
            return jsonify(capture)

    def _move_refund(self, id: str) -> Response:
        with self._stage.lock:
            row = self._find_refund(id)
            if row["refund"]["status"] != "PENDING":
                raise Problem(409)
            row["refund"]["status"] = request.get_json(force=True)["status"]
            row["refund"].pop("status_details", None)
            self._settle(self._book.find(row["capture"]), row["refund"])
            self._stage.save()
            return jsonify(row["refund"])

    def _transactions(self) -> Response:
        """Money that moved between `start_date` and `end_date` (31 days at most), oldest first, page by page."""
        try:
            start, end = (datetime.fromisoformat(request.args[name]) for name in ("start_date", "end_date"))
            size, page = (int(request.args.get(name, default)) for name, default in (("page_size", 100), ("page", 1)))
        except (KeyError, ValueError):
            raise Problem(400, "INVALID_PARAMETER_SYNTAX") from None
        if end - start > timedelta(days=31) or not 1 <= size <= 500 or page < 1:
            raise Problem(400, "INVALID_PARAMETER_VALUE")
        with self._stage.lock:
            entries = [e for e in self._stage.state["ledger"] if start <= datetime.fromisoformat(e["at"]) <= end]
            details = [{"transaction_info": self._transaction(e)} for e in entries[(page - 1) * size : page * size]]
            refreshed = iso(self._stage.now() - self._late())
        return jsonify(
            account_number=self._book.merchant_id,
            **({"transaction_details": details} if details else {}),
            start_date=request.args["start_date"],
            end_date=request.args["end_date"],
            last_refreshed_datetime=refreshed,
            page=page,
            total_items=len(entries),
            total_pages=-(-len(entries) // size),
            links=[{"href": request.url, "rel": "self", "method": "GET"}],
        )

    def _late(self) -> float:
        fault = self._stage.strikes("report_late")
        return float(fault.get("seconds", 12 * 3600)) if fault else 0

    def _transaction(self, entry: Json) -> Json:
        # A payment through PayPal's checkout; a refund the merchant made; money held for a dispute.
        code = {"capture": "T0006", "refund": "T1107", "dispute": "T1110"}[entry["kind"]]
        line = {
            "transaction_id": entry["id"],
            "transaction_event_code": code,
            "transaction_initiation_date": entry["at"],
            "transaction_updated_date": entry["at"],
            "transaction_amount": {
                "currency_code": entry["currency"],
                "value": f"-{entry['amount']}" if entry["kind"] in AWAY else entry["amount"],
            },
            "transaction_status": "S",
        }
        if entry["reference"]:
            line["custom_field"] = entry["reference"]
        if entry["kind"] in AWAY:
            about = self._stage.state[f"{entry['kind']}s"][entry["id"]]["capture"]
            line |= {"paypal_reference_id": about, "paypal_reference_id_type": "TXN"}
        return line
