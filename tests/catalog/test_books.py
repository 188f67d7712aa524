from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog.ean import to_ean13
from catalog.importing import Summary, take_in
from catalog.models import Book
from catalog.onix import Record
from catalog.wording import normalise, title_key

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 24)
DEMO = Path("catalog/demo/catalogue.xml")


def take(*records: Record) -> Summary:
    (summary,) = take_in(records)
    return summary


def record(ean13: str, title: str, sent: str = "2026", **facts: Any) -> Record:
    return Record(ean13, "r", sent, title=title, price=Decimal("6.40"), **facts)


@pytest.mark.parametrize(
    ("typed", "ean13"),
    [
        ("9782362210419", "9782362210419"),
        ("978-2-36221-041-9", "9782362210419"),
        (" 978 2 36221 041 9 ", "9782362210419"),
        ("2-07-036002-4", "9782070360024"),
        ("2-07-036002-5", ""),
        ("080442957X", "9780804429573"),
        ("9782362210418", ""),
        ("3760001234565", "3760001234565"),
    ],
)
def test_ean_is_read_as_people_type_it(typed: str, ean13: str) -> None:
    assert to_ean13(typed) == ean13


def test_words_are_compared_without_accents_ligatures_or_punctuation() -> None:
    assert normalise("L’Œil d'Æthelred : ÇA, STRASSE-ß !") == "l oeil d aethelred ca strasse ss"
    assert [title_key(t) for t in ("L’Étranger", "Les Misérables", "Le")] == ["etranger", "miserables", "le"]


# Importing ------------------------------------------------------------------------------------


def test_take_in_counts_and_run_again_changes_nothing() -> None:
    first, second = record("9782362210419", "Un"), record("9791097284657", "Deux")
    assert take(first, second) == Summary(new=2)
    assert take(first, second) == Summary(unchanged=2)
    assert take(record("9782362210419", "Un, corrigé"), second) == Summary(changed=1, unchanged=1)
    assert Book.objects.get(ean13="9782362210419").title_key == "corrige"


def test_older_message_never_overwrites() -> None:
    take(record("9782362210419", "Nouveau", sent="20260901"))
    assert take(record("9782362210419", "Ancien", sent="20250901")) == Summary(unchanged=1)
    assert Book.objects.get().title == "Nouveau"


def test_deletion_withdraws_and_a_later_record_brings_it_back() -> None:
    take(record("9782362210419", "Un"))
    assert take(Record("9782362210419", "r", "2027", gone=True)) == Summary(withdrawn=1)
    assert Book.objects.get().unavailable_reason(TODAY) == "Cet ouvrage est retiré du catalogue."
    assert take(record("9782362210419", "Un", sent="2028")) == Summary(changed=1)
    assert Book.objects.get().unavailable_reason(TODAY) == ""


def test_import_books_loads_the_demos_sixty_books_and_says_so() -> None:
    out = StringIO()
    call_command("import_books", str(DEMO), stdout=out)
    assert ": 60 nouveaux, 0 modifiés, 0 inchangés, 0 retirés, 0 rejetés" in out.getvalue()
    book = Book.objects.get(ean13="9782362210419")
    assert (book.title, book.authors, book.publisher, book.price, book.published, book.form) == (
        "LE LIVRE QU'IL NE FAUT SURTOUT, SURTOUT, SURTOUT, PAS LIRE ! (POCHE)",
        "LAROCHE SOPHIE",
        "MIC MAC EDITION",
        Decimal("6.40"),
        "29/04/2011",
        "Broché",
    )
    assert (book.collection, book.genre, book.weight_g, book.height_mm, book.width_mm, book.thickness_mm) == (
        "ROMAN - ADOS",
        "FICTIONS ADOLESCENTS",
        194,
        180,
        118,
        12,
    )
    western = Book.objects.get(ean13="9791097284657")
    assert (western.authors, western.publisher, western.price) == ("LE GUEN/XENARD", "ORSO", Decimal("14.90"))


