"""Workers as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection

NAMES = ("LIBRISOFT_TRANSPORT", "LIBRISOFT_URL", "LIBRISOFT_TOKEN", "LIBRISOFT_FOLDER")


def wait_until(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


class Workers:
    """Each is the process of a worker, with the settings of this test, at the hour it is told."""

    def __init__(self, maker: subprocess.Popen[str]) -> None:
        self._maker = maker

    def run(self, what: str, now: datetime, *, order: int = 0, patience: float = 10, count: int = 1) -> None:
        """Let so many of them work at once, until all are done. `patience`: seconds to wait for an answer."""
        pids = [self._start(what, now, order, patience) for _nth in range(count)]
        for pid in pids:
            wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists())

    @contextmanager
    def killed(self, what: str, now: datetime) -> Iterator[None]:
        """One at work; at the end of the block it is killed, without a chance to tidy up."""
        pid = self._start(what, now, 0, 10)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGKILL)  # fails when it has ended by itself
        wait_until(lambda: not Path(f"/proc/{pid}").exists())

    def _start(self, what: str, now: datetime, order: int, patience: float) -> int:
        assert self._maker.stdin is not None and self._maker.stdout is not None
        asked = {"what": what, "now": now.isoformat(), "order": order, "patience": patience}
        line = json.dumps({**asked, "settings": {name: getattr(settings, name) for name in NAMES}})
        self._maker.stdin.write(f"{line}\n")
        self._maker.stdin.flush()
        return int(self._maker.stdout.readline())


@pytest.fixture(scope="module")
def maker(django_db_setup: None) -> Iterator[subprocess.Popen[str]]:
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": urlunsplit(database)}
    command = [sys.executable, "-m", "tests.librisoft_bridge.worker"]
    with subprocess.Popen(
        command, env=environment, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def workers(maker: subprocess.Popen[str]) -> Workers:
    return Workers(maker)
