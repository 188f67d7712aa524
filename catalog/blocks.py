"""The four blocks of an ONIX record that the catalogue reads, each as the fields of a book."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import escape
from typing import Any

from lxml import etree

from catalog import codes
from catalog.elements import Element, all_of, date_of, number_of, text_of
from catalog.markup import clean_html
from catalog.offers import Market, best_offer


def _description(product: Element, _market: Market) -> dict[str, Any]:
    # Without one there is no title, and the record is rejected for that.
    detail = next(iter(all_of(product, "DescriptiveDetail")), Element(etree.Element("DescriptiveDetail")))
    form = text_of(detail, "ProductForm")
    details = {element.text.strip() for element in all_of(detail, "ProductFormDetail")}
    title, subtitle = _title(detail)
    return {
        "title": title,
        "subtitle": subtitle,
        "authors": _authors(detail),
        "collection": _collection(detail),
        "genre": _genre(detail),
        "form": "Poche" if details & codes.POCKET_DETAILS else codes.FORMS.get(form, ""),
        "is_digital": form.startswith(codes.DIGITAL_FORMS),
        "weight_g": _measure(detail, "08", codes.TO_GRAMS),
        "height_mm": _measure(detail, "01", codes.TO_MM),
        "width_mm": _measure(detail, "02", codes.TO_MM),
        "thickness_mm": _measure(detail, "03", codes.TO_MM),
    }


def _title(detail: Element) -> tuple[str, str]:
    """The distinctive title (01), else whatever title there is: that of a collection comes with its part."""
    titles = sorted(all_of(detail, "TitleDetail"), key=lambda title: text_of(title, "TitleType") != "01")
    for title in titles:
        elements = all_of(title, "TitleElement")
        own = [element for element in elements if text_of(element, "TitleElementLevel") == "01"]
        for element in own:
            if text := _title_text(element):
                return _numbered(text, [element]), text_of(element, "Subtitle")
        for element in elements:
            if text := _title_text(element):
                return _numbered(text, elements), ""
    for element in all_of(detail, "Collection/TitleDetail/TitleElement"):
        if text := _title_text(element):
            return _numbered(text, [*all_of(detail, "TitleDetail/TitleElement"), element]), ""
    return "", ""


def _numbered(title: str, elements: list[Element]) -> str:
    """The title with its part's number, unless it says it already: « La Tour, tome 3 »."""
    parts = " ".join(filter(None, (text_of(element, "PartNumber", 20) for element in elements)))
    return title if parts.lower() in title.lower() else f"{title[:470]}, {parts}"


def _title_text(element: Element) -> str:
    prefix, rest = text_of(element, "TitlePrefix"), text_of(element, "TitleWithoutPrefix")
    if rest:
        return (prefix + rest if prefix.endswith(("'", "’")) else f"{prefix} {rest}".strip())[:500]
    return text_of(element, "TitleText")


def _authors(detail: Element) -> str:
    """« KEYNAMES Names » as the trade prints them, authors first and alone when there are any."""
    contributors = sorted(all_of(detail, "Contributor"), key=_rank)
    authors = [c for c in contributors if any(r.text.startswith("A01") for r in all_of(c, "ContributorRole"))]
    names = [_contributor(contributor) for contributor in authors or contributors]
    return "/".join(dict.fromkeys(name for name in names if name))[:500]


def _rank(contributor: Element) -> Decimal:
    return number_of(contributor, "SequenceNumber") or Decimal(999)


def _contributor(contributor: Element) -> str:
    if key := text_of(contributor, "KeyNames"):
        surname = f"{text_of(contributor, 'PrefixToKey')} {key}".strip()
        return f"{surname.upper()} {text_of(contributor, 'NamesBeforeKey')}".strip()[:200]
    key, comma, before = text_of(contributor, "PersonNameInverted").partition(",")
    if comma:
        return f"{key.upper()} {before.strip()}".strip()
    return key or text_of(contributor, "PersonName") or text_of(contributor, "CorporateName")


