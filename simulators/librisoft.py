"""LIBRISOFT, the bookshop's management software, as librisoft-v1.yaml has it.

    python -m simulators.librisoft --port 8090 --token secret --state librisoft.json

Faults of its own, beside those of the stage: `conflict` (a POST answers 409 with the order), `second_id` (a look-up
answers with another number), `refuse` (422, with `code` and `message`), `step_back` (a status with an old sequence).
Open its address in a browser to move an order by hand.
"""

import argparse
import json
import re
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify, redirect, render_template, request

from simulators.stage import Stage, serve

FIRST_NUMBER = 6765
LABELS = {
    "PREPARATION": "Préparation commande",
    "SUPPLIER_ORDERED": "Commande fournisseur",
    "PARTIALLY_RECEIVED": "Partiellement réceptionnée",
    "RECEIVED": "Réceptionnée",
    "RELEASED": "Mise à disposition",
    "CANCELLED": "Annulée",
    "UNAVAILABLE": "Manquant",
}
MONEY = r"\d{1,8}\.\d{2}"
Json = dict[str, Any]


class Librisoft:
    """Orders by their number, and every change of them in one list: the position in it is the cursor."""

    def __init__(self, stage: Stage, token: str) -> None:
        self.stage = stage
        self.token = token
        route = stage.app.add_url_rule
        route("/v1/orders", view_func=self.create, methods=["POST"])
        route("/v1/orders", view_func=self.find, methods=["GET"])
        route("/v1/orders/changes", view_func=self.changes)
        route("/v1/orders/<number>", view_func=self.get)
        route("/_sim/orders", view_func=lambda: jsonify(orders=list(self.orders.values())))
        route("/_sim/orders/<number>/status", view_func=self.set_status, methods=["POST"])
        route("/", view_func=self.desk)
        route("/desk/<number>", view_func=self.press, methods=["POST"])
        stage.app.before_request(self._authenticate)

    @property
    def orders(self) -> dict[str, Json]:
        found: dict[str, Json] = self.stage.state["orders"]
        return found

    # The contract -----------------------------------------------------------------------------

    def create(self) -> tuple[Response, int]:
        key, body = request.headers.get("Idempotency-Key", ""), request.get_json(silent=True)
        if fault := self.stage.strikes("refuse"):
            return _refuse(422, fault.get("code", "unknown_ean"), fault.get("message", "EAN inconnu"))
        if wrong := _wrong(body, key):
            return _refuse(422, "invalid", wrong)
        with self.stage.lock:
            for known in self.orders.values():
                if known["key"] == key:
                    if known["body"] != body:
                        return _refuse(422, "idempotency_mismatch", "Même clé, autre commande")
                    return jsonify(known["state"]), 200
            for known in self.orders.values():
                if known["body"]["web_order_number"] == body["web_order_number"]:
                    return jsonify(known["state"]), 409
            number = str(self.stage.state["next"])
            self.stage.state["next"] += 1
            self.orders[number] = {"key": key, "body": body, "state": _new_state(number, body)}
            self._change(number, "PREPARATION")
            if self.stage.strikes("conflict"):
                return jsonify(self.orders[number]["state"]), 409
            return jsonify(self.orders[number]["state"]), 201

    def find(self) -> Response:
        wanted = request.args.get("web_order_number", "")
        found = [o["state"] for o in self.orders.values() if o["body"]["web_order_number"] == wanted]
        if found and self.stage.strikes("second_id"):
            found = [found[0] | {"librisoft_order_id": "9999"}]
        return jsonify(orders=found)

    def get(self, number: str) -> tuple[Response, int]:
        known = self.orders.get(number)
        if known is None:
            return _refuse(404, "unknown_order", "Commande inconnue")
        state = known["state"]
        if self.stage.strikes("second_id"):
            state = state | {"librisoft_order_id": "9999"}
        return jsonify(state), 200

    def changes(self) -> Response:
        after, limit = request.args.get("after", ""), int(request.args.get("limit", 100))
        start = int(after) if after.isdigit() else 0
        changes = self.stage.state["changes"]
        page = changes[start : start + limit]
        end = start + len(page)
        return jsonify(changes=page, next_cursor=str(end), has_more=end < len(changes))

    # By hand ----------------------------------------------------------------------------------

    def set_status(self, number: str) -> tuple[Response, int]:
        """{"code", "label"?, "sequence"?, "received"? (of the first line, or of all), "expected_date"?}."""
        asked = request.get_json(force=True)
        if number not in self.orders:
            return _refuse(404, "unknown_order", "Commande inconnue")
        with self.stage.lock:
            self._change(number, **asked)
        return jsonify(self.orders[number]["state"]), 200

    def desk(self) -> str:
        orders = sorted(self.orders.values(), key=lambda order: order["state"]["librisoft_order_id"], reverse=True)
        return render_template("librisoft.html", orders=orders, labels=LABELS)

    def press(self, number: str) -> Response:
        if number in self.orders:
            received = request.form.get("received", "")
            with self.stage.lock:
                self._change(number, request.form["code"], received=int(received) if received.isdigit() else None)
        return redirect("/", 303)  # type: ignore[return-value]

    def _change(
        self,
        number: str,
        code: str,
        label: str = "",
        sequence: int | None = None,
        received: int | None = None,
        expected_date: str | None = None,
    ) -> None:
        state = json.loads(json.dumps(self.orders[number]["state"]))
        last = state["status"]["sequence"]
        state["status"] = {
            "code": code,
            "label": label or LABELS.get(code, code),
            "sequence": sequence or last + 1,
            "updated_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        for line in state["lines"]:
            if code in ("RECEIVED", "RELEASED"):
                line["received"] = line["ordered"]
            elif received is not None:
                line["received"] = min(received, line["ordered"])
        if expected_date:
            state["expected_date"] = expected_date
        if state["status"]["sequence"] > last:
            self.orders[number]["state"] = state
        self.stage.state["changes"].append(state)
        self.stage.save()

    def _authenticate(self) -> tuple[Response, int] | None:
        if request.path.startswith("/v1/") and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _refuse(401, "unauthorized", "Jeton refusé")
        return None


def _new_state(number: str, body: Json) -> Json:
    return {
        "librisoft_order_id": number,
        "web_order_number": body["web_order_number"],
        "status": {"code": "", "label": "", "sequence": 0, "updated_at": ""},
        "lines": [
            {"line_number": line["line_number"], "ordered": line["quantity"], "received": 0} for line in body["lines"]
        ],
        "expected_date": None,
    }


def _wrong(body: Any, key: str) -> str:
    """What the contract refuses in an order; empty when nothing."""
    try:
        lines, totals, payment = body["lines"], body["totals"], body["payment"]
        amounts = [line["unit_price"] for line in lines] + [share["amount"] for share in payment["methods"]]
        rules = {
            "message_id": body["message_id"] == key and re.fullmatch(r"[0-9a-f-]{36}", key),
            "web_order_number": re.fullmatch(r".{1,20}", body["web_order_number"]),
            "group_order_number": re.fullmatch(r".{1,20}", body["group_order_number"]),
            "ordered_at": datetime.fromisoformat(body["ordered_at"]).tzinfo is not None,
            "currency": body["currency"] == "EUR",
            "customer": body["customer"]["external_id"] and body["customer"]["name"],
            "billing_address": re.fullmatch(r"[A-Z]{2}", body["billing_address"]["country"]),
            "delivery": body["delivery"]["mode"] in ("BOOKSHOP", "COLLECTIVITY") and body["delivery"]["address"],
            "payment": payment["state"] == "PAID",
            "lines": lines and all(re.fullmatch(r"\d{13}", line["ean13"]) for line in lines),
            "amounts": all(re.fullmatch(MONEY, amount) for amount in [*amounts, totals["amount"]]),
            "totals": totals["quantity"] == sum(line["quantity"] for line in lines) > 0,
        }
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return f"Il manque quelque chose : {error}"
    return ", ".join(name for name, holds in rules.items() if not holds)


def _refuse(status: int, code: str, message: str) -> tuple[Response, int]:
    return jsonify(code=code, message=message), status


def build(options: argparse.Namespace) -> Stage:
    stage = Stage(
        "simulators.librisoft",
        state_file=options.state,
        start=lambda: {"next": FIRST_NUMBER, "orders": {}, "changes": []},
    )
    Librisoft(stage, options.token)
    return stage


if __name__ == "__main__":
    serve(build, ("--token", {"required": True}))
