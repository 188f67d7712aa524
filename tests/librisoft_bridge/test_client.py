"""What the client makes of answers that the simulator would never give."""

import socket
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request
from pytest_django import Settings

from librisoft_bridge import client
from librisoft_bridge.client import Unknown
from tests.simulation_librisoft import LibrisoftSimulator

Serve = Callable[[Any], str]

STATE: dict[str, Any] = {
    "librisoft_order_id": "6767",
    "web_order_number": "637",
    "status": {
        "code": "PREPARATION",
        "label": "Préparation commande",
        "sequence": 1,
        "updated_at": "2026-11-24T09:00:00Z",
    },
}


@pytest.fixture
def answer(serve: Serve, settings: Settings) -> Callable[[Any], None]:
    """Let LIBRISOFT answer this, whatever it is asked."""

    def give(body: Any) -> None:
        app = Flask("librisoft")
        app.add_url_rule("/<path:path>", view_func=lambda path: body if isinstance(body, Response) else jsonify(body))
        settings.LIBRISOFT_URL = serve(app)

    return give


@pytest.mark.parametrize(
    "body",
    [
        [],
        "6767",
        {},
        {**STATE, "status": None},
        {**STATE, "status": {**STATE["status"], "sequence": 0}},
        {**STATE, "status": {**STATE["status"], "sequence": "first"}},
        {**STATE, "status": {**STATE["status"], "sequence": 2**63}},
        {**STATE, "librisoft_order_id": ""},
        {**STATE, "librisoft_order_id": "12345678901"},
    ],
)
def test_state_without_the_essential_is_no_answer(body: Any, answer: Callable[[Any], None]) -> None:
    answer(body)
    with pytest.raises(Unknown, match="illisible"):
        client.get_order("6767")


@pytest.mark.parametrize(
    ("more", "field", "expected"),
    [
        ({"lines": "none"}, "received", {}),
        ({"lines": [{"line_number": 1}]}, "received", {}),
        ({"lines": [{"line_number": 1, "ordered": 5, "received": -3}]}, "received", {1: 0}),
        ({"lines": [{"line_number": 1, "ordered": 5, "received": 2**40}]}, "received", {1: 2**31 - 1}),
        ({"expected_date": "2026-02-31"}, "expected_date", None),
        ({"status": {**STATE["status"], "updated_at": "2026-13-45T00:00:00Z"}}, "updated_at", None),
        ({"status": {**STATE["status"], "updated_at": "9999-12-31T23:59:59-12:00"}}, "updated_at", None),
        ({"status": {**STATE["status"], "label": "À\x00 part"}}, "label", "À part"),
        ({"status": {**STATE["status"], "label": "Re\ud83dçue"}}, "label", "Re?çue"),
        ({"status": {**STATE["status"], "label": "x" * 200}}, "label", "x" * 80),
    ],
)
def test_state_with_an_odd_detail_is_not_lost(
    more: dict[str, Any], field: str, expected: Any, answer: Callable[[Any], None]
) -> None:
    answer({**STATE, **more})
    state = client.get_order("6767")
    assert (state.librisoft_number, state.sequence, getattr(state, field)) == ("6767", 1, expected)


@pytest.mark.parametrize(
    "page",
    [
        {"changes": {}, "next_cursor": "1", "has_more": False},
        {"changes": [], "next_cursor": None, "has_more": False},
        {"changes": [], "next_cursor": "1"},
        {"orders": []},
    ],
)
def test_page_that_is_none_moves_no_cursor(page: Any, answer: Callable[[Any], None]) -> None:
    answer(page)
    with pytest.raises(Unknown, match="illisible"):
        client.list_changes("")


def test_change_that_nobody_can_read_does_not_hold_up_the_others(
    answer: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    answer({"changes": [{"odd": True}, STATE], "next_cursor": "2", "has_more": False})
    page = client.list_changes("")
    assert ([state.web_order_number for state in page.states], page.next_cursor) == (["637"], "2")
    assert "A change after '' is left out" in caplog.text


def test_answer_that_trickles_in_is_left_after_the_time_for_a_whole_call(
    librisoft_simulator: LibrisoftSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LONGEST_CALL", 0.3)
    librisoft_simulator.fault("drip", seconds=0.05)
    with pytest.raises(Unknown, match="à temps"):
        client.list_changes("")


def test_times_to_wait_are_those_of_the_rule() -> None:
    assert client.TIMEOUT == (3, 10)


def test_a_machine_that_takes_no_connection_is_left_after_three_seconds(settings: Settings) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _nth in range(4):  # whoever stands in the queue keeps the next one out
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        settings.LIBRISOFT_URL = f"http://127.0.0.1:{server.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(Unknown, match="à temps"):
            client.find_order("637")
        assert 3 <= time.monotonic() - begun < 6


def test_endless_answer_is_left(answer: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LONGEST_ANSWER", 1000)
    answer(Response('["' + "x" * 100_000 + '"]', content_type="application/json"))
    with pytest.raises(Unknown, match="illisible"):
        client.get_order("6767")


def test_token_does_not_give_way_to_a_netrc(
    serve: Serve, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    seen = []
    app = Flask("librisoft")

    @app.get("/v1/orders")
    def find() -> Response:
        seen.append(request.headers["Authorization"])
        return jsonify(orders=[])

    settings.LIBRISOFT_URL, settings.LIBRISOFT_TOKEN = serve(app), "jeton"
    assert client.find_order("637") is None
    assert seen == ["Bearer jeton"]


def test_redirect_is_not_followed(serve: Serve, settings: Settings) -> None:
    """The token goes nowhere but where the settings say."""
    elsewhere = Flask("elsewhere")
    visits: list[str] = []
    elsewhere.before_request(lambda: visits.append(request.path))
    target = serve(elsewhere)
    app = Flask("librisoft")
    app.add_url_rule(
        "/v1/orders",
        methods=["POST"],
        view_func=lambda: (jsonify({}), 307, {"Location": f"{target}/v1/orders"}),
    )
    settings.LIBRISOFT_URL = serve(app)
    with pytest.raises(Unknown):
        client.create_order({"web_order_number": "637"}, key=uuid.uuid4())
    assert visits == []
