"""What LIBRISOFT says of one order (librisoft-v1.yaml, OrderState), as values our columns can hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

LONGEST_NUMBER = 10
LONGEST_CODE = 40
LONGEST_LABEL = 80
BIGGEST_SEQUENCE = 2**63 - 1
BIGGEST_QUANTITY = 2**31 - 1


@dataclass(frozen=True)
class OrderState:
    """Any code may come. `received` counts the copies of each line; `updated_at` is None when nobody can read it."""

    librisoft_number: str
    web_order_number: str
    code: str
    label: str
    sequence: int
    updated_at: datetime | None
    received: Mapping[int, int] = field(default_factory=dict)
    expected_date: date | None = None


def read(body: Any) -> OrderState:
    """Raises ValueError where the essential is missing: the two numbers, and a sequence from 1.

    The rest is forgiven: an order is not lost because its date is odd.
    """
    try:
        status = body["status"]
        state = OrderState(
            librisoft_number=_text(body["librisoft_order_id"]),
            web_order_number=_text(body["web_order_number"]),
            code=_text(status.get("code"))[:LONGEST_CODE],
            label=_text(status.get("label"))[:LONGEST_LABEL],
            sequence=int(status["sequence"]),
            updated_at=_instant(status.get("updated_at")),
            received=_received(body.get("lines")),
            expected_date=_day(body.get("expected_date")),
        )
    except (AttributeError, KeyError, OverflowError, TypeError) as error:
        raise ValueError(f"not an order's state: {error!r}") from error
    if not 1 <= len(state.librisoft_number) <= LONGEST_NUMBER or not 1 <= state.sequence <= BIGGEST_SEQUENCE:
        raise ValueError("not an order's state: its number or its sequence is out of bounds")
    return state


def storable(text: str) -> str:
    """As PostgreSQL can hold it: without the two things that JSON may carry and it refuses, NUL and half a pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _text(value: Any) -> str:
    return "" if value is None else storable(str(value))


def _instant(value: Any) -> datetime | None:
    """A time without a zone is UTC, as all of the contract's are. One at the end of time cannot be read back."""
    try:
        at = parse_datetime(str(value))
    except ValueError:
        return None
    if at is not None and not 1900 <= at.year <= 9000:
        return None
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


def _received(lines: Any) -> dict[int, int]:
    """Nothing rather than a part of it, when one line cannot be read."""
    try:
        return {int(line["line_number"]): min(max(0, int(line["received"])), BIGGEST_QUANTITY) for line in lines or ()}
    except (KeyError, OverflowError, TypeError, ValueError):
        return {}
