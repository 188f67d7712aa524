"""PayPal: Orders v2, through the generic `Api` class of paypalrestsdk.

That package is no longer maintained. Nothing of it is trusted here but the way it authenticates: `PayPalApi`
replaces its transport, its token cache and its reading of answers, for the reasons its comments give. Should the
package break one day, `PayPalApi.call` on top of `requests` is all that has to be rewritten.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import paypalrestsdk
import requests

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

log = logging.getLogger(__name__)

# Seconds to connect, and to wait for the answer: a page that needs two of them must answer within 25.
TIMEOUT = (4, 10)
# A token is renewed this long before it ends, so that none dies on its way.
TOKEN_MARGIN = 300

# The payer can mend these himself, on the same page: another card, another account, his approval.
_BY_PAYER = {
    "INSTRUMENT_DECLINED",
    "PAYER_ACTION_REQUIRED",
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING",
    "ORDER_NOT_APPROVED",
}
# A refusal by its status, and yet PayPal is still at it.
_NOT_YET = {"ORDER_COMPLETION_IN_PROGRESS", "PREVIOUS_REQUEST_IN_PROGRESS"}
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

Json = dict[str, Any]


class _Unauthorized(Exception):
    """PayPal does not take our token, or our credentials."""


class PayPalApi(paypalrestsdk.Api):  # type: ignore[misc]  # the package has no types
    """The package's client, made safe to use with money. `call` raises Refused or Unknown, and nothing else."""

    def __init__(self, *, url: str, client_id: str, client_secret: str, timeout: tuple[float, float] = TIMEOUT) -> None:
        # mode="live" because any other writes tokens and bodies to the log; a trailing slash doubles the path.
        super().__init__(mode="live", endpoint=url.rstrip("/"), client_id=client_id, client_secret=client_secret)
        self.timeout = timeout
        self.token_hash: Json | None = None
        self._token_until = 0.0
        self._token_lock = threading.Lock()
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def call(self, method: str, path: str, body: Json | bytes | None = None, *, key: str = "") -> Json:
        """One request and its JSON object. `key` makes it happen once, however often it is sent."""
        headers = {"Prefer": "return=representation"} | ({"PayPal-Request-Id": key} if key else {})
        # Not the package's join_url, which takes the path for a regular expression.
        return self.request(f"{self.endpoint}{path}", method, body, headers)

    def request(
        self,
        url: str,
        method: str,
        body: Json | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        refresh_token: None = None,
    ) -> Json:
        """`bytes` go out as they are: webhooks are proved byte for byte, and the package would write them anew."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        for _ in range(2):  # a token may be revoked early: one new token, not one after another for ever
            try:
                token = self.get_token_hash()
            except _Unauthorized:
                break
            try:
                return self.http_call(url, method, data=data, headers={**self._bearer(token), **(headers or {})})
            except _Unauthorized:
                self._forget(token)
        # Not Refused: a call whose first answer was lost may well have moved the money before our access ended.
        log.warning("PayPal does not accept our credentials")
        raise Unknown("AUTHENTICATION_FAILURE")

    def get_token_hash(self, *args: Any, **kwargs: Any) -> Json:
        """The token in use, or a new one. Headers of the call it is for never go with it: they are not for OAuth."""
        with self._token_lock:
            if self.token_hash is None or time.monotonic() >= self._token_until:
                self.token_hash = None
                token = self.http_call(
                    f"{self.endpoint}/v1/oauth2/token",
                    "POST",
                    data=b"grant_type=client_credentials",
                    headers={
                        "Authorization": f"Basic {self.basic_auth()}",
                        "Content-Type": "application/x-www-form-urlencoded",
                        "Accept": "application/json",
                        "User-Agent": self.user_agent,
                    },
                )
                try:
                    token["access_token"], lifetime = str(token["access_token"]), float(token["expires_in"])
                except (KeyError, TypeError, ValueError) as error:
                    raise Unknown("PayPal gave no token") from error
                self.token_hash = token
                self._token_until = time.monotonic() + lifetime - min(TOKEN_MARGIN, lifetime / 2)
            return self.token_hash

    def http_call(self, url: str, method: str, **kwargs: Any) -> Json:
        """Send once, follow nothing, and read the answer."""
        try:
            response = self._session.request(
                method, url, proxies=self.proxies, timeout=self.timeout, allow_redirects=False, **kwargs
            )
        except requests.RequestException as error:
            raise Unknown(type(error).__name__) from error
        return self.handle_response(response, response.content)

    def handle_response(self, response: requests.Response, content: bytes) -> Json:
        """Every answer but a readable 2xx raises."""
        debug_id = response.headers.get("PayPal-Debug-Id", "")
        try:
            body = json.loads(content) if content else {}
        except ValueError:
            body = None
        if not response.ok:
            log.info("PayPal answered %d (debug id %s)", response.status_code, debug_id or "none")
        if response.status_code == 401:
            raise _Unauthorized
        if not isinstance(body, dict):
            raise Unknown(f"HTTP {response.status_code} that nobody can read")
        if 200 <= response.status_code <= 299:
            return body
        if response.status_code in (400, 404, 422) and isinstance(body.get("name"), str):
            refusal = _refusal(body, debug_id)
            raise Unknown(refusal.code) if refusal.code in _NOT_YET else refusal
        raise Unknown(f"HTTP {response.status_code}")

    def _bearer(self, token: Json) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token['access_token']}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": self.user_agent,
        }

    def _forget(self, token: Json) -> None:
        with self._token_lock:
            if self.token_hash is token:
                self.token_hash = None


def _refusal(body: Json, debug_id: str) -> Refused:
    details = body.get("details")
    issues = [
        detail["issue"]
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict) and isinstance(detail.get("issue"), str)
    ]
    return Refused(
        issues[0] if issues else body["name"],
        debug_id=str(body.get("debug_id") or debug_id)[:60],
        by_payer=not _BY_PAYER.isdisjoint(issues),
    )


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
            reason=str(refund.get("status_details", {}).get("reason", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation, Refused) as error:
        raise Unknown("PayPal's refund cannot be read") from error


def _notice(event: Json) -> Notice:
    resource = event.get("resource")
    resource = resource if isinstance(resource, dict) else {}
    type = str(event.get("event_type", ""))
    units = resource.get("purchase_units")
    unit = units[0] if isinstance(units, list) and units and isinstance(units[0], dict) else {}
    related = resource.get("supplementary_data")
    related = related.get("related_ids") if isinstance(related, dict) else None
    ref = resource.get("id") if type.startswith("CHECKOUT.ORDER.") else (related or {}).get("order_id")
    # A refund's custom_id is the refund's, not the payment's.
    ours = None if event.get("resource_type") == "refund" else unit.get("custom_id") or resource.get("custom_id")
    return Notice(event_id=str(event.get("id", "")), type=type, ref=ref or None, our_id=ours or None)
