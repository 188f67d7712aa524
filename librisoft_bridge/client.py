"""HTTP with LIBRISOFT, as librisoft-v1.yaml has it. Knows no models.

It raises two things only: `Refused`, a definite no, and `Unknown`, when the order may be there or not.
"""

import uuid
from typing import Any
from urllib.parse import quote

import requests
from django.conf import settings

# Seconds to connect, and between two bytes of the answer (librisoft.md, rule 5).
TIMEOUT = (3, 10)
# No answer of the contract comes near it; a longer one is not LIBRISOFT.
LONGEST_ANSWER = 2_000_000

Json = dict[str, Any]


class Refused(Exception):
    """A definite no: the same request will never help. `message` is LIBRISOFT's own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Unknown(Exception):
    """Nobody can say whether it was done. `retry_after` is LIBRISOFT's own wish, in seconds, or 0."""

    def __init__(self, what: str, *, retry_after: int = 0) -> None:
        super().__init__(what)
        self.retry_after = retry_after


def create_order(order: Json, *, key: uuid.UUID) -> Json:
    """Hand one order over and return its state. Safe to repeat under the same key.

    An order that LIBRISOFT knows already under another key (409) is a success: it has the order.
    """
    return _state(_call("POST", "/v1/orders", json=order, headers={"Idempotency-Key": str(key)}))


def find_order(web_order_number: str) -> Json | None:
    """Look an order up by our own number."""
    found = _call("GET", "/v1/orders", params={"web_order_number": web_order_number}).get("orders")
    if not isinstance(found, list):
        raise Unknown("a list of orders was expected")
    return _state(found[0]) if found else None


def get_order(librisoft_number: str) -> Json:
    """One order's present state."""
    return _state(_call("GET", f"/v1/orders/{quote(librisoft_number, safe='')}"))


def list_changes(after: str, limit: int = 100) -> tuple[list[Json], str, bool]:
    """A page of status changes since a cursor, oldest first; the next cursor; whether there is more."""
    page = _call("GET", "/v1/orders/changes", params={"after": after, "limit": str(limit)})
    try:
        return [_state(change) for change in page["changes"]], str(page["next_cursor"]), bool(page["has_more"])
    except (KeyError, TypeError) as error:
        raise Unknown("a page of changes was expected") from error


def _call(method: str, path: str, **request: Any) -> Json:
    if not settings.LIBRISOFT_URL:
        raise Unknown("not configured")
    headers = {"Authorization": f"Bearer {settings.LIBRISOFT_TOKEN}", **request.pop("headers", {})}
    try:
        answer = requests.request(
            method,
            f"{settings.LIBRISOFT_URL}{path}",
            headers=headers,
            timeout=TIMEOUT,
            allow_redirects=False,
            **request,
        )
    except requests.RequestException as error:
        raise Unknown(type(error).__name__) from error
    return _read(answer)


def _read(answer: requests.Response) -> Json:
    status = answer.status_code
    if status == 429 or status >= 500:
        wish = answer.headers.get("Retry-After", "")
        raise Unknown(f"HTTP {status}", retry_after=int(wish) if wish.isdigit() else 0)
    try:
        body = answer.json() if len(answer.content) <= LONGEST_ANSWER else None
    except ValueError:
        body = None
    if 400 <= status < 500 and status != 409:
        said = body if isinstance(body, dict) else {}
        raise Refused(str(said.get("code", status)), str(said.get("message", f"HTTP {status}")))
    if not isinstance(body, dict) or status not in (200, 201, 409):
        raise Unknown(f"HTTP {status} that nobody can read")
    return body


def _state(body: Json) -> Json:
    """An OrderState of the contract, or Unknown: an answer that lacks the essential is no answer."""
    try:
        status = body["status"]
        if str(body["librisoft_order_id"]) and str(body["web_order_number"]) and int(status["sequence"]) >= 1:
            return body
    except (KeyError, TypeError, ValueError) as error:
        raise Unknown("an order's state was expected") from error
    raise Unknown("an order's state was expected")
