"""PayPal's own list of what moved: the report of transactions (Transaction Search v1)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from grouped_orders.payments.base import Money, Movement, Refused, Unknown

# PayPal's codes of what moves a sale's money besides payments (T00…) and the shop's own refunds: reversals and holds
# for a dispute, chargebacks and their adjustments. Fees, transfers to the bank and the like are not ours to judge.
_REFUND = "T1107"
_OTHER = re.compile(r"T1106|T1110|T1111|T1116|T12\d\d")
# Successful, and successful though reversed since: the reversal is a line of its own.
_MOVED = ("S", "V")
PAGE_SIZE = 500

Json = dict[str, Any]


def movements(call: Callable[[str, str], Json], since: datetime, until: datetime) -> Iterator[Movement]:
    """Needs the feature « Transaction search » of the PayPal app. A line takes three hours at most to appear.

    `call` is `PayPalApi.call`. Raises Unknown.
    """
    until = until.replace(microsecond=0)  # PayPal counts whole seconds
    page, pages = 1, 1
    while page <= pages:
        asked = {"start_date": _instant(since), "end_date": _instant(until), "page_size": PAGE_SIZE, "page": page}
        try:
            answer = call("GET", f"/v1/reporting/transactions?{urlencode(asked)}")
        except Refused as refusal:
            raise Unknown(refusal.code) from refusal
        try:
            refreshed = answer.get("last_refreshed_datetime")
            reaches = not refreshed or datetime.fromisoformat(refreshed) >= until
            pages = int(answer["total_pages"])
            found = [_read(line["transaction_info"]) for line in answer.get("transaction_details", [])]
        except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
            raise Unknown("PayPal's list cannot be read") from error
        if not reaches:
            raise Unknown("PayPal's list does not reach that far yet")
        yield from (movement for movement in found if movement is not None and movement.at < until)
        page += 1


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(line: Json) -> Movement | None:
    """None for what is neither a sale's money nor certain yet."""
    code, amount = line["transaction_event_code"], Decimal(line["transaction_amount"]["value"])
    if line["transaction_status"] not in _MOVED:
        return None
    if code.startswith("T00") and amount > 0:
        kind = "capture"
    elif code == _REFUND:
        kind, amount = "refund", abs(amount)
    elif _OTHER.fullmatch(code):
        kind = "other"
    else:
        return None
    return Movement(
        id=str(line["transaction_id"]),
        kind=kind,  # type: ignore[arg-type]
        money=Money(amount, str(line["transaction_amount"]["currency_code"])),
        at=datetime.fromisoformat(line["transaction_initiation_date"]),
        our_id=line.get("custom_field") or None,
        of=line.get("paypal_reference_id") or None,
    )
