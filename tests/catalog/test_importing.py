import gzip
import io
import sys
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from catalog import onix
from catalog.importing import BATCH, Summary
from catalog.models import Book
from catalog.onix import Record, Reject
from tests.catalog.samples import REAL_FILES, TODAY, message, product, with_real_files
from tests.catalog.shelf import SENT, record, take

pytestmark = pytest.mark.django_db

EARLIER, LATER = SENT - timedelta(days=1), SENT + timedelta(days=1)
DEMO = settings.BASE_DIR / "catalog/demo/catalogue.xml"


def told(*files: str | Path) -> str:
    out = StringIO()
    call_command("import_books", *map(str, files), stdout=out)
    return out.getvalue()


def test_take_in_counts_and_run_again_changes_nothing() -> None:
    first, second = record("9782362210419", "Un"), record("9791097284657", "Deux")
    assert take(first, second) == Summary(new=2)
    assert take(first, second) == Summary(unchanged=2)
    assert take(record("9782362210419", "Un, corrigé"), second) == Summary(changed=1, unchanged=1)
    assert Book.objects.get(ean13="9782362210419").search_text == "un corrige"


def test_take_in_leaves_out_what_is_rejected_and_takes_the_rest() -> None:
    reject = Reject(7, "r", "Pas de titre.")
    assert take(reject, record("9782362210419", "Un")) == Summary(new=1, rejected=1, rejects=[reject])


def test_second_record_of_a_book_has_the_last_word() -> None:
    assert take(record("9782362210419", "Un"), record("9782362210419", "Deux")) == Summary(new=1, changed=1)
    assert Book.objects.get().title == "Deux"


def test_take_in_goes_on_beyond_a_batch() -> None:
    many = [record(f"97910999{n:05}", f"Titre {n}") for n in range(BATCH + 1)]
    assert take(*many) == Summary(new=BATCH + 1)
    assert take(*many) == Summary(unchanged=BATCH + 1)


def test_change_keeps_the_book_and_its_cover() -> None:
    take(record("9782362210419", "Un"))
    Book.objects.update(cover="covers/un.jpg")
    before = Book.objects.get()
    take(record("9782362210419", "Deux"))
    after = Book.objects.get()
    assert (after.pk, after.title, after.cover.name) == (before.pk, "Deux", "covers/un.jpg")


def test_older_message_never_overwrites() -> None:
    take(record("9782362210419", "Nouveau"))
    assert take(record("9782362210419", "Ancien", EARLIER)) == Summary(unchanged=1)
    assert take(Record("9782362210419", "r", EARLIER, gone=True)) == Summary(unchanged=1)
    book = Book.objects.get()
    assert (book.title, book.withdrawn) == ("Nouveau", False)


def test_message_that_changes_nothing_still_makes_the_ones_before_it_older() -> None:
    take(record("9782362210419", "Un", EARLIER))
    assert take(record("9782362210419", "Un", LATER)) == Summary(unchanged=1)
    assert take(record("9782362210419", "Deux", SENT)) == Summary(unchanged=1)
    assert Book.objects.get().title == "Un"


def test_deletion_withdraws_and_a_later_record_brings_it_back() -> None:
    take(record("9782362210419", "Un"))
    gone = Record("9782362210419", "r", SENT, gone=True)
    assert take(gone) == Summary(withdrawn=1)
    assert take(gone) == Summary(unchanged=1)
    assert Book.objects.get().unavailable_reason(TODAY) == "Cet ouvrage est retiré du catalogue."
    assert take(record("9782362210419", "Un", LATER)) == Summary(changed=1)
    assert Book.objects.get().unavailable_reason(TODAY) == ""


def test_partial_update_changes_what_it_speaks_of() -> None:
    take(record("9782362210419", "Un", authors="LAROCHE"))
    dearer = replace(record("9782362210419", ""), price=Decimal("7.00"), only=("price", "vat_rate", "availability"))
    assert take(dearer) == Summary(changed=1)
    book = Book.objects.get()
    assert (book.title, book.authors, book.price, book.search_text) == ("Un", "LAROCHE", Decimal("7.00"), "un laroche")


def test_partial_update_of_an_unknown_book_is_rejected() -> None:
    unknown = replace(record("9782362210419", ""), line=12, only=("price",))
    reason = "Mise à jour partielle d’un ouvrage qui n’est pas au catalogue."
    assert take(unknown) == Summary(rejected=1, rejects=[Reject(12, "r", reason)])
    assert Book.objects.count() == 0


# The command ----------------------------------------------------------------------------------


