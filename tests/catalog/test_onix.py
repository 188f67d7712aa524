from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest

from catalog import onix
from catalog.onix import NotOnix, Record, Reject
from tests.catalog.samples import REAL_FILES, SENT, TODAY, message, only, product, read, with_real_files


@pytest.mark.parametrize(
    "namespace",
    [
        "http://ns.editeur.org/onix/3.0/reference",
        "http://www.editeur.org/onix/3.0/reference",
        "http://ns.editeur.org/onix/3.1/reference",
        "",
    ],
)
def test_read_maps_every_line_of_the_books_page(namespace: str) -> None:
    assert only(message(product(), namespace)) == Record(
        ean13="9791097284657",
        reference="r1",
        sent=SENT,
        title="L’Étranger",
        subtitle="roman",
        authors="LAROCHE SOPHIE/XENARD",
        publisher="ORSO",
        collection="ROMAN - ADOS",
        genre="FICTIONS ADOLESCENTS",
        publication_date=date(2011, 4, 29),
        form="Broché",
        weight_g=194,
        height_mm=180,
        width_mm=118,
        price=Decimal("6.40"),
        vat_rate=Decimal("6.00"),
        summary="<p>Un <em>bon</em> livre</p>",
    )


def test_read_short_tags() -> None:
    raw = (
        b'<ONIXmessage xmlns="http://ns.editeur.org/onix/3.0/short" release="3.0"><product>'
        b"<a001>r</a001><a002>03</a002>"
        b"<productidentifier><b221>15</b221><b244>978-2-36221-041-9</b244></productidentifier>"
        b"<descriptivedetail><titledetail><b202>01</b202><titleelement><x409>01</x409><b203>Titre</b203></titleelement>"
        b"</titledetail></descriptivedetail></product></ONIXmessage>"
    )
    record = only(raw)
    assert (record.ean13, record.title) == ("9782362210419", "Titre")


def test_deletion_needs_no_title() -> None:
    raw = message(
        "<Product><RecordReference>r</RecordReference><NotificationType>05</NotificationType><ProductIdentifier>"
        "<ProductIDType>03</ProductIDType><IDValue>9791097284657</IDValue></ProductIdentifier></Product>"
    )
    assert only(raw) == Record("9791097284657", "r", SENT, gone=True)


@pytest.mark.parametrize("sent", ["demain", "99991231", ""])
def test_message_of_tomorrow_does_not_shut_out_the_next_ones(sent: str) -> None:
    raw = message(product()).replace(b"20260901T0900Z", sent.encode())
    assert only(raw).sent is None


def test_partial_update_speaks_of_its_blocks_alone() -> None:
    raw = message(product()).decode().replace("<NotificationType>03", "<NotificationType>04")
    start, end = raw.index("<DescriptiveDetail>"), raw.index("<ProductSupply>")
    record = only((raw[:start] + raw[end:]).encode())
    assert (record.only, record.price, record.title) == (("availability", "price", "vat_rate"), Decimal("6.40"), "")


def test_records_before_a_broken_end_are_read() -> None:
    found = []
    with pytest.raises(NotOnix):
        for record in onix.read(BytesIO(message(product())[:-5]), country="BE", today=TODAY):
            found.append(record)  # noqa: PERF402 - list() would lose what came before the error
    assert [type(record) for record in found] == [Record]


def test_entities_in_an_attribute_are_not_expanded_without_end() -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    raw = f'<!DOCTYPE x [<!ENTITY e0 "aaaaaaaaaa">{entities}]><ONIXMessage release="&e12;"/>'
    with pytest.raises(NotOnix):
        read(raw.encode())


