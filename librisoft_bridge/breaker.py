"""The circuit breaker: a LIBRISOFT that does not answer is left in peace, so that it costs nobody a wait.

Its state is one row that every process on every machine shares. A library was looked for: pybreaker, the one that is
kept, shares its state through Redis only, which a shop may not have, and lets every process make its own probe.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction

from librisoft_bridge.client import Refused, Unknown
from librisoft_bridge.models import Link

# Calls without a definite answer, one after the other, after which LIBRISOFT is left in peace.
THRESHOLD = 5
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=5)
# LIBRISOFT's own wish (Retry-After) holds for every call; after this long it is asked again all the same.
LONGEST_WISH = timedelta(hours=1)
# Longer than the longest call: a probe whose worker died gives way to another.
PROBE = timedelta(seconds=60)


class Open(Unknown):
    """LIBRISOFT was not called, and is not to be before `until`. The text is the reason, for the bookseller."""

    def __init__(self, reason: str, until: datetime) -> None:
        super().__init__(reason)
        self.until = until


@contextmanager
def watched(now: datetime, *, may_probe: bool = True) -> Iterator[None]:
    """Let one call through and learn from how it ends; a no is an answer too. Raises Open, before the call.

    Nobody should wait on a page to find out whether LIBRISOFT is back: there `may_probe` is false.
    """
    _enter(now, may_probe)
    try:
        yield
    except Refused:
        note_answer(now)
        raise
    except Unknown as doubt:
        _note_silence(doubt, now)
        raise
    note_answer(now)


def note_answer(now: datetime) -> None:
    """LIBRISOFT gave a sign of life."""
    healthy = {"failures": 0, "reason": "", "opened_at": None, "open_until": None, "heard_at": now}
    if not Link.objects.update(**healthy):
        Link.objects.get_or_create(only_one=True, defaults=healthy)


def _enter(now: datetime, may_probe: bool) -> None:
    """While it is open nobody calls; once the pause is over one caller does, and the others wait for what he learns."""
    link = Link.present()
    if link.open_until is None:
        return
    if may_probe and Link.objects.filter(open_until__lte=now).update(open_until=now + PROBE):
        return
    raise Open(link.reason, max(link.open_until, now + FIRST_PAUSE / 2))


@transaction.atomic
def _note_silence(doubt: Unknown, now: datetime) -> None:
    Link.objects.get_or_create(only_one=True)
    link = Link.objects.select_for_update().get()
    link.failures += 1
    link.reason = str(doubt)[:300]
    pause = min(timedelta(seconds=doubt.retry_after), LONGEST_WISH)
    if link.failures >= THRESHOLD:
        doubling = FIRST_PAUSE * 2 ** min(link.failures - THRESHOLD, 10)
        pause = max(pause, min(doubling, LONGEST_PAUSE))
    if pause:
        link.opened_at, link.open_until = link.opened_at or now, now + pause
    link.save()
