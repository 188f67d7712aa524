"""An import from its file to its report."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from threading import Barrier

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from catalog import onix, runs
from catalog.files import CatalogueFile
from catalog.importing import Summary
from catalog.models import Book, ImportRun
from catalog.onix import NotOnix
from tests.catalog.samples import message, product

pytestmark = pytest.mark.django_db

BAD = "<Product><RecordReference>abc</RecordReference></Product>"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def many(count: int) -> bytes:
    """A message of so many records, each of a book of its own, under numbers whose check digit is right."""
    one = product()
    numbers = []
    for n in range(count):
        digits = f"97910999{n:04}"
        numbers.append(f"{digits}{-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10}")
    return message("".join(one.replace("9791097284657", number) for number in numbers))


def state(run: ImportRun) -> tuple[str, str, int, int, int | None]:
    return run.state, run.refusal, run.new, run.rejected, run.percent


def test_import_leaves_a_run_and_a_report(tmp_path: Path) -> None:
    (tmp_path / "deux.xml").write_bytes(message(BAD + product()))
    out = StringIO()
    call_command("import_books", str(tmp_path / "deux.xml"), stdout=out)
    run = ImportRun.objects.get()
    assert state(run) == ("DONE", "", 1, 1, 100)
    with run.report.open("r") as report:
        first, *lines = report.read().splitlines()
    assert re.fullmatch(rf"Import de {tmp_path}/deux.xml, le \d+ \w+ \d{{4}} à \d\d:\d\d", first)
    assert lines == [
        "ligne 1, abc : Pas de code EAN13 ni d’ISBN.",
        "1 nouveaux, 0 modifiés, 0 inchangés, 0 retirés, 1 rejetés",
    ]
    assert out.getvalue().splitlines()[1:] == [
        "  ligne 1, abc : Pas de code EAN13 ni d’ISBN.",
        f"  rapport : {run.report.path}",
    ]


def test_import_that_is_refused_says_so_in_its_run_and_its_report(tmp_path: Path) -> None:
    (tmp_path / "autre.txt").write_text("bonjour")
    with pytest.raises(CommandError):
        call_command("import_books", str(tmp_path / "autre.txt"), stdout=StringIO())
    run = ImportRun.objects.get()
    reason = "Ce fichier n’est ni un message ONIX, ni un CSV dont la première ligne dit « ean13;title;… »."
    assert state(run) == ("REFUSED", reason, 0, 0, None)
    with run.report.open("r") as report:
        assert report.read().splitlines()[-1] == reason


@pytest.mark.parametrize(("terminal", "said"), [(True, r"\r█+░* 1000 notices"), (False, r"^500 notices, \d+ par sec")])
def test_import_says_how_far_it_is(terminal: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "EVERY", 0.0)
    monkeypatch.setattr("catalog.management.commands.import_books.A_LINE_EVERY", 0)
    (tmp_path / "mille.xml").write_bytes(many(1_000))
    err = Terminal() if terminal else StringIO()
    call_command("import_books", str(tmp_path / "mille.xml"), stdout=StringIO(), stderr=err)
    assert re.search(said, err.getvalue())
    assert re.search(r"notices, \d+ par seconde, \d+ %, reste 0 min 0\d s", err.getvalue())


def test_import_interrupted_and_run_again_ends_in_the_same_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mille.xml"
    file.write_bytes(many(1_000))

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "EVERY", 0.0)
    run = ImportRun.objects.create(name="mille.xml", state="RUNNING")
    with pytest.raises(KeyboardInterrupt):
        runs.take_file_in(CatalogueFile(str(file)), run, interrupt)
    assert (Book.objects.count(), run.state, run.refusal[:11]) == (500, "REFUSED", "Interrompu ")
    call_command("import_books", str(file), stdout=StringIO())
    again = ImportRun.objects.first()
    assert again is not None
    assert (Book.objects.count(), again.new, again.unchanged) == (1_000, 500, 500)


def test_rejects_are_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []

    def take_in(records: Iterator, summary: Summary) -> Iterator[Summary]:
        for record in records:
            summary.reject(record)
            held.append(len(summary.rejects))
            yield summary

    monkeypatch.setattr(runs, "take_in", take_in)
    (tmp_path / "bad.xml").write_bytes(message(BAD * 50))
    run = ImportRun.objects.create(name="bad.xml", state="RUNNING")
    runs.take_file_in(CatalogueFile(str(tmp_path / "bad.xml")), run)
    assert (run.rejected, set(held)) == (50, {1})


def test_run_is_claimed_once_and_again_when_it_died() -> None:
    now = timezone.now()
    run = ImportRun.objects.create(name="a.xml", upload="uploads/a.xml")
    claims = [ImportRun.objects.claim(run.pk, now) is not None for _ in range(2)]
    later = [now + timedelta(minutes=minutes) for minutes in (4, 6)]
    assert (claims, [list(ImportRun.objects.due(moment)) for moment in later]) == ([True, False], [[], [run]])


def test_command_line_import_that_died_is_not_run_by_the_clock() -> None:
    long_ago = timezone.now() - timedelta(days=1)
    ImportRun.objects.create(name="a.xml", state="RUNNING", seen_at=long_ago)
    assert list(ImportRun.objects.due(timezone.now())) == []


def test_records_just_before_broken_xml_are_taken_in(tmp_path: Path) -> None:
    # All within one piece of what is read at a time.
    (tmp_path / "broken.xml").write_bytes(message(product() + "</oops>" + product()))
    run = ImportRun.objects.create(name="broken.xml", state="RUNNING")
    runs.take_file_in(CatalogueFile(str(tmp_path / "broken.xml")), run)
    assert (run.new, run.state, run.refusal[:42]) == (1, "REFUSED", "Le fichier n’est pas du XML valable (ligne")


def test_record_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        given = 0

        def read(self, size: int) -> bytes:
            if not self.given:
                self.given = 1
                return b'<ONIXMessage release="3.0"><Product>'
            self.given += size
            return b"<a/>" * (size // 4)

    monkeypatch.setattr("catalog.onix.LARGEST", 1_000_000)
    endless = Endless()
    with pytest.raises(NotOnix, match="plus de 32 Mo"):
        list(onix.read(endless, country="BE", today=timezone.localdate()))  # type: ignore[arg-type]
    assert endless.given < 1_200_000


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_end_as_one_after_the_other(tmp_path: Path) -> None:
    file = tmp_path / "mille.xml"
    file.write_bytes(many(1_000))
    together = Barrier(2)

    def take_in() -> tuple[str, int]:
        run = ImportRun.objects.create(name="mille.xml", state="RUNNING")
        together.wait()
        runs.take_file_in(CatalogueFile(str(file)), run)
        connection.close()
        return run.state, run.new + run.unchanged + run.changed

    with ThreadPoolExecutor(2) as pool:
        ended = [end.result() for end in [pool.submit(take_in) for _ in range(2)]]
    assert (ended, Book.objects.count()) == ([("DONE", 1_000)] * 2, 1_000)
