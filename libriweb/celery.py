import os

from celery import Celery

from libriweb import logs  # noqa: F401 - it listens to Celery's signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "libriweb.settings")

app = Celery("libriweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A clock is what guarantees delivery; tasks are only called by it or by a commit.
app.autodiscover_tasks(related_name="clock")
