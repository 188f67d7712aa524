"""« Paiement en ligne »: Stripe Checkout, card and Bancontact on Stripe's own page.

The money moves at the payer's click: an attempt that must not be paid any more is expired, and what slips through
is refunded. A capture's id is that of Stripe's payment intent, which succeeds once at most.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import requests
import stripe
from stripe.params import BalanceTransactionListParams, RefundCreateParams
from stripe.params.checkout import SessionCreateParams

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
TIMEOUT = (4.0, 10.0)
# What this file was written against; Stripe keeps answering in that way.
API_VERSION = "2026-10-28.endive"
# Seconds a webhook's signature stays good.
TOLERANCE = 300
# Stripe wants a page to live 30 minutes counted from when it reads the request, later than our own clock did.
_PAGE_MARGIN = 120

_EXPAND = ["payment_intent.latest_charge.balance_transaction", "payment_intent.latest_charge.refunds"]
_REFUNDS = {
    "succeeded": "COMPLETED",
    "pending": "PENDING",
    "requires_action": "PENDING",
    "failed": "FAILED",
    "canceled": "FAILED",
}

# What Stripe calls the movements of its balance: « payment » is Bancontact's word for « charge ». Payouts, fees and
# the like are not ours to judge.
_MOVEMENTS = {
    "charge": "capture",
    "payment": "capture",
    "refund": "refund",
    "payment_refund": "refund",
    "adjustment": "other",
    "refund_failure": "other",
    "payment_failure_refund": "other",
    "payment_reversal": "other",
}
PAGE_SIZE = 100

# The library would send the machine's name and write an identifier in the home directory.
stripe.enable_telemetry = False
# Its own lines hold what was sent, e-mail address included: none is written, whatever level is asked for.
logging.getLogger("stripe").addFilter(lambda record: record.levelno >= logging.WARNING)

T = TypeVar("T")


class Card:
    """`PaymentProvider` on Stripe Checkout."""

    needs_capture = False

    def __init__(
        self,
        *,
        url: str,
        secret_key: str,
        webhook_secret: str,
        page_origin: str,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> None:
        session = requests.Session()
        session.max_redirects = 0  # follow nothing
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Its own client, not the library's global key; no retries: checkout decides when to ask again.
        self._stripe = stripe.StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout, session=session),
        )
        self._webhook_secret = webhook_secret
        self._page_origin = page_origin

    def create(self, attempt: Attempt, *, key: str) -> Redirect:
        """`attempt.expires_at` must be 30 minutes to 23 hours ahead: Stripe takes no other."""
        params: SessionCreateParams = {
            "mode": "payment",
            "locale": "fr",
            # Not payment_method_types, which Stripe refuses since its version of 2026-09-30.
            "allowed_payment_method_types": ["card", "bancontact"],
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": attempt.money.currency.lower(),
                        "unit_amount": _cents(attempt.money.amount),
                        "product_data": {"name": attempt.description},
                    },
                }
            ],
            "client_reference_id": attempt.our_id,
            "metadata": {"payment": attempt.our_id},
            "payment_intent_data": {"metadata": {"payment": attempt.our_id}},
            "customer_email": attempt.email,
            "success_url": attempt.return_url,
            "cancel_url": attempt.cancel_url,
            "expires_at": int(attempt.expires_at.timestamp()) + _PAGE_MARGIN,
        }
        session = _ask(lambda: self._stripe.v1.checkout.sessions.create(params, {"idempotency_key": key}))
        if not session.url:
            raise Unknown("the session has no page for the payer")
        if not same_origin(session.url, self._page_origin):
            log.warning("Stripe’s page is not at %s: nobody is sent there", self._page_origin)
            raise Refused("UNTRUSTED_PAGE")
        return Redirect(session.id, session.url)

    def fetch(self, ref: str) -> Snapshot:
        try:
            session = _ask(lambda: self._stripe.v1.checkout.sessions.retrieve(_id(ref), {"expand": _EXPAND}))
        except Refused as refusal:
            if refusal.code != "resource_missing":
                raise Unknown(refusal.code) from refusal
            return Snapshot(ref, "dead", None, None, debug_id=refusal.debug_id)
        return _ask(lambda: _read(session, self._refunds(session)))

    def _refunds(self, session: stripe.checkout.Session) -> list[stripe.Refund]:
        """What was given back for a session: it comes with the charge, and apart when there is much of it."""
        charge = _charge(session)
        if charge is None or charge.refunds is None:
            return []
        if charge.refunds.has_more:
            of_charge = self._stripe.v1.refunds.list({"charge": charge.id, "limit": 100})
            return list(of_charge.auto_paging_iter())
        return charge.refunds.data

    def capture(self, ref: str, *, key: str) -> Snapshot:
        """Nothing to do: the payer's click took the money, or did not."""
        return self.fetch(ref)

    def expire(self, ref: str) -> Snapshot:
        try:
            _ask(lambda: self._stripe.v1.checkout.sessions.expire(_id(ref)))
        except Refused:
            # It is no longer open: paid, or expired already. The fetch says which.
            snapshot = self.fetch(ref)
            if snapshot.phase == "open":
                raise Unknown("the session can neither be expired nor is it closed") from None
            return snapshot
        return self.fetch(ref)

    def refund(self, capture_id: str, money: Money, *, our_id: str, key: str) -> RefundInfo:
        """Stripe forgets a key after a day, so a refund that carries our id already is looked for first."""
        made = _ask(lambda: self._find_refund(_id(capture_id), our_id))
        if made is not None:
            return made
        params: RefundCreateParams = {
            "payment_intent": _id(capture_id),
            "amount": _cents(money.amount),
            "metadata": {"refund": our_id},
        }
        return _ask(lambda: _read_refund(self._stripe.v1.refunds.create(params, {"idempotency_key": key})))

    def _find_refund(self, capture_id: str, our_id: str) -> RefundInfo | None:
        for refund in self._stripe.v1.refunds.list({"payment_intent": capture_id, "limit": 100}).data:
            if refund.metadata and refund.metadata.to_dict().get("refund") == our_id:
                return _read_refund(refund)
        return None

    def fetch_refund(self, refund_id: str) -> RefundInfo:
        return _ask(lambda: _read_refund(self._stripe.v1.refunds.retrieve(_id(refund_id))))

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Notice:
        """Proved offline, by the secret we share with Stripe; older than five minutes is refused."""
        given = {name.lower(): value for name, value in headers.items()}
        try:
            stripe.WebhookSignature.verify_header(raw, given.get("stripe-signature"), self._webhook_secret, TOLERANCE)
        except (stripe.SignatureVerificationError, ValueError) as error:
            raise BadSignature("not Stripe’s") from error
        return _ask(lambda: _notice(json.loads(raw)))

    def list_movements(self, since: datetime, until: datetime) -> Iterator[Movement]:
        """From the balance's own lines: what a session, a refund or a dispute really moved."""
        params: BalanceTransactionListParams = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "limit": PAGE_SIZE,
            "expand": ["data.source"],
        }
        after: str | None = ""
        while after is not None:
            if after:
                params["starting_after"] = after
            try:
                movements, after = _ask(lambda: self._page(params))
            except Refused as refusal:
                raise Unknown(refusal.code) from refusal
            yield from movements

    def _page(self, params: BalanceTransactionListParams) -> tuple[list[Movement], str | None]:
        """One page of the balance, and after which line the next one begins, if there is one."""
        lines = self._stripe.v1.balance_transactions.list(params)
        movements = [_movement(line) for line in lines.data if line.type in _MOVEMENTS]
        return movements, lines.data[-1].id if lines.has_more else None


