from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from catalog.ean import to_ean13
from catalog.models import Book, Word
from catalog.wording import normalise, title_key
from tests.catalog.shelf import record, take

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("typed", "ean13"),
    [
        ("9782362210419", "9782362210419"),
        ("978-2-36221-041-9", "9782362210419"),
        (" 978 2 36221 041 9 ", "9782362210419"),
        ("2-07-036002-4", "9782070360024"),
        ("2-07-036002-5", ""),
        ("080442957X", "9780804429573"),
        ("ISBN 978‑2‑36221‑041‑9", "9782362210419"),
        ("isbn-10: 2-07-036002-4", "9782070360024"),
        ("EAN13 9782362210419", "9782362210419"),
        ("1984", ""),
        ("9782362210419 et autre chose", ""),
        ("9782362210418", ""),
        ("3760001234565", "3760001234565"),
    ],
)
def test_ean_is_read_as_people_type_it(typed: str, ean13: str) -> None:
    assert to_ean13(typed) == ean13


def test_words_are_compared_without_accents_ligatures_or_punctuation() -> None:
    assert normalise("L’Œil d'Æthelred : ÇA, STRASSE-ß !") == "l oeil d aethelred ca strasse ss"
    assert [title_key(t) for t in ("L’Étranger", "Les Misérables", "Le")] == ["etranger", "miserables", "le"]


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
        ("978-2-36221-041-9", "LE LIVRE QU'IL NE FAUT SURTOUT PAS LIRE !"),
        ("97823622", "LE LIVRE QU'IL NE FAUT SURTOUT PAS LIRE !"),
        ("qu il ne faut", "LE LIVRE QU'IL NE FAUT SURTOUT PAS LIRE !"),
        ("miser", "Les Misérables"),
        ("le", "Le Petit Prince"),
        ("saint exupery", "Le Petit Prince"),
        ("prince, (petit) !", "Le Petit Prince"),
        ("étranger " + "camus " * 100, "L’Étranger"),
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
    ("typed", "title"),
    [
        ("hary potter", "Harry Potter à l’école des sorciers"),  # one letter less
        ("harrry potter", "Harry Potter à l’école des sorciers"),  # one more
        ("hatry potter", "Harry Potter à l’école des sorciers"),  # another
        ("mirsables hugo", "Les Misérables"),  # two mistakes in one word
        ("western coquillettes recettes", "WESTERN COQUILLETTES"),  # a word that stands nowhere
        ("miserab vict", "Les Misérables"),  # two words unfinished: no mistake
    ],
)
def test_search_finds_it_in_spite_of(typed: str, title: str) -> None:
    found = Book.objects.search(typed)
    assert (found.books[0].title, found.approximate) == (title, typed != "miserab vict")


@pytest.mark.usefixtures("shelf")
def test_search_forgives_nothing_where_enough_is_found() -> None:
    take(*[record(f"97910999{n:05}", f"Prince {n}") for n in range(3)], record("9791099999405", "Pince"))
    found = Book.objects.search("prince")
    assert ("Pince" in [book.title for book in found.books], found.approximate) == (False, False)


