from celery import shared_task
from django.utils import timezone

from libriweb.models import Heartbeat


@shared_task
def beat() -> None:
    """Show that the clock runs: `manage.py doctor` looks at when it last did."""
    Heartbeat.note(timezone.now())