def _ask(call: Callable[[], T]) -> T:
    """Only a clear refusal is a refusal: whatever else the library throws, the outcome is not known.

    A wrong key (401, 403) is not a refusal either: the call whose answer was lost may have moved the money before.
    """
    try:
        return call()
    except (Refused, Unknown):
        raise
    except stripe.CardError as error:
        raise Refused(error.code or "card_error", debug_id=error.request_id or "", by_payer=True) from error
    except stripe.InvalidRequestError as error:
        raise Refused(error.code or "invalid_request_error", debug_id=error.request_id or "") from error
    except stripe.StripeError as error:
        log.warning("Stripe: %s (request %s)", type(error).__name__, error.request_id or "none")
        raise Unknown(type(error).__name__) from error
    except Exception as error:  # an answer in a shape it does not expect makes the library itself fail
        log.warning("Stripe’s answer cannot be read: %s", type(error).__name__)
        raise Unknown(type(error).__name__) from error


def _id(value: str) -> str:
    """An identifier that is safe in a path. What does not look like one exists nowhere at Stripe."""
    if not re.fullmatch(r"[A-Za-z0-9_]{1,255}", value):
        raise Refused("resource_missing")
    return value


def _cents(amount: Decimal) -> int:
    cents = amount * 100
    if cents != int(cents):
        raise ValueError(f"{amount} is not exact to the cent")
    return int(cents)


