"""EANs and ISBNs as people type them, from the back of a book."""

import re

from stdnum import ean, isbn
from stdnum.exceptions import ValidationError

# « ISBN 978-2-36221-041-9 », « 2 07 036002 4 »: any dash, any space, the words people copy along.
_TYPED = re.compile(r"(?:(?:isbn|ean|gtin)(?:-?1[03])?\s*:?\s*)?([0-9][0-9\s.\-‐‑–—−]*[0-9X])", re.IGNORECASE)
_NOT_DIGITS = re.compile(r"[^0-9X]")


def typed_number(text: str) -> str:
    """The digits of what is a number and nothing else, whatever stands between them; "" for any other text."""
    typed = _TYPED.fullmatch(text.strip()[:60])
    return _NOT_DIGITS.sub("", typed[1].upper()) if typed else ""


def to_ean13(text: str) -> str:
    """The 13 digits of an EAN-13, ISBN-13 or ISBN-10, with or without dashes; "" when its check digit is wrong.

    A shop also sells what is no book: any valid EAN-13 is taken, not only those of 978 and 979.
    """
    if len(text) == 13 and text.isdecimal() and text.isascii():  # most of a million records: no need to look closer
        return text if _is_ean13(text) else ""
    number = typed_number(text)
    try:
        if len(number) == 10:
            return str(isbn.to_isbn13(isbn.validate(number)))
        if len(number) == 13:
            return str(ean.validate(number))
    except ValidationError:
        pass
    return ""


def _is_ean13(digits: str) -> bool:
    return (sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))) % 10 == 0
