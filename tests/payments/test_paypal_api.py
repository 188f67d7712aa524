"""Every fault of paypalrestsdk that PayPalApi mends, each against a real server on this machine."""

import json
import logging
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from grouped_orders.payments.base import Refused, Unknown
from grouped_orders.payments.paypal_api import TIMEOUT, PayPalApi

Scripted = Callable[..., Any]
OK = (200, {"fine": True})


def _api(url: str, **options: Any) -> PayPalApi:
    return PayPalApi(url=url, client_id="id-of-the-shop", client_secret="secret-of-the-shop", **options)


def test_call_that_is_never_answered_ends_by_itself(scripted: Scripted) -> None:
    url, _ = scripted(lambda request: (time.sleep(1), OK)[1])
    started = time.monotonic()
    with pytest.raises(Unknown):
        _api(url, timeout=(0.2, 0.2)).call("GET", "/v2/x")
    assert time.monotonic() - started < 0.9
    assert _api(url).timeout == TIMEOUT == (4, 10)


def test_call_to_nobody_is_unknown() -> None:
    with pytest.raises(Unknown):
        _api("http://127.0.0.1:1").call("GET", "/v2/x")


def test_unauthorized_for_ever_asks_one_new_token_and_stops(scripted: Scripted) -> None:
    url, script = scripted((401, {"name": "AUTHENTICATION_FAILURE"}))
    with pytest.raises(Unknown):
        _api(url).call("POST", "/v2/x", {}, key="k")
    assert (len(script.asked), len(script.tokens)) == (2, 2)


def test_unauthorized_once_goes_on_with_a_new_token(scripted: Scripted) -> None:
    url, script = scripted((401, {}), OK)
    api = _api(url)
    assert api.call("POST", "/v2/x", {"a": 1}, key="k") == {"fine": True}
    assert [request.headers["Authorization"] for request in script.asked] == ["Bearer T1", "Bearer T2"]
    assert api.call("GET", "/v2/x") == {"fine": True}
    assert len(script.tokens) == 2


@pytest.mark.parametrize("status", [400, 404, 422])
def test_refusal_in_paypals_words_is_refused(scripted: Scripted, status: int) -> None:
    body = {"name": "NO", "debug_id": "d1", "details": [{"issue": "TRANSACTION_REFUSED"}]}
    url, _ = scripted((status, body))
    with pytest.raises(Refused) as refused:
        _api(url).call("POST", "/v2/x", {})
    assert (refused.value.code, refused.value.debug_id) == ("TRANSACTION_REFUSED", "d1")


@pytest.mark.parametrize("details", [None, [], "odd", [None], [{"issue": 3}]])
def test_refusal_without_an_issue_is_known_by_its_name(scripted: Scripted, details: Any) -> None:
    url, _ = scripted((400, {"name": "INVALID_REQUEST", "details": details}, {"PayPal-Debug-Id": "d2"}))
    with pytest.raises(Refused) as refused:
        _api(url).call("POST", "/v2/x", {})
    assert (refused.value.code, refused.value.debug_id) == ("INVALID_REQUEST", "d2")


@pytest.mark.parametrize(
    "answer",
    [
        (400, "<html>Bad request</html>"),
        (404, "<html>Nothing here</html>"),
        (404, {"message": "no route"}),
        (403, {"name": "NOT_AUTHORIZED"}),
        (409, {"name": "RESOURCE_CONFLICT", "details": [{"issue": "PREVIOUS_REQUEST_IN_PROGRESS"}]}),
        (422, {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "ORDER_COMPLETION_IN_PROGRESS"}]}),
        (429, {"name": "RATE_LIMIT_REACHED"}),
        (500, {"name": "INTERNAL_SERVER_ERROR"}),
        (503, "<html>Maintenance</html>"),
        (302, "", {"Location": "/elsewhere"}),
        (308, "", {"Location": "/elsewhere"}),
        (200, "<html>Welcome</html>"),
        (200, '{"id": "5O19'),
        (200, "[1]"),
        (200, "null"),
    ],
)
def test_answer_that_says_nothing_clear_is_unknown(scripted: Scripted, answer: Any) -> None:
    url, script = scripted(answer)
    with pytest.raises(Unknown):
        _api(url).call("POST", "/v2/x", {"money": 1}, key="k")
    assert [request.path for request in script.asked] == ["/v2/x"]


