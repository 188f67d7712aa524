"""ONIX for Books 3.0 and 3.1, read as a stream: one product at a time, memory flat whatever the size.

Reference and short tags, any namespace or none. What real files do, and which code means what: catalogue.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import IO, Any

from lxml import etree

from catalog.blocks import BLOCKS
from catalog.ean import to_ean13
from catalog.elements import Element, all_of, reference_name, text_of
from catalog.offers import Market

PIECE = 64 * 1024
# Of bytes between two records: nobody's record is so large, and it would be held in memory whole.
LARGEST = 32 * 1024 * 1024
# Only these make an event; the rest of the tree is read when its product is whole.
_TAGS = [f"{{*}}{tag}" for tag in ("ONIXMessage", "ONIXmessage", "Header", "header", "Product", "product")]
_OLD_MESSAGE = "ONIX 2.1 n’est pas pris en charge : demandez un fichier ONIX 3.0 ou 3.1."
_VERSION = re.compile(r"onix/(\d\.\d)/", re.IGNORECASE)


class NotOnix(Exception):
    """The file cannot be read at all, or no further; the message is a French sentence."""


class Rejected(Exception):
    """One record cannot be used; the message is a French sentence."""


@dataclass(frozen=True)
class Record:
    """One product as the catalogue needs it: millimetres, grams, euros with VAT.

    `gone`: it is to be withdrawn. `only` names the fields that a partial update speaks of; None: it speaks of all.
    """

    ean13: str
    reference: str
    sent: datetime | None
    line: int = field(default=0, compare=False)
    gone: bool = False
    only: tuple[str, ...] | None = None
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


# The fields that say what the book is; the others say what the record is.
FACTS = tuple(f.name for f in fields(Record) if f.name not in ("ean13", "reference", "sent", "line", "gone", "only"))


@dataclass(frozen=True)
class Reject:
    """A record left out, and why. `line` is where it begins in the file."""

    line: int
    reference: str
    reason: str


def read(stream: IO[bytes], *, country: str, today: date) -> Iterator[Record | Reject]:
    """Every product of a message, for a shop of this country, at the prices of this day. Raises NotOnix.

    Nothing outside the file is ever read: no entity, no DTD, no network.
    """
    parser = etree.XMLPullParser(
        events=("start", "end"),
        tag=_TAGS,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    market, sent, seen_root, held = Market(country, today), None, False, 0
    for size in _feed(parser, stream):
        held += size
        # Also those of the piece in which the XML breaks off.
        for event, element in parser.read_events():
            if not seen_root:
                seen_root = True
                _check_root(element)
            parent = element.getparent()
            if event != "end" or (parent is not None and parent.getparent() is not None):
                continue
            name = reference_name(element.tag)
            if name == "Header":
                sent, market = _sent(Element(element), today), _market(Element(element), market)
            elif name == "Product":
                yield _record_or_reject(Element(element), sent, market)
            _forget(element)
            held = 0
        if size and not seen_root:
            # The root of a message opens it: what is so far away is another document, not to be held in memory.
            raise NotOnix("Ce fichier n’est pas un message ONIX.")
        if held > LARGEST:
            raise NotOnix("Une notice de ce fichier fait plus de 32 Mo : il est refusé.")


def _feed(parser: etree.XMLPullParser, stream: IO[bytes]) -> Iterator[int]:
    """Give the stream to the parser piece by piece, yielding the size of each: then its events can be read.

    Raises NotOnix where the XML is broken, once what came before it has been read.
    """
    try:
        while piece := stream.read(PIECE):
            parser.feed(piece)
            yield len(piece)
        parser.close()
        yield 0
    except etree.XMLSyntaxError as error:
        yield 0
        raise NotOnix(f"Le fichier n’est pas du XML valable (ligne {error.lineno}) : {error.msg}") from error


def _forget(element: etree._Element) -> None:
    """Free what was read, and all that stood before it."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def _check_root(root: etree._Element) -> None:
    document = root.getroottree().docinfo
    if document.internalDTD is not None and list(document.internalDTD.entities()):
        raise NotOnix("Le fichier définit des entités XML : il est refusé.")
    if root.getparent() is not None:
        raise NotOnix("Ce fichier n’est pas un message ONIX.")
    if reference_name(root.tag) == "ONIXMessage":
        named = _VERSION.search(root.tag)
        release = root.get("release") or (named[1] if named else "")
        if not release.startswith("3."):
            raise NotOnix(_OLD_MESSAGE)


def _sent(header: Element, today: date) -> datetime | None:
    """When the message was sent; None when it does not say, or says tomorrow: that would shut out the next ones."""
    try:
        sent = datetime.fromisoformat(text_of(header, "SentDateTime"))
    except ValueError:
        return None
    sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
    return sent if sent.date() <= today + timedelta(days=1) else None


def _market(header: Element, market: Market) -> Market:
    return replace(
        market,
        currency=text_of(header, "DefaultCurrencyCode") or market.currency,
        price_type=text_of(header, "DefaultPriceType"),
    )


def _record_or_reject(product: Element, sent: datetime | None, market: Market) -> Record | Reject:
    try:
        return _record(product, sent, market)
    except Rejected as reason:
        return Reject(product.source.sourceline or 0, text_of(product, "RecordReference", 100), str(reason))


def _record(product: Element, sent: datetime | None, market: Market) -> Record:
    if not all_of(product, "DescriptiveDetail") and all_of(product, "Title"):
        raise Rejected(_OLD_MESSAGE)
    record = Record(_ean13(product), text_of(product, "RecordReference", 100), sent, product.source.sourceline or 0)
    notification = text_of(product, "NotificationType")
    if notification == "05":
        return replace(record, gone=True)
    # A partial update (04) replaces whole blocks: what is in none of its blocks stays as it is.
    partial = notification == "04"
    facts: dict[str, Any] = {}
    for name, read_block in BLOCKS.items():
        if not partial or all_of(product, name):
            facts |= read_block(product, market)
    if facts.get("title") == "":
        raise Rejected("Pas de titre.")
    return replace(record, only=tuple(facts) if partial else None, **facts)


def _ean13(product: Element) -> str:
    """EAN-13 first, then ISBN-13, then ISBN-10."""
    numbers = {text_of(i, "ProductIDType"): text_of(i, "IDValue") for i in all_of(product, "ProductIdentifier")}
    typed = [numbers[kind] for kind in ("03", "15", "02") if kind in numbers]
    if not typed:
        raise Rejected("Pas de code EAN13 ni d’ISBN.")
    for number in typed:
        if ean13 := to_ean13(number):
            return ean13
    raise Rejected(f"Le code {typed[0][:40]} n’est pas un EAN13 valable.")
