"""Stripe's own types, and its fixtures where they lie next to the repository, as judges of what is said on the wire.

The official OpenAPI file is not at hand. Stripe generates its Python library from it, so the library's parameters
say which requests there are, and its resources which answers; a list of possible words counts as complete. The
fixtures are examples: what both have must be of one kind.
"""

import builtins
import json
import re
import sys
import typing
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union

import stripe
from stripe import params
from stripe._request_options import RequestOptions
from stripe._stripe_object import UntypedStripeObject
from stripe.params import checkout

from simulators.card_state import unflatten
from tests.contracts.exchanges import SPECS, Exchange

# How the User-Agent of our client begins.
CLIENT = "Stripe/"
_ID = "[a-zA-Z0-9_]+"
_SESSION = stripe.checkout.Session
# (method, path): the request's parameters, the answer's object; None: a list of them.
OPERATIONS: dict[tuple[str, str], tuple[Any, Any, bool]] = {
    ("POST", "/v1/checkout/sessions"): (checkout.SessionCreateParams, _SESSION, False),
    ("GET", "/v1/checkout/sessions"): (checkout.SessionListParams, _SESSION, True),
    ("GET", f"/v1/checkout/sessions/{_ID}"): (checkout.SessionRetrieveParams, _SESSION, False),
    ("POST", f"/v1/checkout/sessions/{_ID}/expire"): (checkout.SessionExpireParams, _SESSION, False),
    ("GET", f"/v1/payment_intents/{_ID}"): (params.PaymentIntentRetrieveParams, stripe.PaymentIntent, False),
    ("POST", "/v1/refunds"): (params.RefundCreateParams, stripe.Refund, False),
    ("GET", "/v1/refunds"): (params.RefundListParams, stripe.Refund, True),
    ("GET", f"/v1/refunds/{_ID}"): (params.RefundRetrieveParams, stripe.Refund, False),
    ("GET", "/v1/events"): (params.EventListParams, stripe.Event, True),
    ("GET", f"/v1/events/{_ID}"): (params.EventRetrieveParams, stripe.Event, False),
    ("GET", "/v1/balance_transactions"): (params.BalanceTransactionListParams, stripe.BalanceTransaction, True),
}
LONGEST_KEY = 255
ERRORS = ("api_error", "card_error", "idempotency_error", "invalid_request_error")


def breaches(exchange: Exchange) -> list[str]:
    """What the exchange says that Stripe's own types do not; one sentence each."""
    what = exchange.line
    found = [
        operation
        for (method, path), operation in OPERATIONS.items()
        if method == exchange.method and re.fullmatch(path, exchange.path)
    ]
    if not found:
        return [f"{what} is none of Stripe’s that we know"]
    ((asked, answered, is_list),) = found
    wrong = []
    if exchange.by_us:
        if not exchange.headers.get("authorization", "").startswith("Bearer sk_"):
            wrong.append(f"{what}: no secret key")
        if "stripe-version" not in exchange.headers:
            wrong.append(f"{what}: no version")
        if len(exchange.headers.get("idempotency-key", "")) > LONGEST_KEY:
            wrong.append(f"{what}: Idempotency-Key is too long")
        form = unflatten([*exchange.query.items(), *(exchange.request or {}).items()])
        wrong += [f"{what} asks: {breach}" for breach in _fields(form, asked, "$")]
    if exchange.status >= 400:
        return wrong + _error(exchange.response, what)
    if is_list:
        expected = {"object", "url", "has_more", "data"}
        wrong += [f"{what}: no list"] * (expected != set(exchange.response))
        answers = exchange.response.get("data", [])
    else:
        answers = [exchange.response]
    return wrong + [f"{what} 200: {breach}" for answer in answers for breach in _object(answer, answered, "$")]


def event_breaches(event: Any) -> list[str]:
    """What is wrong with a webhook, the object it is about included."""
    kinds = {kind.OBJECT_NAME: kind for _asked, kind, _is_list in OPERATIONS.values()}
    kinds |= {kind.OBJECT_NAME: kind for kind in (stripe.Charge, stripe.Dispute)}
    about = event["data"]["object"]
    wrong = _object(event, stripe.Event, "$") + _object(about, kinds[about["object"]], "$.data.object")
    return [f"webhook {event.get('type')}: {breach}" for breach in wrong]


def _error(answer: Any, what: str) -> list[str]:
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or error.get("type") not in ERRORS:
        return [f"{what}: no error of Stripe’s: {answer}"]
    return [f"{what}: error.{name} is unknown" for name in set(error) - {*_hints(stripe.ErrorObject), "type"}]


# An answer, by the library's resources -----------------------------------------------------------


