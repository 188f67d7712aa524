"""Books as records bring them, for the tests of the import and of the search."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from catalog.importing import Summary, take_in
from catalog.onix import Record, Reject

SENT = datetime(2026, 9, 1, tzinfo=UTC)


def record(ean13: str, title: str, sent: datetime | None = SENT, **facts: Any) -> Record:
    return Record(ean13, "r", sent, title=title, **{"price": Decimal("6.40"), **facts})


def take(*records: Record | Reject) -> Summary:
    summary = Summary()
    for _ in take_in(records, summary):
        pass
    return summary