def test_import_books_refuses_a_file_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "old.xml").write_text('<ONIXMessage release="2.1"/>')
    with pytest.raises(CommandError, match="ONIX 2.1 n’est pas pris en charge"):
        call_command("import_books", str(tmp_path / "old.xml"))
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_books", str(tmp_path / "none.xml"))


# Searching ------------------------------------------------------------------------------------


@pytest.fixture
def shelf() -> None:
    take(
        record("9782070360024", "L’Étranger", authors="CAMUS ALBERT", publication_date=date(1942, 5, 19)),
        record("9782253096337", "Les Misérables", authors="HUGO VICTOR"),
        record("9782070541270", "Harry Potter à l’école des sorciers", authors="ROWLING J.K."),
        record("9782362210419", "LE LIVRE QU'IL NE FAUT SURTOUT PAS LIRE !", authors="LAROCHE SOPHIE"),
        record("9791097284657", "WESTERN COQUILLETTES", authors="LE GUEN/XENARD", publisher="ORSO"),
        record("9782070408504", "Le Petit Prince", authors="SAINT-EXUPÉRY ANTOINE DE", collection="Folio"),
        record("9782070612758", "Un cœur simple", authors="FLAUBERT GUSTAVE", availability="51"),
        record("9782211011662", "Étranger au paradis", authors="DUPONT JEAN", publication_date=date(2020, 1, 1)),
    )


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("9782362210419", "LE LIVRE QU'IL NE FAUT SURTOUT PAS LIRE !"),
        ("2-07-036002-4", "L’Étranger"),
        ("l etranger", "L’Étranger"),
        ("etranger", "L’Étranger"),
        ("etranger camus", "L’Étranger"),
        ("camus etranger", "L’Étranger"),
        ("MISERABLES", "Les Misérables"),
        ("coeur", "Un cœur simple"),
        ("cœur", "Un cœur simple"),
        ("qu'il ne faut", "LE LIVRE QU'IL NE FAUT SURTOUT PAS LIRE !"),
        ("qu’il ne faut", "LE LIVRE QU'IL NE FAUT SURTOUT PAS LIRE !"),
        ("exup", "Le Petit Prince"),
        ("folio prince", "Le Petit Prince"),
        ("orso", "WESTERN COQUILLETTES"),
    ],
)
def test_search_finds_it_first(typed: str, first: str) -> None:
    assert Book.objects.search(typed).books[0].title == first


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("typed", "title"),
    [("harry poter", "Harry Potter à l’école des sorciers"), ("westren coquilletes", "WESTERN COQUILLETTES")],
)
def test_search_forgives_spelling_and_says_so(typed: str, title: str) -> None:
    found = Book.objects.search(typed)
    assert (found.approximate, found.books[0].title) == (True, title)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    "typed", ["", "a", "%_\\'", "x" * 200, "📚", "'; DROP TABLE", "9782362210418", "& | !", "\x00"]
)
def test_search_finds_nothing_without_a_word(typed: str) -> None:
    assert Book.objects.search(typed).books == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, ""),
        ({"availability": "31"}, ""),
        ({"availability": "51"}, "Cet ouvrage est épuisé."),
        ({"availability": "99"}, "Cet ouvrage ne peut pas être commandé pour le moment."),
        ({"is_digital": True}, "Cet ouvrage est numérique : il ne peut pas faire l’objet d’une commande groupée."),
        ({"price": None}, "Le prix de cet ouvrage n’est pas connu : demandez-le à la librairie."),
        ({"embargo_until": date(2026, 11, 25)}, "Cet ouvrage ne peut pas être vendu avant le 25/11/2026."),
        ({"embargo_until": TODAY}, ""),
        ({"availability": "10", "publication_date": date(2027, 1, 5)}, "Cet ouvrage est à paraître le 05/01/2027."),
        ({"availability": "10"}, "Cet ouvrage est à paraître."),
        ({"withdrawn": True}, "Cet ouvrage est retiré du catalogue."),
    ],
)
def test_unavailable_reason(facts: dict[str, Any], reason: str) -> None:
    assert Book(**{"price": Decimal("6.40"), **facts}).unavailable_reason(TODAY) == reason
