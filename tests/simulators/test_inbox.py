import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.simulation_inbox import Inbox, free_port


def write(to: str = "louise@free.example") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "DLIVRE <contact@dlivre.example>"
    message["To"] = to
    message["Subject"] = "Votre commande n° 65"
    message["Reply-To"] = "cdi@college.example"
    message.set_content("Bonjour,\n\n.Voilà 6,40 €.\n")
    message.add_alternative(
        '<html><head><title>t</title></head><body><p>Voilà <a href="http://shop.example/">6,40 €</a></p></body></html>',
        subtype="html",
    )
    message.add_attachment(b"%PDF-1.7 \x00\xff", maintype="application", subtype="pdf", filename="Liste é.pdf")
    return message


def post(inbox: Inbox, *messages: EmailMessage, timeout: float = 5) -> None:
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port, timeout=timeout) as smtp:
        for message in messages:
            smtp.send_message(message)


def test_messages_tell_all_that_was_received(inbox: Inbox):
    post(inbox, write())
    [message] = inbox.messages()
    assert message["id"] == 1
    assert message["to"] == ["louise@free.example"]
    assert message["from"] == "DLIVRE <contact@dlivre.example>"
    assert message["subject"] == "Votre commande n° 65"
    assert message["text"] == "Bonjour,\n\n.Voilà 6,40 €.\n"
    assert '<p>Voilà <a href="http://shop.example/">6,40 €</a></p>' in message["html"]
    assert message["attachments"] == [
        {"filename": "Liste é.pdf", "content_type": "application/pdf", "size": 11, "content": "JVBERi0xLjcgAP8="}
    ]
    assert message["headers"]["Reply-To"] == "cdi@college.example"


def test_messages_can_be_emptied_and_numbers_go_on(inbox: Inbox):
    post(inbox, write(), write())
    requests.delete(f"{inbox.url}/_sim/messages", timeout=5)
    assert inbox.messages() == []
    post(inbox, write())
    assert [message["id"] for message in inbox.messages()] == [3]


def test_health_answers(inbox: Inbox):
    assert requests.get(f"{inbox.url}/_sim/health", timeout=5).json() == {"ok": True}


@pytest.mark.parametrize(("kind", "code"), [("refuse_temporary", 451), ("refuse_permanent", 550)])
def test_refusal_strikes_the_address_that_matches(inbox: Inbox, kind: str, code: int):
    inbox.fault(kind, match="louise")
    post(inbox, write("noe@free.example"))
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        post(inbox, write("louise@free.example"))
    assert refused.value.recipients["louise@free.example"][0] == code
    post(inbox, write("louise@free.example"))
    assert [to for to, _ in inbox.received()] == [["noe@free.example"], ["louise@free.example"]]


def test_refusal_can_wait_for_the_message(inbox: Inbox):
    inbox.fault("refuse_permanent", match="^DATA", answer="554 5.7.1 Spam")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        post(inbox, write())
    assert (refused.value.smtp_code, refused.value.smtp_error) == (554, b"5.7.1 Spam")
    assert inbox.messages() == []


def test_hang_answers_nothing_and_keeps_nothing(inbox: Inbox):
    inbox.fault("hang", seconds=30)
    with pytest.raises((smtplib.SMTPServerDisconnected, TimeoutError)):
        post(inbox, write(), timeout=0.3)
    assert inbox.messages() == []


@pytest.mark.parametrize("kept", [False, True])
def test_drop_closes_after_the_message(inbox: Inbox, kept: bool):
    inbox.fault("drop", kept=kept)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        post(inbox, write())
    assert len(inbox.messages()) == int(kept)


def test_pages_show_list_message_html_and_attachment(inbox: Inbox):
    post(inbox, write(), write("noe@free.example"))
    front = requests.get(inbox.url, timeout=5).text
    assert front.index("noe@free.example") < front.index("louise@free.example")
    page = requests.get(f"{inbox.url}/messages/1", timeout=5).text
    assert "<h1>Votre commande n° 65</h1>" in page
    assert 'src="/messages/1/html" sandbox="allow-popups' in page
    assert ".Voilà 6,40 €." in page
    html = requests.get(f"{inbox.url}/messages/1/html", timeout=5)
    assert '<head><base target="_blank"><title>' in html.text
    assert html.headers["Content-Security-Policy"].startswith("sandbox ")
    attachment = requests.get(f"{inbox.url}/messages/1/attachments/0", timeout=5)
    assert attachment.content == b"%PDF-1.7 \x00\xff"
    assert attachment.headers["Content-Disposition"].startswith("attachment;")
    assert requests.get(f"{inbox.url}/messages/1/attachments/1", timeout=5).status_code == 404
    assert requests.get(f"{inbox.url}/messages/9", timeout=5).status_code == 404


def test_empty_button_empties_the_box(inbox: Inbox):
    post(inbox, write())
    page = requests.post(f"{inbox.url}/empty", timeout=5)
    assert "Aucun mail pour l’instant." in page.text
    assert inbox.messages() == []


# The program ----------------------------------------------------------------------------------


@contextmanager
def program(state: Path) -> Iterator[Inbox]:
    port, smtp_port = free_port(), free_port()
    process = subprocess.Popen(command(port, smtp_port, state))
    try:
        inbox = Inbox(f"http://127.0.0.1:{port}", smtp_port)
        wait_for(inbox)
        yield inbox
    finally:
        process.terminate()
        assert process.wait(10) == 0


def command(port: int, smtp_port: int, state: Path) -> list[Any]:
    where = ["--port", str(port), "--smtp-port", str(smtp_port), "--state", str(state)]
    return [sys.executable, "-m", "simulators.inbox", *where]


def wait_for(inbox: Inbox) -> None:
    end = time.monotonic() + 15
    while True:
        try:
            requests.get(f"{inbox.url}/_sim/health", timeout=1).raise_for_status()
        except requests.ConnectionError:
            assert time.monotonic() < end, "the inbox does not answer"
            time.sleep(0.05)
        else:
            return


def test_program_keeps_its_mails_over_a_restart(tmp_path: Path):
    with program(tmp_path / "inbox.json") as inbox:
        post(inbox, write())
    with program(tmp_path / "inbox.json") as inbox:
        post(inbox, write("noe@free.example"))
        assert inbox.received() == [
            (["louise@free.example"], "Votre commande n° 65"),
            (["noe@free.example"], "Votre commande n° 65"),
        ]


def test_program_says_in_one_sentence_that_its_port_is_taken(inbox: Inbox, tmp_path: Path):
    done = subprocess.run(
        command(free_port(), inbox.smtp_port, tmp_path / "inbox.json"), capture_output=True, text=True, timeout=15
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Le port {inbox.smtp_port} n’est pas libre")
    assert "Traceback" not in done.stderr
