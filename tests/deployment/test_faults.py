"""Whatever is killed, stopped or emptied: what was promised arrives, and arrives once.

Each test ends with what the outside world really got: the mails in the inbox, the orders in LIBRISOFT. Where somebody
would have to wait (for a lease to end, for the next try) the row is moved instead.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.deployment.fleet import WEBS, WORKERS, Fleet, wait_until

ONCE = [1]


def test_two_webs_and_three_workers_share_the_work(fleet: Fleet) -> None:
    buyers = [f"many{nth}" for nth in range(12)]
    with ThreadPoolExecutor(4) as people:
        pages = list(people.map(lambda nth: fleet.buy(buyers[nth], WEBS[nth % 2]), range(12)))
    assert {page.status_code for page in pages} == {200}
    fleet.wait_for_mails(*buyers)
    assert fleet.copies(*buyers) == ONCE * 12
    at_work = [name for name in WORKERS if any("deliver_mail" in str(line.get("task")) for line in fleet.log(name))]
    assert len(at_work) > 1


def test_request_is_followed_into_its_task_and_no_log_holds_a_secret(fleet: Fleet) -> None:
    # Whoever once found no broker rings no bell for a minute; this one never did.
    fleet.kill("web2")
    fleet.start("web2")
    wait_until(lambda: fleet.is_ready("web2"))
    page = fleet.buy("followed", "web2")
    fleet.wait_for_mails("followed")
    request_id = page.history[0].headers["X-Request-ID"]
    wait_until(lambda: [line for name in WORKERS for line in fleet.log(name) if line.get("request_id") == request_id])
    written = "".join((fleet.folder / f"{name}.log").read_text() for name in (*WEBS, *WORKERS, "beat"))
    [(secret,)] = fleet.rows("SELECT secret FROM grouped_orders_suborder WHERE email = 'followed@free.example'")
    assert [private for private in (secret, "followed@free.example") if private in written] == []


def test_workers_killed_while_the_mail_server_hangs(fleet: Fleet) -> None:
    buyers = ["killed1", "killed2", "killed3"]
    fleet.inbox.fault("hang", match="DATA killed", seconds=30, times=0)
    for who in buyers:
        fleet.buy(who)
    wait_until(lambda: any(state == "SENDING" for _, state in fleet.mails(*buyers)))
    fleet.kill(*WORKERS)
    fleet.inbox.clear_faults()
    fleet.rows("UPDATE grouped_orders_mail SET lease_until = now() WHERE state = 'SENDING' RETURNING 1")
    for name in WORKERS:
        fleet.start(name)
    fleet.wait_for_mails(*buyers)
    assert fleet.copies(*buyers) == ONCE * 3


def test_mail_server_refuses_hangs_and_drops(fleet: Fleet) -> None:
    again = ["busy", "dropped", "hung"]
    fleet.inbox.fault("refuse_temporary", match="RCPT busy")
    fleet.inbox.fault("drop", match="DATA dropped")
    fleet.inbox.fault("hang", match="DATA hung", seconds=30)
    fleet.inbox.fault("refuse_permanent", match="RCPT unknown")
    for who in (*again, "unknown"):
        fleet.buy(who)
    wait_until(lambda: fleet.inbox.faults() == [])
    wait_until(lambda: fleet.mails(*again, "unknown") == [*((who, "WAITING") for who in again), ("unknown", "FAILED")])
    fleet.rows("UPDATE grouped_orders_mail SET next_try_at = now() WHERE state = 'WAITING' RETURNING 1")
    fleet.wait_for_mails(*again)
    assert fleet.copies(*again, "unknown") == [*ONCE * 3, 0]
    [(reason,)] = fleet.rows("SELECT error FROM grouped_orders_mail WHERE recipient = 'unknown@free.example'")
    assert reason.startswith("Adresse refusée par le serveur de mail (550)")


def test_redis_stopped_and_started_empty(fleet: Fleet) -> None:
    order = fleet.story["orders"][0]
    fleet.kill("redis")
    began = time.monotonic()
    pages = [fleet.buy("deaf1", "web1"), fleet.buy("deaf2", "web2")]
    fleet.validate(order)
    assert {page.status_code for page in pages} == {200}
    assert time.monotonic() - began < 20
    assert fleet.mails("deaf1", "deaf2") == [("deaf1", "WAITING"), ("deaf2", "WAITING")]
    fleet.start_redis()
    fleet.wait_for_mails("deaf1", "deaf2")
    assert fleet.copies("deaf1", "deaf2") == ONCE * 2
    assert_in_librisoft_once(fleet, order)


def test_redis_flushed_with_all_its_bells(fleet: Fleet) -> None:
    order = fleet.story["orders"][1]
    buyers = [f"flushed{nth}" for nth in range(5)]
    fleet.freeze(*WORKERS)
    for who in buyers:  # each worker has had one message at most handed to it already
        fleet.buy(who)
    fleet.validate(order)
    assert fleet.redis("FLUSHALL") == "OK"
    fleet.thaw(*WORKERS)
    fleet.wait_for_mails(*buyers)
    assert fleet.copies(*buyers) == ONCE * 5
    assert_in_librisoft_once(fleet, order)


def test_postgresql_restarted_between_the_servers_250_and_our_record(fleet: Fleet) -> None:
    fleet.inbox.fault("hang", match="DATA held", seconds=0.8)  # then it takes the mail, and says so
    fleet.buy("held")
    wait_until(lambda: fleet.inbox.faults() == [])  # the server has the words: the row was claimed before that
    fleet.cluster.stop()
    try:
        wait_until(lambda: fleet.copies("held") == ONCE)
        refused = requests.get(f"http://127.0.0.1:{fleet.web_ports['web1']}/readyz", timeout=10)
    finally:
        fleet.cluster.start()
    assert (refused.status_code, refused.json()["database"]) == (503, "unreachable")
    fleet.wait_for_mails("held")
    fleet.buy("after", "web2")
    fleet.wait_for_mails("after")
    assert fleet.copies("held", "after") == ONCE * 2


def test_everything_stopped_at_once(fleet: Fleet) -> None:
    order = fleet.story["orders"][2]
    fleet.freeze(*WORKERS)
    fleet.buy("last")
    fleet.validate(order)
    fleet.kill(*WORKERS, "beat", "redis")
    fleet.cluster.stop()
    fleet.cluster.start()
    fleet.start_redis()
    for name in (*WORKERS, "beat"):
        fleet.start(name)
    fleet.wait_for_mails("last")
    assert fleet.copies("last") == ONCE
    assert_in_librisoft_once(fleet, order)


def test_payments_go_before_mails_and_mails_before_statuses(fleet: Fleet) -> None:
    in_order = [
        "grouped_orders.clock.settle_payments",
        "grouped_orders.clock.deliver_mails",
        "librisoft_bridge.clock.read_statuses",
        "grouped_orders.clock.remind_unpaid",
    ]
    fleet.kill("beat")
    fleet.freeze(*WORKERS)
    # What was handed to a worker already comes before everything.
    fleet.ring(*["libriweb.clock.beat"] * 4, *reversed(in_order))
    since = len(fleet.log("worker1"))
    fleet.thaw("worker1")

    def done() -> list[str]:
        lines = fleet.log("worker1")[since:]
        return [line["task"] for line in lines if "succeeded" in line["event"] and line["task"] in in_order]

    wait_until(lambda: len(done()) == 4)
    fleet.thaw(*WORKERS)
    fleet.start("beat")
    assert done() == in_order


def assert_in_librisoft_once(fleet: Fleet, order: int) -> None:
    [(number,)] = fleet.rows(f"SELECT shop_order_id FROM grouped_orders_groupedorder WHERE id = {order}")
    sent = f"SELECT transmission, attempts FROM librisoft_bridge_shoporder WHERE id = {number}"
    wait_until(lambda: fleet.rows(sent)[0][0] == "SENT")
    assert fleet.librisoft_orders().count(str(number)) == 1


@pytest.fixture(autouse=True)
def is_whole(fleet: Fleet) -> None:
    """Whatever the test before it did."""
    wait_until(lambda: fleet.redis("PING") == "PONG")
