"""PayPal: Orders v2."""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

from grouped_orders.payments import paypal_report
from grouped_orders.payments.base import (
    Attempt,
    BadSignature,
    CaptureInfo,
    Money,
    Movement,
    Notice,
    Redirect,
    RefundInfo,
    Refused,
    Snapshot,
    Unknown,
    same_origin,
)
from grouped_orders.payments.paypal_api import Json, PayPalApi

log = logging.getLogger(__name__)

_PHASES = {
    "CREATED": "open",
    "SAVED": "open",
    "PAYER_ACTION_REQUIRED": "open",
    "APPROVED": "approved",
    "COMPLETED": "done",
    "VOIDED": "dead",
}
_CAPTURES = {
    "COMPLETED": "COMPLETED",
    # What is given back afterwards was received all the same; refunds are counted apart.
    "PARTIALLY_REFUNDED": "COMPLETED",
    "REFUNDED": "COMPLETED",
    "PENDING": "PENDING",
    "DECLINED": "DECLINED",
    "FAILED": "FAILED",
}
_REFUNDS = {"COMPLETED": "COMPLETED", "PENDING": "PENDING", "FAILED": "FAILED", "CANCELLED": "FAILED"}
# The headers that prove a webhook, and the longest value PayPal's OpenAPI allows for each.
_PROOFS = {
    "auth_algo": ("PayPal-Auth-Algo", 100),
    "cert_url": ("PayPal-Cert-Url", 500),
    "transmission_id": ("PayPal-Transmission-Id", 50),
    "transmission_sig": ("PayPal-Transmission-Sig", 500),
    "transmission_time": ("PayPal-Transmission-Time", 100),
}


class PayPal:
    """`PaymentProvider` on Orders v2. Money moves at our own capture, after the payer's approval."""

    needs_capture = True

    def __init__(self, api: PayPalApi, *, page_origin: str, webhook_id: str, locale: str) -> None:
        self._api = api
        self._page_origin = page_origin
        self._webhook_id = webhook_id
        self._locale = locale

    def create(self, attempt: Attempt, *, key: str) -> Redirect:
        unit: Json = {"amount": _written(attempt.money), "custom_id": attempt.our_id}
        if attempt.description:
            unit["description"] = attempt.description[:127]
        order = self._api.call(
            "POST",
            "/v2/checkout/orders",
            {
                "intent": "CAPTURE",
                "purchase_units": [unit],
                "payment_source": {
                    "paypal": {
                        "experience_context": {
                            "user_action": "PAY_NOW",
                            "shipping_preference": "NO_SHIPPING",
                            # Rules out the electronic cheque, which takes days.
                            "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
                            "locale": self._locale,
                            "return_url": attempt.return_url,
                            "cancel_url": attempt.cancel_url,
                        }
                    }
                },
            },
            key=key,
        )
        try:
            ref = _id(order["id"])
            url = next(link["href"] for link in order["links"] if link["rel"] in ("payer-action", "approve"))
        except (KeyError, TypeError, StopIteration, Refused) as error:
            raise Unknown("PayPal's order has no page for the payer") from error
        if not same_origin(url, self._page_origin):
            log.warning("PayPal's page is not at %s: nobody is sent there", self._page_origin)
            raise Refused("UNTRUSTED_PAGE")
        return Redirect(ref, url)

    def fetch(self, ref: str) -> Snapshot:
        try:
            return _read(self._api.call("GET", f"/v2/checkout/orders/{_id(ref)}"))
        except Refused as refusal:
            if refusal.code not in ("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"):
                raise Unknown(refusal.code) from refusal
            return Snapshot(ref, "dead", None, None, debug_id=refusal.debug_id)

    def capture(self, ref: str, *, key: str) -> Snapshot:
        try:
            snapshot = _read(self._api.call("POST", f"/v2/checkout/orders/{_id(ref)}/capture", {}, key=key))
        except Refused as refusal:
            if refusal.code != "ORDER_ALREADY_CAPTURED":
                raise
            return self.fetch(ref)
        # A minimal answer does not say whose money it is.
        return snapshot if snapshot.money and snapshot.payee else self.fetch(ref)

    def expire(self, ref: str) -> Snapshot:
        """PayPal has no such thing: an order that we do not capture costs nobody anything."""
        return self.fetch(ref)

    def refund(self, capture_id: str, money: Money, *, our_id: str, key: str) -> RefundInfo:
        return _read_refund(
            self._api.call(
                "POST",
                f"/v2/payments/captures/{_id(capture_id)}/refund",
                {"amount": _written(money), "custom_id": our_id},
                key=key,
            )
        )

    def fetch_refund(self, refund_id: str) -> RefundInfo:
        return _read_refund(self._api.call("GET", f"/v2/payments/refunds/{_id(refund_id)}"))

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Notice:
        """PayPal itself says whether the message is its own, from the very bytes that came."""
        given = {name.lower(): value for name, value in headers.items()}
        proof = {field: given.get(header.lower(), "") for field, (header, _) in _PROOFS.items()}
        if any(not 0 < len(proof[field]) <= longest for field, (_, longest) in _PROOFS.items()):
            raise BadSignature("no proof of origin")
        try:
            event = json.loads(raw)
            text = raw.decode().strip().encode()
        except ValueError as error:
            raise BadSignature("not JSON") from error
        if not isinstance(event, dict):
            raise BadSignature("not an event")
        asked = json.dumps({**proof, "webhook_id": self._webhook_id}).encode()
        try:
            answer = self._api.call(
                "POST",
                "/v1/notifications/verify-webhook-signature",
                asked[:-1] + b', "webhook_event": ' + text + b"}",
            )
        except Refused as refusal:
            raise BadSignature(refusal.code) from refusal
        if answer.get("verification_status") == "FAILURE":
            raise BadSignature("not PayPal’s")
        if answer.get("verification_status") != "SUCCESS":
            raise Unknown("PayPal did not say whether the message is its own")
        return _notice(event)

    def list_movements(self, since: datetime, until: datetime) -> Iterator[Movement]:
        return paypal_report.movements(self._api.call, since, until)


