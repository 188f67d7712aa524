"""LIBRISOFT's simulator, as a program that knows nothing of the shop sees it, and as the contract judges it."""

import copy
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.librisoft_rules import breaches
from tests.contracts.librisoft import judge
from tests.simulation_librisoft import TOKEN, LibrisoftSimulator

KEY = "0e8c6f5e-3c43-4a0e-9f3c-1f3f3b1d9a60"
DINANT = {"name": "ANNEXE", "street": "2, rue des jonquilles", "postcode": "5500", "city": "DINANT", "country": "BE"}
ORDER: dict[str, Any] = {
    "message_id": KEY,
    "web_order_number": "637",
    "group_order_number": "62",
    "ordered_at": "2026-11-24T09:00:00Z",
    "currency": "EUR",
    "customer": {"external_id": "PROUVE", "name": "COLLEGE VICTOR PROUVE"},
    "billing_address": DINANT,
    "delivery": {"mode": "COLLECTIVITY", "address": DINANT},
    "payment": {"state": "PAID", "methods": [{"method": "PAYPAL", "amount": "74.50"}]},
    "lines": [
        {
            "line_number": 1,
            "ean13": "9791097284657",
            "title": "WESTERN COQUILLETTES",
            "quantity": 5,
            "unit_price": "14.90",
            "vat_rate": "6.00",
        }
    ],
    "totals": {"quantity": 5, "amount": "74.50"},
}

