"""The whole shop in one file: the database as pg_dump writes it, and the covers.

`database.dump` stands first in a plain tar, so that `tar` and `pg_restore` are enough without us.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

# Their numbers are known outside: LIBRISOFT would take a new order under an old number for the old one.
NUMBERED = ("grouped_orders_groupedorder", "grouped_orders_suborder", "librisoft_bridge_shoporder")
# More than were given since the backup.
GAP = 1000
DUMP = "database.dump"
MEDIA = "media"


class BackupError(Exception):
    """It was not done; the sentence says why, in French."""


def write(target: IO[bytes]) -> None:
    """Write everything there. The dump is one moment's, whatever is bought meanwhile. Raises BackupError."""
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / DUMP
        _run("pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={dump}")
        with tarfile.open(fileobj=target, mode="w|") as archive:
            archive.add(dump, DUMP)
            if Path(settings.MEDIA_ROOT).is_dir():
                archive.add(settings.MEDIA_ROOT, MEDIA)


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that is there whole or not at all, for our eyes only. Raises BackupError when it exists already."""
    if path.exists():
        raise BackupError(_("%(path)s existe déjà.") % {"path": path})
    part = path.with_name(f"{path.name}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        try:
            yield file
        except BaseException:
            part.unlink()
            raise
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def read(source: IO[bytes], *, replace: bool = False) -> None:
    """Put everything back, into an empty database, or, with `replace`, instead of what it holds.

    The next orders get numbers that nobody got since. Raises BackupError.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(fileobj=source, mode="r|*") as archive:
                _unpack(archive, Path(folder))
        except (tarfile.TarError, EOFError) as error:
            raise BackupError(_("Ce fichier n’est pas une sauvegarde : %(why)s") % {"why": error}) from error
        dump = Path(folder) / DUMP
        if not dump.exists():
            raise BackupError(_("Cette sauvegarde ne contient pas de base de données."))
        _run("pg_restore", "--list", str(dump))  # readable to its end, before anything is thrown away
        _make_room(replace=replace)
        name = connection.settings_dict["NAME"]
        _run(
            "pg_restore",
            "--no-owner",
            "--no-acl",
            "--exit-on-error",
            "--single-transaction",
            "--dbname",
            name,
            str(dump),
        )
        _leave_a_gap()
        if (covers := Path(folder) / MEDIA).is_dir():
            shutil.copytree(covers, settings.MEDIA_ROOT, dirs_exist_ok=True)


def _leave_a_gap() -> None:
    with connection.cursor() as cursor:
        for table in NUMBERED:
            last = f"(SELECT coalesce(max(id), 0) FROM {table})"
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last} + {GAP})")


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Our own files and nothing else: a name that climbs out of the folder, a link or a device is left where it is."""
    for member in archive:
        target = (folder / member.name).resolve()
        ours = member.name == DUMP or member.name.startswith(f"{MEDIA}/")
        if member.isfile() and ours and target.is_relative_to(folder.resolve()):
            target.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None  # a plain file has one
            with target.open("wb") as file:
                shutil.copyfileobj(content, file)


def _make_room(*, replace: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        (tables,) = cursor.fetchone()
        if tables and not replace:
            raise BackupError(
                _("La base n’est pas vide : arrêtez le site, puis ajoutez --replace pour tout remplacer.")
            )
        if tables:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
    connection.close()


def _run(program: str, *options: str) -> None:
    """One of PostgreSQL's own programs, against our database. Its password goes by the environment, as it must."""
    database: dict[str, Any] = connection.settings_dict
    address = {
        "PGHOST": database["HOST"],
        "PGPORT": str(database["PORT"]),
        "PGUSER": database["USER"],
        "PGPASSWORD": database["PASSWORD"],
        "PGDATABASE": database["NAME"],
    }
    environment = {**os.environ, **{name: value for name, value in address.items() if value}}
    try:
        done = subprocess.run([program, *options], env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupError(
            _("%(program)s manque : installez le client de PostgreSQL (postgresql-client).") % {"program": program}
        ) from None
    if done.returncode:
        raise BackupError(f"{program} : {done.stderr.strip()}")
