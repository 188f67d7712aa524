"""A LIBRISOFT that calls the shop, as librisoft-pull-v1.yaml has it.

python -m simulators.librisoft_pull --site http://127.0.0.1:8000 --token secret --state librisoft.json --every 10
"""

import argparse
import time
from pathlib import Path
from typing import Any

import requests

from simulators.librisoft_desk import Desk, Json


class Puller:
    def __init__(self, site: str, token: str, desk: Desk) -> None:
        self.desk = desk
        self._url = f"{site.rstrip('/')}/librisoft/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    def visit(self, *, limit: int = 100) -> list[str]:
        """Fetch what waits and acknowledge each; return LIBRISOFT's numbers."""
        numbers = []
        for body in self.fetch(limit=limit):
            numbers.append(self.desk.take(body))
            self.acknowledge(body["web_order_number"], numbers[-1])
        return numbers

    def fetch(self, *, limit: int = 100) -> list[Json]:
        """Every page of what waits."""
        found: list[Json] = []
        while True:
            after = {"after": found[-1]["web_order_number"]} if found else {}
            page = self.ask("POST", "/orders/fetch", {"limit": limit, **after}).json()
            found += page["orders"]
            if not page["has_more"]:
                return found

    def acknowledge(self, web_order_number: str, number: str) -> requests.Response:
        return self.ask("PUT", f"/orders/{web_order_number}/acknowledgement", {"librisoft_order_id": number})

    def refuse(self, web_order_number: str, message: str) -> requests.Response:
        return self.ask("PUT", f"/orders/{web_order_number}/refusal", {"message": message})

    def report(self, *states: Any) -> requests.Response:
        return self.ask("POST", "/statuses", {"changes": list(states)})

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(method, self._url + path, json=body, headers=self._headers, timeout=10)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--site", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--every", type=float, default=10, help="seconds between two visits")
    options = parser.parse_args()
    puller = Puller(options.site, options.token, Desk(options.state))
    while True:
        try:
            for number in puller.visit():
                print(f"commande {number} prise", flush=True)
        except requests.RequestException as error:
            print(error, flush=True)
        time.sleep(options.every)


if __name__ == "__main__":
    main()