def test_search_reads_the_front_of_the_catalogue_for_what_many_books_say(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [date(2000 + n, 1, 1) for n in range(6)]
    take(*[record(f"97910999{n:05}", f"Carnet de la lune {n}", publication_date=day) for n, day in enumerate(days)])
    take(record("9791099999405", "Soleil", publication_date=date(2020, 1, 1)))
    looked_up = titles("lune carnet")
    monkeypatch.setattr("catalog.search.MANY", 2)
    assert titles("lune carnet") == looked_up == [f"Carnet de la lune {n}" for n in reversed(range(6))]
    # Not before the front ends: what stands further back is not read.
    monkeypatch.setattr("catalog.search.FRONT", 4)
    assert titles("lune carnet") == [f"Carnet de la lune {n}" for n in (5, 4, 3)]


@pytest.mark.usefixtures("shelf")
def test_search_out_of_time_answers_with_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.search._HURRY", "SET LOCAL statement_timeout = '20ms'")
    monkeypatch.setattr("catalog.search._BY_WORD", "pg_sleep(9) IS NOT NULL AND search_vector @@ to_tsquery(%s)")
    assert titles("le petit prince") == ["Le Petit Prince"]


def test_word_of_a_book_is_known_once_it_is_taken_in_and_counted() -> None:
    take(record("9782070360024", "L’Étranger, étranger"), record("9782211011662", "Étranger au paradis"))
    assert dict(Word.objects.values_list("word", "books")) == {"l": 1, "etranger": 2, "au": 1, "paradis": 1}


def titles(typed: str) -> list[str]:
    return [book.title for book in Book.objects.search(typed).books]


@pytest.mark.usefixtures("shelf")
def test_search_by_number_finds_its_book_alone() -> None:
    found = Book.objects.search("ISBN 2-07-036002-4")
    assert (titles("9782070360024"), [book.title for book in found.books], found.approximate) == (
        ["L’Étranger"],
        ["L’Étranger"],
        False,
    )


def test_search_puts_the_exact_title_before_its_beginning_before_the_rest() -> None:
    take(
        record("9791099999405", "Le voyage de la Lune", publication_date=date(2025, 1, 1)),
        record("9791099999412", "Lune rousse", publication_date=date(2020, 1, 1)),
        record("9791099999429", "La Lune", publication_date=date(1990, 1, 1)),
    )
    assert titles("la lune") == ["La Lune", "Lune rousse", "Le voyage de la Lune"]


def test_search_puts_what_can_be_ordered_first_then_what_is_recent() -> None:
    take(
        record("9791099999405", "Lune", availability="51", publication_date=date(2025, 1, 1)),
        record("9791099999412", "Lune", publication_date=date(1990, 1, 1)),
        record("9791099999429", "Lune", publication_date=date(2020, 1, 1)),
        record("9791099999436", "Lune", is_digital=True),
        record("9791099999443", "Lune", price=None),
    )
    numbers = [book.ean13[-3:] for book in Book.objects.search("lune").books]
    assert numbers == ["429", "412", "405", "436", "443"]


def test_search_stops_at_a_hundred() -> None:
    take(*[record(f"97910999{n:05}", f"Titre {n}") for n in range(120)])
    assert len(Book.objects.search("titre").books) == len(Book.objects.search("9791099").books) == 100


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300))
def test_search_answers_whatever_is_typed(typed: str) -> None:
    assert Book.objects.search(typed) == ([], False)


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
        ({"availability": "10", "publication_date": date(2020, 1, 5)}, "Cet ouvrage est à paraître."),
        (
            {"availability": "10", "publication_date": date(2027, 1, 1), "publication_precision": "YEAR"},
            "Cet ouvrage est à paraître.",
        ),
        ({"availability": "34"}, "Cet ouvrage est momentanément retiré de la vente."),
        ({"availability": ""}, "Cet ouvrage ne peut pas être commandé pour le moment."),
        ({"withdrawn": True}, "Cet ouvrage est retiré du catalogue."),
    ],
)
def test_unavailable_reason(facts: dict[str, Any], reason: str) -> None:
    assert Book(**{"price": Decimal("6.40"), **facts}).unavailable_reason(TODAY) == reason


def test_sellable_is_the_same_rule_for_the_database() -> None:
    call_command("import_books", "catalog/demo/catalogue.xml", stdout=StringIO())
    Book.objects.filter(ean13="9791099999405").update(withdrawn=True)
    Book.objects.filter(ean13="9791099999412").update(price=None)
    Book.objects.filter(ean13="9791099999429").update(availability="")
    for day in (TODAY, date(2031, 9, 9), date(2031, 9, 10)):
        orderable = {book.ean13 for book in Book.objects.all() if not book.unavailable_reason(day)}
        assert set(Book.objects.filter(Book.sellable(day)).values_list("ean13", flat=True)) == orderable
        assert ("9791099999702" in orderable) == (day == date(2031, 9, 10))
