from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings

from catalog import onix
from catalog.onix import NotOnix, Record, Reject

SHARED = settings.BASE_DIR.parent / "shared" / "onix"

PRODUCT = """
<Product><RecordReference>r1</RecordReference><NotificationType>03</NotificationType>
<ProductIdentifier><ProductIDType>01</ProductIDType><IDValue>42</IDValue></ProductIdentifier>
<ProductIdentifier><ProductIDType>03</ProductIDType><IDValue>9791097284657</IDValue></ProductIdentifier>
<DescriptiveDetail><ProductForm>BC</ProductForm>
<Measure><MeasureType>01</MeasureType><Measurement>18</Measurement><MeasureUnitCode>cm</MeasureUnitCode></Measure>
<Measure><MeasureType>02</MeasureType><Measurement>118</Measurement><MeasureUnitCode>mm</MeasureUnitCode></Measure>
<Measure><MeasureType>08</MeasureType><Measurement>0.194</Measurement><MeasureUnitCode>kg</MeasureUnitCode></Measure>
<Collection><CollectionType>10</CollectionType><TitleDetail><TitleType>01</TitleType><TitleElement>
<TitleElementLevel>02</TitleElementLevel><TitleText>ROMAN - ADOS</TitleText></TitleElement></TitleDetail></Collection>
<TitleDetail><TitleType>05</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>
<TitleText>ABREGE</TitleText></TitleElement></TitleDetail>
<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>
<TitlePrefix>L’</TitlePrefix><TitleWithoutPrefix>Étranger</TitleWithoutPrefix><Subtitle>roman</Subtitle>
</TitleElement></TitleDetail>
<Contributor><SequenceNumber>2</SequenceNumber><ContributorRole>A01</ContributorRole><KeyNames>XENARD</KeyNames></Contributor>
<Contributor><SequenceNumber>1</SequenceNumber><ContributorRole>A01</ContributorRole>
<NamesBeforeKey>SOPHIE</NamesBeforeKey><KeyNames>LAROCHE</KeyNames></Contributor>
<Contributor><SequenceNumber>3</SequenceNumber><ContributorRole>B06</ContributorRole><KeyNames>TRADUC</KeyNames></Contributor>
<Subject><SubjectSchemeIdentifier>29</SubjectSchemeIdentifier><SubjectCode>3750</SubjectCode></Subject>
</DescriptiveDetail>
<CollateralDetail><TextContent><TextType>03</TextType>
<Text>&lt;p onclick="x()"&gt;Un &lt;em&gt;bon&lt;/em&gt; livre&lt;script&gt;alert(1)&lt;/script&gt;&lt;/p&gt;</Text>
</TextContent></CollateralDetail>
<PublishingDetail><Imprint><ImprintName>ORSO</ImprintName></Imprint>
<PublishingDate><PublishingDateRole>11</PublishingDateRole><Date>19990101</Date></PublishingDate>
<PublishingDate><PublishingDateRole>01</PublishingDateRole><Date>%(date)s</Date></PublishingDate></PublishingDetail>
<ProductSupply>%(market)s<SupplyDetail><ProductAvailability>20</ProductAvailability>%(prices)s</SupplyDetail></ProductSupply>
</Product>"""
PRICE = (
    "<Price><PriceType>{type}</PriceType><PriceAmount>{amount}</PriceAmount><Tax><TaxType>01</TaxType>"
    "<TaxRatePercent>{rate}</TaxRatePercent></Tax><CurrencyCode>{currency}</CurrencyCode>"
    "<Territory><CountriesIncluded>{countries}</CountriesIncluded></Territory></Price>"
)


def price(amount: str, countries: str, type: str = "04", rate: str = "5.50", currency: str = "EUR") -> str:
    return PRICE.format(amount=amount, countries=countries, type=type, rate=rate, currency=currency)


