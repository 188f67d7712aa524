"""Workers for a test to run, or to kill (tests/processes.py).

Each line of its input, {"what": "send" | "read" | "refresh", "order": pk, "now": instant, "patience": seconds,
"settings": {…}}, makes one process that is a worker at work; its pid is the answer.
"""

from datetime import datetime
from typing import Any

import django
import time_machine

django.setup()

from librisoft_bridge import client, clock, refreshing  # noqa: E402 - Django must be ready before its models are
from librisoft_bridge.models import ShopOrder  # noqa: E402
from tests.processes import serve  # noqa: E402


def work(asked: dict[str, Any]) -> None:
    client.TIMEOUT = (3, asked["patience"])
    now = datetime.fromisoformat(asked["now"])
    with time_machine.travel(now):
        match asked["what"]:
            case "send":
                clock.transmit_waiting()
            case "read":
                clock.read_statuses()
            case "refresh":
                refreshing.refresh(ShopOrder.objects.get(pk=asked["order"]), now=now)


serve(work)
