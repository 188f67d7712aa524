"""Workers for a test to run, or to kill: `python -m tests.librisoft_bridge.worker`, which loads Django once.

Each line of its input, {"what": "send" | "read" | "refresh", "order": pk, "now": instant, "patience": seconds,
"settings": {…}}, makes one process that is a worker at work; its pid is the answer.
"""

import json
import os
import signal
import sys
from datetime import datetime
from typing import Any

import django
import time_machine
from django.conf import settings

django.setup()

from librisoft_bridge import client, clock, refreshing  # noqa: E402 - Django must be ready before its models are
from librisoft_bridge.models import ShopOrder  # noqa: E402


def work(asked: dict[str, Any]) -> None:
    for name, value in asked["settings"].items():
        setattr(settings, name, value)
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


signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead leave no trace: whoever looks for them knows
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        work(json.loads(line))
        os._exit(0)
    sys.stdout.write(f"{pid}\n")
    sys.stdout.flush()