def _money(cents: int, currency: str) -> Money:
    return Money((Decimal(cents) / 100).quantize(Decimal("0.01")), currency.upper())


def _read(session: stripe.checkout.Session, refunds: list[stripe.Refund]) -> Snapshot:
    captures = _captures(session)
    if captures:
        phase = "done"
    elif session.status == "open":
        phase = "open"
    elif session.status == "expired":
        phase = "dead"
    else:
        raise Unknown(f"a session that is {session.status} without a payment")
    return Snapshot(
        ref=session.id,
        phase=phase,  # type: ignore[arg-type]
        money=_money(session.amount_total, session.currency)
        if session.amount_total is not None and session.currency
        else None,
        our_id=session.client_reference_id,
        captures=captures,
        refunds=tuple(_read_refund(refund) for refund in refunds),
    )


def _charge(session: stripe.checkout.Session) -> stripe.Charge | None:
    """The payment that went through, when it was shown with its session."""
    intent = session.payment_intent
    charge = intent.latest_charge if isinstance(intent, stripe.PaymentIntent) else None
    return charge if isinstance(charge, stripe.Charge) else None


def _captures(session: stripe.checkout.Session) -> tuple[CaptureInfo, ...]:
    intent = session.payment_intent
    if intent is None:
        return ()
    if isinstance(intent, str):
        raise Unknown("the payment was not shown with its session")
    if intent.status == "succeeded":
        charge = _charge(session)
        movement = charge.balance_transaction if charge else None
        fee = movement.fee if isinstance(movement, stripe.BalanceTransaction) else None
        return (
            CaptureInfo(
                intent.id,
                "COMPLETED",
                _money(intent.amount_received, intent.currency),
                fee=None if fee is None else _money(fee, intent.currency).amount,
                at=datetime.fromtimestamp(charge.created, UTC) if charge else None,
            ),
        )
    money = _money(intent.amount, intent.currency)
    if intent.status == "processing":
        return (CaptureInfo(intent.id, "PENDING", money, reason="processing"),)
    if session.status == "complete":
        # The bank said no afterwards.
        reason = intent.last_payment_error.code if intent.last_payment_error else None
        return (CaptureInfo(intent.id, "FAILED", money, reason=reason or ""),)
    return ()


def _read_refund(refund: stripe.Refund) -> RefundInfo:
    return RefundInfo(
        refund.id,
        _REFUNDS[refund.status or ""],  # type: ignore[arg-type]
        _money(refund.amount, refund.currency),
        of=str(refund.payment_intent),
        our_id=(refund.metadata.to_dict() if refund.metadata else {}).get("refund"),
        reason=getattr(refund, "failure_reason", None) or "",
    )


def _notice(event: dict[str, Any]) -> Notice:
    thing = event["data"]["object"]
    session = thing.get("object") == "checkout.session"
    return Notice(
        event_id=event["id"],
        type=event["type"],
        ref=thing["id"] if session else None,
        our_id=(thing.get("metadata") or {}).get("payment"),
        of=None if session else thing.get("payment_intent"),
        dispute=thing["id"] if event["type"] == "charge.dispute.created" else None,
    )


def _movement(line: stripe.BalanceTransaction) -> Movement:
    kind, source = _MOVEMENTS[line.type], line.source
    at = datetime.fromtimestamp(line.created, UTC)
    if source is None or isinstance(source, str):
        raise Unknown("a movement of money was shown without what it is for")
    # In the currency the payer saw, not in that of the shop's balance.
    about: dict[str, Any] = source.to_dict()
    metadata, intent = about.get("metadata") or {}, about.get("payment_intent")
    if kind == "other":
        return Movement(line.id, "other", _money(line.amount, line.currency), at, of=intent)
    if kind == "refund":
        refund = _money(about["amount"], about["currency"])
        return Movement(about["id"], "refund", refund, at, our_id=metadata.get("refund"), of=intent)
    capture = _money(about["amount"], about["currency"])
    return Movement(intent or about["id"], "capture", capture, at, our_id=metadata.get("payment"))
