"""A catalogue as a table: CSV in UTF-8, « ; » between columns, whose first line names them.

The columns: ean13;title;subtitle;authors;publisher;collection;genre;pub_date;form;weight_g;height_mm;width_mm;
thickness_mm;price_ttc;vat_rate;availability;cover_url;summary. ean13 has to be there, the others may be left out: what
a book already has then stays. Numbers are written with a point or a comma.
"""

import csv
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from io import TextIOWrapper
from typing import IO, Any

from catalog import codes
from catalog.ean import to_ean13
from catalog.elements import number_in
from catalog.markup import clean_html
from catalog.onix import NotOnix, Record, Reject, Rejected

_DATE = re.compile(r"(?:(?:(?P<d>\d{1,2})/)?(?P<m>\d{1,2})/)?(?P<y>\d{4})", re.ASCII)
_ISO_DATE = re.compile(r"(?P<y>\d{4})-?(?P<m>\d{2})(?:-?(?P<d>\d{2}))?", re.ASCII)
_CODES = {str(label).casefold(): code for code, label in codes.AVAILABILITY} | {c: c for c, _ in codes.AVAILABILITY}


def names_columns(first_line: str) -> bool:
    return "ean13" in [name.strip().lower() for name in first_line.split(";")]


def read(stream: IO[bytes], *, country: str, today: date) -> Iterator[Record | Reject]:
    """Every line, as a record of what its columns say. Raises NotOnix."""
    text = TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    rows = csv.reader(text, delimiter=";")
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        for row in rows:
            if any(row):
                yield _record_or_reject(dict(zip(names, row, strict=False)), country, rows.line_num)
    except UnicodeDecodeError:
        raise NotOnix(
            f"Après la ligne {rows.line_num}, ce fichier n’est pas en UTF-8 : enregistrez-le ainsi."
        ) from None
    except csv.Error:
        raise NotOnix(f"Le fichier ne peut plus être lu à la ligne {rows.line_num} : un guillemet y manque.") from None
    finally:
        text.detach()


def _record_or_reject(row: dict[str, str], country: str, line: int) -> Record | Reject:
    written = {name: value.replace("\0", "").strip() for name, value in row.items()}
    number = written.get("ean13", "")
    try:
        if not (ean13 := to_ean13(number)):
            raise Rejected(f"Le code {number[:40]} n’est pas un EAN13 valable." if number else "Pas de code EAN13.")
        facts: dict[str, Any] = {}
        for name, read_column in COLUMNS.items():
            if name in written:
                facts |= read_column(written[name])
        if facts.get("title") == "":
            raise Rejected("Pas de titre.")
    except Rejected as reason:
        return Reject(line, number[:100], str(reason))
    if facts.get("vat_rate", 0) is None:
        facts["vat_rate"] = Decimal(codes.BOOK_VAT.get(country, "6.00"))
    return Record(ean13, "", None, line, only=tuple(facts), **facts)


def _words(field: str, most: int) -> Callable[[str], dict[str, Any]]:
    return lambda written: {field: " ".join(written.split())[:most]}


def _size(field: str) -> Callable[[str], dict[str, Any]]:
    """A whole number of grams or millimetres; what is none is as good as not written."""

    def read_size(written: str) -> dict[str, Any]:
        size = number_in(written)
        return {field: round(size) if size and 0 < size < 100_000 else None}

    return read_size


def _published(written: str) -> dict[str, Any]:
    """29/04/2011, 2011-04-29, 20110429, 04/2011 or 2011; a bent date is as good as none."""
    parts = _ISO_DATE.fullmatch(written) or _DATE.fullmatch(written)
    known, precision = None, "DAY"
    if parts:
        precision = "DAY" if parts["d"] else "MONTH" if parts["m"] else "YEAR"
        try:
            known = date(int(parts["y"]), int(parts["m"] or 1), int(parts["d"] or 1))
        except ValueError:
            precision = "DAY"
    return {"publication_date": known, "publication_precision": precision}


def _form(written: str) -> dict[str, Any]:
    """A code of List 150, or the shop's own word."""
    digital = written.lower().startswith("num") or (len(written) == 2 and written.startswith(codes.DIGITAL_FORMS))
    return {"form": codes.FORMS.get(written, written)[:60], "is_digital": digital}


def _price(written: str) -> dict[str, Any]:
    price = number_in(written.replace("€", "").strip())
    if written and (price is None or price < Decimal("0.01")):
        raise Rejected(f"Le prix « {written[:20]} » n’est pas un prix.")
    return {"price": price.quantize(Decimal("0.01")) if price else None}


def _vat(written: str) -> dict[str, Any]:
    rate = number_in(written.replace("%", "").strip())
    return {"vat_rate": rate.quantize(Decimal("0.01")) if rate is not None and 0 <= rate < 99 else None}


def _availability(written: str) -> dict[str, Any]:
    """A code of List 65 or its French word; a book that says nothing can be had."""
    code = _CODES.get(written.casefold()) if written else "20"
    if code is None:
        raise Rejected(f"La disponibilité « {written[:40]} » n’est pas connue.")
    return {"availability": code}


def _cover(written: str) -> dict[str, Any]:
    is_address = written.startswith(("http://", "https://")) and len(written) <= 500
    return {"cover_source": written if is_address else ""}


COLUMNS: dict[str, Callable[[str], dict[str, Any]]] = {
    "title": _words("title", 500),
    "subtitle": _words("subtitle", 500),
    "authors": _words("authors", 500),
    "publisher": _words("publisher", 200),
    "collection": _words("collection", 200),
    "genre": _words("genre", 120),
    "pub_date": _published,
    "form": _form,
    "weight_g": _size("weight_g"),
    "height_mm": _size("height_mm"),
    "width_mm": _size("width_mm"),
    "thickness_mm": _size("thickness_mm"),
    "price_ttc": _price,
    "vat_rate": _vat,
    "availability": _availability,
    "cover_url": _cover,
    "summary": lambda written: {"summary": clean_html(written) if written else ""},
}
