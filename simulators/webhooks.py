"""Webhooks on their way to the shop: kept over a restart, tried again until a 2xx, and spoiled on demand.

Faults, struck by the request that makes the event:

    webhook_lost           never sent
    webhook_twice          sent `copies` times (2)
    webhook_late           sent `seconds` later (5), after those that follow it
    webhook_first          sent before the request that made it is answered
    webhook_bad_signature  sent with a signature that does not fit
    webhook_old            sent with the signature of a day before

    POST /_sim/webhooks {"event": {…}}    any event, well signed
    POST /_sim/webhooks {"resend": "id"}  one more time, as the dashboard's button does
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import requests
from flask import Response, after_this_request, has_request_context, jsonify, request

from simulators.stage import Stage

# Seconds before each new try; PayPal gives up after 25 in three days, Stripe after about three days as well.
RETRIES = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600)

# The headers that prove a body's origin, at a time given in seconds since the epoch.
Sign = Callable[[bytes, float], dict[str, str]]


class Webhooks:
    """The simulator's outgoing box. `tick` runs twice a second under the stage's lock, for what ends by itself."""

    def __init__(
        self,
        stage: Stage,
        url: str | None,
        sign: Sign,
        *,
        spoil: Callable[[dict[str, str]], dict[str, str]],
    ):
        self.url = url
        self.tick: Callable[[], None] = lambda: None
        self._stage = stage
        self._sign = sign
        self._spoil = spoil
        self._wake = threading.Event()
        self._stopped = False
        stage.state.setdefault("webhooks", [])
        for waiting in stage.state["webhooks"]:
            waiting["held"] = False
        stage.route("POST", "/_sim/webhooks", self._send_by_hand)
        threading.Thread(target=self._run, name="webhooks", daemon=True).start()

    def emit(self, event: dict[str, Any], *, by_hand: bool = False) -> None:
        """Keep the event and send it once the request that makes it is answered. Under the stage's lock."""
        lost = self._stage.strikes("webhook_lost")
        late = self._stage.strikes("webhook_late")
        twice = self._stage.strikes("webhook_twice")
        entry = {
            "event": event,
            "by_hand": by_hand,
            "copies": 0 if lost or not self.url else int(twice.get("copies", 2)) if twice else 1,
            "spoiled": bool(self._stage.strikes("webhook_bad_signature")),
            "old": bool(self._stage.strikes("webhook_old")),
            "delivered": False,
            "tries": 0,
            "next_at": time.time() + (float(late.get("seconds", 5)) if late else 0),
            "held": has_request_context(),
        }
        self._stage.state["webhooks"].append(entry)
        if not has_request_context():
            self._wake.set()
            return
        first = self._stage.strikes("webhook_first")

        @after_this_request
        def release(response: Response) -> Response:
            if first:
                self._send(entry)
            response.call_on_close(lambda: self._release(entry))
            return response

    def resend(self, event_id: str) -> bool:
        """Send an event once more, as the provider's dashboard does. False when it is not known."""
        with self._stage.lock:
            for entry in self._stage.state["webhooks"]:
                if entry["event"]["id"] == event_id:
                    entry.update(copies=1, tries=0, next_at=time.time(), spoiled=False, old=False)
                    self._stage.save()
                    self._wake.set()
                    return True
        return False

    def _send_by_hand(self) -> Response:
        asked = request.get_json(force=True)
        if "event" in asked:
            with self._stage.lock:
                self.emit(asked["event"], by_hand=True)
                self._stage.save()
            return jsonify(sent=True)
        return jsonify(sent=self.resend(asked["resend"]))

    def stop(self) -> None:
        """Send nothing any more."""
        self._stopped = True
        self._wake.set()

    def events(self, *, by_hand: bool = True) -> list[dict[str, Any]]:
        """Every event ever made, oldest first; without those that somebody else made up, if asked."""
        with self._stage.lock:
            return [e["event"] for e in self._stage.state["webhooks"] if by_hand or not e["by_hand"]]

    def _release(self, entry: dict[str, Any]) -> None:
        entry["held"] = False
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(timeout=0.5)
            self._wake.clear()
            with self._stage.lock:
                self.tick()
                due = [
                    entry
                    for entry in self._stage.state["webhooks"]
                    if entry["copies"] and not entry["held"] and entry["next_at"] <= time.time()
                ]
            for entry in due:
                self._send(entry)

    def _send(self, entry: dict[str, Any]) -> None:
        if not self.url or not entry["copies"]:
            return
        body = json.dumps(entry["event"]).encode()
        headers = self._sign(body, self._stage.now() - (86400 if entry["old"] else 0))
        if entry["spoiled"]:
            headers = self._spoil(headers)
        try:
            answer = requests.post(
                self.url,
                data=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=10,
                allow_redirects=False,
            )
            delivered = answer.ok and not answer.is_redirect
        except requests.RequestException:
            delivered = False
        with self._stage.lock:
            if delivered:
                entry["delivered"] = True
                entry["copies"] -= 1
                if entry["copies"]:
                    self._wake.set()
            elif entry["tries"] >= len(RETRIES):
                entry["copies"] = 0
            else:
                entry["next_at"] = time.time() + RETRIES[entry["tries"]]
                entry["tries"] += 1
            self._stage.save()
