"""Workers as processes of their own."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime

import pytest
from django.conf import settings

from tests.processes import Json, Kill, Maker, is_gone, maker_of, wait_until

NAMES = ("LIBRISOFT_TRANSPORT", "LIBRISOFT_URL", "LIBRISOFT_TOKEN", "LIBRISOFT_FOLDER")


class Workers:
    """Each is the process of a worker, with the settings of this test, at the hour it is told."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker

    def run(self, what: str, now: datetime, *, order: int = 0, patience: float = 10, count: int = 1) -> None:
        """Let so many of them work at once, until all are done. `patience`: seconds to wait for an answer."""
        pids = [self._maker.ask(self._asked(what, now, order, patience)) for _nth in range(count)]
        for pid in pids:
            wait_until(lambda pid=pid: is_gone(pid))

    def killed(self, what: str, now: datetime) -> AbstractContextManager[Kill]:
        """One at work; at the end of the block it is killed, without a chance to tidy up."""
        return self._maker.killed(self._asked(what, now, 0, 10))

    def _asked(self, what: str, now: datetime, order: int, patience: float) -> Json:
        reached = {name: getattr(settings, name) for name in NAMES}
        return {"what": what, "now": now.isoformat(), "order": order, "patience": patience, "settings": reached}


@pytest.fixture(scope="module")
def maker(django_db_setup: None) -> Iterator[Maker]:
    with maker_of("tests.librisoft_bridge.worker") as maker:
        yield maker


@pytest.fixture
def workers(maker: Maker) -> Workers:
    return Workers(maker)
