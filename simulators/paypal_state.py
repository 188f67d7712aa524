"""What PayPal's books hold, and what every part of the simulator does with them."""

import copy
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flask import Response, jsonify, request

from simulators.ledger import Ledger
from simulators.paypal_errors import Problem
from simulators.stage import Stage
from simulators.webhooks import Webhooks

HOUR = 3600
DAY = 24 * HOUR

Json = dict[str, Any]


def new_id(length: int = 17, alphabet: str = "0123456789ABCDEFGHJKLMNPQRSTUVWXY") -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def euros(money: Json, value: Decimal) -> Json:
    """`value` in the currency of `money`, whatever it is."""
    return {"currency_code": money["currency_code"], "value": f"{value:.2f}"}


class Book:
    def __init__(self, stage: Stage, webhooks: Webhooks, ledger: Ledger, merchant_id: str):
        self.stage = stage
        self.merchant_id = merchant_id
        self._webhooks = webhooks
        self._ledger = ledger
        for name in ("captures", "refunds", "answers"):
            stage.state.setdefault(name, {})

    def asked(self) -> Json:
        """The request's JSON object; an empty body is an empty object."""
        body = request.get_json() if request.get_data() else {}
        if not isinstance(body, dict):
            raise Problem(400, "MALFORMED_REQUEST_JSON")
        return body

    def once(self, operation: str, kept: float, do: Callable[[], tuple[Json, int]]) -> Response:
        """Do it under the lock; the same PayPal-Request-Id gets the same answer for `kept` seconds.

        A refusal (422) is kept as well: whoever tries again for another reason needs another id.
        """
        key = request.headers.get("PayPal-Request-Id")
        with self.stage.lock:
            answers = self.stage.state["answers"]
            name = f"{operation} {key}"
            kept_answer = answers.get(name) if key else None
            if kept_answer is not None and self.stage.now() - kept_answer["at"] < kept:
                body, status = kept_answer["body"], kept_answer["status"]
            else:
                try:
                    body, status = do()
                except Problem as problem:
                    if problem.status != 422:
                        raise
                    body, status = problem.body(), 422
                body = copy.deepcopy(body)  # the answer stays what it was, whatever becomes of the order
                if key:
                    answers[name] = {"at": self.stage.now(), "body": body, "status": status}
                self.stage.save()
        if status < 300 and "return=representation" not in request.headers.get("Prefer", ""):
            body = {name: body[name] for name in ("id", "status", "payment_source", "links") if name in body}
        response = jsonify(body)
        response.status_code = status
        return response

    def spoil_amount(self, money: Json) -> Json:
        """The amount, unless a fault changes it."""
        if fault := self.stage.strikes("wrong_amount"):
            money = money | {"value": fault.get("value", "1.00")}
        if fault := self.stage.strikes("wrong_currency"):
            money = money | {"currency_code": fault.get("value", "USD")}
        return money

    def capture(self, order: Json) -> None:
        """Take the money of an approved order, as well as the faults allow."""
        unit = order["purchase_units"][0]
        unit["payments"] = {"captures": []}
        for _ in range(2 if self.stage.strikes("capture_twice") else 1):
            capture = self._new_capture(order, unit)
            unit["payments"]["captures"].append(capture)
            self.stage.state["captures"][capture["id"]] = {"order": order["id"], "at": self.stage.now()}
            self.settle(capture)

    def _new_capture(self, order: Json, unit: Json) -> Json:
        now = iso(self.stage.now())
        id = new_id()
        capture: Json = {
            "id": id,
            "status": "COMPLETED",
            "amount": self.spoil_amount(unit["amount"]),
            "final_capture": True,
            "seller_protection": {"status": "NOT_ELIGIBLE"},
            **{name: unit[name] for name in ("custom_id", "invoice_id") if name in unit},
            "create_time": now,
            "update_time": now,
            "links": self._links(id, order["id"]),
        }
        if pending := self.stage.strikes("capture_pending"):
            reason = pending.get("reason", "PENDING_REVIEW")
            return capture | {"status": "PENDING", "status_details": {"reason": reason}}
        if self.stage.strikes("capture_declined"):
            return capture | {"status": "DECLINED"}
        return capture

    def settle(self, capture: Json) -> None:
        """Say what became of a capture, and note the money if it moved."""
        if capture["status"] == "COMPLETED":
            gross = Decimal(capture["amount"]["value"])
            fee = (gross * Decimal("0.029") + Decimal("0.35")).quantize(Decimal("0.01"))
            capture["seller_receivable_breakdown"] = {
                "gross_amount": capture["amount"],
                "paypal_fee": euros(capture["amount"], fee),
                "net_amount": euros(capture["amount"], gross - fee),
            }
            self._ledger.note(
                "capture",
                capture["id"],
                amount=gross,
                currency=capture["amount"]["currency_code"],
                reference=capture.get("custom_id", ""),
            )
        kind = {"COMPLETED": "COMPLETED", "PENDING": "PENDING", "DECLINED": "DENIED"}[capture["status"]]
        self.announce(f"PAYMENT.CAPTURE.{kind}", "capture", self.shown(capture), "2.0")

    def find(self, capture_id: str) -> Json:
        known = self.stage.state["captures"].get(capture_id)
        if known is None:
            raise Problem(404, "INVALID_RESOURCE_ID")
        unit = self.stage.state["orders"][known["order"]]["purchase_units"][0]
        found: Json = next(c for c in unit["payments"]["captures"] if c["id"] == capture_id)
        return found

    def shown(self, capture: Json) -> Json:
        """A capture as its own resource, which names its order and its payee."""
        order = self.stage.state["captures"][capture["id"]]["order"]
        unit = self.stage.state["orders"][order]["purchase_units"][0]
        return capture | {"supplementary_data": {"related_ids": {"order_id": order}}, "payee": unit["payee"]}

    def refunds_of(self, order_id: str) -> list[Json]:
        """Oldest first."""
        captures = self.stage.state["captures"]
        return [
            r["refund"] for r in self.stage.state["refunds"].values() if captures[r["capture"]]["order"] == order_id
        ]

    def _links(self, capture_id: str, order_id: str) -> list[Json]:
        host = request.host_url.rstrip("/")
        return [
            {"href": f"{host}/v2/payments/captures/{capture_id}", "rel": "self", "method": "GET"},
            {"href": f"{host}/v2/payments/captures/{capture_id}/refund", "rel": "refund", "method": "POST"},
            {"href": f"{host}/v2/checkout/orders/{order_id}", "rel": "up", "method": "GET"},
        ]

    def give_back(self, refund: Json, reference: str) -> None:
        """Note a refund that is done."""
        self._ledger.note(
            "refund",
            refund["id"],
            amount=Decimal(refund["amount"]["value"]),
            currency=refund["amount"]["currency_code"],
            reference=reference,
        )

    def hold(self, id: str, capture: Json) -> None:
        """Note what a dispute takes away from the shop, under the id of that movement."""
        amount = capture["amount"]
        self._ledger.note(
            "dispute",
            id,
            amount=Decimal(amount["value"]),
            currency=amount["currency_code"],
            reference=capture.get("custom_id", ""),
        )

    def is_disputed(self, capture_id: str) -> bool:
        return capture_id in [row["capture"] for row in self.stage.state["disputes"].values()]

    def announce(self, type: str, resource_type: str, resource: Json, version: str) -> None:
        self._webhooks.emit(
            {
                "id": f"WH-{new_id()}-{new_id()}",
                "event_version": "1.0",
                "create_time": iso(self.stage.now()),
                "resource_type": resource_type,
                "resource_version": version,
                "event_type": type,
                "summary": type.replace(".", " ").capitalize(),
                "resource": copy.deepcopy(resource),
                "links": [],
            }
        )
