"""LIBRISOFT, the bookshop's management software, as librisoft-v1.yaml has it.

    python -m simulators.librisoft --port 8090 --token secret --state librisoft.json

Faults of its own, beside those of the stage:

    refuse        a POST answers 422, with `code` and `message`
    forgetful     a POST makes a new order, whatever came before: it knows no key and no number again
    conflict      a POST takes the order, and answers 409 with it
    second_id     an order's state comes under `number` (else 9999)
    step_back     an order's state comes with the status it had before
    twice         the answer comes twice over; of changes, each one
    out_of_order  a page of changes comes newest first
    drip          the answer comes byte by byte, one each `seconds` (else 0.2)

Open its address in a browser to move an order by hand.
"""

import argparse
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Response, g, jsonify, redirect, render_template, request

from simulators.librisoft_desk import FIRST_NUMBER, LABELS
from simulators.librisoft_rules import breaches
from simulators.stage import Stage, serve

# Labels too long for a button.
BUTTONS = LABELS | {"UNAVAILABLE": "Manquant"}
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
        stage.app.after_request(self._deform)

    @property
    def orders(self) -> dict[str, Json]:
        found: dict[str, Json] = self.stage.state["orders"]
        return found

    # The contract -----------------------------------------------------------------------------

    def create(self) -> tuple[Response, int]:
        key, body = request.headers.get("Idempotency-Key", ""), request.get_json(silent=True)
        if fault := self.stage.strikes("refuse"):
            return _refuse(422, fault.get("code", "unknown_ean"), fault.get("message", "EAN inconnu"))
        if wrong := breaches(body):
            return _refuse(422, "invalid", f"Commande refusée : {', '.join(wrong)}")
        if key != body["message_id"]:
            return _refuse(422, "invalid", "Idempotency-Key n’est pas message_id")
        with self.stage.lock:
            if (told := self._known(key, body)) and not self.stage.strikes("forgetful"):
                return told
            number = str(self.stage.state["next"])
            self.stage.state["next"] += 1
            self.orders[number] = {"key": key, "body": body, "state": _new_state(number, body)}
            self._change(number, "PREPARATION")
            return jsonify(self.orders[number]["state"]), 409 if self.stage.strikes("conflict") else 201

    def _known(self, key: str, body: Json) -> tuple[Response, int] | None:
        for known in self.orders.values():
            if known["key"] == key:
                if known["body"] != body:
                    return _refuse(422, "idempotency_mismatch", "Même clé, autre commande")
                return self._tell(known["state"]), 200
        for known in self.orders.values():
            if known["body"]["web_order_number"] == body["web_order_number"]:
                return self._tell(known["state"]), 409
        return None

    def find(self) -> tuple[Response, int]:
        wanted = request.args.get("web_order_number", "")
        if not 1 <= len(wanted) <= 20:
            return _refuse(422, "invalid", "web_order_number")
        for known in list(self.orders.values()):
            if known["body"]["web_order_number"] == wanted:
                return jsonify(orders=[self._tell(known["state"]).get_json()]), 200
        return jsonify(orders=[]), 200

    def get(self, number: str) -> tuple[Response, int]:
        known = self.orders.get(number)
        if known is None:
            return _refuse(404, "unknown_order", "Commande inconnue")
        return self._tell(known["state"]), 200

    def changes(self) -> tuple[Response, int]:
        after, limit = request.args.get("after") or "0", request.args.get("limit", "100")
        if not _is_number(after) or not _is_number(limit) or not 1 <= int(limit) <= 500:
            return _refuse(422, "invalid", "after, limit")
        start = int(after)
        changes = self.stage.state["changes"]
        page = changes[start : start + int(limit)]
        end = start + len(page)
        if self.stage.strikes("out_of_order"):
            page = page[::-1]
        if self.stage.strikes("twice"):
            page = [change for change in page for _twice in range(2)]
        return jsonify(changes=page, next_cursor=str(end), has_more=end < len(changes)), 200

    def _tell(self, state: Json) -> Response:
        """An order's state, true unless a fault says otherwise."""
        if fault := self.stage.strikes("second_id"):
            state = state | {"librisoft_order_id": str(fault.get("number", "9999"))}
        if self.stage.strikes("step_back"):
            sequence = state["status"]["sequence"]
            mine = [c for c in self.stage.state["changes"] if c["web_order_number"] == state["web_order_number"]]
            state = next((c for c in reversed(mine) if c["status"]["sequence"] < sequence), state)
        return jsonify(state)

    def _deform(self, response: Response) -> Response:
        """Runs before the faults of the stage, which may cut what it leaves."""
        if not request.path.startswith("/v1/"):
            return response
        body = response.get_data()
        if request.path != "/v1/orders/changes" and self.stage.strikes("twice"):
            g.own = False
            body *= 2
            response.set_data(body)
        if fault := self.stage.strikes("drip"):
            response.response = _drip(body, fault.get("seconds", 0.2))
        return response

    # By hand ----------------------------------------------------------------------------------

    def set_status(self, number: str) -> tuple[Response, int]:
        """{"code", "label"?, "sequence"?, "received"? (of each line), "expected_date"?}."""
        asked = request.get_json(force=True)
        if number not in self.orders:
            return _refuse(404, "unknown_order", "Commande inconnue")
        with self.stage.lock:
            self._change(number, **asked)
        return jsonify(self.orders[number]["state"]), 200

    def desk(self) -> str:
        newest_first = list(reversed(self.orders.values()))
        return render_template("librisoft.html", orders=newest_first, labels=BUTTONS)

    def press(self, number: str) -> Response:
        if number in self.orders:
            received = request.form.get("received", "").strip()
            with self.stage.lock:
                self._change(number, request.form["code"], received=int(received) if _is_number(received) else None)
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


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _drip(body: bytes, seconds: float) -> Iterator[bytes]:
    for byte in body:
        time.sleep(seconds)
        yield bytes([byte])


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
