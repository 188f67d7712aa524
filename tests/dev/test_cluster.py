import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

import dev.cluster
from dev.cluster import Cluster, ClusterError


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "postgresql", durable=False)
    made.start()
    yield made
    made.stop()


def ask(url: str, question: str) -> tuple:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row


def server_pid(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_within(seconds: float, pid: int) -> bool:
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(pid)


def test_cluster_speaks_utf8_whatever_the_machines_locale(cluster: Cluster) -> None:
    question = (
        "SELECT pg_encoding_to_char(encoding), datcollate, lower('É') FROM pg_database WHERE datname = 'libriweb'"
    )
    assert ask(cluster.url, question) == ("UTF8", "C.UTF-8", "é")


def test_cluster_lets_nobody_in_without_its_password(cluster: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(f"postgres://libriweb@127.0.0.1:{cluster.port}/libriweb")
    assert (cluster.data.with_suffix(".password").stat().st_mode & 0o777) == 0o600


def test_cluster_goes_on_where_it_was(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    cluster.stop()
    cluster.start()
    assert ask(cluster.url, "SELECT answer FROM kept") == (42,)


def test_stop_leaves_no_server(cluster: Cluster) -> None:
    pid = server_pid(cluster.data)
    cluster.stop()
    assert not is_alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_server_ends_with_the_program_that_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "postgresql"
    program = (
        "import time, pathlib; from dev.cluster import Cluster;"
        f"Cluster(pathlib.Path({str(data)!r}), durable=False).start(); print('started', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        pid = server_pid(data)
        process.kill()
    assert gone_within(10, pid)


def test_start_leaves_alone_a_process_that_took_an_old_servers_number(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "postgresql", durable=False)
    cluster.start()
    lock = (cluster.data / "postmaster.pid").read_text()
    cluster.stop()
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (cluster.data / "postmaster.pid").write_text(lock.replace(lock.split()[0], str(innocent.pid), 1))
        cluster.start()
        assert ask(cluster.url, "SELECT 1") == (1,)
        cluster.stop()
        assert innocent.poll() is None
        innocent.send_signal(signal.SIGTERM)


def test_start_says_why_it_cannot(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "postgresql", durable=False)
    cluster.start()
    cluster.stop()
    with (cluster.data / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(ClusterError, match="no_such_setting"):
        cluster.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_runs_it_as_nobody_where_namespaces_are_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev.cluster, "NAMESPACE", ["false"])
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    cluster = Cluster(private / "postgresql", durable=False)
    cluster.start()
    assert Path(f"/proc/{server_pid(cluster.data)}").stat().st_uid == 65534
    assert (private.stat().st_mode & 0o777) == 0o701
    assert ask(cluster.url, "SELECT 1") == (1,)
    cluster.stop()
