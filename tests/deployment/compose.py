"""docker-compose.yml as a machine without Docker can run it: the same words, other addresses."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
# Each is a script beside the interpreter, in the image and here.
SCRIPTS = {name: [sys.executable, "-m", name] for name in ("celery", "granian")} | {"python": [sys.executable]}


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def command(service: str, changes: Mapping[str, str]) -> list[str]:
    """What this service runs, each word that stands in `changes` replaced: {"0.0.0.0": "127.0.0.1"}."""
    return _here(services()[service]["command"], changes)


def health_check(service: str, changes: Mapping[str, str]) -> list[str]:
    kind, *words = services()[service]["healthcheck"]["test"]
    if kind == "CMD-SHELL":
        words = words[0].replace("$$", "$").split()
    return _here(words, changes)


def _here(words: list[str], changes: Mapping[str, str]) -> list[str]:
    written = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in words]
    for old, new in changes.items():
        written = [word.replace(old, new) for word in written]
    return [*SCRIPTS[written[0]], *written[1:]]
