"""What was said on the wire to a simulator, as a contract judges it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

# The providers' own files stay where they are: nothing of them is copied into the project.
SPECS = Path(settings.BASE_DIR).parent / "shared" / "specs"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer. Names of headers are in small letters; a body is JSON, or a form's fields.

    `by_us`: one of our clients asked. What a test asks itself may be wrong on purpose, and only its answer is judged.
    """

    method: str
    path: str
    status: int = 200
    response: Any = None
    request: Any = None
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    by_us: bool = True

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


def read(kept: Iterable[Mapping[str, Any]], our_clients: str) -> list[Exchange]:
    """What a simulator kept, but for the answers that a fault put in its place.

    The User-Agent of our own clients begins with `our_clients`.
    """
    return [
        Exchange(
            method=said["method"],
            path=said["path"],
            status=said["status"],
            response=_json(said["answer"]),
            request=said["form"] or _json(said["body"]),
            query=said["query"],
            headers=said["headers"],
            by_us=said["headers"].get("user-agent", "").startswith(our_clients),
        )
        for said in kept
        if said["own"]
    ]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
