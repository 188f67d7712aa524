"""What checkout asks of a payment provider, and what it gets back. Another gateway is one more file.

A client knows no models. It raises two things only: `Refused`, a definite no, and `Unknown`, when nobody
can say whether the money moved.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol
from urllib.parse import urlsplit


class Money(NamedTuple):
    """Exact to the cent; the currency is an ISO 4217 code."""

    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Attempt:
    """One attempt to pay, as a provider needs to know it. No buyer's name goes with it."""

    our_id: str
    money: Money
    description: str
    email: str
    return_url: str
    cancel_url: str
    expires_at: datetime


@dataclass(frozen=True)
class Redirect:
    """Where to send the payer, and the provider's own reference for the attempt."""

    ref: str
    url: str


@dataclass(frozen=True)
class CaptureInfo:
    id: str
    status: Literal["COMPLETED", "PENDING", "DECLINED", "FAILED"]
    money: Money
    fee: Decimal | None = None
    reason: str = ""
    # When the payer's click took the money; None where it is ours that does.
    at: datetime | None = None


@dataclass(frozen=True)
class RefundInfo:
    """Money given back for the capture `of`; `our_id` is our own reference, absent when it was not asked by us."""

    id: str
    status: Literal["COMPLETED", "PENDING", "FAILED"]
    money: Money
    of: str
    our_id: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What the provider says of an attempt, from an authenticated answer.

    open: the payer has not finished · approved: he has, and we may capture · done: captures tell ·
    dead: expired, cancelled or unknown to the provider.
    """

    ref: str
    phase: Literal["open", "approved", "done", "dead"]
    money: Money | None
    our_id: str | None
    payee: str | None = None
    captures: tuple[CaptureInfo, ...] = ()
    # Ours, and those made at the provider's own dashboard.
    refunds: tuple[RefundInfo, ...] = ()
    debug_id: str = ""


@dataclass(frozen=True)
class Movement:
    """Money that moved, from the provider's own list: what it calls a capture and a refund has the same id elsewhere.

    other: money that came or went by neither (a dispute, a reversal, a refund that failed after all), its amount
    below zero when it went; the amounts of captures and refunds are above zero. `our_id` is our own reference, when
    the provider shows one; `of` is the capture that a refund or another movement is about.
    """

    id: str
    kind: Literal["capture", "refund", "other"]
    money: Money
    at: datetime
    our_id: str | None = None
    of: str | None = None


@dataclass(frozen=True)
class Notice:
    """A webhook whose origin is proved. Its content is only a trigger: the truth is fetched again.

    `ref` and `our_id` name the attempt; `of` names the capture, when the message is about what became of one;
    `dispute` is the provider's id of a dispute that was opened about it.
    """

    event_id: str
    type: str
    ref: str | None = None
    our_id: str | None = None
    of: str | None = None
    dispute: str | None = None


class Refused(Exception):
    """A definite no: nothing moved. `by_payer` when the payer can mend it (another card)."""

    def __init__(self, code: str, *, debug_id: str = "", by_payer: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.debug_id = debug_id
        self.by_payer = by_payer


class Unknown(Exception):
    """Time-out, reset, 5xx, 429, an answer nobody can read: the outcome is not known. Never call it a failure."""


class BadSignature(Exception):
    """A webhook that does not come from the provider."""


def same_origin(url: str, origin: str) -> bool:
    """Whether a page stands where the provider's pages do: a payer is sent nowhere else."""
    try:
        ours, theirs = urlsplit(origin), urlsplit(url)
        return (theirs.scheme, theirs.hostname, theirs.port, theirs.username) == (
            ours.scheme,
            ours.hostname,
            ours.port,
            None,
        )
    except ValueError:
        return False


class PaymentProvider(Protocol):
    # True when money moves only at our own capture (PayPal), False when at the payer's click (Stripe Checkout).
    needs_capture: bool

    def create(self, attempt: Attempt, *, key: str) -> Redirect: ...

    def fetch(self, ref: str) -> Snapshot: ...

    def capture(self, ref: str, *, key: str) -> Snapshot: ...

    def expire(self, ref: str) -> Snapshot:
        """Make the attempt impossible to pay. Idempotent; where the provider has no such thing, a fetch."""
        ...

    def refund(self, capture_id: str, money: Money, *, our_id: str, key: str) -> RefundInfo: ...

    def fetch_refund(self, refund_id: str) -> RefundInfo: ...

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Notice:
        """Raises BadSignature, or Unknown when the proof itself cannot be had now."""
        ...

    def list_movements(self, since: datetime, until: datetime) -> Iterator[Movement]:
        """All money that moved from `since` until before `until`, 31 days at most.

        Raises Unknown, also when the list does not reach `until` yet.
        """
        ...
