"""A mail server that takes every message and shows it: SMTP on one port, the mails to read on another.

    python -m simulators.inbox --port 8025 --smtp-port 8026 --state inbox.json

`GET /_sim/messages` gives the mails as JSON, `DELETE /_sim/messages` empties the box. Faults, beside those of
the stage, strike at "RCPT someone@shop.example" or, once the message is sent, at "DATA someone@shop.example":

    refuse_temporary  answer 451 (or `answer`), keep nothing
    refuse_permanent  answer 550 (or `answer`), keep nothing
    hang              after DATA, answer only when `seconds` (60) are over
    drop              after DATA, close the connection without a word; the message stays when `kept` is true
"""

import argparse
import asyncio
import base64
import logging
import re
import socket
import sys
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Response, abort, jsonify, redirect, render_template, url_for

from simulators.stage import Stage, serve

# The HTML of a mail is somebody else's: it may be looked at, and its links opened in another tab, nothing more.
CONFINED = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
)


class Postman:
    """What aiosmtpd asks at each step; faults are looked for first."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def _refusal(self, step: str) -> str | None:
        if fault := self.stage.strikes("refuse_temporary", on=step):
            return str(fault.get("answer", "451 4.3.0 Please try again later"))
        if fault := self.stage.strikes("refuse_permanent", on=step):
            return str(fault.get("answer", "550 5.1.1 No such user here"))
        return None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._refusal(f"RCPT {address}"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        step = f"DATA {' '.join(envelope.rcpt_tos)}"
        if refusal := self._refusal(step):
            return refusal
        if fault := self.stage.strikes("hang", on=step):
            await asyncio.sleep(fault.get("seconds", 60))
        if fault := self.stage.strikes("drop", on=step):
            if fault.get("kept"):
                self._keep(envelope)
            if isinstance(server.transport, asyncio.Transport):
                server.transport.abort()
            return "421 4.3.0 Never heard"
        self._keep(envelope)
        return "250 2.0.0 OK"

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content).encode()
        with self.stage.lock:
            self.stage.state["received"] += 1
            self.stage.state["messages"].append(
                {
                    "id": self.stage.state["received"],
                    "to": envelope.rcpt_tos,
                    "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "raw": base64.b64encode(raw).decode(),
                }
            )
            self.stage.save()


def parse(kept: dict[str, Any]) -> EmailMessage:
    message = message_from_bytes(base64.b64decode(kept["raw"]), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, subtype: str) -> str:
    """The text or the HTML of a mail; empty when it has none."""
    body = message.get_body((subtype,))
    return str(body.get_content()).replace("\r\n", "\n") if body else ""


def attachments(message: EmailMessage) -> list[dict[str, Any]]:
    found = []
    for attachment in message.iter_attachments():
        content = attachment.get_payload(decode=True) or b""
        assert isinstance(content, bytes)
        found.append(
            {
                "filename": attachment.get_filename() or "sans-nom",
                "content_type": attachment.get_content_type(),
                "size": len(content),
                "content": base64.b64encode(content).decode(),
            }
        )
    return found


def describe(kept: dict[str, Any]) -> dict[str, Any]:
    """A received message as tools and pages want it. `to` is the envelope's: who really gets it."""
    message = parse(kept)
    return {
        "id": kept["id"],
        "to": kept["to"],
        "from": str(message["From"] or ""),
        "subject": str(message["Subject"] or "").strip(),
        "text": part(message, "plain"),
        "html": part(message, "html"),
        "attachments": attachments(message),
        "headers": {name: str(value) for name, value in message.items()},
        "at": kept["at"],
    }


def build(state_file: Path | None = None) -> Stage:
    """The box and its pages. The newest mail stands first on the pages, last in the JSON."""
    stage = Stage("simulators.inbox", state_file=state_file, start=lambda: {"received": 0, "messages": []})
    app = stage.app

    def find(number: int) -> dict[str, Any]:
        with stage.lock:
            for kept in stage.state["messages"]:
                if kept["id"] == number:
                    return dict(kept)
        abort(404)

    def empty() -> None:
        with stage.lock:
            stage.state["messages"].clear()
            stage.save()

    @app.template_filter()
    def moment(at: str) -> str:
        return datetime.fromisoformat(at).astimezone().strftime("%d/%m/%Y à %H:%M:%S")

    @app.template_filter()
    def weight(size: int) -> str:
        return f"{size / 1024:.1f} ko".replace(".", ",") if size >= 1024 else f"{size} octets"

    @app.get("/")
    def messages() -> str:
        with stage.lock:
            kept = [*reversed(stage.state["messages"])]
        return render_template("inbox/list.html", messages=[describe(one) for one in kept])

    @app.post("/empty")
    def emptied() -> Any:
        empty()
        return redirect(url_for("messages"), 303)

    @app.get("/messages/<int:number>")
    def message(number: int) -> str:
        return render_template("inbox/message.html", message=describe(find(number)))

    @app.get("/messages/<int:number>/html")
    def html(number: int) -> Response:
        body = part(parse(find(number)), "html") or abort(404)
        # Without it a link would open inside the frame, where most sites refuse to be shown.
        body = re.sub(r"(?i)<head[^>]*>", lambda head: f'{head[0]}<base target="_blank">', body, count=1)
        return Response(body, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": CONFINED})

    @app.get("/messages/<int:number>/source")
    def source(number: int) -> Response:
        return Response(base64.b64decode(find(number)["raw"]), content_type="text/plain; charset=utf-8")

    @app.get("/messages/<int:number>/attachments/<int:at>")
    def attachment(number: int, at: int) -> Response:
        found = attachments(parse(find(number)))
        if at >= len(found):
            abort(404)
        response = Response(base64.b64decode(found[at]["content"]), content_type=found[at]["content_type"])
        response.headers.set("Content-Disposition", "attachment", filename=found[at]["filename"])
        return response

    @app.get("/_sim/messages")
    def as_json() -> Response:
        with stage.lock:
            kept = list(stage.state["messages"])
        return jsonify([describe(one) for one in kept])

    @app.delete("/_sim/messages")
    def deleted() -> Response:
        empty()
        return jsonify([])

    return stage


def listen(stage: Stage, port: int) -> Controller:
    """Take mails on this port of 127.0.0.1, in a thread of its own. Raises OSError when the port is taken."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # one line for each word said, otherwise
    socket.create_server(("127.0.0.1", port)).close()  # aiosmtpd takes five seconds to say that it cannot
    controller = Controller(Postman(stage), hostname="127.0.0.1", port=port, ident="Libriweb inbox")
    controller.start()
    return controller


def start(options: argparse.Namespace) -> Stage:
    stage = build(options.state)
    try:
        listen(stage, options.smtp_port)
    except OSError as error:
        sys.exit(f"Le port {options.smtp_port} n’est pas libre : {error.strerror}.")
    return stage


if __name__ == "__main__":
    serve(start, ("--smtp-port", {"type": int, "required": True}))
