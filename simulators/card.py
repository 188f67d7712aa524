"""A Stripe of our own: Checkout sessions, the page where the card is used, refunds and events, over HTTP.

    python -m simulators.card --port 8102 --state card.json --secret-key sk_test_… --webhook-secret whsec_… \\
        --webhook-url http://127.0.0.1:8000/…

Besides the faults of stage.py and webhooks.py:

    wrong_amount, wrong_currency  at the creation of a session (`value`: cents, or a code)
    capture_declined              « Payer » is refused as « Carte refusée » would be
    capture_pending               « Payer » leaves the bank to decide, until /_sim/payments/<id> says
    refund_pending, refund_failed, refund_refused

    POST /_sim/payments/<payment intent>        {"status": "succeeded" | "failed"}   what the bank decides later
    POST /_sim/payments/<payment intent>/refund {"amount": 640}                      a refund from the dashboard
    POST /_sim/refunds/<id>                     {"status": "succeeded" | "failed"}
    POST /_sim/payments/<payment intent>/dispute                                     the bank contests; also a button
    POST /_sim/refunds/<id>/return                     the money of a refund that succeeded comes back
"""

import argparse
import base64
import secrets
from decimal import Decimal
from typing import Any

from flask import Response, jsonify, redirect, request

from simulators.card_disputes import Disputes
from simulators.card_errors import Problem, required
from simulators.card_refunds import Refunds
from simulators.card_state import DAY, Book, Json, expansions, new_id, signed, spoiled
from simulators.ledger import Ledger
from simulators.pages import Face
from simulators.stage import Stage, serve
from simulators.webhooks import Webhooks

SHORTEST_LIFE = 30 * 60
LONGEST_LIFE = DAY
# What this simulator understands of a new session; Stripe refuses what it does not know as well. It knows no
# payment_method_types any more: that parameter went with the API's version of 2026-09-30.
KNOWN = {
    "allowed_payment_method_types",
    "cancel_url",
    "client_reference_id",
    "customer_email",
    "expires_at",
    "line_items",
    "locale",
    "metadata",
    "mode",
    "payment_intent_data",
    "success_url",
}
DECLINED = "Votre carte a été refusée. Rien n’a été débité\u00a0: essayez avec une autre carte."


