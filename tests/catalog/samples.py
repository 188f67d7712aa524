"""ONIX messages as real feeds write them, with nothing of theirs; and where the real ones are, if they are."""

from datetime import UTC, date, datetime
from io import BytesIO

import pytest
from django.conf import settings

from catalog import onix
from catalog.onix import Record, Reject

REAL_FILES = settings.BASE_DIR.parent / "shared" / "onix"
if not REAL_FILES.exists():  # a working copy one floor deeper
    REAL_FILES = settings.BASE_DIR.parent.parent / "shared" / "onix"
TODAY = date(2026, 11, 24)
SENT = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)

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


def between(amount: str, start: str, end: str) -> str:
    limits = "".join(
        f"<PriceDate><PriceDateRole>{role}</PriceDateRole><Date>{day}</Date></PriceDate>"
        for role, day in (("14", start), ("15", end))
        if day
    )
    return price(amount, "BE").replace("</Price>", f"{limits}</Price>")


def product(date: str = "20110429", market: str = "", prices: str = "") -> str:
    return PRODUCT % {"date": date, "market": market, "prices": prices or price("6.40", "BE FR", rate="6.00")}


def message(body: str, namespace: str = "http://ns.editeur.org/onix/3.0/reference", release: str = "3.0") -> bytes:
    declared = f' xmlns="{namespace}"' if namespace else ""
    header = "<Header><SentDateTime>20260901T0900Z</SentDateTime></Header>"
    return f'<ONIXMessage{declared} release="{release}">{header}{body}</ONIXMessage>'.encode()


def read(raw: bytes, country: str = "BE") -> list[Record | Reject]:
    return list(onix.read(BytesIO(raw), country=country, today=TODAY))


def only(raw: bytes, country: str = "BE") -> Record:
    (record,) = read(raw, country)
    assert isinstance(record, Record)
    return record


with_real_files = pytest.mark.skipif(
    not REAL_FILES.exists(), reason="the real ONIX files of ../shared/onix are not here"
)
