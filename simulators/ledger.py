"""The money that really moved: what every test compares its balance with.

GET /_sim/ledger -> {"entries": [{kind, id, amount, currency, reference, at}], "total": "74.50"}

Amounts are decimal strings above zero; `reference` is the shop's own; `at` is in UTC; `total` is what the shop
is left with in euros, before fees. A refund that could not be delivered comes back under its own id, as
`returned`; what a dispute takes away is a `dispute`; the other kinds are `capture` and `refund`.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from flask import Response, jsonify

from simulators.stage import Stage

Entry = dict[str, str]
Kind = Literal["capture", "refund", "returned", "dispute"]
# These leave the shop with less.
AWAY = ("refund", "dispute")


class Ledger:
    def __init__(self, stage: Stage):
        self._stage = stage
        stage.state.setdefault("ledger", [])
        stage.app.add_url_rule("/_sim/ledger", view_func=self._show, endpoint="ledger")

    def note(self, kind: Kind, id: str, *, amount: Decimal, currency: str, reference: str) -> None:
        """Under the stage's lock; the caller saves."""
        self._stage.state["ledger"].append(
            {
                "kind": kind,
                "id": id,
                "amount": f"{amount:.2f}",
                "currency": currency.upper(),
                "reference": reference,
                "at": datetime.fromtimestamp(self._stage.now(), UTC).isoformat(timespec="seconds"),
            }
        )

    def entries(self) -> list[Entry]:
        """Oldest first."""
        with self._stage.lock:
            return list(self._stage.state["ledger"])

    def total(self) -> Decimal:
        """What the shop is left with, in euros."""
        return sum(
            (
                Decimal(entry["amount"]) * (-1 if entry["kind"] in AWAY else 1)
                for entry in self.entries()
                if entry["currency"] == "EUR"
            ),
            Decimal("0.00"),
        )

    def _show(self) -> Response:
        return jsonify(entries=self.entries(), total=f"{self.total():.2f}")
