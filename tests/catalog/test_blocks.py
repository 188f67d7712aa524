from datetime import date

import pytest

from tests.catalog.samples import PRODUCT, message, only, product


@pytest.mark.parametrize(
    ("written", "known", "precision"),
    [
        ("20110429", date(2011, 4, 29), "DAY"),
        ("201104", date(2011, 4, 1), "MONTH"),
        ("2011", date(2011, 1, 1), "YEAR"),
        ("2011-04-29", date(2011, 4, 29), "DAY"),
        ("20110429T000000+0200", date(2011, 4, 29), "DAY"),
        ("20119999", None, "DAY"),
        ("²0110429", None, "DAY"),
        ("00000000", None, "DAY"),
        ("avril", None, "DAY"),
    ],
)
def test_date_is_as_precise_as_it_was_written(written: str, known: date | None, precision: str) -> None:
    record = only(message(product(date=written)))
    assert (record.publication_date, record.publication_precision) == (known, precision)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("&lt;p&gt;caf&amp;eacute; &amp;lt; th&amp;eacute;&lt;/p&gt;", "<p>café &lt; thé</p>"),
        ("&amp;lt;p&amp;gt;deux fois&amp;lt;/p&amp;gt;", "<p>deux fois</p>"),
        ("<p>en <b>XHTML</b> &amp; tel</p>", "<p>en <b>XHTML</b> &amp; tel</p>"),
        ("Une ligne\n\nune autre, 3 &lt; 4", "<p>Une ligne</p><p>une autre, 3 &lt; 4</p>"),
        ("<![CDATA[<div>Un</div><div style='x'>Deux</div>]]>", "<p>Un</p><p>Deux</p>"),
        ("&lt;p&gt;&amp;nbsp;&lt;br/&gt;&lt;/p&gt;", ""),
        ("&lt;img src=x onerror=alert(1)&gt;&lt;a href='javascript:x'&gt;lien&lt;/a&gt;", "lien"),
    ],
    ids=["escaped once", "escaped twice", "XHTML", "plain", "CDATA", "nothing to read", "hostile"],
)
def test_summary_is_html_as_it_was_meant(written: str, kept: str) -> None:
    raw = message(PRODUCT % {"date": "2011", "market": "", "prices": ""}).decode()
    start, end = raw.index("<Text>") + 6, raw.index("</Text>")
    assert only((raw[:start] + written + raw[end:]).encode()).summary == kept


@pytest.mark.parametrize(
    ("element", "author"),
    [
        ("<KeyNames>Laroche</KeyNames><NamesBeforeKey>Sophie</NamesBeforeKey>", "LAROCHE Sophie"),
        ("<PrefixToKey>de</PrefixToKey><KeyNames>Staël</KeyNames>", "DE STAËL"),
        ("<PersonNameInverted>Laroche, Sophie</PersonNameInverted>", "LAROCHE Sophie"),
        ("<PersonName>Sophie Laroche</PersonName>", "Sophie Laroche"),
        ("<CorporateName>Collectif</CorporateName>", "Collectif"),
    ],
)
def test_author_is_printed_as_the_trade_does(element: str, author: str) -> None:
    raw = message(product()).decode()
    start, end = raw.index("<Contributor>"), raw.rindex("</Contributor>") + len("</Contributor>")
    contributor = f"<Contributor><ContributorRole>A01</ContributorRole>{element}</Contributor>"
    assert only((raw[:start] + contributor + raw[end:]).encode()).authors == author


@pytest.mark.parametrize(
    ("level", "elements", "title"),
    [
        ("01", "<PartNumber>3</PartNumber><TitleText>La Tour</TitleText>", "La Tour, 3"),
        ("02", "<PartNumber>T. 3</PartNumber><TitleText>La Tour</TitleText>", "La Tour, T. 3"),
        ("01", "<PartNumber>3</PartNumber><TitleText>Tour 3</TitleText>", "Tour 3"),
    ],
    ids=["with its part", "the collection's", "already said"],
)
def test_title_says_which_part_it_is(level: str, elements: str, title: str) -> None:
    raw = message(product()).decode()
    start = raw.index("<TitleElement>", raw.rindex("<TitleDetail>")) + len("<TitleElement>")
    end = raw.rindex("</TitleElement>")
    elements = f"<TitleElementLevel>{level}</TitleElementLevel>{elements}"
    assert only((raw[:start] + elements + raw[end:]).encode()).title == title


def test_title_of_another_kind_is_better_than_none() -> None:
    raw = message(product()).replace(b"<TitleType>01", b"<TitleType>10")
    assert only(raw).title == "ABREGE"


@pytest.mark.parametrize(
    ("form", "detail", "support", "is_digital"),
    [
        ("BC", "", "Broché", False),
        ("BB", "", "Relié", False),
        ("BC", "B113", "Poche", False),
        ("ED", "E101", "", True),
        ("AJ", "", "", True),
        ("DB", "", "", False),
        ("??", "", "", False),
    ],
)
def test_support_is_named(form: str, detail: str, support: str, is_digital: bool) -> None:
    raw = message(product()).decode()
    codes = f"<ProductForm>{form}</ProductForm><ProductFormDetail>{detail}</ProductFormDetail>"
    record = only(raw.replace("<ProductForm>BC</ProductForm>", codes).encode())
    assert (record.form, record.is_digital) == (support, is_digital)


@pytest.mark.parametrize(
    ("subject", "genre"),
    [
        ("<SubjectSchemeIdentifier>29</SubjectSchemeIdentifier><SubjectCode>3622</SubjectCode>", "THÉÂTRE"),
        ("<SubjectSchemeIdentifier>93</SubjectSchemeIdentifier><SubjectCode>YFB</SubjectCode>", "FICTIONS JEUNESSE"),
        ("<SubjectSchemeIdentifier>29</SubjectSchemeIdentifier><SubjectCode>1</SubjectCode>", ""),
    ],
)
def test_genre_is_said_in_words_or_not_at_all(subject: str, genre: str) -> None:
    raw = message(product()).decode()
    start, end = raw.index("<Subject>") + len("<Subject>"), raw.index("</Subject>")
    assert only((raw[:start] + subject + raw[end:]).encode()).genre == genre


def test_absurd_measures_are_not_kept() -> None:
    raw = message(product())
    for absurd in (b"-18", b"99999999999", b"1e400", b"NaN", "²".encode(), b"grand"):
        assert only(raw.replace(b"<Measurement>18<", b"<Measurement>" + absurd + b"<")).height_mm is None
