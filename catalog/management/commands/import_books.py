"""`manage.py import_books FILE…`: take a catalogue in."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from catalog.files import CatalogueFile
from catalog.models import ImportRun
from catalog.runs import in_words, take_file_in

# Seconds between two lines where there is no terminal to draw a bar on.
A_LINE_EVERY = 10
# More of them are in the report.
REJECTS_TOLD = 20
BAR = 24


class Command(BaseCommand):
    help = (
        "Charge un catalogue : ONIX 3.0 ou 3.1, ou CSV (« - » : l’entrée standard ; .gz et .zip acceptés). "
        "Interrompu puis relancé, il finit dans le même état."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FICHIER")

    def handle(self, *args: Any, **options: Any) -> None:
        """Each file is taken in for itself: what is wrong with one is said, and the next one has its turn."""
        refusals = [refusal for name in options["files"] if (refusal := self._take_in(name))]
        if refusals:
            raise CommandError("\n".join(refusals))

    def _take_in(self, name: str) -> str:
        """Take one file in and tell what it did; return why it could not be read (to its end), or ""."""
        now = timezone.now()
        file = CatalogueFile(name)
        run = ImportRun.objects.create(name=name[-255:], state=ImportRun.State.RUNNING, started_at=now, seen_at=now)
        progress = Progress(self, file, run)
        try:
            take_file_in(file, run, progress.tell)
        except KeyboardInterrupt:
            raise CommandError(f"\n{name} : {in_words(run)}. {run.refusal}") from None
        finally:
            progress.end()
        if run.read or not run.refusal:
            self._tell(run)
        return f"{name} : {run.refusal}" if run.refusal else ""

    def _tell(self, run: ImportRun) -> None:
        seconds = (timezone.now() - run.started_at).total_seconds() if run.started_at else 0
        self.stdout.write(f"{run.name} : {in_words(run)} ({seconds:.1f} s)")
        if run.rejected:
            with run.report.open("r") as report:
                for line in [*report][1 : REJECTS_TOLD + 1][: run.rejected]:
                    self.stdout.write(f"  {line.rstrip()}")
        self.stdout.write(f"  rapport : {run.report.path}")


class Progress:
    """How far an import is: a bar on a terminal, elsewhere a line from time to time."""

    def __init__(self, command: BaseCommand, file: CatalogueFile, run: ImportRun) -> None:
        self._out, self._file, self._run = command.stderr, file, run
        self._on_terminal = command.stderr.isatty()
        self._next_line = float(A_LINE_EVERY)

    def tell(self, seconds: float) -> None:
        share = self._file.share_read
        told = f"{self._run.read} notices, {self._run.read / seconds:.0f} par seconde"
        if share:
            told += f", {share:.0%}, reste {_duration(seconds / share - seconds)}".replace("%", " %")
        if self._on_terminal:
            bar = "█" * round((share or 0) * BAR)
            self._out.write(f"\r{bar:░<{BAR}} {told}   ", ending="")
        elif seconds >= self._next_line:
            self._next_line = seconds + A_LINE_EVERY
            self._out.write(told)

    def end(self) -> None:
        if self._on_terminal:
            self._out.write("\r" + " " * 100 + "\r", ending="")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min {rest:02} s"
