"""The bookseller uploads a catalogue, follows it and reads its report."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from catalog import tasks
from catalog.models import Book, ImportRun
from libriweb import celery_app
from tests.catalog.samples import message, product
from tests.factories import UserFactory
from tests.pages import Page
from tests.simulation_inbox import free_port

pytestmark = pytest.mark.django_db

IMPORTS = "/admin/catalog/importrun/"
BAD = "<Product><RecordReference>abc</RecordReference></Product>"


@pytest.fixture(autouse=True)
def bookseller(client: Client) -> None:
    client.force_login(UserFactory(email="libraire@dlivre.example", is_staff=True, is_superuser=True))


def upload(client: Client, name: str = "mars.xml", content: bytes = b"") -> ImportRun:
    file = SimpleUploadedFile(name, content or message(BAD + product()))
    response = client.post(f"{IMPORTS}add/", {"upload": file})
    run = ImportRun.objects.get()
    assert response["Location"] == f"{IMPORTS}{run.pk}/change/"
    return run


def test_catalogue_is_uploaded_taken_in_and_reported(client: Client) -> None:
    run = upload(client)
    assert (run.name, run.state, Book.objects.count()) == ("mars.xml", "WAITING", 0)
    waiting = Page(client.get(f"{IMPORTS}{run.pk}/change/"))
    assert waiting.tree.get_element_by_id("run").get("hx-trigger") == "every 3s"
    stored = run.upload.path
    tasks.run_import(run.pk)
    tasks.run_import(run.pk)  # a second ring of the bell changes nothing
    run.refresh_from_db()
    assert (run.state, run.new, run.rejected, Book.objects.get().ean13) == ("DONE", 1, 1, "9791097284657")
    done = Page(client.get(f"{IMPORTS}{run.pk}/change/"))
    shown = done.tree.get_element_by_id("run")
    assert shown.get("hx-trigger") is None
    assert [cell.text for cell in shown.iter("dd")] == ["1", "0", "0", "0", "1"]
    report = b"".join(client.get(done.links()["Lire le rapport"]).streaming_content).decode()
    assert "ligne 1, abc : Pas de code EAN13 ni d’ISBN." in report.splitlines()
    # Taken in, the file itself is of no more use.
    assert (run.upload.name, run.upload.storage.exists(stored)) == ("", False)


def test_upload_of_something_else_is_refused(client: Client) -> None:
    page = client.post(f"{IMPORTS}add/", {"upload": SimpleUploadedFile("virus.exe", b"MZ")})
    assert list(page.context["adminform"].form.errors) == ["upload"]
    assert ImportRun.objects.count() == 0


def test_refused_file_says_why_on_its_page(client: Client) -> None:
    run = upload(client, content=b'<ONIXMessage release="2.1"/>')
    tasks.run_import(run.pk)
    page = Page(client.get(f"{IMPORTS}{run.pk}/change/"))
    assert (
        "ONIX 2.1 n’est pas pris en charge : demandez un fichier ONIX 3.0 ou 3.1."
        in page.tree.get_element_by_id("run").text_content()
    )


def test_import_whose_worker_died_is_taken_up_again(client: Client) -> None:
    run = upload(client)
    silent = timezone.now() - timedelta(minutes=6)
    ImportRun.objects.update(state="RUNNING", started_at=silent, seen_at=silent)
    tasks.run_import(run.pk)
    run.refresh_from_db()
    assert (run.state, run.new) == ("DONE", 1)


def test_report_is_for_those_who_may_see_imports(client: Client) -> None:
    run = upload(client)
    tasks.run_import(run.pk)
    client.force_login(UserFactory(email="autre@dlivre.example", is_staff=True))
    assert client.get(f"{IMPORTS}{run.pk}/report/").status_code == 403
    # Reports and uploads stand outside what the site serves.
    assert client.get(f"/media/reports/{run.pk}.txt").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_upload_without_a_broker_waits_for_the_clock(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(celery_app.conf, "broker_url", f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setattr(celery_app, "_pool", None)
    monkeypatch.setattr(celery_app.amqp, "_producer_pool", None)

    run = upload(client)

    assert list(ImportRun.objects.due(timezone.now())) == [run]
    assert "waits for the clock" in caplog.text
