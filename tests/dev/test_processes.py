import os
import sys
import time
from pathlib import Path

import pytest

from dev.processes import Processes, Stopped


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    return Processes(tmp_path / "logs", dict(os.environ))


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_stop_ends_what_a_process_started_itself(processes: Processes, tmp_path: Path) -> None:
    written = tmp_path / "pid"
    program = "import subprocess, sys, time; child = subprocess.Popen(['sleep', '60']);"
    processes.start("parent", python(f"{program} open({str(written)!r}, 'w').write(str(child.pid)); time.sleep(60)"))
    while not (written.exists() and written.read_text()):
        time.sleep(0.02)
    processes.stop()
    for _ in range(100):
        try:
            os.kill(int(written.read_text()), 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the grandchild is still there")


def test_process_that_ends_is_named_with_its_last_words(processes: Processes, tmp_path: Path) -> None:
    processes.start("worker", python("print('one'); print('out of paper')"))
    with pytest.raises(Stopped) as stopped:
        processes.wait_for("web", "http://127.0.0.1:9/")
    log = tmp_path / "logs/worker.log"
    assert str(stopped.value) == f"« worker » s’est arrêté : out of paper (voir {log})"
    processes.stop()


def test_step_that_fails_stops_the_demo(processes: Processes) -> None:
    processes.begin("migrate", python("raise SystemExit('no such table')"))
    with pytest.raises(Stopped, match="no such table"):
        processes.finish("migrate")
    processes.stop()


def test_step_that_ends_well_is_no_failure(processes: Processes) -> None:
    processes.run("migrate", python("pass"))
    processes.check()


def test_page_that_is_an_error_is_no_answer(processes: Processes, tmp_path: Path) -> None:
    server = (
        "from http.server import *\n"
        "class Broken(BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.send_error(500)\n"
        "site = HTTPServer(('127.0.0.1', 0), Broken)\n"
        f"open({str(tmp_path / 'port')!r}, 'w').write(str(site.server_port))\n"
        "site.serve_forever()\n"
    )
    processes.start("web", python(server))
    while not ((tmp_path / "port").exists() and (tmp_path / "port").read_text()):
        time.sleep(0.02)
    url = f"http://127.0.0.1:{(tmp_path / 'port').read_text()}/"
    with pytest.raises(Stopped, match=f"« web » ne répond pas sur {url}"):
        processes.wait_for("web", url, seconds=1)
    processes.stop()
