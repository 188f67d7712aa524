"""A catalogue in CSV, as catalogue tables are written by hand and by spreadsheets."""

import gzip
import zipfile
from datetime import date
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from catalog import table
from catalog.models import Book, ImportRun
from catalog.onix import NotOnix, Record, Reject
from tests.catalog.samples import TODAY, message, product
from tests.catalog.shelf import take

COLUMNS = (
    "ean13;title;subtitle;authors;publisher;collection;genre;pub_date;form;weight_g;height_mm;width_mm;thickness_mm;"
    "price_ttc;vat_rate;availability;cover_url;summary"
)


def read(text: str | bytes) -> list[Record | Reject]:
    raw = text.encode() if isinstance(text, str) else text
    return list(table.read(BytesIO(raw), country="BE", today=TODAY))


def fact(name: str, column: str, written: str) -> object:
    record = read(f"ean13;title;{column}\n9782362210419;Un;{written}")[0]
    return record.reason if isinstance(record, Reject) else getattr(record, name)


def test_line_of_every_column_is_a_record() -> None:
    line = (
        "978-2-36221-041-9;LE LIVRE;roman;LAROCHE SOPHIE;MIC MAC;ADOS;FICTIONS;29/04/2011;BC;194;180;118,4;12;"
        "6,40;5,5;21;https://images.example/1.jpg;<p onclick='x'>Un <b>bon</b> livre</p>"
    )
    [record] = read(f"\ufeff{COLUMNS}\r\n{line}\r\n\r\n")
    assert isinstance(record, Record)
    assert record.line == 2
    assert (record.ean13, record.title, record.subtitle, record.authors) == (
        "9782362210419",
        "LE LIVRE",
        "roman",
        "LAROCHE SOPHIE",
    )
    assert (record.publisher, record.collection, record.genre, record.form) == ("MIC MAC", "ADOS", "FICTIONS", "Broché")
    assert (record.publication_date, record.publication_precision) == (date(2011, 4, 29), "DAY")
    assert (record.weight_g, record.height_mm, record.width_mm, record.thickness_mm) == (194, 180, 118, 12)
    assert (record.price, record.vat_rate, record.availability) == (Decimal("6.40"), Decimal("5.50"), "21")
    assert (record.cover_source, record.summary) == ("https://images.example/1.jpg", "<p>Un <b>bon</b> livre</p>")


@pytest.mark.parametrize(
    ("name", "column", "written", "said"),
    [
        ("price", "price_ttc", "6.40 €", Decimal("6.40")),
        ("price", "price_ttc", "", None),
        ("price", "price_ttc", "gratuit", "Le prix « gratuit » n’est pas un prix."),
        ("price", "price_ttc", "-1", "Le prix « -1 » n’est pas un prix."),
        ("vat_rate", "vat_rate", "", Decimal("6.00")),
        ("publication_date", "pub_date", "2011-04-29", date(2011, 4, 29)),
        ("publication_precision", "pub_date", "04/2011", "MONTH"),
        ("publication_precision", "pub_date", "2011", "YEAR"),
        ("publication_date", "pub_date", "31/02/2011", None),
        ("availability", "availability", "Épuisé", "51"),
        ("availability", "availability", "", "20"),
        ("availability", "availability", "peut-être", "La disponibilité « peut-être » n’est pas connue."),
        ("is_digital", "form", "Numérique", True),
        ("form", "form", "Poche", "Poche"),
        ("weight_g", "weight_g", "lourd", None),
        ("cover_source", "cover_url", "javascript:alert(1)", ""),
        ("summary", "summary", "a\0b", "<p>ab</p>"),
    ],
)
def test_column_is_read_as_people_write_it(name: str, column: str, written: str, said: object) -> None:
    assert fact(name, column, written) == said


def test_bad_line_is_rejected_with_its_number_and_the_others_are_read() -> None:
    found = read("ean13;title\n9782362210410;Faux\n;Sans\n9782362210419;\n9782362210419;Un\n")
    assert found[:3] == [
        Reject(2, "9782362210410", "Le code 9782362210410 n’est pas un EAN13 valable."),
        Reject(3, "", "Pas de code EAN13."),
        Reject(4, "9782362210419", "Pas de titre."),
    ]
    assert isinstance(found[3], Record)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("ean13;title\n9782362210419;Été".encode("cp1252"), "n’est pas en UTF-8 : enregistrez-le ainsi"),
        (b'ean13;title\n9782362210419;"' + b"a" * 140_000, "un guillemet y manque"),
    ],
)
def test_table_that_cannot_be_read_is_refused_in_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(NotOnix, match=sentence):
        read(raw)


@pytest.mark.django_db
def test_table_is_told_from_onix_by_what_stands_in_it(tmp_path: Path) -> None:
    table_in_it = f"{COLUMNS}\n9782362210419;Un;;;;;;;;;;;;6,40;;;;\n".encode()
    (tmp_path / "un.csv").write_bytes(table_in_it)
    (tmp_path / "un.csv.gz").write_bytes(gzip.compress(table_in_it))
    with zipfile.ZipFile(tmp_path / "deux.zip", "w") as archive:
        archive.writestr("un.csv", table_in_it)
        archive.writestr("deux.xml", message(product()))
    for name in ("un.csv", "un.csv.gz", "deux.zip"):
        call_command("import_books", str(tmp_path / name), stdout=StringIO())
    counts = [(run.new, run.unchanged, run.rejected) for run in ImportRun.objects.order_by("pk")]
    assert counts == [(1, 0, 0), (0, 1, 0), (1, 1, 0)]


@pytest.mark.django_db
def test_columns_that_are_left_out_keep_what_the_book_has() -> None:
    take(*read("ean13;title;authors;price_ttc\n9782362210419;Un;LAROCHE;6,40"))
    take(*read("ean13;price_ttc\n9782362210419;7,00\n9791097284657;3,00"))
    book = Book.objects.get()
    assert (book.title, book.authors, book.price, book.search_text) == ("Un", "LAROCHE", Decimal("7.00"), "un laroche")