class Stripe:
    def __init__(self, stage: Stage, options: argparse.Namespace):
        self.stage = stage
        self._secret_key = options.secret_key
        self._face = Face("Paiement par carte", options.merchant_name, "#4338ca", dispute="/_sim/payments/{id}/dispute")
        self.webhooks = Webhooks(
            stage,
            options.webhook_url,
            lambda body, now: signed(body, secret=options.webhook_secret, now=now),
            spoil=spoiled,
        )
        ledger = Ledger(stage)
        self.book = Book(stage, self.webhooks, ledger)
        self.webhooks.tick = self._expire_due
        Refunds(self.book)
        Disputes(self.book)

        stage.route("GET", "/", lambda: self._face.show(ledger.entries(), ledger.total()))
        app = stage.app
        app.before_request(self._authenticate)
        app.register_error_handler(Problem, Problem.answer)
        stage.route("POST", "/v1/checkout/sessions", self._create)
        stage.route("GET", "/v1/checkout/sessions", self._list)
        stage.route("GET", "/v1/checkout/sessions/<id>", self._get)
        stage.route("POST", "/v1/checkout/sessions/<id>/expire", self._expire)
        stage.route("GET", "/v1/payment_intents/<id>", self._get_intent)
        stage.route("GET", "/v1/events", self._events)
        stage.route("GET", "/v1/events/<id>", self._event)
        stage.route("GET", "/v1/balance_transactions", self._movements)
        stage.route("POST", "/_sim/payments/<id>", self._move)
        stage.route("GET", "/c/pay/<id>", self._page)
        stage.route("POST", "/c/pay/<id>", self._decide)

    def _authenticate(self) -> Response | None:
        if not request.path.startswith("/v1/"):
            return None
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            given = base64.b64decode(given).decode().partition(":")[0]
        if not given:
            return Problem(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using"
                " Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
                status=401,
            ).answer()
        if not secrets.compare_digest(given, self._secret_key):
            return Problem(f"Invalid API Key provided: {given[:8]}***", status=401).answer()
        return None

    # The API

    def _create(self) -> Response:
        return self.book.once(self._new_session)

    def _new_session(self, asked: Json) -> Json:
        for name in ("mode", "line_items", "success_url"):
            if name not in asked:
                raise required(name)
        for name in asked:
            if name not in KNOWN:
                raise Problem(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        if asked["mode"] != "payment":
            raise Problem("Invalid mode: must be one of payment", param="mode")
        line = asked["line_items"].get("0", {})
        price = line.get("price_data", {})
        for name in ("currency", "unit_amount"):
            if name not in price:
                raise required(f"line_items[0][price_data][{name}]")
        if not price.get("product_data", {}).get("name"):
            raise required("line_items[0][price_data][product_data][name]")
        amount = int(price["unit_amount"]) * int(line.get("quantity", 1))
        currency = price["currency"].lower()
        if currency == "eur" and amount < 50:
            raise Problem(
                "The Checkout Session's total amount due must add up to at least €0.50 eur",
                code="amount_too_small",
            )
        now = int(self.stage.now())
        ends = int(asked.get("expires_at", now + DAY))
        if not now + SHORTEST_LIFE <= ends <= now + LONGEST_LIFE:
            raise Problem(
                "The `expires_at` timestamp must be "
                + ("at least 30 minutes" if ends < now + SHORTEST_LIFE else "less than 24 hours")
                + " from Checkout Session creation.",
                param="expires_at",
            )
        if fault := self.stage.strikes("wrong_amount"):
            amount = int(fault.get("value", 100))
        if fault := self.stage.strikes("wrong_currency"):
            currency = fault.get("value", "usd")
        id = f"cs_test_{secrets.token_hex(24)}"
        return self.book.keep(
            {
                "id": id,
                "object": "checkout.session",
                "amount_subtotal": amount,
                "amount_total": amount,
                "cancel_url": asked.get("cancel_url"),
                "client_reference_id": asked.get("client_reference_id"),
                "created": now,
                "currency": currency,
                "customer_email": asked.get("customer_email"),
                "expires_at": ends,
                "livemode": False,
                "locale": asked.get("locale"),
                "metadata": asked.get("metadata", {}),
                "mode": "payment",
                "payment_intent": None,
                "payment_method_types": list(asked.get("allowed_payment_method_types", {"0": "card"}).values()),
                "payment_status": "unpaid",
                "status": "open",
                "success_url": asked["success_url"],
                "url": f"{request.host_url}c/pay/{id}",
                "_description": price["product_data"]["name"],
                "_intent_metadata": asked.get("payment_intent_data", {}).get("metadata", {}),
            }
        )

    def _get(self, id: str) -> Response:
        with self.stage.lock:
            return jsonify(self.book.shown(self._session(id), expansions()))

    def _list(self) -> Response:
        with self.stage.lock:
            wanted = request.args.get("payment_intent")
            sessions = [s for s in self.book.all("checkout.session") if wanted in (None, s["payment_intent"])]
            return self.book.listed(sessions, "/v1/checkout/sessions")

    def _expire(self, id: str) -> Response:
        def expire(asked: Json) -> Json:
            session = self._session(id)
            if session["status"] != "open":
                raise Problem(
                    'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a'
                    f" status of {session['status']}."
                )
            self._end(session)
            return session

        return self.book.once(expire)

    def _get_intent(self, id: str) -> Response:
        with self.stage.lock:
            intent = self.book.find("payment_intent", id, "intent")
            return jsonify(self.book.shown(intent, expansions()))

    def _events(self) -> Response:
        """Newest first; `type` and `delivery_success` as Stripe takes them."""
        kind = request.args.get("type")
        with self.stage.lock:
            events = [e for e in self.book.all("event") if kind in (None, e["type"])]
            if request.args.get("delivery_success") == "false":
                waiting = {w["event"]["id"] for w in self.stage.state["webhooks"] if not w["delivered"]}
                events = [e for e in events if e["id"] in waiting]
            return self.book.listed(events, "/v1/events")

    def _event(self, id: str) -> Response:
        with self.stage.lock:
            return jsonify(self.book.shown(self.book.find("event", id)))

    def _movements(self) -> Response:
        with self.stage.lock:
            return self.book.listed(self.book.all("balance_transaction"), "/v1/balance_transactions")

    def _session(self, id: str) -> Json:
        """A session whose time is over is expired, whoever looks."""
        session = self.book.find("checkout.session", id, "session")
        if session["status"] == "open" and self.stage.now() >= session["expires_at"]:
            self._end(session)
            self.stage.save()
        return session

    def _expire_due(self) -> None:
        for session in list(self.stage.state["objects"].values()):
            if session["object"] == "checkout.session":
                self._session(session["id"])

    def _end(self, session: Json) -> None:
        session |= {"status": "expired", "url": None}
        self.book.announce("checkout.session.expired", session)

    # The payer and his bank

    def _page(self, id: str) -> Any:
        with self.stage.lock:
            session = self._shown_session(id)
            if session is None or session["status"] != "open":
                return self._closed(session)
            return self._face.ask(
                amount=Decimal(session["amount_total"]) / 100,
                currency=session["currency"],
                description=session["_description"],
                buttons=[("pay", "Payer"), ("cancel", "Annuler"), ("refuse", "Carte refusée")],
                alert=DECLINED if "refused" in request.args else "",
            )

    def _decide(self, id: str) -> Any:
        with self.stage.lock:
            session = self._shown_session(id)
            if session is None or session["status"] != "open":
                return self._closed(session)
            action = request.form.get("action")
            if action == "cancel":
                return redirect(session["cancel_url"], 303)
            intent = self._intent(session)
            if action != "pay" or self.stage.strikes("capture_declined"):
                intent["last_payment_error"] = {"type": "card_error", "code": "card_declined"}
                self.stage.save()
                return redirect(f"/c/pay/{id}?refused", 303)
            session |= {"status": "complete", "url": None}
            intent["last_payment_error"] = None
            if self.stage.strikes("capture_pending"):
                intent["status"] = "processing"
            else:
                self._succeed(session, intent)
            self.book.announce("checkout.session.completed", session)
            self.stage.save()
            return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", id), 303)

    def _shown_session(self, id: str) -> Json | None:
        try:
            return self._session(id)
        except Problem:
            return None

    def _intent(self, session: Json) -> Json:
        """Stripe makes the intent when the payer first tries."""
        if session["payment_intent"]:
            return self.book.find("payment_intent", session["payment_intent"])
        intent = self.book.keep(
            {
                "id": new_id("pi"),
                "object": "payment_intent",
                "amount": session["amount_total"],
                "amount_capturable": 0,
                "amount_received": 0,
                "capture_method": "automatic",
                "created": int(self.stage.now()),
                "currency": session["currency"],
                "last_payment_error": None,
                "latest_charge": None,
                "livemode": False,
                "metadata": session["_intent_metadata"],
                "payment_method_types": session["payment_method_types"],
                "status": "requires_payment_method",
                "_session": session["id"],
            }
        )
        session["payment_intent"] = intent["id"]
        return intent

    def _succeed(self, session: Json, intent: Json) -> None:
        charge = self.book.keep(
            {
                "id": new_id("ch"),
                "object": "charge",
                "amount": intent["amount"],
                "amount_refunded": 0,
                "created": int(self.stage.now()),
                "currency": intent["currency"],
                "disputed": False,
                "livemode": False,
                "metadata": intent["metadata"],
                "paid": True,
                "payment_intent": intent["id"],
                "refunded": False,
                "status": "succeeded",
            }
        )
        charge["balance_transaction"] = self.book.move_money("capture", charge, session["client_reference_id"] or "")
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge["id"]}
        session["payment_status"] = "paid"

    def _move(self, id: str) -> Response:
        with self.stage.lock:
            intent = self.book.find("payment_intent", id)
            session = self.book.find("checkout.session", intent["_session"])
            if intent["status"] != "processing":
                raise Problem(f"This payment is {intent['status']}.", status=409)
            if request.get_json(force=True)["status"] == "succeeded":
                self._succeed(session, intent)
                self.book.announce("checkout.session.async_payment_succeeded", session)
            else:
                intent |= {
                    "status": "requires_payment_method",
                    "last_payment_error": {"type": "card_error", "code": "payment_intent_payment_attempt_failed"},
                }
                self.book.announce("checkout.session.async_payment_failed", session)
            self.stage.save()
            return jsonify(self.book.shown(intent))

    def _closed(self, session: Json | None) -> tuple[str, int]:
        back = session["success_url" if session["status"] == "complete" else "cancel_url"] if session else ""
        return (
            self._face.tell("Cette page n’est plus valable", "Ce paiement est terminé ou expiré.", back_url=back or ""),
            200 if session else 404,
        )


def build(options: argparse.Namespace) -> Stage:
    stage = Stage("card", state_file=options.state)
    Stripe(stage, options)
    return stage


if __name__ == "__main__":
    serve(
        build,
        ("--secret-key", {"required": True}),
        ("--webhook-secret", {"required": True}),
        ("--webhook-url", {"help": "where the shop takes Stripe's events"}),
        ("--merchant-name", {"default": "Librairie"}),
    )