def test_trailing_slash_of_the_address_does_not_double_the_path(scripted: Scripted) -> None:
    url, script = scripted(OK)
    _api(f"{url}/base/").call("GET", r"/v2/\1/x")
    paths = [request.environ["RAW_URI"] for request in [*script.tokens, *script.asked]]
    assert paths == ["/base/v1/oauth2/token", "/base/v2/%5C1/x"]


def test_headers_of_a_call_do_not_go_to_the_token(scripted: Scripted) -> None:
    url, script = scripted(OK)
    _api(url).call("POST", "/v2/x", {}, key="key-1")
    (token,) = script.tokens
    assert "PayPal-Request-Id" not in token.headers
    assert token.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert script.asked[0].headers["PayPal-Request-Id"] == "key-1"
    assert script.asked[0].headers["Prefer"] == "return=representation"


def test_get_sends_no_body(scripted: Scripted) -> None:
    url, script = scripted(OK)
    _api(url).call("GET", "/v2/x")
    assert script.asked[0].get_data() == b""


def test_bytes_go_out_as_they_are(scripted: Scripted) -> None:
    url, script = scripted(OK)
    _api(url).call("POST", "/v2/x", b'{"b" :  1,\n"a":"\\u00e9"}')
    assert script.asked[0].get_data() == b'{"b" :  1,\n"a":"\\u00e9"}'


def test_threads_share_one_token(scripted: Scripted) -> None:
    url, script = scripted(OK)
    api = _api(url)
    failures: list[Exception] = []

    def call() -> None:
        try:
            api.call("GET", "/v2/x")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, len(script.asked), len(script.tokens)) == ([], 20, 1)


def test_token_is_renewed_before_it_ends(scripted: Scripted) -> None:
    # The script's token lives 600 s; it is renewed 300 s before its end.
    url, script = scripted(OK)
    api = _api(url)
    api.call("GET", "/v2/x")
    api._token_until -= 299
    api.call("GET", "/v2/x")
    assert len(script.tokens) == 1
    api._token_until -= 2
    api.call("GET", "/v2/x")
    assert len(script.tokens) == 2


def test_connection_is_kept() -> None:
    callers = []

    class KeepAlive(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            callers.append(self.client_address)
            body = b'{"access_token": "T", "expires_in": 600}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), KeepAlive) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        api = _api(f"http://127.0.0.1:{server.server_port}")
        for _ in range(3):
            api.call("POST", "/v2/x", {})
        api._session.close()
        server.shutdown()
    assert callers == [callers[0]] * 4


def test_cookies_are_not_kept(scripted: Scripted) -> None:
    url, script = scripted((200, {}, {"Set-Cookie": "session=1"}))
    api = _api(url)
    api.call("GET", "/v2/x")
    api.call("GET", "/v2/x")
    assert "Cookie" not in script.asked[1].headers


def test_log_holds_no_secret(scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    url, _ = scripted((422, {"name": "NO", "details": [{"issue": "X"}]}, {"PayPal-Debug-Id": "d3"}))
    with caplog.at_level(logging.DEBUG), pytest.raises(Refused):
        _api(url).call("POST", "/v2/x", {"email": "parent@example.org"}, key="k")
    assert "PayPal answered 422 (debug id d3)" in caplog.text
    for secret in ("secret-of-the-shop", "Basic", "Bearer", "T1", "parent@example.org"):
        assert secret not in caplog.text


def test_packages_own_verbs_are_safe_as_well(scripted: Scripted) -> None:
    url, script = scripted((401, {}))
    with pytest.raises(Unknown):
        _api(url).post("v2/x", {"a": 1})
    assert json.loads(script.asked[0].get_data()) == {"a": 1}
    assert len(script.asked) == 2
