"""A PayPal of our own: OAuth, Orders v2 and the payer's page, over HTTP.

    python -m simulators.paypal --port 8101 --state paypal.json --client-id … --client-secret … \\
        --merchant-id … --webhook-id … --webhook-url http://127.0.0.1:8000/…

It answers what PayPal's OpenAPI allows and nothing else. Besides the faults of stage.py and webhooks.py:

    wrong_amount, wrong_currency, wrong_payee   at the creation of an order or at its capture (`value`)
    capture_pending     the capture waits (`reason`), until /_sim/captures/<id> says otherwise
    capture_declined    the order is COMPLETED, its capture DECLINED
    instrument_declined the capture is refused and the payer must choose again
    capture_refused     the capture is refused for good
    capture_twice       the money is taken twice
    refund_pending, refund_failed, refund_refused
    report_late         the report of transactions ends `seconds` ago (12 hours)

    POST /_sim/captures/<id>        {"status": "COMPLETED" | "DECLINED"}    what PayPal decides later
    POST /_sim/captures/<id>/refund {"amount": "6.40"}                      a refund from the dashboard
    POST /_sim/captures/<id>/dispute                                        the buyer contests; also a button
    POST /_sim/refunds/<id>         {"status": "COMPLETED" | "FAILED"}
"""

import argparse
import base64
import re
import secrets
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Response, jsonify, redirect, request
from werkzeug.exceptions import BadRequest

from simulators.ledger import Ledger
from simulators.pages import Face
from simulators.paypal_captures import Captures
from simulators.paypal_disputes import Disputes
from simulators.paypal_errors import Problem
from simulators.paypal_signature import Signature, new_key, spoil
from simulators.paypal_state import HOUR, Book, iso, new_id
from simulators.stage import Stage, serve
from simulators.webhooks import Webhooks

TOKEN_LIFE = 9 * HOUR
ORDER_LIFE = 3 * HOUR
# What PayPal keeps of a PayPal-Request-Id.
ORDER_KEYS_KEPT = 6 * HOUR

_OPEN = ("CREATED", "SAVED", "PAYER_ACTION_REQUIRED")
_CURRENCIES = ("EUR", "USD", "GBP", "CHF")
_VALUE = re.compile(r"^((-?[0-9]+)|(-?([0-9]+)?[.][0-9]+))$")


