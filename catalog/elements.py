"""What every part of the ONIX reader asks of an XML element: its words, its numbers, its dates."""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache

from lxml import etree

from catalog.short_tags import REFERENCE_TAGS

Element = etree._Element

# 2011, 201104, 20110429, 2011-04-29, 20110601T000000+0200: what the format code promises is not always there.
_DATE = re.compile(r"(\d{4})(?:-?(\d{2})(?:-?(\d{2})(?:T?\d.*)?)?)?", re.ASCII)


def name_of(element: Element) -> str:
    """The reference name, without namespace, whatever the message writes."""
    name = element.tag.rpartition("}")[2]
    return REFERENCE_TAGS.get(name, name)


def spell_out(whole: Element) -> None:
    """Give short tags their reference names, all through an element; reference tags stay as they are."""
    if whole.tag.rpartition("}")[2].islower():
        for element in whole.iter(etree.Element):
            element.tag = name_of(element)


def all_of(element: Element, path: str) -> list[Element]:
    """Every element at a path of reference names, whatever its namespace."""
    return element.findall(_in_any_namespace(path))


@cache
def _in_any_namespace(path: str) -> str:
    return "/".join(f"{{*}}{step}" for step in path.split("/"))


def text_of(element: Element, path: str, most: int = 500) -> str:
    """The first text found that is not empty, its spaces made single; at most so many characters."""
    for found in all_of(element, path):
        if text := " ".join((found.text or "").split()):
            return text[:most].rstrip()
    return ""


def number_of(element: Element, path: str) -> Decimal | None:
    """A number written with a point or a comma; None when it is none, or absurd."""
    try:
        number = Decimal(text_of(element, path, 20).replace(",", "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 1_000_000 else None


def date_of(element: Element) -> tuple[date | None, str]:
    """A date and how much of it is known (DAY, MONTH, YEAR); a bent one is as good as none."""
    written = _DATE.fullmatch(text_of(element, "Date"))
    if written is None:
        return None, "DAY"
    year, month, day = written.groups()
    try:
        known = date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None, "DAY"
    return known, "DAY" if day else "MONTH" if month else "YEAR"