def _written(money: Money) -> Json:
    return {"currency_code": money.currency, "value": f"{money.amount:.2f}"}


def _id(value: object) -> str:
    """An identifier that is safe in a path. What does not look like one exists nowhere at PayPal."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z0-9]{1,36}", value):
        raise Refused("INVALID_RESOURCE_ID")
    return value


def _money(value: Json) -> Money:
    return Money(Decimal(value["value"]), str(value["currency_code"]))


def _read(order: Json) -> Snapshot:
    try:
        (unit,) = order["purchase_units"]
        captures = tuple(_read_capture(c) for c in unit.get("payments", {}).get("captures", []))
        return Snapshot(
            ref=_id(order["id"]),
            # Captures tell, not the order's own status: a COMPLETED order may hold a DECLINED capture.
            phase="done" if captures else _PHASES[order["status"]],  # type: ignore[arg-type]
            money=_money(unit["amount"]) if "amount" in unit else None,
            our_id=unit.get("custom_id") or next(iter(_custom_ids(unit)), None),
            payee=unit.get("payee", {}).get("merchant_id"),
            captures=captures,
            refunds=tuple(_read_refund(refund) for refund in unit.get("payments", {}).get("refunds", [])),
        )
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation, Refused) as error:
        raise Unknown("PayPal's order cannot be read") from error


def _custom_ids(unit: Json) -> list[str]:
    return [c["custom_id"] for c in unit.get("payments", {}).get("captures", []) if c.get("custom_id")]


def _read_capture(capture: Json) -> CaptureInfo:
    fee = capture.get("seller_receivable_breakdown", {}).get("paypal_fee")
    return CaptureInfo(
        id=_id(capture["id"]),
        status=_CAPTURES[capture["status"]],  # type: ignore[arg-type]
        money=_money(capture["amount"]),
        fee=_money(fee).amount if fee else None,
        reason=str(capture.get("status_details", {}).get("reason", "")),
    )


def _read_refund(refund: Json) -> RefundInfo:
    try:
        return RefundInfo(
            id=_id(refund["id"]),
            status=_REFUNDS[refund["status"]],  # type: ignore[arg-type]
            money=_money(refund["amount"]),
            of=_id(_capture_of(refund)),
            our_id=refund.get("custom_id"),
            reason=str(refund.get("status_details", {}).get("reason", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation, Refused) as error:
        raise Unknown("PayPal's refund cannot be read") from error


def _capture_of(refund: Json) -> str | None:
    """The capture that a refund is about: PayPal says it only in the link that leads up to it."""
    links = refund.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "up":
            return str(link.get("href", "")).rpartition("/")[2]
    return None


def _notice(event: Json) -> Notice:
    resource = event.get("resource")
    resource = resource if isinstance(resource, dict) else {}
    type = str(event.get("event_type", ""))
    units = resource.get("purchase_units")
    unit = units[0] if isinstance(units, list) and units and isinstance(units[0], dict) else {}
    related = resource.get("supplementary_data")
    related = related.get("related_ids") if isinstance(related, dict) else None
    ref = resource.get("id") if type.startswith("CHECKOUT.ORDER.") else (related or {}).get("order_id")
    id = str(event.get("id", ""))
    if event.get("resource_type") == "refund":  # its custom_id is the refund's, not the payment's
        return Notice(event_id=id, type=type, ref=ref or None, of=_capture_of(resource))
    if type == "CUSTOMER.DISPUTE.CREATED":
        return Notice(event_id=id, type=type, of=_disputed(resource), dispute=resource.get("dispute_id"))
    ours = unit.get("custom_id") or resource.get("custom_id")
    return Notice(event_id=id, type=type, ref=ref or None, our_id=ours or None)


def _disputed(dispute: Json) -> str | None:
    """The capture that a dispute is about."""
    about = dispute.get("disputed_transactions")
    first = about[0] if isinstance(about, list) and about and isinstance(about[0], dict) else {}
    return str(first.get("seller_transaction_id") or "") or None