class PayPal:
    def __init__(self, stage: Stage, options: argparse.Namespace):
        self.stage = stage
        self._credentials = (options.client_id, options.client_secret)
        self._merchant_id = options.merchant_id
        self._face = Face("PayPal", options.merchant_name, "#003087", dispute="/_sim/captures/{id}/dispute")
        state = stage.state
        for name in ("tokens", "orders"):
            state.setdefault(name, {})
        if "key" not in state:
            state["key"] = new_key()
        self._signature = Signature(
            state["key"], options.webhook_id, "https://api-m.paypal.com/v1/notifications/certs/1"
        )
        self.webhooks = Webhooks(stage, options.webhook_url, self._signature.sign, spoil=spoil)
        ledger = Ledger(stage)
        self.book = Book(stage, self.webhooks, ledger, options.merchant_id)
        Captures(self.book)
        Disputes(self.book)

        stage.route("GET", "/", lambda: self._face.show(ledger.entries(), ledger.total()))
        app = stage.app
        app.before_request(self._authenticate)
        app.after_request(_number)
        app.register_error_handler(Problem, Problem.answer)
        app.register_error_handler(BadRequest, lambda error: Problem(400, "MALFORMED_REQUEST_JSON").answer())
        stage.route("POST", "/v1/oauth2/token", self._token)
        stage.route("POST", "/v2/checkout/orders", self._create)
        stage.route("GET", "/v2/checkout/orders/<id>", self._get)
        stage.route("PATCH", "/v2/checkout/orders/<id>", self._patch)
        stage.route("POST", "/v2/checkout/orders/<id>/capture", self._capture)
        stage.route("POST", "/v1/notifications/verify-webhook-signature", self._verify)
        stage.route("GET", "/v1/notifications/webhooks-events", self._events)
        stage.route("POST", "/v1/notifications/webhooks-events/<id>/resend", self._resend)
        stage.route("GET", "/checkoutnow", self._page)
        stage.route("POST", "/checkoutnow", self._decide)

    # Tokens

    def _authenticate(self) -> Response | None:
        if not request.path.startswith(("/v1/", "/v2/")) or request.path == "/v1/oauth2/token":
            return None
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        with self.stage.lock:
            until = self.stage.state["tokens"].get(token, 0)
        if scheme != "Bearer" or until <= self.stage.now():
            return Problem(401).answer()
        return None

    def _token(self) -> Response | tuple[Response, int]:
        expected = "Basic " + base64.b64encode(":".join(self._credentials).encode()).decode()
        if not secrets.compare_digest(request.headers.get("Authorization", ""), expected):
            return jsonify(error="invalid_client", error_description="Client Authentication failed"), 401
        if request.form.get("grant_type") != "client_credentials":
            return jsonify(error="unsupported_grant_type", error_description="unsupported grant_type"), 400
        token = "A21AA" + secrets.token_urlsafe(48)
        with self.stage.lock:
            tokens = self.stage.state["tokens"]
            now = self.stage.now()
            for old in [t for t, until in tokens.items() if until <= now]:
                del tokens[old]
            tokens[token] = now + TOKEN_LIFE
            self.stage.save()
        return jsonify(
            scope="https://uri.paypal.com/services/payments/payment",
            access_token=token,
            token_type="Bearer",
            app_id="APP-80W284485P519543T",
            expires_in=TOKEN_LIFE,
            nonce=iso(now) + secrets.token_hex(8),
        )

    # Orders

    def _create(self) -> Response:
        asked = self.book.asked()
        unit = _checked(asked)
        source = asked.get("payment_source", {}).get("paypal")
        if source is not None and not request.headers.get("PayPal-Request-Id"):
            raise Problem(400, "PAYPAL_REQUEST_ID_REQUIRED")
        if unit.get("payee", {}).get("merchant_id", self._merchant_id) != self._merchant_id:
            raise Problem(422, "PAYEE_ACCOUNT_INVALID", field="/purchase_units/@reference_id=='default'/payee")

        def create() -> tuple[dict[str, Any], int]:
            context = (source or {}).get("experience_context", {})
            amount = self.book.spoil_amount(unit["amount"])
            payee = self.stage.strikes("wrong_payee")
            now = self.stage.now()
            order = {
                "id": new_id(),
                "intent": "CAPTURE",
                "status": "CREATED" if source is None else "PAYER_ACTION_REQUIRED",
                "purchase_units": [
                    {
                        "reference_id": unit.get("reference_id", "default"),
                        "amount": {"currency_code": amount["currency_code"], "value": amount["value"]},
                        "payee": {
                            "merchant_id": payee.get("value", "ZZZZZZZZZZZZZ") if payee else self._merchant_id,
                        },
                        **{name: unit[name] for name in ("description", "custom_id", "invoice_id") if name in unit},
                    }
                ],
                "create_time": iso(now),
                # What the API never shows.
                "_made_at": now,
                "_sourced": source is not None,
                "_return_url": context.get("return_url", ""),
                "_cancel_url": context.get("cancel_url", ""),
            }
            if source is not None:
                order["payment_source"] = {"paypal": {}}
            self.stage.state["orders"][order["id"]] = order
            return self._shown(order), 201 if source is None else 200

        return self.book.once("create", ORDER_KEYS_KEPT, create)

    def _get(self, id: str) -> Response:
        with self.stage.lock:
            return jsonify(self._shown(self._order(id)))

    def _patch(self, id: str) -> Response:
        operations = request.get_json()
        if not isinstance(operations, list) or not all(isinstance(o, dict) and "op" in o for o in operations):
            raise Problem(400, "INVALID_PARAMETER_SYNTAX")
        with self.stage.lock:
            order = self._order(id)
            if order["status"] in ("COMPLETED", "VOIDED"):
                raise Problem(422, "ORDER_ALREADY_COMPLETED")
            for operation in operations:
                path = re.fullmatch(
                    r"/purchase_units/@reference_id=='([^']+)'/(amount|custom_id|description|invoice_id)",
                    str(operation.get("path", "")),
                )
                unit = order["purchase_units"][0]
                if path is None or path[1] != unit["reference_id"]:
                    raise Problem(422, "INVALID_JSON_POINTER_FORMAT")
                if operation["op"] != "replace" and not (operation["op"] == "add" and path[2] not in unit):
                    raise Problem(422, "NOT_PATCHABLE")
                if path[2] == "amount":
                    _check_money(operation.get("value"))
                unit[path[2]] = operation["value"]
            self.stage.save()
        return Response(status=204)

    def _capture(self, id: str) -> Response:
        self.book.asked()

        def capture() -> tuple[dict[str, Any], int]:
            order = self._order(id)
            if "payments" in order["purchase_units"][0]:
                raise Problem(422, "ORDER_ALREADY_CAPTURED")
            if order["status"] != "APPROVED":
                raise Problem(422, "ORDER_NOT_APPROVED")
            if self.stage.strikes("capture_refused"):
                raise Problem(422, "TRANSACTION_REFUSED")
            if self.stage.strikes("instrument_declined"):
                order["status"] = "PAYER_ACTION_REQUIRED" if order["_sourced"] else "CREATED"
                raise Problem(422, "INSTRUMENT_DECLINED")
            self.book.capture(order)
            order["status"] = "COMPLETED"
            order["update_time"] = iso(self.stage.now())
            return self._shown(order), 201

        return self.book.once(f"capture {id}", ORDER_KEYS_KEPT, capture)

    def _order(self, id: str) -> dict[str, Any]:
        """PayPal forgets an order that nobody approved in time."""
        order = self.stage.state["orders"].get(id)
        if order is None or (order["status"] in _OPEN and self.stage.now() > order["_made_at"] + ORDER_LIFE):
            raise Problem(404, "INVALID_RESOURCE_ID")
        return order

    def _shown(self, order: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in order.items() if not name.startswith("_")}
        if refunds := self.book.refunds_of(order["id"]):
            (unit,) = shown["purchase_units"]
            shown["purchase_units"] = [unit | {"payments": unit["payments"] | {"refunds": refunds}}]
        host = request.host_url.rstrip("/")
        own = f"{host}/v2/checkout/orders/{order['id']}"
        links = [{"href": own, "rel": "self", "method": "GET"}]
        if order["status"] in _OPEN:
            rel = "payer-action" if order["_sourced"] else "approve"
            links.append({"href": f"{host}/checkoutnow?token={order['id']}", "rel": rel, "method": "GET"})
        if order["status"] == "APPROVED":
            links.append({"href": f"{own}/capture", "rel": "capture", "method": "POST"})
        return shown | {"links": links}

    # Webhooks

    def _verify(self) -> Response:
        asked = self.book.asked()
        for name in (
            "auth_algo",
            "cert_url",
            "transmission_id",
            "transmission_sig",
            "transmission_time",
            "webhook_id",
            "webhook_event",
        ):
            if name not in asked:
                raise Problem(400, "MISSING_REQUIRED_PARAMETER", field=f"/{name}")
        proved = self._signature.proves(request.get_data())
        return jsonify(verification_status="SUCCESS" if proved else "FAILURE")

    def _events(self) -> Response:
        events = self.webhooks.events()[::-1]
        return jsonify(events=events[: request.args.get("page_size", 10, int)], count=len(events), links=[])

    def _resend(self, id: str) -> tuple[Response, int]:
        if not self.webhooks.resend(id):
            raise Problem(404, "INVALID_RESOURCE_ID")
        event = next(event for event in self.webhooks.events() if event["id"] == id)
        return jsonify(event), 202

    # The payer

    def _page(self) -> str | tuple[str, int]:
        with self.stage.lock:
            order = self._payable()
            if order is None:
                return self._closed()
            unit = order["purchase_units"][0]
            return self._face.ask(
                amount=Decimal(unit["amount"]["value"]),
                currency=unit["amount"]["currency_code"],
                description=unit.get("description", ""),
                buttons=[("pay", "Payer"), ("cancel", "Annuler")],
            )

    def _decide(self) -> Any:
        with self.stage.lock:
            order = self._payable()
            if order is None:
                return self._closed()
            if request.form.get("action") != "pay":
                return redirect(_with(order["_cancel_url"], token=order["id"]), 303)
            payer = new_id(13, "23456789ABCDEFGHJKLMNPQRSTUVWXYZ")
            order["status"] = "APPROVED"
            order["payer"] = {"payer_id": payer}
            order["payment_source"] = {"paypal": {"account_id": payer, "account_status": "VERIFIED"}}
            order["update_time"] = iso(self.stage.now())
            self.book.announce("CHECKOUT.ORDER.APPROVED", "checkout-order", self._shown(order), "2.0")
            self.stage.save()
            return redirect(_with(order["_return_url"], token=order["id"], PayerID=payer), 303)

    def _payable(self) -> dict[str, Any] | None:
        try:
            order = self._order(request.args.get("token", ""))
        except Problem:
            return None
        return order if order["status"] in _OPEN else None

    def _closed(self) -> tuple[str, int]:
        order = self.stage.state["orders"].get(request.args.get("token", ""))
        back = _with(order["_return_url"], token=order["id"]) if order and order["_return_url"] else ""
        return (
            self._face.tell("Cette page n’est plus valable", "Ce paiement est terminé ou expiré.", back_url=back),
            200 if order else 404,
        )


