from pathlib import Path

import pytest
from django.template.loader import render_to_string
from django.test import Client
from pytest_django import Settings

from catalog.models import Book


def test_cover_that_is_missing_is_its_title_on_a_ground_of_its_own() -> None:
    book = Book(ean13="9782362210419", title="Cœur de craie")
    page = render_to_string("components/cover.html", {"book": book})
    assert page.strip() == (
        f'<div class="cover cover-tint-{9782362210419 % 12}" aria-hidden="true"><span>Cœur de craie</span></div>'
    )


@pytest.mark.django_db
def test_cover_is_shown_from_the_shops_own_storage(client: Client, tmp_path: Path, settings: Settings) -> None:
    settings.MEDIA_ROOT = tmp_path
    (tmp_path / "covers").mkdir()
    (tmp_path / "covers" / "un.png").write_bytes(b"\x89PNG")
    book = Book(ean13="9782362210419", title="Un", cover="covers/un.png", cover_source="https://ailleurs.example/1.png")
    assert 'src="/media/covers/un.png"' in render_to_string("components/cover.html", {"book": book})
    served = client.get("/media/covers/un.png")
    assert (served.status_code, served["Content-Type"], b"".join(served.streaming_content)) == (
        200,
        "image/png",
        b"\x89PNG",
    )
    absent = ["covers/", "covers/deux.png", "../manage.py"]
    assert [client.get(f"/media/{path}").status_code for path in absent] == [404, 404, 404]
