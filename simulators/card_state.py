"""What Stripe's books hold: every object by its id, and what every part of the simulator does with them."""

import copy
import hashlib
import hmac
import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import Response, has_request_context, jsonify, request

from simulators.card_errors import Problem, missing
from simulators.ledger import AWAY, Kind, Ledger
from simulators.stage import Stage
from simulators.webhooks import Webhooks

HOUR = 3600
DAY = 24 * HOUR
# Stripe may forget an idempotency key after a day.
KEYS_KEPT = DAY

Json = dict[str, Any]


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def signed(body: bytes, *, secret: str, now: float) -> dict[str, str]:
    """The header that proves a webhook: HMAC-SHA256 over `time.body`."""
    mac = hmac.new(secret.encode(), f"{int(now)}.".encode() + body, hashlib.sha256)
    return {"Stripe-Signature": f"t={int(now)},v1={mac.hexdigest()}"}


def spoiled(headers: dict[str, str]) -> dict[str, str]:
    time, _, _ = headers["Stripe-Signature"].partition(",")
    return {"Stripe-Signature": f"{time},v1={secrets.token_hex(32)}"}


def unflatten(form: list[tuple[str, str]]) -> Json:
    """`line_items[0][quantity]=1` as nested objects, the way Stripe reads a form. Lists are objects keyed "0", "1"…"""
    tree: Json = {}
    for name, value in form:
        first, *rest = name.replace("]", "").split("[")
        node, keys = tree, [first, *rest]
        for key in keys[:-1]:
            node = node.setdefault(key, {})
        key = keys[-1] or str(len(node))  # `expand[]` counts for itself
        node[key] = value
    return tree


def expansions() -> list[str]:
    """What the request wants expanded: `expand[]=…` or `expand[0]=…`."""
    return [value for name, value in request.args.items(multi=True) if name.startswith("expand[")]


class Book:
    def __init__(self, stage: Stage, webhooks: Webhooks, ledger: Ledger):
        self.stage = stage
        self._webhooks = webhooks
        self._ledger = ledger
        for name in ("objects", "answers"):
            stage.state.setdefault(name, {})

    def keep(self, thing: Json) -> Json:
        self.stage.state["objects"][thing["id"]] = thing
        return thing

    def find(self, kind: str, id: str, param: str = "id") -> Json:
        thing: Json | None = self.stage.state["objects"].get(id)
        if thing is None or thing["object"] != kind:
            raise missing(kind.rsplit(".", 1)[-1] if kind == "checkout.session" else kind, id, param)
        return thing

    def all(self, kind: str) -> list[Json]:
        """Newest first, as Stripe lists."""
        return [t for t in reversed(self.stage.state["objects"].values()) if t["object"] == kind]

    def once(self, do: Callable[[Json], Json]) -> Response:
        """Do a POST under the lock; the same Idempotency-Key gets the same answer, and only for the same request."""
        form = sorted(request.form.items(multi=True))
        key = request.headers.get("Idempotency-Key", "")
        fingerprint = hashlib.sha256(repr((request.path, form)).encode()).hexdigest()
        with self.stage.lock:
            answers = self.stage.state["answers"]
            kept = answers.get(key) if key else None
            if kept is not None and self.stage.now() - kept["at"] < KEYS_KEPT:
                if kept["fingerprint"] != fingerprint:
                    raise Problem(
                        "Keys for idempotent requests can only be used with the same parameters they were first used"
                        f" with. Try using a key other than '{key}' if you meant to execute a different request.",
                        type="idempotency_error",
                    )
                body, replayed = kept["body"], True
            else:
                body, replayed = self.shown(do(unflatten(form))), False
                if key:
                    answers[key] = {"at": self.stage.now(), "fingerprint": fingerprint, "body": body}
                self.stage.save()
        response = jsonify(body)
        if replayed:
            response.headers["Idempotent-Replayed"] = "true"
        return response

    def shown(self, thing: Json, expand: list[str] | None = None) -> Json:
        """A copy without what the API hides, and with the objects that `expand[]` asks for in place of their ids.

        A charge's refunds are there only when asked for, ten of them at most.
        """
        shown = copy.deepcopy({name: value for name, value in thing.items() if not name.startswith("_")})
        for path in expand or []:
            node = shown
            for name in path.split("."):
                if name == "refunds" and node["object"] == "charge":
                    refunds = [self.shown(r) for r in self.all("refund") if r["charge"] == node["id"]]
                    node[name] = {"object": "list", "data": refunds[:10], "has_more": len(refunds) > 10}
                    node[name]["url"] = f"/v1/charges/{node['id']}/refunds"
                if name not in node:
                    raise Problem(
                        f"This property cannot be expanded ({path}).", code="parameter_unknown", param="expand"
                    )
                if isinstance(node[name], str):
                    found = self.stage.state["objects"].get(node[name])
                    if found is None:
                        raise Problem(f"This property cannot be expanded ({path}).", param="expand")
                    node[name] = self.shown(found)
                if node[name] is None:
                    break
                node = node[name]
        return shown

    def listed(self, things: list[Json], url: str) -> Response:
        """One page of things, newest first: `limit`, `starting_after`, `created[gte]`, `[lt]` and `expand[]=data.…`."""
        limit = request.args.get("limit", 10, int)
        if not 1 <= limit <= 100:
            raise Problem("Invalid integer: must be between 1 and 100", param="limit")
        since, until = request.args.get("created[gte]", 0, int), request.args.get("created[lt]", 2**62, int)
        things = [thing for thing in things if since <= thing["created"] < until]
        if after := request.args.get("starting_after"):
            ids = [thing["id"] for thing in things]
            if after not in ids:
                raise Problem(f"No such object: '{after}'", code="resource_missing", param="starting_after")
            things = things[ids.index(after) + 1 :]
        expand = [path.removeprefix("data.") for path in expansions()]
        return jsonify(
            object="list",
            url=url,
            has_more=len(things) > limit,
            data=[self.shown(thing, expand) for thing in things[:limit]],
        )

    def move_money(self, kind: Kind, source: Json, reference: str) -> str:
        """Note money that moved for a charge, a refund or a dispute; the id of its balance transaction."""
        capture = kind == "capture"
        gross = -source["amount"] if kind in AWAY else source["amount"]
        fee = int((Decimal(gross) * Decimal("0.015")).to_integral_value()) + 25 if capture else 0
        movement = self.keep(
            {
                "id": new_id("txn"),
                "object": "balance_transaction",
                "amount": gross,
                "currency": source["currency"],
                "created": int(self.stage.now()),
                "fee": fee,
                "net": gross - fee,
                "source": source["id"],
                "status": "available",
                "type": {
                    "capture": "charge",
                    "refund": "refund",
                    "returned": "refund_failure",
                    "dispute": "adjustment",
                }[kind],
            }
        )
        self._ledger.note(
            kind,
            source["payment_intent"] if capture else source["id"],
            amount=Decimal(source["amount"]) / 100,
            currency=source["currency"],
            reference=reference,
        )
        return str(movement["id"])

    def announce(self, type: str, thing: Json) -> None:
        headers = request.headers if has_request_context() else {}
        event = self.keep(
            {
                "id": new_id("evt"),
                "object": "event",
                "api_version": headers.get("Stripe-Version"),
                "created": int(self.stage.now()),
                "data": {"object": self.shown(thing)},
                "livemode": False,
                "pending_webhooks": 1,
                "request": {"id": None, "idempotency_key": headers.get("Idempotency-Key")},
                "type": type,
            }
        )
        self._webhooks.emit(copy.deepcopy(event))
