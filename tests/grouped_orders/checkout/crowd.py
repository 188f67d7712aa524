"""Many processes of the shop at once: `python -m tests.grouped_orders.checkout.crowd`, which loads Django once.

Each line of its input, {"settings": {…}, "jobs": [{"what": …, …}, …]}, makes one process for each job. They wait for
one another, with a connection of their own to the database, and all start at one moment; a line with what each of them
got is the answer.
"""

import json
import os
import sys
import time
from datetime import datetime
from typing import Any

import django
from django.conf import settings

django.setup()

import time_machine  # noqa: E402 - Django must be ready before its models are imported
from django.db import connection, connections  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from grouped_orders import clock  # noqa: E402

Json = dict[str, Any]
client = Client(SERVER_NAME="127.0.0.1")


def work(job: Json) -> Any:
    """What one process does, seen as the outside sees it."""
    match job["what"]:
        case "open":
            answer = client.get(job["path"])
        case "press":
            answer = client.post(job["path"], job["form"])
        case "hear":
            answer = client.post(
                job["path"], job["body"].encode(), content_type="application/json", headers=job["headers"]
            )
        case "clock":
            return clock.settle_payments()
    return [answer.status_code, answer.headers.get("Location", "")]


def do(job: Json, ready: int, barrier: int) -> Any:
    try:
        connection.ensure_connection()
    finally:
        os.write(ready, b".")  # also when it dies of it: nobody is waited for, and the test is told
    os.read(barrier, 1)  # until its other end is closed: that wakes them all
    with time_machine.travel(datetime.fromisoformat(job["at"])):
        timezone.now()  # this clock goes on from when it is first looked at
        time.sleep(job["after"])
        return work(job)


def gather(jobs: list[Json]) -> list[Any]:
    barrier, gate = os.pipe()
    ready, ready_end = os.pipe()
    results = []
    for job in jobs:
        result, result_end = os.pipe()
        if os.fork() == 0:
            os.close(gate)
            try:
                os.write(result_end, json.dumps(do(job, ready_end, barrier)).encode())
            finally:
                os._exit(0)
        os.close(result_end)
        results.append(result)
    for _ in jobs:
        os.read(ready, 1)
    os.close(gate)
    said = []
    for result in results:
        with open(result, "rb") as pipe:
            said.append(json.loads(pipe.read() or b'"died"'))
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    for end in (barrier, ready, ready_end):
        os.close(end)
    return said


if __name__ == "__main__":
    client.get(reverse("home"))  # loads what every process needs, once for all of them
    connections.close_all()
    for line in sys.stdin:
        order = json.loads(line)
        for name, value in order["settings"].items():
            setattr(settings, name, value)
        sys.stdout.write(json.dumps(gather(order["jobs"])) + "\n")
        sys.stdout.flush()
