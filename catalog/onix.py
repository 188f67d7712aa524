"""ONIX for Books 3.0 and 3.1, read as a stream: one product at a time, memory flat whatever the size.

Reference and short tags, any namespace or none. What real files do, and which code means what: catalogue.md.
"""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import IO

from lxml import etree

from catalog import codes
from catalog.ean import to_ean13
from catalog.markup import clean_html
from catalog.short_tags import REFERENCE_TAGS

Element = etree._Element


class NotOnix(Exception):
    """The file cannot be read at all; the message is a French sentence."""


class Rejected(Exception):
    """One record cannot be used; the message is a French sentence."""


@dataclass(frozen=True)
class Record:
    """One product as the catalogue needs it: millimetres, grams, euros with VAT. `gone`: it is to be withdrawn."""

    ean13: str
    reference: str
    sent: str
    gone: bool = False
    title: str = ""
    subtitle: str = ""
    authors: str = ""
    publisher: str = ""
    collection: str = ""
    genre: str = ""
    publication_date: date | None = None
    publication_precision: str = "DAY"
    form: str = ""
    is_digital: bool = False
    weight_g: int | None = None
    height_mm: int | None = None
    width_mm: int | None = None
    thickness_mm: int | None = None
    price: Decimal | None = None
    vat_rate: Decimal = Decimal("6.00")
    availability: str = "20"
    embargo_until: date | None = None
    summary: str = ""
    cover_source: str = ""


@dataclass(frozen=True)
class Reject:
    """A record left out, and why. `line` is where it begins in the file."""

    line: int
    reference: str
    reason: str


