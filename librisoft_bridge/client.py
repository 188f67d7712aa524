"""HTTP with LIBRISOFT, as librisoft-v1.yaml has it. Knows no models.

It raises two things only: `Refused`, a definite no, and `Unknown`, when the order may be there or not. The text of
both is for the bookseller.
"""

import json
import logging
import uuid
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
from django.conf import settings
from django.utils.translation import gettext as _

from librisoft_bridge import order_state
from librisoft_bridge.order_state import OrderState

log = logging.getLogger(__name__)

# Seconds to connect, and between two bytes of the answer (librisoft.md, rule 5).
TIMEOUT: tuple[float, float] = (3, 10)
# Seconds for a whole call, however its bytes trickle in.
LONGEST_CALL = 15.0
# No answer of the contract comes near it; a longer one is not LIBRISOFT.
LONGEST_ANSWER = 2_000_000

Json = dict[str, Any]


class Refused(Exception):
    """A definite no: the same request will never help. `message` is LIBRISOFT's own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unknown(Exception):
    """Nobody can say whether it was done. `retry_after` is LIBRISOFT's own wish, in seconds, or 0."""

    def __init__(self, what: str, *, retry_after: int = 0) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class Changes(NamedTuple):
    """A page of status changes, oldest first; where to go on; whether there is more."""

    states: list[OrderState]
    next_cursor: str
    has_more: bool


class _Answer(NamedTuple):
    status: int
    retry_after: str
    body: bytes


def create_order(order: Json, *, key: uuid.UUID) -> OrderState:
    """Hand one order over and return its state. Safe to repeat under the same key.

    An order that LIBRISOFT knows already under another key (409) is a success: it has the order.
    """
    body = _call("POST", "/v1/orders", json=order, headers={"Idempotency-Key": str(key)})
    return _about(order["web_order_number"], body)


def find_order(web_order_number: str) -> OrderState | None:
    """Look an order up by our own number."""
    found = _call("GET", "/v1/orders", params={"web_order_number": web_order_number}).get("orders")
    if not isinstance(found, list):
        raise Unknown(_unreadable())
    return _about(web_order_number, found[0]) if found else None


def get_order(librisoft_number: str) -> OrderState:
    """One order's present state."""
    return _state(_call("GET", f"/v1/orders/{quote(librisoft_number, safe='')}"))


def list_changes(after: str, limit: int = 100) -> Changes:
    """What changed since a cursor. One change that nobody can read is left out: it must not hold up all others."""
    page = _call("GET", "/v1/orders/changes", params={"after": after, "limit": str(limit)})
    changes, cursor, more = page.get("changes"), page.get("next_cursor"), page.get("has_more")
    if not isinstance(changes, list) or not isinstance(cursor, str) or not isinstance(more, bool):
        raise Unknown(_unreadable())
    states = []
    for change in changes:
        try:
            states.append(order_state.read(change))
        except ValueError as error:
            log.warning("A change after %r is left out: %s", after, error)
    return Changes(states, cursor, more)


def _about(web_order_number: str, body: Any) -> OrderState:
    """The state of the order we asked about; another's, however it came, would be taken for ours."""
    state = _state(body)
    if state.web_order_number != web_order_number:
        raise Unknown(_("La réponse de LIBRISOFT concerne une autre commande."))
    return state


def _state(body: Any) -> OrderState:
    try:
        return order_state.read(body)
    except ValueError as error:
        raise Unknown(_unreadable()) from error


def _call(method: str, path: str, **request: Any) -> Json:
    if not settings.LIBRISOFT_URL:
        raise Unknown(_("LIBRISOFT n’est pas configuré."))
    url = f"{settings.LIBRISOFT_URL}{path}"
    try:
        answer = _within(LONGEST_CALL, lambda: _fetch(method, url, **request))
    except (requests.Timeout, TimeoutError) as error:
        raise Unknown(_("LIBRISOFT n’a pas répondu à temps.")) from error
    except requests.RequestException as error:
        raise Unknown(_("LIBRISOFT ne répond pas.")) from error
    return _read(answer)


def _fetch(method: str, url: str, **request: Any) -> _Answer:
    with requests.request(
        method, url, auth=_sign, timeout=TIMEOUT, allow_redirects=False, stream=True, **request
    ) as answer:
        body = b""
        for chunk in answer.iter_content(65536):
            body += chunk
            if len(body) > LONGEST_ANSWER:
                break
        return _Answer(answer.status_code, answer.headers.get("Retry-After", ""), body)


def _sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # As `auth`, not as a header: a header would give way to a .netrc that names the same machine.
    request.headers.update({"Authorization": f"Bearer {settings.LIBRISOFT_TOKEN}"})
    return request


def _within(seconds: float, fetch: Callable[[], _Answer]) -> _Answer:
    """Wait so long at most. requests bounds the wait for each byte, not for all of them, and a lease has an end.

    Raises TimeoutError; the late answer then ends in its own thread, unread.
    """
    results: SimpleQueue[_Answer | Exception] = SimpleQueue()

    def run() -> None:
        try:
            results.put(fetch())
        except Exception as error:  # raised again where it is waited for
            results.put(error)

    Thread(target=run, name="librisoft", daemon=True).start()
    try:
        result = results.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if isinstance(result, Exception):
        raise result
    return result


def _read(answer: _Answer) -> Json:
    status = answer.status
    if status == 429 or status >= 500:
        wish = answer.retry_after
        seconds = int(wish) if wish.isascii() and wish.isdigit() else 0
        raise Unknown(_("LIBRISOFT n’est pas disponible (HTTP %(status)d).") % {"status": status}, retry_after=seconds)
    body = _json(answer.body)
    if 400 <= status < 500 and status != 409:
        said = body if isinstance(body, dict) else {}
        message = order_state.storable(str(said.get("message") or "")).strip() or f"HTTP {status}"
        raise Refused(str(said.get("code") or status), message)
    if not isinstance(body, dict) or status not in (200, 201, 409):
        log.warning("HTTP %d from LIBRISOFT that nobody can read: %r", status, answer.body[:200])
        raise Unknown(_unreadable())
    return body


def _json(body: bytes) -> Any:
    if len(body) > LONGEST_ANSWER:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _unreadable() -> str:
    return _("La réponse de LIBRISOFT est illisible.")
