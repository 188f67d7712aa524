"""What LIBRISOFT refuses in an order: the contract's rules, said once more by the other side."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

Json = dict[str, Any]
Rule = Callable[[Any], bool]


def breaches(order: Any) -> list[str]:
    """The fields of an order that break the contract, by their path; empty when it may be taken."""
    return list(_walk("", ORDER, order))


class Some:
    """A list of at least `least` things of one kind."""

    def __init__(self, of: Any, least: int) -> None:
        self.of = of
        self.least = least


def _walk(path: str, rule: Any, value: Any) -> list[str]:
    if isinstance(rule, dict):
        return _walk_fields(path, rule, value)
    if isinstance(rule, Some):
        if not isinstance(value, list) or len(value) < rule.least:
            return [path]
        return [wrong for nth, item in enumerate(value) for wrong in _walk(f"{path}[{nth}]", rule.of, item)]
    return [] if rule(value) else [path]


def _walk_fields(path: str, fields: Json, value: Any) -> list[str]:
    """A field whose name ends in "?" may be missing; one that is not named here may not come."""
    if not isinstance(value, dict):
        return [path or "body"]
    known = {name.rstrip("?"): rule for name, rule in fields.items()}
    missing = [name for name in fields if not name.endswith("?") and name not in value]
    unknown = [name for name in value if name not in known]
    at = f"{path}." if path else ""
    wrong = [wrong for name in value if name in known for wrong in _walk(at + name, known[name], value[name])]
    return [at + name for name in missing + unknown] + wrong


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _matches(pattern: str) -> Rule:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII | re.DOTALL) is not None


def _one_of(*words: str) -> Rule:
    return lambda value: value in words


def _counts_from_1(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _uuid(value: Any) -> bool:
    try:
        return str(UUID(value)) == value.lower()
    except (AttributeError, TypeError, ValueError):
        return False


def _instant(value: Any) -> bool:
    """RFC 3339 with its offset, and a date that exists."""
    if not _matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


MONEY = _matches(r"\d{1,8}\.\d{2}")
ADDRESS: Json = {"name": _text, "street": _text, "postcode": _text, "city": _text, "country": _matches("[A-Z]{2}")}
ORDER: Json = {
    "message_id": _uuid,
    "web_order_number": _matches(".{0,20}"),
    "group_order_number": _matches(".{0,20}"),
    "ordered_at": _instant,
    "currency": _one_of("EUR"),
    "customer": {
        "external_id": _text,
        "name": _text,
        "contact_name?": _text,
        "email?": _matches(r"[^@\s]+@[^@\s]+"),
        "phone?": _text,
    },
    "billing_address": ADDRESS,
    "delivery": {"mode": _one_of("BOOKSHOP", "COLLECTIVITY"), "address": ADDRESS},
    "customer_reference?": _text,
    "comment?": _text,
    "payment": {
        "state": _one_of("PAID"),
        "methods": Some({"method": _one_of("PAYPAL", "CARD", "BY_HAND"), "amount": MONEY}, least=0),
    },
    "lines": Some(
        {
            "line_number": _counts_from_1,
            "ean13": _matches(r"\d{13}"),
            "title": _text,
            "quantity": _counts_from_1,
            "unit_price": MONEY,
            "vat_rate": _matches(r"\d{1,2}\.\d{2}"),
        },
        least=1,
    ),
    "totals": {"quantity": _counts_from_1, "amount": MONEY},
}