def _number(response: Response) -> Response:
    response.headers["PayPal-Debug-Id"] = secrets.token_hex(7)
    return response


def _checked(asked: dict[str, Any]) -> dict[str, Any]:
    """The only purchase unit of a request that makes sense; Problem otherwise."""
    if "intent" not in asked:
        raise Problem(400, "MISSING_REQUIRED_PARAMETER", field="/intent")
    if asked["intent"] != "CAPTURE":
        raise Problem(400, "INVALID_PARAMETER_VALUE", field="/intent", value=str(asked["intent"]))
    units = asked.get("purchase_units")
    if units is None:
        raise Problem(400, "MISSING_REQUIRED_PARAMETER", field="/purchase_units")
    if not isinstance(units, list) or not units:
        raise Problem(400, "INVALID_ARRAY_MIN_ITEMS", field="/purchase_units")
    if len(units) > 10:
        raise Problem(400, "INVALID_ARRAY_MAX_ITEMS", field="/purchase_units")
    if len(units) > 1:
        raise Problem(400, "NOT_SUPPORTED", field="/purchase_units")
    unit = units[0]
    if not isinstance(unit, dict) or "amount" not in unit:
        raise Problem(400, "MISSING_REQUIRED_PARAMETER", field="/purchase_units/0/amount")
    _check_money(unit["amount"])
    for name in ("description", "custom_id", "invoice_id"):
        if name in unit and not 1 <= len(unit[name]) <= 127:
            raise Problem(400, "INVALID_STRING_LENGTH", field=f"/purchase_units/0/{name}")
    return unit


