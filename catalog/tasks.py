"""What a commit rings for."""

import logging

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from catalog.files import CatalogueFile
from catalog.models import ImportRun
from catalog.runs import take_file_in

log = logging.getLogger(__name__)

# A whole catalogue takes half an hour; a worker that lost it is noticed by its silence, not by this.
HOURS = 6


def ring(pk: int) -> None:
    """Ask for an import to begin now. Without a broker the clock finds it, and nobody sees an error."""
    try:
        run_import.delay(pk)
    except (OperationalError, OSError):
        log.warning("The broker does not answer: import %d waits for the clock", pk)


@shared_task(soft_time_limit=HOURS * 3600, time_limit=HOURS * 3600 + 60)
def run_import(pk: int) -> None:
    run = ImportRun.objects.claim(pk, timezone.now())
    if run is not None:
        take_file_in(CatalogueFile(run.upload.path, run.name), run)