Answer = tuple[int, Any]
Ask = Callable[..., Answer]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The order with one thing put differently: "lines.0.quantity"; `...` takes it away."""
    order = copy.deepcopy(ORDER)
    *way, last = (int(name) if name.isdigit() else name for name in path.split("."))
    at: Any = order
    for name in way:
        at = at[name]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return order


@pytest.fixture
def ask(librisoft_simulator: LibrisoftSimulator) -> Ask:
    def ask(method: str, path: str, body: Any = None, *, key: str = KEY, token: str = TOKEN) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if body is not None else {})
        answer = requests.request(method, librisoft_simulator.url + path, json=body, headers=headers, timeout=5)
        return answer.status_code, answer.json()

    return ask


# Handing over ----------------------------------------------------------------------------------


def test_post_takes_an_order_over_in_preparation(ask: Ask) -> None:
    status, state = ask("POST", "/v1/orders", ORDER)
    state["status"].pop("updated_at")
    assert (status, state) == (
        201,
        {
            "librisoft_order_id": "6765",
            "web_order_number": "637",
            "status": {"code": "PREPARATION", "label": "Préparation commande", "sequence": 1},
            "lines": [{"line_number": 1, "ordered": 5, "received": 0}],
            "expected_date": None,
        },
    )


def test_same_key_and_body_is_the_same_order(ask: Ask) -> None:
    _status, first = ask("POST", "/v1/orders", ORDER)
    assert ask("POST", "/v1/orders", ORDER) == (200, first)


def test_same_key_with_another_body_is_refused(ask: Ask) -> None:
    ask("POST", "/v1/orders", ORDER)
    status, said = ask("POST", "/v1/orders", changed("comment", "Urgent"))
    assert (status, said["code"]) == (422, "idempotency_mismatch")


def test_known_number_under_another_key_answers_with_the_existing_order(
    ask: Ask, librisoft_simulator: LibrisoftSimulator
) -> None:
    _status, first = ask("POST", "/v1/orders", ORDER)
    key = str(uuid.uuid4())
    assert ask("POST", "/v1/orders", changed("message_id", key), key=key) == (409, first)
    assert len(librisoft_simulator.orders()) == 1


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/orders?web_order_number=637"), ("GET", "/v1/orders/6765")])
def test_wrong_token_is_refused(method: str, path: str, ask: Ask) -> None:
    status, said = ask(method, path, token="autre")
    assert (status, said["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("message_id", ...),
        ("message_id", "637"),
        ("web_order_number", "6" * 21),
        ("web_order_number", 637),
        ("group_order_number", ...),
        ("ordered_at", "2026-11-24 09:00"),
        ("ordered_at", "2026-02-30T09:00:00Z"),
        ("currency", "USD"),
        ("customer", {"name": "COLLEGE"}),
        ("customer.email", "nobody"),
        ("customer.buyers", ["Jared Leto"]),
        ("buyers", []),
        ("billing_address.country", "Belgique"),
        ("billing_address.postcode", 5500),
        ("billing_address.phone", "1"),
        ("delivery.mode", "POST"),
        ("delivery.address", ...),
        ("customer_reference", None),
        ("payment.state", "PENDING"),
        ("payment.methods.0.method", "CASH"),
        ("payment.methods.0.amount", "74.5"),
        ("lines", []),
        ("lines", {}),
        ("lines.0.line_number", 0),
        ("lines.0.ean13", "979109728465"),
        ("lines.0.title", None),
        ("lines.0.quantity", 0),
        ("lines.0.quantity", "5"),
        ("lines.0.quantity", True),
        ("lines.0.unit_price", "-14.90"),
        ("lines.0.unit_price", 14.9),
        ("lines.0.vat_rate", "106.00"),
        ("lines.0.discount", "5.00"),
        ("totals.amount", "123456789.00"),
        ("totals.quantity", ...),
    ],
)
def test_rules_refuse_what_the_contract_refuses(path: str, value: Any) -> None:
    """Two readings of one contract, the simulator's and the schema's."""
    order = changed(path, value)
    assert (breaches(order) != [], judge("Order", order) != []) == (True, True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("comment", ""),
        ("customer.phone", "00 32 82 00 00 00"),
        ("customer.email", "cdi@prouve.example"),
        ("ordered_at", "2026-11-24T10:00:00.123+01:00"),
        ("payment.methods", []),
        ("lines.0.unit_price", "0.00"),
        ("web_order_number", "6" * 20),
    ],
)
def test_rules_take_what_the_contract_takes(path: str, value: Any) -> None:
    order = changed(path, value)
    assert (breaches(order), judge("Order", order)) == ([], [])


@pytest.mark.parametrize("body", [None, [], "637", 637])
def test_rules_refuse_what_is_no_order(body: Any) -> None:
    assert breaches(body) == ["body"]


# Reading back ----------------------------------------------------------------------------------


def test_look_up_finds_one_order_or_none(ask: Ask) -> None:
    _status, first = ask("POST", "/v1/orders", ORDER)
    assert ask("GET", "/v1/orders?web_order_number=637") == (200, {"orders": [first]})
    assert ask("GET", "/v1/orders?web_order_number=638") == (200, {"orders": []})


def test_unknown_number_is_not_found(ask: Ask) -> None:
    assert ask("GET", "/v1/orders/6765")[0] == 404


def test_changes_are_paged_from_a_cursor(ask: Ask, librisoft_simulator: LibrisoftSimulator) -> None:
    ask("POST", "/v1/orders", ORDER)
    for code in ("SUPPLIER_ORDERED", "RECEIVED"):
        librisoft_simulator.set_status("6765", code)
    _status, first = ask("GET", "/v1/orders/changes?after=&limit=2")
    _status, second = ask("GET", f"/v1/orders/changes?after={first['next_cursor']}&limit=2")
    assert [[change["status"]["code"] for change in page["changes"]] for page in (first, second)] == [
        ["PREPARATION", "SUPPLIER_ORDERED"],
        ["RECEIVED"],
    ]
    assert (first["has_more"], second["has_more"], second["changes"][0]["lines"][0]["received"]) == (True, False, 5)


@pytest.mark.parametrize("limit", ["0", "501", "many"])
def test_limit_out_of_bounds_is_refused(limit: str, librisoft_simulator: LibrisoftSimulator) -> None:
    answer = requests.get(
        f"{librisoft_simulator.url}/v1/orders/changes",
        params={"limit": limit},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=5,
    )
    librisoft_simulator.forgive()
    assert answer.status_code == 422


# By hand ---------------------------------------------------------------------------------------


def test_desk_moves_an_order_with_a_button(ask: Ask, librisoft_simulator: LibrisoftSimulator) -> None:
    ask("POST", "/v1/orders", ORDER)
    pressed = {"code": "PARTIALLY_RECEIVED", "received": " 3 "}
    answer = requests.post(f"{librisoft_simulator.url}/desk/6765", data=pressed, timeout=5)
    assert "Partiellement réceptionnée" in answer.text
    _status, state = ask("GET", "/v1/orders/6765")
    assert (state["status"]["code"], state["lines"][0]["received"]) == ("PARTIALLY_RECEIVED", 3)


def test_older_sequence_is_told_but_is_not_the_present_state(ask: Ask, librisoft_simulator: LibrisoftSimulator) -> None:
    ask("POST", "/v1/orders", ORDER)
    librisoft_simulator.set_status("6765", "RECEIVED", sequence=9)
    librisoft_simulator.set_status("6765", "SUPPLIER_ORDERED", sequence=5)
    assert ask("GET", "/v1/orders/6765")[1]["status"]["code"] == "RECEIVED"
    _status, page = ask("GET", "/v1/orders/changes")
    assert [change["status"]["sequence"] for change in page["changes"]] == [1, 9, 5]


def test_state_outlives_the_program(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, state = f"http://127.0.0.1:{port}", tmp_path / "librisoft.json"
    answers = []
    for method in ("POST", "GET"):
        program = subprocess.Popen(
            [sys.executable, "-m", "simulators.librisoft", "--port", str(port), "--token", TOKEN, "--state", state],
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"{url}/_sim/health")
            answer = requests.request(
                method,
                f"{url}/v1/orders" + ("/6765" if method == "GET" else ""),
                json=ORDER if method == "POST" else None,
                headers={"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": KEY},
                timeout=5,
            )
            answers.append(answer.json())
        finally:
            program.send_signal(signal.SIGTERM)
            program.wait(10)
    assert answers[0]["librisoft_order_id"] == "6765"
    assert answers[0] == answers[1]


def _wait_for(url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            requests.get(url, timeout=2)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)
