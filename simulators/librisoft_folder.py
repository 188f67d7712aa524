"""A LIBRISOFT that shares a folder with the shop: it takes the orders it finds there, and writes its answers beside.

python -m simulators.librisoft_folder --folder /srv/librisoft --state librisoft.json --every 10
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from simulators.librisoft_desk import Desk


class FolderReader:
    def __init__(self, folder: Path, desk: Desk) -> None:
        self.desk = desk
        self._orders = folder / "commandes" / "json"
        self._answers = folder / "accuses"

    def visit(self) -> list[str]:
        """Take each order that lies there, take its file away, and acknowledge it; return LIBRISOFT's numbers."""
        numbers = []
        for path in self.waiting():
            body = json.loads(path.read_text(encoding="utf-8"))
            numbers.append(self.desk.take(body))
            path.unlink()
            self.acknowledge(body["web_order_number"], numbers[-1])
        return numbers

    def waiting(self) -> list[Path]:
        return sorted(self._orders.glob("*"), key=lambda path: int(path.stem)) if self._orders.exists() else []

    def acknowledge(self, web_order_number: str, number: str) -> None:
        self.write(f"{web_order_number}.json", {"web_order_number": web_order_number, "librisoft_order_id": number})

    def refuse(self, web_order_number: str, message: str) -> None:
        self.write(f"{web_order_number}.json", {"web_order_number": web_order_number, "refused": message})

    def report(self, *states: Any) -> None:
        self.write(f"statuts-{time.monotonic_ns()}.json", list(states))

    def write(self, name: str, content: Any) -> None:
        """As JSON, or as it is; in one step, so that nobody reads the half of it."""
        self._answers.mkdir(parents=True, exist_ok=True)
        temporary = self._answers / f"{name}.part"
        temporary.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        os.replace(temporary, self._answers / name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--every", type=float, default=10, help="seconds between two looks")
    options = parser.parse_args()
    reader = FolderReader(options.folder, Desk(options.state))
    while True:
        for number in reader.visit():
            print(f"commande {number} prise", flush=True)
        time.sleep(options.every)


if __name__ == "__main__":
    main()
