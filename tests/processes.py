"""Other processes of the shop, for a test to run or to kill: `python -m <module>`, which loads Django once.

Each line of its input is what one process shall do, as JSON; its pid is the answer (`serve`).
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

Json = dict[str, Any]
Kill = Callable[[], None]


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class Maker:
    """Makes processes on demand; `ask` gives it a line and returns its answer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, asked: Json) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    @contextmanager
    def killed(self, asked: Json) -> Iterator[Kill]:
        """One at work, killed at the end of the block, or before by what it yields: no chance to tidy up."""
        pid = self.ask(asked)
        at_work = [pid]

        def kill() -> None:
            while at_work:
                os.kill(at_work.pop(), signal.SIGKILL)  # fails when it has ended by itself

        try:
            yield kill
        finally:
            kill()
        wait_until(lambda: is_gone(pid))


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@contextmanager
def maker_of(module: str) -> Iterator[Maker]:
    """The maker of this module's processes, on the database of these tests."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": urlunsplit(database)}
    with subprocess.Popen(
        [sys.executable, "-m", module],
        env=environment,
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Maker(process)
        assert process.stdin is not None
        process.stdin.close()


def serve(work: Callable[[Json], object]) -> None:
    """In such a module: one process for each line, under the settings it brings."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead leave no trace: whoever looks for them knows
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            asked = json.loads(line)
            for name, value in asked["settings"].items():
                setattr(settings, name, value)
            work(asked)
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
