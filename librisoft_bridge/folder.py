"""By file: a folder that both LIBRISOFT and we reach. Below LIBRISOFT_FOLDER:

    commandes/json/637.json    one order: the body of the contract's POST /v1/orders
    commandes/csv/637.csv      the same order as « ean;qty »; LIBRISOFT reads one of the two folders
    en-cours/                  what is being written; nobody else looks here
    accuses/                   LIBRISOFT's answers, see answers.py
    accuses/lus/               those that were taken in
    accuses/mis-de-cote/       those that nobody can read

An order leaves once, whatever breaks. Its files are complete and safe on the disk in en-cours/ before the row says so
(`staged`), and only then are they moved, which is one step of the file system. So a later try that does not find a file
in en-cours/ knows that it left, even when LIBRISOFT has taken it away since.
"""

import csv
import io
import json
import logging
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from librisoft_bridge import answers, breaker, payload
from librisoft_bridge.client import Unknown
from librisoft_bridge.models import SetAsideFile, ShopOrder, Transmission

log = logging.getLogger(__name__)

# Seconds that a file may take to be written: one that cannot be read yet is left alone so long.
STILL_WRITING = 60
# No answer comes near it.
LONGEST_ANSWER = 2_000_000


def carry(shop_order: ShopOrder, mark: Callable[..., None], *, now: datetime) -> None:
    """Lay the order out for LIBRISOFT, once. Raises Unknown when the folder cannot be written."""
    try:
        files = _files(shop_order)
        if not shop_order.staged:
            for (part, _final), content in zip(files, _contents(shop_order), strict=True):
                _write(part, content)
            mark(in_doubt=True, staged=True)
        for part, final in files:
            _move(part, final)
    except OSError as error:
        log.warning("Shop order %d could not be written: %s", shop_order.pk, error)
        raise Unknown(out_of_reach()) from error


def out_of_reach() -> str:
    return _("Le dossier d’échange avec LIBRISOFT n’est pas accessible.")


def take_back() -> None:
    """Remove the files of orders that wait no more: acknowledged, withdrawn, or typed in by hand.

    LIBRISOFT must not find one of them later on. A worker that is about to move a file finds it gone, or has moved it:
    so it is looked for where it is written first.
    """
    for shop_order in ShopOrder.objects.filter(staged=True).exclude(transmission=Transmission.WAITING):
        for part, final in _files(shop_order):
            part.unlink(missing_ok=True)
            final.unlink(missing_ok=True)
        ShopOrder.objects.filter(pk=shop_order.pk).update(staged=False)


def read_back(*, now: datetime) -> None:
    """Take in what LIBRISOFT answered. A file may be read twice without harm, so it is moved once it is recorded."""
    inbox = _folder("accuses")
    for path in sorted(inbox.iterdir()):
        if not path.is_file() or path.suffix.lower() not in answers.READERS:
            continue
        try:
            modified = path.stat().st_mtime
            reasons = answers.take_in(_read(path), path.suffix.lower(), now=now)
            if reasons and now.timestamp() - modified < STILL_WRITING:
                continue
            if reasons:
                _set_aside(path, modified, reasons, now)
            else:
                breaker.note_answer(now)
                _move(path, _free_name(inbox / "lus", path, modified))
        except FileNotFoundError:  # another worker moved it
            continue
        except OSError as error:
            log.warning("The answer %s cannot be read or moved: %s", path.name, error)


def _set_aside(path: Path, modified: float, reasons: list[str], now: datetime) -> None:
    target = _free_name(path.parent / "mis-de-cote", path, modified)
    # The row first: a crash in between reads the file again, and says it once.
    SetAsideFile.objects.get_or_create(
        name=target.name,
        modified_at=datetime.fromtimestamp(modified, UTC),
        defaults={"reason": "\n".join(reasons), "set_aside_at": now},
    )
    _move(path, target)


def _free_name(folder: Path, path: Path, modified: float) -> Path:
    """With its date: LIBRISOFT may give the same name to each answer about one order."""
    written = datetime.fromtimestamp(modified, UTC)
    return folder / f"{written:%Y%m%dT%H%M%S%fZ}-{path.name}"


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LONGEST_ANSWER + 1)


def _files(shop_order: ShopOrder) -> list[tuple[Path, Path]]:
    """Where each file is written, and where LIBRISOFT finds it: always the same names for one order."""
    kinds = ("json", "csv")
    return [
        (_folder("en-cours") / f"{shop_order.pk}.{kind}", _folder("commandes", kind) / f"{shop_order.pk}.{kind}")
        for kind in kinds
    ]


def _contents(shop_order: ShopOrder) -> list[str]:
    order = payload.write(shop_order)
    table = io.StringIO()
    rows = csv.writer(table, delimiter=";", lineterminator="\r\n")
    rows.writerow(["ean", "qty"])
    rows.writerows([line["ean13"], line["quantity"]] for line in order["lines"])
    return [json.dumps(order, ensure_ascii=False, indent=2) + "\n", table.getvalue()]


def _folder(*names: str) -> Path:
    folder = Path(settings.LIBRISOFT_FOLDER, *names)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path: Path, content: str) -> None:
    """Under a name of its own first, so that a slow worker whose claim was taken spoils nothing."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with temporary.open("x", encoding="utf-8", newline="") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _move(temporary, path)


def _move(path: Path, target: Path) -> None:
    """In one step, and safe on the disk; nothing when it was moved before."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(path, target)
    except FileNotFoundError:
        return
    for folder in {path.parent, target.parent}:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
