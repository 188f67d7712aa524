import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from catalog.models import Book
from tests.catalog.shelf import record, take
from tests.factories import UserFactory
from tests.pages import Page, words

pytestmark = pytest.mark.django_db

LIST = "admin:catalog_book_changelist"


@pytest.fixture(autouse=True)
def bookseller(client: Client) -> None:
    client.force_login(UserFactory(email="libraire@dlivre.example", is_staff=True, is_superuser=True))


def typed(**other: object) -> dict[str, object]:
    return {
        "ean13": "978-2-36221-041-9",
        "title": "Un cœur de craie",
        "publication_precision": "DAY",
        "vat_rate": "6.00",
        "availability": "20",
        **other,
    }


def numbers(client: Client, **query: str) -> list[str]:
    return sorted(book.ean13 for book in client.get(reverse(LIST), query).context["cl"].result_list)


def test_book_is_taken_as_it_is_typed_and_found_at_once(client: Client) -> None:
    summary = "Un secret.\r\n\r\nUne classe."
    answer = client.post(reverse("admin:catalog_book_add"), typed(price="6.40", summary=summary))
    assert answer.status_code == 302
    book = Book.objects.get()
    assert (book.ean13, str(book.price), book.summary) == (
        "9782362210419",
        "6.40",
        "<p>Un secret.</p><p>Une classe.</p>",
    )
    assert Book.objects.search("coeur craie").books == [book]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"ean13": "9782362210418"}, "Ce code n’est pas valable : un chiffre est faux ou manque."),
        ({"price": "0"}, "Le prix doit être supérieur à zéro."),
        ({"vat_rate": "99.5"}, "Le taux de TVA est un pourcentage."),
    ],
)
def test_book_that_cannot_be_is_refused_in_a_sentence(client: Client, wrong: dict[str, str], sentence: str) -> None:
    page = client.post(reverse("admin:catalog_book_add"), typed(**wrong))
    errors = [error for errors in page.context["adminform"].form.errors.values() for error in errors]
    assert (errors, Book.objects.count()) == ([sentence], 0)


def test_cover_is_a_picture_and_nothing_that_runs(client: Client) -> None:
    drawing = SimpleUploadedFile("cover.svg", b"<svg onload='x()'/>")
    page = client.post(reverse("admin:catalog_book_add"), typed(cover=drawing))
    assert (list(page.context["adminform"].form.errors), Book.objects.count()) == (["cover"], 0)


def test_list_is_searched_as_the_initiator_searches_and_filtered_in_words(client: Client) -> None:
    take(
        record("9791099999405", "Cœur de craie"),
        record("9791099999412", "Le voyage", availability="51"),
        record("9791099999429", "Le retour", is_digital=True),
    )
    assert numbers(client, q="coeur craie") == ["9791099999405"]
    assert numbers(client, q="979-10-99999-40-5") == ["9791099999405"]
    assert numbers(client, commande="oui") == ["9791099999405"]
    assert numbers(client, commande="non") == ["9791099999412", "9791099999429"]
    assert numbers(client, availability__exact="51") == ["9791099999412"]


def test_list_says_in_words_why_a_book_cannot_be_ordered(client: Client) -> None:
    take(record("9791099999412", "Le voyage", availability="51"))
    page = Page(client.get(reverse(LIST)))
    assert [words(cell) for cell in page.with_class("field-why_not")] == ["Cet ouvrage est épuisé."]
    assert page.links()["Épuisé"] == "?availability__exact=51"