def read(stream: IO[bytes], *, country: str) -> Iterator[Record | Reject]:
    """Every product of a message, for a shop of this country (ISO 3166-1 alpha-2). Raises NotOnix.

    Nothing outside the file is ever read: no entity, no DTD, no network.
    """
    parser = etree.iterparse(
        stream,
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    sent, seen_root = "", False
    try:
        for event, element in parser:
            name = _name(element)
            if not seen_root:
                seen_root = True
                _check_root(element, name)
            if event != "end":
                continue
            if name == "Header":
                sent = _text(element, "SentDateTime")
            elif name == "Product":
                yield _record_or_reject(element, sent, country)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise NotOnix(f"Le fichier n’est pas du XML valable : {error.msg}") from error


def _check_root(root: Element, name: str) -> None:
    if root.getroottree().docinfo.internalDTD is not None and list(root.getroottree().docinfo.internalDTD.entities()):
        raise NotOnix("Le fichier définit des entités XML : il est refusé.")
    if name != "ONIXMessage":
        raise NotOnix("Ce fichier n’est pas un message ONIX.")
    release = root.get("release", "")
    if not release.startswith("3."):
        raise NotOnix(f"ONIX {release or '2.1'} n’est pas pris en charge : demandez un fichier ONIX 3.0 ou 3.1.")


def _record_or_reject(product: Element, sent: str, country: str) -> Record | Reject:
    try:
        return _record(product, sent, country)
    except Rejected as reason:
        return Reject(product.sourceline or 0, _text(product, "RecordReference"), str(reason))


def _record(product: Element, sent: str, country: str) -> Record:
    ean13 = _ean13(product)
    reference = _text(product, "RecordReference")[:100]
    if _text(product, "NotificationType") == "05":
        return Record(ean13, reference, sent, gone=True)
    title, subtitle = _title(product)
    published, precision = _date(product, "PublishingDetail/PublishingDate", "PublishingDateRole", "01")
    embargo, _precision = _date(product, "PublishingDetail/PublishingDate", "PublishingDateRole", "02")
    supply = _supply(product, country)
    price, vat_rate = _price(supply, country)
    form = _text(product, "DescriptiveDetail/ProductForm")
    details = {_own(detail) for detail in _all(product, "DescriptiveDetail/ProductFormDetail")}
    return Record(
        ean13=ean13,
        reference=reference,
        sent=sent,
        title=title[:500],
        subtitle=subtitle[:500],
        authors=_authors(product)[:500],
        publisher=_publisher(product)[:200],
        collection=_collection(product)[:200],
        genre=_genre(product)[:120],
        publication_date=published,
        publication_precision=precision,
        form="Poche" if details & codes.POCKET_DETAILS else codes.FORMS.get(form, ""),
        is_digital=form[:1] in ("E", "D"),
        weight_g=_measure(product, "08", codes.TO_GRAMS),
        height_mm=_measure(product, "01", codes.TO_MM),
        width_mm=_measure(product, "02", codes.TO_MM),
        thickness_mm=_measure(product, "03", codes.TO_MM),
        price=price,
        vat_rate=vat_rate,
        availability=_text(supply, "ProductAvailability") or "20",
        embargo_until=embargo,
        summary=_summary(product),
        cover_source=_cover(product),
    )


def _ean13(product: Element) -> str:
    """EAN-13 first, then ISBN-13, then ISBN-10."""
    numbers = {_text(i, "ProductIDType"): _text(i, "IDValue") for i in _all(product, "ProductIdentifier")}
    typed = [numbers[kind] for kind in ("03", "15", "02") if kind in numbers]
    if not typed:
        raise Rejected("Pas de code EAN13 ni d’ISBN.")
    for number in typed:
        if ean13 := to_ean13(number):
            return ean13
    raise Rejected(f"Le code {typed[0]} n’est pas un EAN13 valable.")


def _title(product: Element) -> tuple[str, str]:
    """The distinctive title; that of the collection with its part when the product has none of its own."""
    for detail in _all(product, "DescriptiveDetail/TitleDetail"):
        if _text(detail, "TitleType") != "01":
            continue
        elements = _all(detail, "TitleElement")
        own = [element for element in elements if _text(element, "TitleElementLevel") == "01"]
        for element in own:
            if title := _element_title(element):
                return title, _text(element, "Subtitle")
        for element in elements:
            if title := _element_title(element):
                part = " ".join(filter(None, (_text(other, "PartNumber") for other in elements)))
                return f"{title} {part}".strip(), ""
    raise Rejected("Pas de titre.")


def _element_title(element: Element) -> str:
    prefix, rest = _text(element, "TitlePrefix"), _text(element, "TitleWithoutPrefix")
    if rest:
        return prefix + rest if prefix.endswith(("'", "’")) else f"{prefix} {rest}".strip()
    return _text(element, "TitleText")


def _authors(product: Element) -> str:
    """« KEYNAMES Names » as the trade prints them, authors first and alone when there are any."""
    contributors = _all(product, "DescriptiveDetail/Contributor")
    authors = [c for c in contributors if any(_own(r).startswith("A01") for r in _all(c, "ContributorRole"))]
    names = [_contributor(contributor) for contributor in sorted(authors or contributors, key=_rank)]
    return "/".join(dict.fromkeys(name for name in names if name))


def _rank(contributor: Element) -> int:
    number = _text(contributor, "SequenceNumber")
    return int(number) if number.isdigit() else 999


def _contributor(contributor: Element) -> str:
    key, before = _text(contributor, "KeyNames"), _text(contributor, "NamesBeforeKey")
    if key:
        return f"{key} {before}".strip()
    inverted = _text(contributor, "PersonNameInverted").replace(",", "")
    return inverted or _text(contributor, "PersonName") or _text(contributor, "CorporateName")


def _publisher(product: Element) -> str:
    for publisher in _all(product, "PublishingDetail/Publisher"):
        if _text(publisher, "PublishingRole") == "01" and _text(publisher, "PublisherName"):
            return _text(publisher, "PublisherName")
    return _text(product, "PublishingDetail/Imprint/ImprintName") or _text(
        product, "PublishingDetail/Publisher/PublisherName"
    )


def _collection(product: Element) -> str:
    for element in _all(product, "DescriptiveDetail/Collection/TitleDetail/TitleElement"):
        if _text(element, "TitleElementLevel") == "02" and _element_title(element):
            return _element_title(element)
    return ""


def _genre(product: Element) -> str:
    for subject in _all(product, "DescriptiveDetail/Subject"):
        if _text(subject, "SubjectSchemeIdentifier") == "29":
            heading, code = _text(subject, "SubjectHeadingText"), _text(subject, "SubjectCode")
            if genre := heading or codes.CLIL.get(code, ""):
                return genre
    return ""


def _measure(product: Element, kind: str, units: dict[str, float]) -> int | None:
    for measure in _all(product, "DescriptiveDetail/Measure"):
        unit = units.get(_text(measure, "MeasureUnitCode"))
        if _text(measure, "MeasureType") == kind and unit is not None:
            try:
                return round(Decimal(_text(measure, "Measurement")) * Decimal(str(unit))) or None
            except (InvalidOperation, ValueError):
                return None
    return None


def _supply(product: Element, country: str) -> Element | None:
    """The supply of a market this country belongs to, or without a market; failing that, the first one.

    A French feed often leaves Belgium out, which has a distributor of its own: the book exists all the same.
    """
    supplies = _all(product, "ProductSupply")
    ours = [s for s in supplies if _is_ours(_all(s, "Market/Territory"), country)]
    return next((detail for supply in ours or supplies for detail in _all(supply, "SupplyDetail")), None)


def _price(supply: Element | None, country: str) -> tuple[Decimal | None, Decimal]:
    """The public price in euros, VAT included, and the rate: fixed price (04) before recommended (02).

    The price of this country first; failing that, the one printed on the book, which is that of its own country.
    """
    standard = Decimal(codes.BOOK_VAT.get(country, "6.00"))
    for here in (True, False):
        for kind in ("04", "02"):
            for price in _all(supply, "Price"):
                ours = _is_ours(_all(price, "Territory"), country)
                amount = _decimal(_text(price, "PriceAmount"))
                if _text(price, "PriceType") != kind or _text(price, "CurrencyCode") not in ("EUR", "") or not amount:
                    continue
                if ours and here:
                    return amount, _decimal(_text(price, "Tax/TaxRatePercent")) or standard
                if not here:
                    return amount, standard
    return None, standard


def _is_ours(territories: list[Element], country: str) -> bool:
    return not territories or any(_includes(territory, country) for territory in territories)


def _includes(territory: Element, country: str) -> bool:
    if country in _text(territory, "CountriesExcluded").split():
        return False
    if country in _text(territory, "CountriesIncluded").split():
        return True
    return "WORLD" in _text(territory, "RegionsIncluded").split()


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", ".")).quantize(Decimal("0.01"))
    except InvalidOperation:
        return None


def _date(product: Element, path: str, role_tag: str, role: str) -> tuple[date | None, str]:
    """A date and how much of it is known; a bent one is as good as none."""
    for found in _all(product, path):
        if _text(found, role_tag) != role:
            continue
        digits = "".join(character for character in _text(found, "Date") if character.isdigit())
        precision = {8: "DAY", 6: "MONTH", 4: "YEAR"}.get(len(digits))
        if precision:
            padded = digits + "0101"[len(digits) - 4 :] if len(digits) < 8 else digits
            try:
                return date(int(padded[:4]), int(padded[4:6]), int(padded[6:8])), precision
            except ValueError:
                return None, "DAY"
    return None, "DAY"


def _summary(product: Element) -> str:
    """The long description, else the short one: HTML that came escaped, unescaped once and cleaned."""
    texts = {_text(t, "TextType"): t for t in reversed(_all(product, "CollateralDetail/TextContent"))}
    for kind in ("03", "02"):
        if kind in texts:
            for text in _all(texts[kind], "Text"):
                inner = "".join(etree.tostring(child, encoding="unicode") for child in text)
                raw = (text.text or "") + inner
                return clean_html(html.unescape(raw))
    return ""


def _cover(product: Element) -> str:
    for resource in _all(product, "CollateralDetail/SupportingResource"):
        if _text(resource, "ResourceContentType") == "01":
            link = _text(resource, "ResourceVersion/ResourceLink")
            if link.startswith(("http://", "https://")) and len(link) <= 500:
                return link
    return ""


# Walking ONIX whatever its tags and namespace ------------------------------------------------


def _name(element: Element) -> str:
    name = etree.QName(element).localname if isinstance(element.tag, str) else ""
    return REFERENCE_TAGS.get(name, name)


def _all(element: Element | None, path: str) -> list[Element]:
    found = [] if element is None else [element]
    for step in path.split("/"):
        found = [child for parent in found for child in parent if _name(child) == step]
    return found


def _text(element: Element | None, path: str) -> str:
    return next((_own(found) for found in _all(element, path) if _own(found)), "")


def _own(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())
