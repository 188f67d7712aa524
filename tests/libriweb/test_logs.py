"""What stands in the log, and what never does."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from libriweb.logs import layout
from tests.factories import SubOrderFactory

log = logging.getLogger("tests.logs")

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What a shop's log would hold since the test began."""
    formatter = layout(as_json=True)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter.pop("()")(**formatter))
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.getLogger().removeHandler(handler)


def requests(lines: Lines) -> list[dict[str, Any]]:
    return [line for line in lines() if line["event"] == "request"]


@pytest.mark.django_db
def test_request_is_one_line_that_names_its_route(client: Client, lines: Lines) -> None:
    sub_order = SubOrderFactory()
    answer = client.get(reverse("buyer:sub_order", args=[sub_order.secret]), {"q": "Grandville"})
    assert answer.status_code == 200
    [line] = requests(lines)
    assert (line["level"], line["logger"], line["method"], line["status"]) == ("info", "libriweb.logs", "GET", 200)
    assert line["route"] == "order/grouped/suborder/<slug:secret>/"
    assert line["request_id"] == answer["X-Request-ID"]
    assert isinstance(line["ms"], int)
    assert sub_order.secret not in str(lines())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-123.DEF_4", True), ("short", False), ("x" * 65, False), ('a" injected="1', False), ("", False)],
)
def test_proxys_id_is_kept_when_it_is_one(client: Client, lines: Lines, given: str, kept: bool) -> None:
    answer = client.get("/compte/connexion/", headers={"X-Request-ID": given})
    assert (answer["X-Request-ID"] == given) is kept
    [line] = requests(lines)
    assert line["request_id"] == answer["X-Request-ID"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/order/grouped/suborder/{secret}/x", "/nowhere?secret={secret}"])
def test_page_that_does_not_exist_hides_what_was_asked(client: Client, lines: Lines, path: str) -> None:
    secret = "Zx8kQ2rTq1vB7nM4cL0pW5sD9fG6hJ3k"
    assert client.get(path.format(secret=secret)).status_code == 404
    assert lines()
    assert secret not in str(lines())


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (
            "Not Found: /order/grouped/suborder/Zx8kQ2rTq1v/payment/ 7 /return/",
            "Not Found: /order/grouped/suborder/…/payment/ 7 /return/",
        ),
        (
            "https://shop.example/order/grouped/suborder/registration/01HZWAX30MTN9B3Y4E0NX2PHM5 opened",
            "https://shop.example/order/grouped/suborder/registration/… opened",
        ),
        ("GET /compte/mot-de-passe/Mw/c1-abcdef/ 200", "GET /compte/mot-de-passe/…/ 200"),
        ("GET /admin/x/?q=Grandville&p=2 HTTP/1.1", "GET /admin/x/?… HTTP/1.1"),
        ("550 <louise.g@free.example>: no such user", "550 <…@free.example>: no such user"),
        ("mail 12: put off, its row says why", "mail 12: put off, its row says why"),
        ("Où est-ce ? Ici", "Où est-ce ? Ici"),
    ],
)
def test_line_hides_secrets_and_nothing_else(lines: Lines, written: str, kept: str) -> None:
    log.warning("%s", written)
    assert [line["event"] for line in lines()] == [kept]


@pytest.mark.logs_errors
def test_traceback_hides_secrets_too(lines: Lines) -> None:
    try:
        raise ValueError("louise@free.example at /order/grouped/suborder/Zx8kQ2rTq1v/")
    except ValueError:
        log.exception("It broke")
    [line] = lines()
    assert line["exception"].endswith("ValueError: …@free.example at /order/grouped/suborder/…/")


def test_text_for_a_reader_is_one_line() -> None:
    formatter = layout(as_json=False)
    said = logging.makeLogRecord({"name": "tests", "msg": "Bonjour", "levelname": "INFO"})
    written = formatter.pop("()")(**formatter).format(said)
    assert " level='info' logger='tests' event='Bonjour'" in written
