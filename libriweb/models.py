"""What running the shop needs to remember."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone


class Heartbeat(models.Model):
    """When the clock last went all the way: scheduler, broker, a worker, this database. There is one row."""

    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="heartbeat_only_one")]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.at):%d/%m/%Y %H:%M:%S}"

    @classmethod
    def note(cls, now: datetime) -> None:
        cls.objects.update_or_create(pk=1, defaults={"at": now})

    @classmethod
    def age(cls, now: datetime) -> timedelta | None:
        """How long ago that was; None when it never did."""
        last = cls.objects.first()
        return now - last.at if last else None