def _check_money(money: Any) -> None:
    where = "/purchase_units/0/amount"
    if not isinstance(money, dict) or not {"currency_code", "value"} <= money.keys():
        raise Problem(400, "MISSING_REQUIRED_PARAMETER", field=where)
    value = money["value"]
    if not isinstance(value, str) or len(value) > 32 or not _VALUE.match(value):
        raise Problem(400, "INVALID_PARAMETER_SYNTAX", field=f"{where}/value", value=str(value))
    if money["currency_code"] not in _CURRENCIES:
        raise Problem(422, "INVALID_CURRENCY_CODE", field=f"{where}/currency_code")
    if len(value.partition(".")[2]) > 2:
        raise Problem(422, "DECIMAL_PRECISION", field=f"{where}/value", value=value)
    if Decimal(value) <= 0:
        raise Problem(422, "CANNOT_BE_ZERO_OR_NEGATIVE", field=f"{where}/value", value=value)


def _with(url: str, **query: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *query.items()])))


def build(options: argparse.Namespace) -> Stage:
    stage = Stage("paypal", state_file=options.state)
    PayPal(stage, options)
    return stage


if __name__ == "__main__":
    serve(
        build,
        ("--client-id", {"required": True}),
        ("--client-secret", {"required": True}),
        ("--merchant-id", {"required": True, "help": "13 characters, as PayPal's are"}),
        ("--merchant-name", {"default": "Librairie"}),
        ("--webhook-id", {"required": True}),
        ("--webhook-url", {"help": "where the shop takes PayPal's messages"}),
    )