def resident() -> int:
    """Bytes of this process in memory, those of libxml2 included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_memory_stays_flat() -> None:
    whole = message(product())
    start, end = whole.index(b"<Product>"), whole.index(b"</ONIXMessage>")
    long = BytesIO(whole[:start] + whole[start:end] * 3_000 + whole[end:])
    grown = []
    for n, _record in enumerate(onix.read(long, country="BE", today=TODAY)):
        if n == 100:
            before = resident()
        if n == 2_999:
            grown.append(resident() - before)
    assert len(grown) == 1
    # Kept whole, the three thousand take more than fifty megabytes.
    assert grown[0] < 15_000_000


def test_bad_record_is_rejected_with_its_line_and_the_others_are_read() -> None:
    bad = "\n<Product><RecordReference>bad</RecordReference></Product>"
    wrong = product().replace("9791097284657", "9791097284650")
    found = read(message(bad + wrong + product()))
    assert [type(record) for record in found] == [Reject, Reject, Record]
    assert found[0] == Reject(2, "bad", "Pas de code EAN13 ni d’ISBN.")
    assert isinstance(found[1], Reject)
    assert found[1].reason == "Le code 9791097284650 n’est pas un EAN13 valable."


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b'<ONIXMessage release="2.1"/>', "ONIX 2.1 n’est pas pris en charge"),
        (b"<ONIXMessage><Product/></ONIXMessage>", "ONIX 2.1 n’est pas pris en charge"),
        (b"<html/>", "Ce fichier n’est pas un message ONIX."),
        (b"<rss><Product/></rss>", "Ce fichier n’est pas un message ONIX."),
        (b"<html>" + b"<p>long</p>" * 10_000, "Ce fichier n’est pas un message ONIX."),
        (b"pas du tout", "Le fichier n’est pas du XML valable"),
        (b"", "Le fichier n’est pas du XML valable"),
        (
            b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><ONIXMessage release="3.0">&b;</ONIXMessage>',
            "Le fichier définit des entités XML",
        ),
        (
            b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><ONIXMessage release="3.0">&a;</ONIXMessage>',
            "Le fichier définit des entités XML",
        ),
    ],
    ids=["2.1", "no release", "not ONIX", "in another document", "without end", "not XML", "empty", "bomb", "external"],
)
def test_file_that_cannot_be_read_is_refused_in_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(NotOnix, match=sentence):
        read(raw)


# What each one says: how many records, how many of them rejected, or why it is refused whole.
REAL = {
    "dilicom-onix-3.0-reference.xml": (84, 0),
    "jonix-single-reference.xml": (1, 0),
    "jonix-single-short.xml": (1, 0),
    "9782752906700.xml": (4, 0),
    "short.xml": (1, 0),
    "onix2_product.xml": (0, 1),
    "test_collection.xml": "Ce fichier n’est pas un message ONIX.",
    "test_wiley_data.xml": "ONIX 2.1 n’est pas pris en charge : demandez un fichier ONIX 3.0 ou 3.1.",
}


@with_real_files
def test_real_files_are_read_or_refused_in_a_sentence() -> None:
    told: dict[str, tuple[int, int] | str] = {}
    for path in sorted(REAL_FILES.rglob("*.xml")):
        with path.open("rb") as stream:
            try:
                found = list(onix.read(stream, country="BE", today=TODAY))
                rejected = [record for record in found if isinstance(record, Reject)]
                told[path.name] = (len(found) - len(rejected), len(rejected))
                assert found
                assert all(reject.reason.endswith(".") for reject in rejected)
            except NotOnix as refusal:
                told[path.name] = str(refusal)
    assert {name: told[name] for name in REAL} == REAL


@with_real_files
def test_short_tags_say_the_same_as_reference_tags() -> None:
    tags = [only((REAL_FILES / f"jonix-single-{tags}.xml").read_bytes()) for tags in ("reference", "short")]
    assert tags[0] == tags[1]
    assert (tags[0].title, tags[0].authors, tags[0].collection) == (
        "Roseanna",
        "SJÖWALL Maj/WAHLÖÖ Per",
        "The Martin Beck series",
    )


@pytest.mark.parametrize(
    "inside",
    ['<Product a="' + "x" * 11_000_000 + '"/>', "<a>" * 300, "<Text>" + "x" * 11_000_000],
    ids=["attribute", "depth", "text"],
)
def test_what_would_fill_the_memory_is_refused(inside: str) -> None:
    with pytest.raises(NotOnix, match="n’est pas du XML valable"):
        read(f'<ONIXMessage release="3.0">{inside}'.encode())
