"""What a commit rings for."""

from celery import shared_task
from django.utils import timezone

from catalog.files import CatalogueFile
from catalog.models import ImportRun
from catalog.runs import take_file_in

# A whole catalogue takes half an hour; a worker that lost it is noticed by its silence, not by this.
HOURS = 6


@shared_task(soft_time_limit=HOURS * 3600, time_limit=HOURS * 3600 + 60)
def run_import(pk: int) -> None:
    run = ImportRun.objects.claim(pk, timezone.now())
    if run is not None:
        take_file_in(CatalogueFile(run.upload.path, run.name), run)
