"""What LIBRISOFT answers without being called: an acknowledgement, a refusal or a status of one order.

By pull each has its address; by file each is an entry of a file: as JSON an object or a list of them,

    {"web_order_number": "637", "librisoft_order_id": "6767"}                 it has the order
    {"web_order_number": "637", "librisoft_order_id": "6767", "status": …}    the contract's OrderState
    {"web_order_number": "637", "refused": "EAN inconnu"}                     it will not take it

or as CSV one line each, « web_order_number;librisoft_order_id ».
"""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from librisoft_bridge import order_state, statuses
from librisoft_bridge.models import ShopOrder, Transmission
from librisoft_bridge.order_state import LONGEST_NUMBER, storable


class Odd(Exception):
    """It cannot be taken in, or must not pass unseen; the text says why, in French."""


def take_in(content: bytes, suffix: str, *, now: datetime) -> list[str]:
    """Record each entry of a file; return what is odd in it, in French. One odd entry does not hold up the others."""
    try:
        entries = list(READERS[suffix](_decode(content)))
    except (ValueError, RecursionError, csv.Error):
        return [_("Le fichier est illisible.")]
    if not entries:
        return [_("Le fichier est vide.")]
    odd = []
    for nth, entry in enumerate(entries, start=1):
        try:
            take_in_one(entry, now=now)
        except Odd as why:
            odd.append(_("Entrée %(nth)d\u00a0: %(why)s") % {"nth": nth, "why": why})
    return odd


def take_in_one(entry: Any, *, now: datetime) -> None:
    """Raises Odd."""
    if not isinstance(entry, dict) or not isinstance(entry.get("web_order_number"), str):
        raise Odd(_("le numéro de la commande manque."))
    number = entry["web_order_number"]
    if "refused" in entry:
        refuse(number, entry["refused"], now=now)
    elif "status" in entry:
        follow(entry, now=now)
    else:
        acknowledge(number, entry.get("librisoft_order_id"), now=now)


def acknowledge(web_order_number: str, librisoft_number: Any, *, now: datetime) -> None:
    """LIBRISOFT has it under this number. Safe to repeat; another number is an alarm. Raises Odd."""
    is_number = isinstance(librisoft_number, str) and librisoft_number.isprintable()
    if not is_number or not 1 <= len(librisoft_number.strip()) <= LONGEST_NUMBER:
        raise Odd(_("le numéro LIBRISOFT manque, ou dépasse %(longest)d caractères.") % {"longest": LONGEST_NUMBER})
    shop_order = statuses.acknowledge(web_order_number, librisoft_number.strip(), now=now)
    _require(shop_order, web_order_number, librisoft_number.strip())


def follow(entry: Any, *, now: datetime) -> None:
    """A status (OrderState). Raises Odd."""
    try:
        state = order_state.read(entry)
    except ValueError as error:
        raise Odd(_("l’état de la commande est illisible.")) from error
    _require(statuses.take_in(state, now=now), state.web_order_number, state.librisoft_number)


def refuse(web_order_number: str, reason: Any, *, now: datetime) -> None:
    """LIBRISOFT will not take it. Raises Odd."""
    said = storable(reason).strip() if isinstance(reason, str) else ""
    if not said:
        raise Odd(_("la raison du refus manque."))
    shop_order = statuses.refuse(web_order_number, said[:300], now=now)
    if shop_order is None:
        raise NotOurs(web_order_number)
    if shop_order.transmission == Transmission.SENT:
        taken = {"number": web_order_number, "librisoft_number": shop_order.librisoft_number}
        raise Contradiction(_("la commande n° %(number)s est déjà prise, sous le n° %(librisoft_number)s.") % taken)


class NotOurs(Odd):
    def __init__(self, number: str) -> None:
        super().__init__(_("la commande n° %(number)s n’existe pas ici.") % {"number": number[:20]})


class Contradiction(Odd):
    """It does not go with what LIBRISOFT said before."""


class SecondNumber(Contradiction):
    def __init__(self, number: str, first: str, second: str) -> None:
        said = _("la commande n° %(number)s porte déjà le n° LIBRISOFT %(first)s\u00a0: %(second)s en est un second.")
        super().__init__(said % {"number": number, "first": first, "second": second})


def _require(shop_order: ShopOrder | None, web_order_number: str, librisoft_number: str) -> None:
    if shop_order is None:
        raise NotOurs(web_order_number)
    if shop_order.librisoft_number != librisoft_number:
        raise SecondNumber(web_order_number, shop_order.librisoft_number, librisoft_number)


def _decode(content: bytes) -> str:
    """A French Windows program may write in its own code page."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _json(text: str) -> Iterator[Any]:
    said = json.loads(text)
    yield from said if isinstance(said, list) else [said]


def _csv(text: str) -> Iterator[Any]:
    names = ("web_order_number", "librisoft_order_id")
    for row in csv.reader(text.splitlines(), delimiter=";"):
        values = [value.strip() for value in row]
        if any(values) and tuple(values[:2]) != names:
            yield dict(zip(names, values, strict=False))


READERS: dict[str, Callable[[str], Iterator[Any]]] = {".json": _json, ".csv": _csv}
