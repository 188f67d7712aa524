"""One function a document. Each returns the bytes of a tagged PDF (PDF/UA-1), in French."""

import unicodedata
from base64 import b64encode
from decimal import ROUND_HALF_UP, Decimal
from mimetypes import guess_type
from typing import NamedTuple

import segno
from django.template.loader import render_to_string

from catalog.models import Book
from collectivities.models import Bookshop
from grouped_orders.models import Capture, GroupedOrder, Refund, SubOrder
from grouped_orders.statuses import RefundState

# A longer title or address is set smaller, so that the poster stays one page: (letters, class of poster.css).
_SIZES = ((90, "longest"), (45, "long"))
# A heavier cover would make a heavier mail: the poster does without.
_HEAVIEST_COVER = 1_000_000
# Letters that Unicode does not take apart, and a reader looks for under the plain one.
_READ_AS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i"})


def sub_order_list(order: GroupedOrder) -> bytes:
    """The list of sub-orders with their totals, to hand the books out (specification, « Suivi »).

    Sorted by name as a French reader sorts, with a tick box and room for a signature beside each live one.
    """
    sub_orders = sorted(order.sub_orders.all(), key=_by_name)
    return _pdf(
        "documents/sub_order_list.html",
        {"order": order, "sub_orders": sub_orders, "recapitulation": order.sub_orders.recapitulation()},
    )


def poster(order: GroupedOrder) -> bytes:
    """One A4 page for a wall: the book, its price, the deadline in words, the pick-up place, the link as a QR code.

    The link is printed in full as well: not everybody scans.
    """
    bookshop = Bookshop.current()
    longest = max(len(order.book.title), len(str(order.pickup_address)))
    return _pdf(
        "documents/poster.html",
        {
            "order": order,
            "bookshop": bookshop,
            "place": bookshop.addresses.first() if bookshop.pk else None,
            "size": next((name for letters, name in _SIZES if longest > letters), ""),
            "cover": _cover(order.book),
            # The four light modules around it are part of the code: phones look for them.
            "code": segno.make(order.subscription_url, error="m", micro=False).svg_data_uri(border=4, light="#fff"),
        },
    )


class VatShare(NamedTuple):
    """What an amount with tax included is made of; euros, to the cent."""

    rate: Decimal
    before_tax: Decimal
    tax: Decimal


def vat_share(amount: Decimal, rate: Decimal) -> VatShare:
    """The tax inside `amount`, at `rate` percent: the part without tax is rounded, half up, and the tax is the rest."""
    before_tax = (amount * 100 / (100 + rate)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return VatShare(rate, before_tax, amount - before_tax)


def receipt(sub_order: SubOrder) -> bytes:
    """What one buyer paid, to whom, with the VAT inside; and what was given back.

    A receipt, not an invoice: its number is the sub-order's, and these have gaps. Shipping is taxed as the book it goes
    with.
    """
    bookshop = Bookshop.current()
    captures = list(
        Capture.objects.received().filter(payment__in=sub_order.payments.received()).select_related("payment")
    )
    refunds = Refund.objects.filter(capture__in=captures, state=RefundState.DONE).order_by("done_at", "pk")
    return _pdf(
        "documents/receipt.html",
        {
            "sub_order": sub_order,
            "order": sub_order.grouped_order,
            "bookshop": bookshop,
            "place": bookshop.addresses.first() if bookshop.pk else None,
            "vat": vat_share(sub_order.total, sub_order.grouped_order.vat_rate),
            "captures": captures,
            "refunds": refunds,
        },
    )


def _cover(book: Book) -> str:
    """The cover as a data URI; empty when there is none, or when it cannot be had: a poster is one without it too."""
    mimetype, _encoding = guess_type(book.cover.name or "")
    try:
        if not book.cover or book.cover.size > _HEAVIEST_COVER:
            return ""
        with book.cover.open() as file:
            return f"data:{mimetype};base64,{b64encode(file.read()).decode()}"
    except OSError:
        return ""


def _by_name(sub_order: SubOrder) -> tuple[str, str, int]:
    return _plain(sub_order.last_name), _plain(sub_order.first_name), sub_order.pk


def _plain(name: str) -> str:
    """Its letters alone: Élodie stands between Dupont and Faure, d’Ursel and D'Ursel together, Œuvrard at O."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().translate(_READ_AS))
    return "".join(char for char in decomposed if char.isalnum())


def _pdf(template: str, context: dict[str, object]) -> bytes:
    from weasyprint import HTML  # noqa: PLC0415 - costs a second of every start, and most processes print nothing
    from weasyprint.urls import URLFetcher  # noqa: PLC0415 - as above

    # Nothing is ever fetched: a name or a cover may hold somebody else's address.
    document = HTML(string=render_to_string(template, context), url_fetcher=URLFetcher(allowed_protocols=["data"]))
    pdf: bytes = document.write_pdf(pdf_variant="pdf/ua-1")
    return pdf
