"""The supervisor as a program: what it says, what it starts, and that nothing of it is left."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from django.conf import settings

PORTS = ("PORT", "PAYPAL_PORT", "CARD_PORT", "LIBRISOFT_PORT", "INBOX_PORT", "SMTP_PORT")
STARTING_TAKES_AT_MOST = 120  # seconds, on a machine that runs the other tests too


def start(folder: Path, **variables: str) -> subprocess.Popen[str]:
    """The demo in this folder, on free ports, with what a shell of nobody in particular has set."""
    shell = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "dev.demo"],
        cwd=settings.BASE_DIR,
        env={**shell, **dict.fromkeys(PORTS, "0"), "DEMO_DIR": str(folder), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As from a terminal: a suite that runs in the background of a script ignores Ctrl-C, and so would the demo.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_addresses(folder: Path, demo: subprocess.Popen[str]) -> dict[str, str]:
    written = folder / "addresses.json"
    end = time.monotonic() + STARTING_TAKES_AT_MOST
    while not written.exists():
        if demo.poll() is not None or time.monotonic() > end:
            demo.terminate()
            raise AssertionError(demo.communicate())
        time.sleep(0.1)
    return json.loads(written.read_text())


def left_over(folder: Path) -> list[str]:
    """Every process that has this folder in its command or its environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            knows = command + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in knows:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def stop(demo: subprocess.Popen[str], number: signal.Signals) -> None:
    demo.send_signal(number)
    assert demo.communicate(timeout=40)[1] == ""
    assert demo.returncode == 0


def test_port_already_taken_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start(tmp_path, PORT=str(port))
        said = demo.communicate(timeout=30)
    assert said == (
        "",
        f"Le port {port} est déjà pris : libérez-le, ou choisissez-en un autre, "
        f"par exemple PORT={port + 10} make demo.\n",
    )
    assert demo.returncode == 1


@pytest.mark.parametrize("typed", ["80a", "-1", "65536"])
def test_port_that_is_none_is_one_sentence(tmp_path: Path, typed: str) -> None:
    demo = start(tmp_path, SMTP_PORT=typed)
    assert demo.communicate(timeout=30)[1] == (
        f"SMTP_PORT={typed} n’est pas un port : il faut un nombre de 0 à 65535.\n"
    )
    assert demo.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the processes are counted in /proc")
def test_demo_goes_on_where_it_was_and_leaves_no_process(tmp_path: Path) -> None:
    # Stopped in the middle of its first start: half a story is of no use.
    demo = start(tmp_path)
    while not (tmp_path / "story-begun").exists():
        assert demo.poll() is None
        time.sleep(0.05)
    time.sleep(1)
    stop(demo, signal.SIGINT)
    assert left_over(tmp_path) == []
    assert (tmp_path / "story-begun").exists()

    demo = start(tmp_path)
    first = wait_for_addresses(tmp_path, demo)
    assert set(first) == {"web", "paypal", "card", "librisoft", "inbox", "smtp"}
    orders = requests.get(f"{first['librisoft']}/_sim/orders", timeout=10).json()
    secrets = (tmp_path / "secrets.json").read_bytes()
    assert last_story(tmp_path) == "L’histoire de démonstration est chargée."
    assert start(tmp_path).communicate(timeout=30)[1] == f"La démonstration tourne déjà dans {tmp_path}.\n"
    stop(demo, signal.SIGTERM)
    assert left_over(tmp_path) == []
    assert not (tmp_path / "addresses.json").exists()

    demo = start(tmp_path)
    again = wait_for_addresses(tmp_path, demo)
    assert requests.get(f"{again['librisoft']}/_sim/orders", timeout=10).json() == orders
    assert (tmp_path / "secrets.json").read_bytes() == secrets
    assert last_story(tmp_path) == "L’histoire de démonstration est déjà chargée."

    os.kill(pid_of(tmp_path, "simulators.librisoft"), signal.SIGKILL)
    said = demo.communicate(timeout=40)[1]
    assert said.startswith("« librisoft » s’est arrêté : ")
    assert said.count("\n") == 1
    assert demo.returncode == 1
    assert left_over(tmp_path) == []


def last_story(folder: Path) -> str:
    return (folder / "logs/story.log").read_text().splitlines()[-1]


def pid_of(folder: Path, module: str) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if module.encode() in command and os.fsencode(folder) in command:
            return int(process.name)
    raise AssertionError(f"{module} does not run")
