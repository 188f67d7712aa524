"""`manage.py import_books FILE…`: take a catalogue in."""

import gzip
import sys
import time
import zipfile
import zlib
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import IO, Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from catalog import onix
from catalog.importing import Summary, take_in


class Command(BaseCommand):
    help = "Charge des notices ONIX 3.0 ou 3.1 dans le catalogue (« - » : l’entrée standard ; .gz et .zip acceptés)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FICHIER")

    def handle(self, *args: Any, **options: Any) -> None:
        """Each file is taken in for itself: what is wrong with one is said, and the next one has its turn."""
        refusals = [refusal for name in options["files"] if (refusal := self._take_in(name))]
        if refusals:
            raise CommandError("\n".join(refusals))

    def _take_in(self, name: str) -> str:
        """Take one file in and tell what it did; return why it could not be read (to its end), or ""."""
        started, summary, refusal = time.monotonic(), Summary(), ""
        try:
            for stream in _streams(name):
                records = onix.read(stream, country=settings.SHOP_COUNTRY, today=timezone.localdate())
                for _ in take_in(records, summary):
                    self._tell_progress(summary, time.monotonic() - started)
        except onix.NotOnix as error:
            refusal = f"{name} : {error}"
        except FileNotFoundError:
            refusal = f"{name} : ce fichier n’existe pas."
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
            refusal = f"{name} : ce fichier ne peut pas être lu ({error})."
        if summary.read or not refusal:
            self._tell(name, summary, time.monotonic() - started)
        return refusal

    def _tell_progress(self, summary: Summary, seconds: float) -> None:
        if self.stderr.isatty():
            self.stderr.write(
                f"\r{summary.read} notices, {summary.read / max(seconds, 0.1):.0f} par seconde ", ending=""
            )

    def _tell(self, name: str, summary: Summary, seconds: float) -> None:
        self.stdout.write(
            f"{name} : {summary.new} nouveaux, {summary.changed} modifiés, {summary.unchanged} inchangés, "
            f"{summary.withdrawn} retirés, {len(summary.rejects)} rejetés ({seconds:.1f} s)"
        )
        for reject in summary.rejects:
            self.stdout.write(f"  ligne {reject.line}, {reject.reference or 'sans référence'} : {reject.reason}")


def _streams(name: str) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked as its name says; of an archive, each .xml file in turn. Raises NotOnix."""
    if name == "-":
        yield sys.stdin.buffer
    elif name.lower().endswith(".zip"):
        with zipfile.ZipFile(name) as archive:
            members = [member for member in archive.namelist() if member.lower().endswith(".xml")]
            if not members:
                raise onix.NotOnix("Cette archive ne contient aucun fichier .xml.")
            for member in members:
                with archive.open(member) as stream:
                    yield stream
    elif name.lower().endswith(".gz"):
        with gzip.open(name) as unpacked:
            yield unpacked
    else:
        with open(name, "rb") as plain:
            yield plain