def _object(value: Any, kind: type, at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at} is no {kind.__name__}"]
    name = getattr(kind, "OBJECT_NAME", None)
    if name is not None and value.get("object") != name:
        return [f"{at}.object is {value.get('object')!r}, not {name!r}"]
    hints = _hints(kind)
    wrong = []
    for key, item in value.items():
        if key not in hints:
            wrong.append(f"{at}.{key} is unknown to {kind.__qualname__}")
            continue
        wrong += _value(item, hints[key], f"{at}.{key}")
        example = fixtures().get(name, {}).get(key)
        scalar = isinstance(example, str | int | list)
        if scalar and item is not None and isinstance(item, dict) == isinstance(example, dict):
            wrong += [f"{at}.{key} is {item!r}, unlike Stripe’s {example!r}"] * (type(item) is not type(example))
    return wrong


def _value(value: Any, hint: Any, at: str) -> list[str]:
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return []
    if origin in (Union, UnionType):
        words = [word for choice in choices if typing.get_origin(choice) is Literal for word in typing.get_args(choice)]
        if words and isinstance(value, str):
            return [] if value in words else [f"{at} is {value!r}, none of Stripe’s words"]
        tries = [_value(value, choice, at) for choice in choices]
        return [] if [] in tries else max(tries, key=len)
    if origin is Literal:
        return [] if value in choices else [f"{at} is {value!r}, not one of {choices}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{at} is {value!r}, not a list"]
        return [breach for n, item in enumerate(value) for breach in _value(item, choices[0], f"{at}[{n}]")]
    if origin is stripe.ListObject:
        items = value.get("data", []) if isinstance(value, dict) and value.get("object") == "list" else [value]
        return [breach for n, item in enumerate(items) for breach in _value(item, choices[0], f"{at}.data[{n}]")]
    if UntypedStripeObject in (origin, hint) or origin in (dict, Mapping):
        return [] if isinstance(value, dict) else [f"{at} is {value!r}, not an object"]
    if isinstance(hint, type) and issubclass(hint, stripe.StripeObject):
        return _object(value, hint, at)
    # bool is an int for Python and not for JSON
    fits = type(value) is hint if hint in (bool, int, str, NoneType) else isinstance(value, hint)
    return [] if fits else [f"{at} is {value!r}, not {hint.__name__}"]


# A request, by the library's parameters: a form, so every leaf is a string -----------------------


def _fields(form: Any, kind: Any, at: str) -> list[str]:
    if not isinstance(form, dict):
        return [f"{at} is {form!r}, not {kind.__name__}"]
    hints = {name: hint for name, hint in _hints(kind).items() if name not in RequestOptions.__annotations__}
    required = kind.__required_keys__ - set(RequestOptions.__annotations__)
    wrong = [f"{at}.{name} is missing" for name in sorted(required - set(form))]
    for name, value in form.items():
        known = name in hints
        wrong += _field(value, hints[name], f"{at}.{name}") if known else [f"{at}.{name} is unknown to Stripe"]
    return wrong


def _field(value: Any, hint: Any, at: str) -> list[str]:
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.NotRequired, typing.Required):
        return _field(value, choices[0], at)
    if origin in (Union, UnionType):
        words = [word for choice in choices if typing.get_origin(choice) is Literal for word in typing.get_args(choice)]
        if [word for word in words if word] and isinstance(value, str):
            return [] if value in words else [f"{at} is {value!r}, none of Stripe’s words"]
        tries = [_field(value, choice, at) for choice in choices]
        return [] if [] in tries else max(tries, key=len)
    if origin is Literal:
        return [] if value in choices else [f"{at} is {value!r}, not one of {choices}"]
    if origin is list:
        if not isinstance(value, dict):
            return [f"{at} is {value!r}, not a list"]
        return [breach for n, item in value.items() for breach in _field(item, choices[0], f"{at}[{n}]")]
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{at} is {value!r}, not an object"]
    if hasattr(hint, "__required_keys__"):
        return _fields(value, hint, at)
    if not isinstance(value, str):
        return [f"{at} is {value!r}, not {hint}"]
    fits = {int: value.lstrip("-").isdecimal(), bool: value in ("true", "false")}.get(hint, True)
    return [] if fits else [f"{at} is {value!r}, not {hint.__name__}"]


# Stripe's own words ------------------------------------------------------------------------------


class _Names(dict[str, Any]):
    """The names that a module of the library may write in an annotation, those that only a type checker sees too."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._sources = (sys.modules[module], stripe, params, checkout, typing, builtins)

    def __missing__(self, name: str) -> Any:
        return next((getattr(source, name) for source in self._sources if hasattr(source, name)), Any)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return {
        name: hint
        for name, hint in typing.get_type_hints(kind, {}, _Names(kind.__module__), include_extras=True).items()
        if not name.startswith("_")
    }


@cache
def fixtures() -> dict[str, Any]:
    file = SPECS / "stripe_fixtures3.json"
    found: dict[str, Any] = json.loads(file.read_text())["resources"] if file.exists() else {}
    return {resource["object"]: resource for resource in found.values() if "object" in resource}
