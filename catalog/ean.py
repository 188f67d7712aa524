"""EANs and ISBNs as people type them, from the back of a book."""

import re

from stdnum import ean, isbn
from stdnum.exceptions import ValidationError

_TYPED = re.compile(r"[\d\s.\-‐‑–—−]{9,30}[\dXx\s.\-‐‑–—−]?")
_NOT_DIGITS = re.compile(r"[^0-9Xx]")


def looks_like_one(text: str) -> bool:
    """Whether this is a number and not a title: ten or thirteen digits, whatever stands between them."""
    return bool(_TYPED.fullmatch(text.strip())) and len(_NOT_DIGITS.sub("", text)) in (10, 13)


def to_ean13(text: str) -> str:
    """The 13 digits of an EAN-13, ISBN-13 or ISBN-10, with or without dashes; "" when its check digit is wrong.

    A shop also sells what is no book: any valid EAN-13 is taken, not only those of 978 and 979.
    """
    compact = _NOT_DIGITS.sub("", text).upper()
    try:
        if len(compact) == 10:
            return str(isbn.to_isbn13(isbn.validate(compact)))
        if len(compact) == 13:
            return str(ean.validate(compact))
    except ValidationError:
        pass
    return ""
