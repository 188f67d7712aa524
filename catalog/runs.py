"""An import from its file to its report, the same from the command line and from the admin."""

import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from catalog.files import UNREADABLE, CatalogueFile
from catalog.importing import Summary, take_in
from catalog.models import ImportRun, imports_storage
from catalog.onix import NotOnix

COUNTS = ("new", "changed", "unchanged", "withdrawn", "rejected")
# Seconds between two words on how far it is.
EVERY = 2.0


def take_file_in(file: CatalogueFile, run: ImportRun, tell: Callable[[float], None] = lambda seconds: None) -> None:
    """Take a file in, write its report, and finish its run; what is wrong with it is said in `run.refusal`.

    `tell` is called every two seconds, with the seconds since the beginning. Interrupted, it goes up to whoever
    interrupts; run again, it ends in the same state, for what is known already changes nothing.
    """
    started = told = time.monotonic()
    summary, refusal = Summary(), ""
    report = _open_report(run)
    with report.open("a", encoding="utf-8") as out:
        try:
            records = file.records(country=settings.SHOP_COUNTRY, today=timezone.localdate())
            for _ in take_in(records, summary):
                for reject in summary.take_rejects():
                    reference = reject.reference or "sans référence"
                    out.write(f"ligne {reject.line}, {reference} : {reject.reason}\n")
                if time.monotonic() - told >= EVERY:
                    told = time.monotonic()
                    _note(run, summary, file.share_read)
                    tell(told - started)
        except NotOnix as error:
            refusal = str(error)
        except FileNotFoundError:
            refusal = "Ce fichier n’existe pas."
        except UNREADABLE as error:
            refusal = f"Ce fichier ne peut pas être lu ({error})."
        except BaseException:
            refusal = "Interrompu : ce qui est lu est gardé. Relancez l’import, il finira de même."
            raise
        finally:
            _finish(run, summary, refusal)
            out.write(f"{in_words(run)}\n{refusal}\n" if refusal else f"{in_words(run)}\n")


def in_words(run: ImportRun) -> str:
    return (
        f"{run.new} nouveaux, {run.changed} modifiés, {run.unchanged} inchangés, "
        f"{run.withdrawn} retirés, {run.rejected} rejetés"
    )


def _open_report(run: ImportRun) -> Path:
    """A file of its own, which says of what and of when it is."""
    storage = imports_storage()
    run.report.name = f"reports/{run.pk}.txt"
    path = Path(storage.path(run.report.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    when = date_format(timezone.localtime(), "j F Y à H:i")
    path.write_text(f"Import de {run.name}, le {when}\n", encoding="utf-8")
    run.save(update_fields=["report"])
    return path


def _note(run: ImportRun, summary: Summary, share: float | None) -> None:
    for name in COUNTS:
        setattr(run, name, getattr(summary, name))
    run.percent = None if share is None else int(share * 100)
    run.seen_at = timezone.now()
    run.save(update_fields=[*COUNTS, "percent", "seen_at"])


def _finish(run: ImportRun, summary: Summary, refusal: str) -> None:
    _note(run, summary, None if refusal else 1.0)
    run.state = ImportRun.State.REFUSED if refusal else ImportRun.State.DONE
    run.refusal, run.finished_at = refusal, timezone.now()
    run.save(update_fields=["state", "refusal", "finished_at"])
    if run.upload:
        run.upload.delete(save=False)
        run.save(update_fields=["upload"])
