"""The three ways of carrying as one test sees them: our side, and LIBRISOFT's side behind it."""

from pathlib import Path
from typing import Any, Protocol

import requests
from django.utils import timezone

from librisoft_bridge import clock, refreshing
from librisoft_bridge.models import ShopOrder, Transmission
from simulators.librisoft_desk import Desk
from simulators.librisoft_folder import FolderReader
from simulators.librisoft_pull import Puller
from tests.contracts.exchanges import Exchange
from tests.contracts.judging import pull_breaches
from tests.simulation_librisoft import LibrisoftSimulator


class Carrier(Protocol):
    def carry(self) -> None:
        """Everything that waits is carried, and LIBRISOFT's answers come back."""

    def lose_answers(self) -> None:
        """Carry everything that waits, but LIBRISOFT's answers get lost."""

    def refuse(self, message: str) -> None:
        """The same, but LIBRISOFT takes none."""

    def move(self, number: str, code: str, **more: Any) -> None:
        """LIBRISOFT gives its order a status, which comes to us."""

    def tell_second_number(self, order: ShopOrder, second: str) -> None:
        """LIBRISOFT says that it has the order under another number than it said before."""

    def orders(self) -> list[tuple[str, str]]:
        """Every order LIBRISOFT has: (its number, ours)."""

    def bodies(self) -> list[dict[str, Any]]:
        """The documents as they arrived."""


def _now_due() -> None:
    ShopOrder.objects.filter(transmission=Transmission.WAITING).update(next_try_at=timezone.now())


class Push:
    def __init__(self, simulator: LibrisoftSimulator) -> None:
        self._simulator = simulator

    def carry(self) -> None:
        _now_due()
        clock.transmit_waiting()

    def lose_answers(self) -> None:
        self._simulator.fault("drop_after", match="POST /v1/orders", times=0)
        self.carry()
        self._simulator.clear_faults()

    def refuse(self, message: str) -> None:
        self._simulator.fault("refuse", message=message, times=0)
        self.carry()
        self._simulator.clear_faults()

    def move(self, number: str, code: str, **more: Any) -> None:
        self._simulator.set_status(number, code, **more)
        clock.read_statuses()

    def tell_second_number(self, order: ShopOrder, second: str) -> None:
        self._simulator.fault("second_id", number=second)
        refreshing.refresh(order, now=timezone.now())

    def orders(self) -> list[tuple[str, str]]:
        return [(o["state"]["librisoft_order_id"], o["body"]["web_order_number"]) for o in self._simulator.orders()]

    def bodies(self) -> list[dict[str, Any]]:
        return [order["body"] for order in self._simulator.orders()]


class JudgedPuller(Puller):
    """Whatever it and the shop say to each other is judged by the contract."""

    def __init__(self, site: str, token: str, desk: Desk) -> None:
        super().__init__(site, token, desk)
        self.wrong: list[str] = []

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        answer = super().ask(method, path, body)
        sent = answer.request.headers
        exchange = Exchange(
            method=method,
            path=f"/v1{path}",
            status=answer.status_code,
            response=answer.json(),
            request=body,
            headers={name.lower(): value for name, value in sent.items()},
            by_us=answer.status_code not in (401, 422),
        )
        self.wrong += pull_breaches(exchange)
        return answer


class Pull:
    def __init__(self, puller: JudgedPuller) -> None:
        self._puller = puller

    def carry(self) -> None:
        clock.transmit_waiting()
        self._puller.visit(limit=2)

    def lose_answers(self) -> None:
        for body in self._puller.fetch():
            self._puller.desk.take(body)

    def refuse(self, message: str) -> None:
        for body in self._puller.fetch():
            self._puller.refuse(body["web_order_number"], message)

    def move(self, number: str, code: str, **more: Any) -> None:
        more.pop("expected_date", None)
        self._puller.report(self._puller.desk.move(number, code, **more))

    def tell_second_number(self, order: ShopOrder, second: str) -> None:
        assert self._puller.acknowledge(str(order.pk), second).status_code == 409

    def orders(self) -> list[tuple[str, str]]:
        return _at(self._puller.desk)

    def bodies(self) -> list[dict[str, Any]]:
        return [order["body"] for order in self._puller.desk.orders.values()]


class ByFile:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reader = FolderReader(folder, Desk())

    def carry(self) -> None:
        _now_due()
        clock.transmit_waiting()
        self._reader.visit()
        clock.transmit_waiting()

    def lose_answers(self) -> None:
        _now_due()
        clock.transmit_waiting()
        self._reader.visit()
        for answer in (self.folder / "accuses").glob("*.json"):
            answer.unlink()

    def refuse(self, message: str) -> None:
        _now_due()
        clock.transmit_waiting()
        for path in self._reader.waiting():
            self._reader.refuse(path.stem, message)
            path.unlink()
        clock.transmit_waiting()

    def move(self, number: str, code: str, **more: Any) -> None:
        self._reader.report(self._reader.desk.move(number, code, **more))
        clock.transmit_waiting()

    def tell_second_number(self, order: ShopOrder, second: str) -> None:
        self._reader.acknowledge(str(order.pk), second)
        clock.transmit_waiting()

    def orders(self) -> list[tuple[str, str]]:
        return _at(self._reader.desk)

    def bodies(self) -> list[dict[str, Any]]:
        return [order["body"] for order in self._reader.desk.orders.values()]


def _at(desk: Desk) -> list[tuple[str, str]]:
    return [(number, order["body"]["web_order_number"]) for number, order in desk.orders.items()]
