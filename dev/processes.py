"""Processes of our own: started together, watched, and stopped together whatever happens to us."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1


class Stopped(Exception):
    """One of them ended by itself; the message says which, and where its last words are."""


class Processes:
    """Each in a session of its own, so that a Ctrl-C reaches us first; each with its log in `logs`."""

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        self._logs = logs
        self.environment = environment
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._passing: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: list[str]) -> None:
        """One that is to run until stop()."""
        self._running[name] = self._spawn(name, command)

    def begin(self, name: str, command: list[str]) -> None:
        """One that is to end well by itself: finish() waits for it."""
        self._passing[name] = self._spawn(name, command)

    def finish(self, name: str) -> None:
        """Wait until it has ended. Raises Stopped when it did not end well."""
        if self._passing[name].wait():
            raise self._stopped(name)
        del self._passing[name]

    def run(self, name: str, command: list[str]) -> None:
        self.begin(name, command)
        self.finish(name)

    def wait_for(self, name: str, url: str, seconds: int = 60) -> None:
        """Until this process answers there. Raises Stopped when it ends instead, or stays silent."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check()
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except OSError:  # an answer that is an error too
                time.sleep(0.1)
        raise Stopped(f"« {name} » ne répond pas sur {url} (voir {self._logs / f'{name}.log'})")

    def check(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                raise self._stopped(name)

    def stop(self) -> None:
        """All at once, politely; whoever is still there ten seconds later is killed."""
        ours = [*self._passing.values(), *self._running.values()]
        for process in ours:
            _signal(process, signal.SIGTERM)
        end = time.monotonic() + 10
        for process in ours:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
            # What it started itself and left behind.
            _signal(process, signal.SIGKILL)
        self._running.clear()
        self._passing.clear()

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._logs / f"{name}.log").open("ab") as output:
            return subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )

    def _stopped(self, name: str) -> Stopped:
        log = self._logs / f"{name}.log"
        last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
        return Stopped(f"« {name} » s’est arrêté : {' '.join(last) or 'sans rien dire'} (voir {log})")


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: when we are killed without a chance to stop the child, the kernel (Linux) tells it."""
    if sys.platform != "linux":
        return None
    return lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
