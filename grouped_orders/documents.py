"""One function a document. Each returns the bytes of a tagged PDF (PDF/UA-1), in French."""

import unicodedata

from django.template.loader import render_to_string

from grouped_orders.models import GroupedOrder, SubOrder

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