def _collection(detail: Element) -> str:
    for element in all_of(detail, "Collection/TitleDetail/TitleElement"):
        if text_of(element, "TitleElementLevel") == "02" and (title := _title_text(element)):
            return title[:200]
    return ""


def _genre(detail: Element) -> str:
    """The theme of the French trade (CLIL), in its own words or ours; else the international one (Thema)."""
    thema = ""
    for subject in all_of(detail, "Subject"):
        scheme, code = text_of(subject, "SubjectSchemeIdentifier"), text_of(subject, "SubjectCode")
        if scheme == "29" and (genre := text_of(subject, "SubjectHeadingText", 120) or codes.CLIL.get(code)):
            return genre
        if scheme == "93" and not thema:
            thema = next((codes.THEMA[code[:n]] for n in (2, 1) if code[:n] in codes.THEMA), "")
    return thema


def _measure(detail: Element, kind: str, units: dict[str, Decimal]) -> int | None:
    """Rounded to the whole millimetre or gram; None when unknown, in an unknown unit, or absurd."""
    for measure in all_of(detail, "Measure"):
        if text_of(measure, "MeasureType") == kind:
            unit, written = units.get(text_of(measure, "MeasureUnitCode")), number_of(measure, "Measurement")
            if unit and written and 0 < (size := round(written * unit)) < 100_000:
                return size
    return None


def _publishing(product: Element, _market: Market) -> dict[str, Any]:
    published, precision = _publishing_date(product, "01")
    embargo, _precision = _publishing_date(product, "02")
    return {
        "publisher": _publisher(product),
        "publication_date": published,
        "publication_precision": precision,
        "embargo_until": embargo,
    }


def _publisher(product: Element) -> str:
    """The publisher's name, else the imprint's: most French records carry only that."""
    for publisher in all_of(product, "PublishingDetail/Publisher"):
        if text_of(publisher, "PublishingRole") == "01" and (name := text_of(publisher, "PublisherName", 200)):
            return name
    return text_of(product, "PublishingDetail/Imprint/ImprintName", 200) or text_of(
        product, "PublishingDetail/Publisher/PublisherName", 200
    )


def _publishing_date(product: Element, role: str) -> tuple[date | None, str]:
    for element in all_of(product, "PublishingDetail/PublishingDate"):
        if text_of(element, "PublishingDateRole") == role:
            return date_of(element)
    return None, "DAY"


def _collateral(product: Element, _market: Market) -> dict[str, Any]:
    return {"summary": _summary(product), "cover_source": _cover(product)}


def _summary(product: Element) -> str:
    """The long description (03), else the short one (02)."""
    for kind in ("03", "02"):
        for content in all_of(product, "CollateralDetail/TextContent"):
            if text_of(content, "TextType") == kind:
                for text in all_of(content, "Text"):
                    if summary := clean_html(_inner(text)):
                        return summary
    return ""


def _inner(text: Element) -> str:
    """HTML as it was meant: written as elements, or as text whose own escaping the XML parser has undone."""
    if not len(text.source):
        return text.text
    return escape(text.text) + "".join(etree.tostring(child, encoding="unicode") for child in text.source)


def _cover(product: Element) -> str:
    for resource in all_of(product, "CollateralDetail/SupportingResource"):
        if text_of(resource, "ResourceContentType") == "01":
            link = text_of(resource, "ResourceVersion/ResourceLink", 501)
            if link.startswith(("http://", "https://")) and len(link) <= 500:
                return link
    return ""


def _supply(product: Element, market: Market) -> dict[str, Any]:
    offer = best_offer(product, market)
    return {"availability": offer.availability, "price": offer.price, "vat_rate": offer.vat_rate}


BLOCKS: dict[str, Callable[[Element, Market], dict[str, Any]]] = {
    "DescriptiveDetail": _description,
    "CollateralDetail": _collateral,
    "PublishingDetail": _publishing,
    "ProductSupply": _supply,
}
