import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "libriweb.settings")

app = Celery("libriweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A clock is what guarantees delivery; tasks are only called by it or by a commit.
app.autodiscover_tasks(related_name="clock")