def product(date: str = "20110429", market: str = "", prices: str = "") -> str:
    return PRODUCT % {"date": date, "market": market, "prices": prices or price("6.40", "BE FR", rate="6.00")}


def message(body: str, namespace: str = "http://ns.editeur.org/onix/3.0/reference", release: str = "3.0") -> bytes:
    declared = f' xmlns="{namespace}"' if namespace else ""
    header = "<Header><SentDateTime>20260901T0900Z</SentDateTime></Header>"
    return f'<ONIXMessage{declared} release="{release}">{header}{body}</ONIXMessage>'.encode()


def read(raw: bytes, country: str = "BE") -> list[Record | Reject]:
    return list(onix.read(BytesIO(raw), country=country))


def only(raw: bytes, country: str = "BE") -> Record:
    (record,) = read(raw, country)
    assert isinstance(record, Record)
    return record


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
        sent="20260901T0900Z",
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


@pytest.mark.parametrize(
    ("written", "known", "precision"),
    [
        ("20110429", date(2011, 4, 29), "DAY"),
        ("201104", date(2011, 4, 1), "MONTH"),
        ("2011", date(2011, 1, 1), "YEAR"),
        ("20119999", None, "DAY"),
        ("avril", None, "DAY"),
    ],
)
def test_date_is_as_precise_as_it_was_written(written: str, known: date | None, precision: str) -> None:
    record = only(message(product(date=written)))
    assert (record.publication_date, record.publication_precision) == (known, precision)


@pytest.mark.parametrize(
    ("prices", "country", "expected"),
    [
        (price("9.00", "FR") + price("8.50", "BE", rate="6.00"), "BE", ("8.50", "6.00")),
        (price("9.00", "FR") + price("8.50", "BE", rate="6.00"), "FR", ("9.00", "5.50")),
        (price("7.00", "BE", type="02") + price("8.00", "BE"), "BE", ("8.00", "5.50")),
        (price("9.00", "FR"), "BE", ("9.00", "6.00")),
        (price("9.00", "BE", type="01") + price("9.00", "BE", currency="CHF"), "BE", (None, "6.00")),
    ],
    ids=["Belgium's", "France's", "fixed before recommended", "printed on the book", "none with VAT in euros"],
)
def test_price_is_the_public_one_of_the_shops_country(
    prices: str, country: str, expected: tuple[str | None, str]
) -> None:
    record = only(message(product(prices=prices)), country)
    assert (record.price and str(record.price), str(record.vat_rate)) == expected


def test_deletion_needs_no_title() -> None:
    raw = message(
        "<Product><RecordReference>r</RecordReference><NotificationType>05</NotificationType><ProductIdentifier>"
        "<ProductIDType>03</ProductIDType><IDValue>9791097284657</IDValue></ProductIdentifier></Product>"
    )
    assert only(raw) == Record("9791097284657", "r", "20260901T0900Z", gone=True)


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
        (b"<html/>", "Ce fichier n’est pas un message ONIX."),
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
    ids=["2.1", "not ONIX", "not XML", "empty", "entity bomb", "external entity"],
)
def test_file_that_cannot_be_read_is_refused_in_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(NotOnix, match=sentence):
        read(raw)


def samples() -> Iterator[Path]:
    yield from sorted(SHARED.rglob("*.xml")) if SHARED.exists() else []


@pytest.mark.skipif(not SHARED.exists(), reason="the real ONIX files of ../shared/onix are not here")
def test_real_files_are_read_or_refused_in_a_sentence() -> None:
    counts = {}
    for path in samples():
        with path.open("rb") as stream:
            try:
                counts[path.name] = len([r for r in onix.read(stream, country="BE") if isinstance(r, Record)])
            except NotOnix as refusal:
                counts[path.name] = str(refusal)
    assert counts["dilicom-onix-3.0-reference.xml"] == 84
    assert counts["test_wiley_data.xml"] == "ONIX 2.1 n’est pas pris en charge : demandez un fichier ONIX 3.0 ou 3.1."
