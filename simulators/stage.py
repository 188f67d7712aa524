"""What every HTTP simulator has in common: a process, a state that outlives it, and faults on demand.

    POST /_sim/faults {"match": "POST /v1/orders", "kind": "drop_after", "times": 1}

`match` is a regular expression searched in "METHOD /path"; `times` is how often it strikes (0: until cleared);
`chance` (0 to 1, else 1) how likely it is to strike; `DELETE /_sim/faults` clears them. Kinds understood here:

    delay        wait `seconds`, then answer as usual
    drop_before  close the connection, nothing done
    drop_after   do it, then close the connection: the effect stands, the answer is lost
    status       answer `status` (with `headers`), nothing done
    html         answer 200 with a page of HTML, nothing done
    truncated    do it, answer half of the JSON
    empty        do it, answer 204

Every other kind belongs to one simulator, which asks for it with `stage.strikes(kind)`.

    POST /_sim/clock {"ahead": 3600}

moves the simulator's own clock, for whatever expires.

    GET /_sim/exchanges

what was said to it and answered, oldest first: each request and its answer before a fault cut it. `own` is false for
an answer that a fault put in the simulator's place.
"""

import argparse
import json
import os
import random
import re
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, has_request_context, jsonify, request
from werkzeug.serving import make_server

Fault = dict[str, Any]
# Exchanges kept: more than any test or day of a demo makes.
MOST_KEPT = 5000


class Stage:
    """A Flask application, its lock, its state (a JSON-able dict) and its faults."""

    def __init__(self, name: str, *, state_file: Path | None = None, start: Callable[[], dict[str, Any]] = dict):
        self.app = Flask(name)
        self.lock = threading.RLock()
        self.faults: list[Fault] = []
        self.exchanges: deque[dict[str, Any]] = deque(maxlen=MOST_KEPT)
        self._state_file = state_file
        self.state: dict[str, Any] = start()
        if state_file is not None and state_file.exists():
            self.state.update(json.loads(state_file.read_text()))
        self.app.before_request(self._before)
        self.app.after_request(self._after)
        self.app.add_url_rule("/_sim/faults", view_func=self._faults, methods=["GET", "POST", "DELETE"])
        self.app.add_url_rule("/_sim/health", view_func=lambda: jsonify(ok=True), endpoint="health")
        self.app.add_url_rule("/_sim/clock", view_func=self._clock, methods=["POST"])
        self.app.add_url_rule("/_sim/exchanges", view_func=self._said, methods=["GET"])

    def route(self, method: str, path: str, view: Callable[..., Any]) -> None:
        """Answer `method path` by a view, which may share its name with another part's."""
        self.app.add_url_rule(path, endpoint=f"{method} {path}", view_func=view, methods=[method])

    def now(self) -> float:
        """Seconds since the epoch, by the simulator's own clock."""
        return time.time() + float(self.state.get("ahead", 0))

    def save(self) -> None:
        """Write the state down; call it under the lock after every change."""
        if self._state_file is None:
            return
        with self.lock:
            temporary = self._state_file.with_suffix(".part")
            temporary.write_text(json.dumps(self.state))
            os.replace(temporary, self._state_file)

    def strikes(self, *kinds: str, on: str | None = None) -> Fault | None:
        """The fault of one of these kinds that is due for this request, counted as used; or None.

        `on` stands for the request where another protocol is spoken: "RCPT someone@shop.example".
        """
        if on is None and not has_request_context():
            return None
        asked = on or f"{request.method} {request.path}"
        with self.lock:
            for fault in self.faults:
                if fault["kind"] in kinds and re.search(fault["match"], asked) and random.random() < fault["chance"]:
                    if fault["times"]:
                        fault["times"] -= 1
                        if not fault["times"]:
                            self.faults.remove(fault)
                    return fault
        return None

    def _faults(self) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
        if request.method == "POST":
            asked = request.get_json(force=True)
            self.faults.append({"match": "", "times": 1, "chance": 1, **asked})
        return jsonify(faults=self.faults)

    def _said(self) -> Response:
        return jsonify(exchanges=list(self.exchanges))

    def _clock(self) -> Response:
        with self.lock:
            self.state["ahead"] = float(request.get_json(force=True)["ahead"])
            self.save()
        return jsonify(now=self.now())

    def _before(self) -> Response | None:
        if request.path.startswith("/_sim/"):
            return None
        if fault := self.strikes("delay"):
            time.sleep(fault.get("seconds", 1))
        g.own = False
        if self.strikes("drop_before"):
            self._hang_up()
            return Response(status=204)  # never arrives, but keeps the view from doing its work
        if fault := self.strikes("status"):
            return Response(
                json.dumps(fault.get("body", {"code": "busy", "message": "Simulated"})),
                status=fault.get("status", 503),
                headers=fault.get("headers", {}),
                content_type="application/json",
            )
        if self.strikes("html"):
            return Response("<html><body><h1>502 Bad Gateway</h1></body></html>", content_type="text/html")
        g.own = True
        return None

    def _after(self, response: Response) -> Response:
        if request.path.startswith("/_sim/") or request.path == "/_sim":
            return response
        self._keep(response)
        if self.strikes("drop_after"):
            self._hang_up()
        if self.strikes("truncated"):
            body = response.get_data()
            response.set_data(body[: len(body) // 2])
        if self.strikes("empty"):
            response.set_data(b"")
            response.status_code = 204
        return response

    def _keep(self, response: Response) -> None:
        # What a fault answers says nothing, and after a hang-up there is nobody to read from any more.
        own = g.own and not response.is_streamed
        self.exchanges.append(
            {
                "method": request.method,
                "path": request.path,
                "query": request.args.to_dict(),
                "headers": {name.lower(): value for name, value in request.headers},
                "form": request.form.to_dict() if own else {},
                "body": request.get_data().decode(errors="replace") if own else "",
                "status": response.status_code,
                "answer": response.get_data().decode(errors="replace") if own else "",
                "own": own,
            }
        )

    def _hang_up(self) -> None:
        connection: socket.socket = request.environ["werkzeug.socket"]
        with suppress(OSError):  # another fault, or the caller's own impatience, closed it before
            connection.shutdown(socket.SHUT_RDWR)


def serve(build: Callable[[argparse.Namespace], Stage], *arguments: tuple[str, dict[str, Any]]) -> None:
    """Run one simulator as a program: --port, --state, and the arguments of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, help="file that keeps the state over a restart")
    for flag, options in arguments:
        parser.add_argument(flag, **options)
    options = parser.parse_args()
    stage = build(options)
    server = make_server("127.0.0.1", options.port, stage.app, threaded=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
