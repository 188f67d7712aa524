"""Covers over real HTTP: what is taken, what is refused, what is asked again."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from django.utils import timezone
from PIL import Image
from pytest_django import Settings

from catalog import clock, covers
from catalog.models import Book
from tests.catalog.shelf import record, take


def picture(form: str = "PNG", size: tuple[int, int] = (1200, 1800)) -> bytes:
    written = BytesIO()
    Image.new("RGBA" if form == "PNG" else "RGB", size, "navy").save(written, form)
    return written.getvalue()


class Host(BaseHTTPRequestHandler):
    """Answers each path with what `answers` says of it: status, headers, body. Remembers what it was asked."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status, headers, body = self.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in {"Content-Type": "image/png", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def host(settings: Settings) -> Iterator[str]:
    """The origin of a server of covers, which is allowed."""
    Host.answers, Host.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    origin = f"http://127.0.0.1:{server.server_port}"
    settings.COVER_ORIGINS = [origin]
    yield origin
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_cover_becomes_a_jpeg_of_ours(host: str, form: str) -> None:
    Host.answers["/1"] = (200, {}, picture(form))
    ours = Image.open(BytesIO(covers.fetch(f"{host}/1")))
    assert (ours.format, ours.size, ours.mode) == ("JPEG", (600, 900), "RGB")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, {}, b""), "status 404"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), "not an image"),
        ((200, {}, b"<svg onload='x()'>"), "not an image"),
        ((200, {}, picture()[:20]), "not an image"),
        ((200, {}, b"\x89PNG" + b"0" * covers.LARGEST), "more than 5 MB"),
        ((302, {"Location": "http://169.254.169.254/latest/meta-data"}, b""), "not one of COVER_ORIGINS"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "not one of COVER_ORIGINS"),
        ((302, {"Location": "/1"}, b""), "too many redirects"),
    ],
    ids=["404", "html", "svg", "cut", "large", "elsewhere", "file", "circle"],
)
def test_what_is_no_cover_is_refused(host: str, answer: tuple[int, dict[str, str], bytes], reason: str) -> None:
    Host.answers["/1"] = answer
    with pytest.raises(covers.Refused, match=reason):
        covers.fetch(f"{host}/1")


def test_picture_too_large_to_decode_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covers, "MOST_PIXELS", 1_000_000)
    Host.answers["/1"] = (200, {}, picture())
    with pytest.raises(covers.Refused, match="too many pixels"):
        covers.fetch(f"{host}/1")


def test_address_elsewhere_is_never_asked(host: str) -> None:
    port = host.rpartition(":")[2]
    for address in (
        f"http://localhost:{port}/1",
        f"http://127.0.0.1:{int(port) + 1}/1",
        f"http://{host.removeprefix('http://')}@evil.example/1",
        "http://[::1",
        "gopher://127.0.0.1/",
    ):
        with pytest.raises(covers.Refused):
            covers.fetch(address)
    assert Host.asked == []


def test_redirect_within_the_origin_is_followed(host: str) -> None:
    Host.answers |= {"/1": (301, {"Location": "/2"}, b""), "/2": (200, {}, picture())}
    assert covers.fetch(f"{host}/1")[:2] == b"\xff\xd8"
    assert Host.asked == ["/1", "/2"]


def test_http_address_is_asked_over_https_where_that_is_allowed(settings: Settings) -> None:
    settings.COVER_ORIGINS = ["https://images.example"]
    assert covers._allowed("http://Images.example/a%20b?x=1#y") == "https://images.example/a%20b?x=1"


# The clock ------------------------------------------------------------------------------------


@pytest.fixture
def storage(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def kept(storage: Path) -> list[str]:
    return sorted(path.name for path in storage.rglob("*.jpg"))


@pytest.mark.django_db
def test_clock_fetches_what_is_due_once(host: str, storage: Path) -> None:
    Host.answers["/1"] = (200, {}, picture())
    take(record("9782362210419", "Un", cover_source=f"{host}/1"), record("9791097284657", "Deux"))
    clock.fetch_covers()
    clock.fetch_covers()
    book = Book.objects.get(ean13="9782362210419")
    assert (book.cover.name, book.cover_due_at, Host.asked) == ("covers/9782362210419.jpg", None, ["/1"])
    assert kept(storage) == ["9782362210419.jpg"]


@pytest.mark.django_db
def test_new_address_replaces_the_cover_and_the_same_one_is_left(host: str, storage: Path) -> None:
    Host.answers |= {"/1": (200, {}, picture()), "/2": (200, {}, picture("JPEG"))}
    for address in ("/1", "/1", "/2"):
        take(record("9782362210419", f"Un {address}", cover_source=f"{host}{address}"))
        clock.fetch_covers()
    assert (Host.asked, len(kept(storage))) == (["/1", "/2"], 1)
    assert Book.objects.get().cover.path == str(next(storage.rglob("*.jpg")))


@pytest.mark.django_db
@pytest.mark.parametrize(("status", "waits"), [(404, False), (503, True)])
def test_no_is_taken_for_an_answer_and_silence_is_not(host: str, storage: Path, status: int, waits: bool) -> None:
    Host.answers["/1"] = (status, {}, b"")
    take(record("9782362210419", "Un", cover_source=f"{host}/1"))
    clock.fetch_covers()
    book = Book.objects.get()
    again = book.cover_due_at is not None and book.cover_due_at > timezone.now() + timedelta(hours=5)
    assert (book.cover.name, again, kept(storage)) == ("", waits, [])


@pytest.mark.django_db
def test_clock_asks_nobody_when_no_origin_is_allowed(host: str, storage: Path, settings: Settings) -> None:
    settings.COVER_ORIGINS = []
    take(record("9782362210419", "Un", cover_source=f"{host}/1"))
    clock.fetch_covers()
    assert (Host.asked, Book.objects.get().cover_due_at is not None) == ([], True)