def test_import_books_loads_the_demos_sixty_books_and_says_so() -> None:
    assert ": 60 nouveaux, 0 modifiés, 0 inchangés, 0 retirés, 0 rejetés" in told(DEMO)
    assert ": 0 nouveaux, 0 modifiés, 60 inchangés, 0 retirés, 0 rejetés" in told(DEMO)
    book = Book.objects.get(ean13="9782362210419")
    assert (book.title, book.authors, book.publisher, book.price, book.published, book.form, book.summary) == (
        "LE LIVRE QU'IL NE FAUT SURTOUT, SURTOUT, SURTOUT, PAS LIRE ! (POCHE)",
        "LAROCHE SOPHIE",
        "MIC MAC EDITION",
        Decimal("6.40"),
        "29/04/2011",
        "Broché",
        "",
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
    # The fifty-eight others are invented, under numbers of one range.
    assert Book.objects.filter(ean13__startswith="9791099999").count() == 58


@with_real_files
def test_import_books_takes_real_files_in_to_the_same_state() -> None:
    # 84 records, of 83 books: one stands twice in the file, word for word the same.
    file = REAL_FILES / "dilicom-onix-3.0-reference.xml"
    assert ": 83 nouveaux, 0 modifiés, 1 inchangés, 0 retirés, 0 rejetés" in told(file)
    assert ": 0 nouveaux, 0 modifiés, 84 inchangés, 0 retirés, 0 rejetés" in told(file)
    book = Book.objects.get(ean13="9782416009938")
    assert (book.title, book.authors, book.price, book.vat_rate, book.publication_date, book.weight_g) == (
        "Mes remèdes phyto",
        "GHESQUIÈRE Anne/CHARRIÉ Jean-Christophe",
        Decimal("21.90"),
        Decimal("6.00"),
        date(2023, 4, 6),
        574,
    )
    assert (Book.objects.filter(price=None).count(), Book.objects.exclude(Book.sellable(TODAY)).count()) == (0, 1)


@pytest.mark.parametrize("packed", ["plain.xml", "packed.xml.gz", "packed.zip", "-"])
def test_import_books_unpacks(packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, file = message(product()), tmp_path / packed
    if packed == "plain.xml":
        file.write_bytes(raw)
    elif packed == "-":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    elif packed.endswith(".gz"):
        file.write_bytes(gzip.compress(raw))
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("lisez-moi.txt", "rien")
            archive.writestr("un.xml", raw)
            archive.writestr("deux.xml", raw.replace(b"9791097284657", b"9782362210419"))
    count = 2 if packed.endswith(".zip") else 1
    assert f" : {count} nouveaux, 0 modifiés" in told("-" if packed == "-" else file)
    assert Book.objects.count() == count


def test_import_books_says_what_is_wrong_with_each_file_and_takes_the_others(tmp_path: Path) -> None:
    raw = message(product())
    (tmp_path / "old.xml").write_text('<ONIXMessage release="2.1"/>')
    (tmp_path / "cut.xml").write_bytes(raw[:-5])
    (tmp_path / "cut.xml.gz").write_bytes(gzip.compress(raw * 50)[:-20])
    (tmp_path / "no.zip").write_bytes(b"PK nothing")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("lisez-moi.txt", "rien")
    (tmp_path / "good.xml").write_bytes(raw.replace(b"9791097284657", b"9782362210419"))
    names = ["old.xml", "none.xml", "cut.xml", "cut.xml.gz", "no.zip", "empty.zip", "good.xml"]
    with pytest.raises(CommandError) as refused:
        told(*[tmp_path / name for name in names])
    reasons = [line.removeprefix(f"{tmp_path}/") for line in str(refused.value).splitlines()]
    assert [reason.partition(" : ")[0] for reason in reasons] == names[:-1]
    assert reasons[0] == "old.xml : ONIX 2.1 n’est pas pris en charge : demandez un fichier ONIX 3.0 ou 3.1."
    assert reasons[1] == "none.xml : Ce fichier n’existe pas."
    assert reasons[2].startswith("cut.xml : Le fichier n’est pas du XML valable")
    assert reasons[5] == "empty.zip : Cette archive ne contient aucun fichier .xml ni .csv."
    # What a broken file said before it broke is kept.
    assert set(Book.objects.values_list("ean13", flat=True)) == {"9791097284657", "9782362210419"}


def test_import_books_tells_the_line_and_the_reason_of_a_reject(tmp_path: Path) -> None:
    (tmp_path / "bad.xml").write_bytes(message("\n\n<Product><RecordReference>abc</RecordReference></Product>"))
    assert told(tmp_path / "bad.xml").splitlines()[1] == "  ligne 3, abc : Pas de code EAN13 ni d’ISBN."


# Whatever a record says -----------------------------------------------------------------------

_SAID = message(product()).decode()
_TEXTS = sorted({part.split("<")[0] for part in _SAID.split(">") if part.split("<")[0].strip()})
_ABSURD = st.one_of(
    st.sampled_from(
        ["", "-1", "0", "9" * 40, "1e999", "NaN", "²", "00000000", "20260231", "a" * 3000, "&lt;b&gt;", "﷽"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="<&>￾￿"), max_size=30),
)


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(_TEXTS), _ABSURD, min_size=1, max_size=4))
def test_any_record_is_taken_in_or_rejected(absurd: dict[str, str]) -> None:
    said = _SAID
    for text, other in absurd.items():
        said = said.replace(f">{text}<", f">{other}<", 1)
    records = list(onix.read(io.BytesIO(said.encode()), country="BE", today=TODAY))
    assert take(*records).read == 1
