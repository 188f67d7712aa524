"""A LIBRISOFT that takes orders itself instead of being called: what its pull and its folder have in common.

It makes one order of its own of each web order, however often that one comes, and keeps all of them over a restart.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulators.librisoft_rules import breaches

FIRST_NUMBER = 6765
LABELS = {
    "PREPARATION": "Préparation commande",
    "SUPPLIER_ORDERED": "Commande fournisseur",
    "PARTIALLY_RECEIVED": "Partiellement réceptionnée",
    "RECEIVED": "Réceptionnée",
    "RELEASED": "Mise à disposition",
    "CANCELLED": "Annulée",
    "UNAVAILABLE": "Manquant, épuisé, réimpression",
}
Json = dict[str, Any]


class Desk:
    """Orders by LIBRISOFT's number: {"body", "state", "came"}; `came` counts how often each was handed over."""

    def __init__(self, state_file: Path | None = None) -> None:
        self._state_file = state_file
        self.orders: dict[str, Json] = {}
        if state_file is not None and state_file.exists():
            self.orders = json.loads(state_file.read_text())

    def take(self, body: Json) -> str:
        """Return LIBRISOFT's number. Raises ValueError with the fields that break the contract."""
        if wrong := breaches(body):
            raise ValueError(", ".join(wrong))
        for number, known in self.orders.items():
            if known["body"]["web_order_number"] == body["web_order_number"]:
                if known["body"] != body:
                    raise ValueError("the same order with another content")
                known["came"] += 1
                self._save()
                return number
        number = str(FIRST_NUMBER + len(self.orders))
        lines = [{"line_number": line["line_number"], "ordered": line["quantity"]} for line in body["lines"]]
        self.orders[number] = {
            "body": body,
            "came": 1,
            "state": {
                "librisoft_order_id": number,
                "web_order_number": body["web_order_number"],
                "status": {"code": "", "label": "", "sequence": 0, "updated_at": ""},
                "lines": [{**line, "received": 0} for line in lines],
                "expected_date": None,
            },
        }
        self.move(number, "PREPARATION")
        return number

    def move(self, number: str, code: str, *, label: str = "", sequence: int = 0, received: int | None = None) -> Json:
        """Give an order a status, and return its state."""
        state = self.orders[number]["state"]
        state["status"] = {
            "code": code,
            "label": label or LABELS.get(code, code),
            "sequence": sequence or state["status"]["sequence"] + 1,
            "updated_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        for line in state["lines"]:
            if code in ("RECEIVED", "RELEASED"):
                line["received"] = line["ordered"]
            elif received is not None:
                line["received"] = min(received, line["ordered"])
        self._save()
        told: Json = json.loads(json.dumps(state))
        return told

    def _save(self) -> None:
        if self._state_file is not None:
            temporary = self._state_file.with_suffix(".part")
            temporary.write_text(json.dumps(self.orders))
            os.replace(temporary, self._state_file)
