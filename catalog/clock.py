"""What happens because time passes: covers come, and an import whose worker died is taken up again."""

import logging
import time
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone

from catalog import covers
from catalog.models import Book, ImportRun
from catalog.tasks import run_import

log = logging.getLogger(__name__)

# Seconds after which a run fetches no other; the next one is near.
LONGEST_RUN = 45.0
COVERS_IN_A_RUN = 200
ASK_AGAIN = timedelta(hours=6)


@shared_task
def resume_imports() -> None:
    for run in ImportRun.objects.due(timezone.now()).order_by("pk"):
        run_import.delay(run.pk)


@shared_task
def fetch_covers() -> None:
    """The covers that are due, the longest due first."""
    if not settings.COVER_ORIGINS:
        return
    end = time.monotonic() + LONGEST_RUN
    due = Book.objects.filter(cover_due_at__lte=timezone.now()).order_by("cover_due_at")
    for book in due.only("ean13", "cover", "cover_source", "cover_due_at")[:COVERS_IN_A_RUN]:
        fetch_cover(book)
        if time.monotonic() > end:
            break


def fetch_cover(book: Book) -> None:
    """Ask for the cover once. A cover that a newer record has named meanwhile stays due."""
    asked = Book.objects.filter(pk=book.pk, cover_source=book.cover_source)
    try:
        picture = covers.fetch(book.cover_source)
    except covers.Unknown as reason:
        log.info("The cover of %s is not known yet: %s", book.ean13, reason)
        asked.update(cover_due_at=timezone.now() + ASK_AGAIN)
    except covers.Refused as reason:
        log.info("There is no cover of %s: %s", book.ean13, reason)
        asked.update(cover_due_at=None)
    else:
        former = book.cover.name
        storage = book.cover.storage
        name = storage.save(f"covers/{book.ean13}.jpg", ContentFile(picture))
        if not asked.update(cover=name, cover_due_at=None):
            storage.delete(name)
        elif former:
            storage.delete(former)
