"""`manage.py import_books FILE…`: take a catalogue in."""

import gzip
import sys
import time
import zipfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from catalog import onix
from catalog.importing import Summary, take_in


class Command(BaseCommand):
    help = "Charge des notices ONIX 3.0 ou 3.1 dans le catalogue (« - » : l’entrée standard ; .gz et .zip acceptés)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FICHIER")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in options["files"]:
            started = time.monotonic()
            summary = Summary()
            try:
                for stream in _streams(name):
                    for summary in take_in(onix.read(stream, country=settings.SHOP_COUNTRY)):
                        if self.stderr.isatty():
                            self.stderr.write(f"\r{summary.taken} notices", ending="")
            except OSError as error:
                raise CommandError(f"{name} : {error.strerror or error}") from error
            except onix.NotOnix as error:
                raise CommandError(f"{name} : {error}") from error
            self._tell(name, summary, time.monotonic() - started)

    def _tell(self, name: str, summary: Summary, seconds: float) -> None:
        self.stdout.write(
            f"{name} : {summary.new} nouveaux, {summary.changed} modifiés, {summary.unchanged} inchangés, "
            f"{summary.withdrawn} retirés, {len(summary.rejects)} rejetés ({seconds:.1f} s)"
        )
        for reject in summary.rejects:
            self.stdout.write(f"  ligne {reject.line}, {reject.reference or 'sans référence'} : {reject.reason}")


def _streams(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
    elif name.endswith(".zip"):
        with zipfile.ZipFile(name) as archive:
            for member in archive.namelist():
                if member.lower().endswith(".xml"):
                    with archive.open(member) as stream:
                        yield stream
    else:
        with _opened(name) as stream:
            yield stream


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if name.endswith(".gz"):
        with gzip.open(name) as stream:
            yield stream
    else:
        with open(name, "rb") as stream:
            yield stream
