"""Catalogue files as they come: plain, .gz, .zip or through standard input; ONIX or a table."""

import gzip
import io
import sys
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import IO

from catalog import onix, table
from catalog.onix import NotOnix, Record, Reject

# What a file that is cut off, damaged or not what its name says raises when it is unpacked; zipfile's own words for
# an archive with a password and for a way of packing it does not know are the last two.
UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)
INSIDE = (".xml", ".onx", ".onix", ".csv")
# Enough for the first line of a table.
LOOKED_AT = 8192


class CatalogueFile:
    """A file by its path (« - »: standard input), and how much of it is read."""

    def __init__(self, path: str, name: str = "") -> None:
        self.path, self.name = path, name or path
        self._size = 0
        self._raw: IO[bytes] | None = None

    @property
    def share_read(self) -> float | None:
        """From 0 to 1, of the bytes as they lie packed on the disk; None when nobody knows how many there are."""
        if self._raw is None or not self._size:
            return None
        return 1.0 if self._raw.closed else min(self._raw.tell() / self._size, 1.0)

    def records(self, *, country: str, today: date) -> Iterator[Record | Reject]:
        """Every record of it; of an archive, those of each file in turn. Raises NotOnix or one of UNREADABLE."""
        if self.path == "-":
            yield from _read(sys.stdin.buffer, country, today)
            return
        with open(self.path, "rb") as self._raw:
            self._size = Path(self.path).stat().st_size
            for stream in _unpack(self._raw, self.name.lower()):
                yield from _read(stream, country, today)


def _unpack(raw: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    if name.endswith(".zip"):
        with zipfile.ZipFile(raw) as archive:
            members = [member for member in archive.namelist() if member.lower().endswith(INSIDE)]
            if not members:
                raise NotOnix("Cette archive ne contient aucun fichier .xml ni .csv.")
            for member in members:
                with archive.open(member) as stream:
                    yield stream
    elif name.endswith(".gz"):
        with gzip.open(raw) as stream:
            yield stream
    else:
        yield raw


def _read(stream: IO[bytes], country: str, today: date) -> Iterator[Record | Reject]:
    """By what stands at its beginning, whatever its name is."""
    looked_at = io.BufferedReader(stream, LOOKED_AT)  # type: ignore[arg-type]
    try:
        start = looked_at.peek(LOOKED_AT)[:LOOKED_AT]
        first_line = start.decode("utf-8-sig", "replace").partition("\n")[0]
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) or start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
            yield from onix.read(looked_at, country=country, today=today)
        elif table.names_columns(first_line):
            yield from table.read(looked_at, country=country, today=today)
        else:
            raise NotOnix(
                "Ce fichier n’est ni un message ONIX, ni un CSV dont la première ligne dit « ean13;title;… »."
            )
    finally:
        looked_at.detach()  # closing it would close standard input
