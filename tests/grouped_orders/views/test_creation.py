"""The initiator creates a group order: search, the book's page, the form, the summary."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from catalog import vocabulary
from catalog.models import Book
from collectivities.models import Address, User
from grouped_orders.models import GroupedOrder
from tests.factories import AddressFactory, BookFactory, BookshopFactory
from tests.pages import Page, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]

ORDERS = "/order/grouped/"
SEARCH = "/order/grouped/new/"
BOOK = "/order/grouped/new/9782362210419/"
NEW = "/order/grouped/new/9782362210419/validate/"


@pytest.fixture
def client(initiator: User) -> Client:
    client = Client()
    client.force_login(initiator)
    return client


@pytest.fixture
def book() -> Book:
    return on_the_shelf("9782362210419", "LE LIVRE QU'IL NE FAUT PAS LIRE")


def on_the_shelf(ean13: str, title: str, **fields: object) -> Book:
    """A book that the search finds."""
    book = BookFactory.build(ean13=ean13, title=title, **fields)
    book.describe_for_search()
    book.save()
    vocabulary.learn([book.search_text])
    return book


# « Rechercher un article » ------------------------------------------------------------------------


def test_search_begins_empty(client: Client) -> None:
    page = Page(client.get(SEARCH))
    assert page.main == (
        "Retour vers mes commandes groupées Créer une nouvelle commande groupée Rechercher un article "
        "Saisissez le titre ou le code EAN Rechercher Vider le filtre"
    )
    assert page.links() == {"Retour vers mes commandes groupées": ORDERS, "Vider le filtre": SEARCH}


def test_search_works_without_javascript(client: Client, book: Book) -> None:
    on_the_shelf("9791097284657", "WESTERN COQUILLETTES", authors="LE GUEN/XENARD")
    page = Page(client.get(SEARCH, {"q": "ne faut livre"}))
    assert page.tree.get_element_by_id("count").get("role") == "status"
    assert words(page.tree.get_element_by_id("count")) == "1 article trouvé"
    assert words(page.tree.get_element_by_id("results")).endswith(
        "LE LIVRE QU’IL NE FAUT PAS LIRE LAROCHE SOPHIE · MIC MAC EDITION Code EAN13 : 9782362210419 6,40 €"
    )
    assert page.links()["LE LIVRE QU’IL NE FAUT PAS LIRE"] == BOOK
    assert page.fields() == {"q": "ne faut livre"}


@pytest.mark.parametrize("typed", ["9782070360024", "978-2-07-036002-4", "2-07-036002-4"])
def test_search_by_number_goes_straight_to_the_book(client: Client, typed: str) -> None:
    on_the_shelf("9782070360024", "L’ÉTRANGER")
    assert client.get(SEARCH, {"q": typed})["Location"] == f"{SEARCH}9782070360024/"
    # While it is typed, the page stays.
    shown = client.get(SEARCH, {"q": typed}, headers={"HX-Request": "true"})
    assert "L’ÉTRANGER" in shown.content.decode()


def test_search_shows_why_a_book_cannot_be_ordered(client: Client) -> None:
    on_the_shelf("9791097284657", "CRAIE BLEUE")
    for number, title, facts in (
        ("9791099999405", "CRAIE NOIRE", {"withdrawn": True}),
        ("9791099999412", "CRAIE ROUGE", {"availability": "51"}),
        ("9791099999429", "CRAIE VERTE", {"is_digital": True}),
        ("9791099999436", "CRAIE GRISE", {"embargo_until": timezone.localdate() + timedelta(days=2)}),
    ):
        on_the_shelf(number, title, **facts)
    page = Page(client.get(SEARCH, {"q": "craie"}))
    told = [words(item) for item in page.tree.find_class("book")]
    assert [text.partition(" Indisponible ")[2].partition(" avant")[0] for text in sorted(told)] == [
        "",
        "Cet ouvrage ne peut pas être vendu",
        "Cet ouvrage est retiré du catalogue.",
        "Cet ouvrage est épuisé.",
        "Cet ouvrage est numérique : il ne peut pas faire l’objet d’une commande groupée.",
    ]
    assert "CRAIE BLEUE" in told[0]


def test_search_says_when_there_may_be_more(client: Client) -> None:
    for n in range(101):
        on_the_shelf(f"97910999{n:05}", f"CRAIE {n}")
    page = Page(client.get(SEARCH, {"q": "craie"}))
    assert words(page.tree.get_element_by_id("count")) == (
        "Les 100 premiers articles trouvés : ajoutez un mot pour préciser"
    )


def test_book_links_each_author_to_what_else_he_wrote(client: Client, book: Book) -> None:
    Book.objects.update(authors="LE GUEN ANNE/XENARD")
    links = Page(client.get(BOOK)).links()
    assert (links["LE GUEN ANNE"], links["XENARD"]) == (f"{SEARCH}?q=LE%20GUEN%20ANNE", f"{SEARCH}?q=XENARD")


def test_search_says_when_results_are_only_near(client: Client) -> None:
    on_the_shelf("9791097284657", "WESTERN COQUILLETTES")
    page = Page(client.get(SEARCH, {"q": "westren coquilletes"}))
    assert words(page.tree.get_element_by_id("count")) == "Résultats approchants : 1 article trouvé"


def test_search_without_result_says_what_to_try(client: Client, book: Book) -> None:
    page = Page(client.get(SEARCH, {"q": "<b>zzz</b>"}))
    assert words(page.tree.get_element_by_id("count")) == "Aucun article trouvé pour « <b>zzz</b> »."
    assert words(page.tree.get_element_by_id("results")) == (
        "Vérifiez l’orthographe, essayez un mot du titre, l’auteur, "
        "ou le code EAN à 13 chiffres imprimé au dos du livre."
    )


def test_search_while_typing_gets_the_results_alone(client: Client, book: Book) -> None:
    response = client.get(SEARCH, {"q": "livre"}, headers={"HX-Request": "true"})
    part = Page(response)
    assert "HX-Request" in response["Vary"]
    assert (part.tree.find(".//title"), part.tree.find(".//form")) == (None, None)
    [count] = part.tree.xpath("//p[@hx-swap-oob]")
    assert (count.get("id"), words(count)) == ("count", "1 article trouvé")


def test_search_costs_the_same_whatever_it_finds(
    client: Client, book: Book, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for nth in range(30):
        on_the_shelf(f"97910999001{nth:02}", f"LE LIVRE DU JOUR {nth}")
    # Session, account, shop; the search in its transaction: a time limit, titles, how many, by word; its books.
    with django_assert_num_queries(10):
        page = Page(client.get(SEARCH, {"q": "livre"}))
    assert words(page.tree.get_element_by_id("count")) == "31 articles trouvés"


# The book's page ----------------------------------------------------------------------------------


def test_book_shows_every_line_of_the_specification(client: Client) -> None:
    on_the_shelf(
        "9782362210419",
        "LE LIVRE QU'IL NE FAUT PAS LIRE ! (POCHE)",
        collection="ROMAN - ADOS",
        genre="FICTIONS ADOLESCENTS",
        publication_date=date(2011, 4, 29),
        form="Broché",
        weight_g=194,
        height_mm=180,
        width_mm=118,
        thickness_mm=12,
    )
    page = Page(client.get(BOOK))
    assert page.main.startswith("Retour vers la recherche Détails de l’article")
    for line in (
        "LE LIVRE QU’IL NE FAUT PAS LIRE ! (POCHE) Code EAN13 : 9782362210419 Auteur : LAROCHE SOPHIE "
        "Éditeur : MIC MAC EDITION Prix unitaire (TTC) : 6,40 €",
        "Aucun résumé disponible",
    ):
        assert line in page.main
    assert page.facts() == {
        "Collection": "ROMAN - ADOS",
        "Genre": "FICTIONS ADOLESCENTS",
        "Date de parution": "29/04/2011",
        "Support": "Broché",
        "Poids": "194 g",
        "Hauteur": "180 mm",
        "Largeur": "118 mm",
        "Épaisseur": "12 mm",
    }
    assert page.links()["Choisir cet article"] == NEW


def test_book_has_no_line_for_what_is_unknown(client: Client) -> None:
    on_the_shelf("9782362210419", "SANS RIEN", authors="", publisher="", price=None)
    page = Page(client.get(BOOK))
    assert page.facts() == {}
    assert [word for word in ("Auteur", "Éditeur", "Prix", "None") if word in page.main] == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": None}, "Le prix de cet ouvrage n’est pas connu : demandez-le à la librairie."),
        ({"withdrawn": True}, "Cet ouvrage est retiré du catalogue."),
    ],
)
def test_book_that_cannot_be_ordered_says_why_and_offers_no_button(
    client: Client, fields: dict[str, object], reason: str
) -> None:
    on_the_shelf("9782362210419", "INDISPONIBLE", **fields)
    page = Page(client.get(BOOK))
    assert [words(message) for message in page.with_class("message")] == [reason]
    assert "Choisir cet article" not in page.links()
    assert client.get(NEW).url == BOOK


@pytest.mark.parametrize("address", [BOOK, NEW, "/order/grouped/new/a%00b/", "/cgv/a%00b/"])
def test_book_that_does_not_exist_is_not_found(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


# « Valider la commande groupée » ------------------------------------------------------------------


@pytest.fixture
def places(initiator: User) -> list[Address]:
    """The shop's place and two of the collectivity; invoices go to a third, where no book is handed out."""
    shop = BookshopFactory(name="DLIVRE")
    hers = initiator.collectivity
    AddressFactory(collectivity=hers, name="COMPTABILITE", is_billing=True, is_pickup=False)
    AddressFactory()
    return [
        AddressFactory(collectivity=None, bookshop=shop, name="DLIVRE", street="67 A rue Grande"),
        AddressFactory(collectivity=hers, name="ANNEXE"),
        AddressFactory(collectivity=hers, name="ADRESSE SECONDAIRE", street="2, rue des érables"),
    ]


def test_create_offers_the_places_of_the_shop_and_of_the_collectivity(
    client: Client, book: Book, places: list[Address]
) -> None:
    page = Page(client.get(NEW))
    groups = {
        group.xpath("./legend")[0].text_content(): [label.text_content().strip() for label in group.iter("label")]
        for group in page.with_class("places")
    }
    assert groups == {
        "En librairie\u00a0:": ["DLIVRE, 67 A rue Grande, 5500 DINANT"],
        "Dans les locaux de la collectivité\u00a0:": [
            "ANNEXE, 2, rue des jonquilles, 5500 DINANT",
            "ADRESSE SECONDAIRE, 2, rue des érables, 5500 DINANT",
        ],
    }


def test_create_opens_the_order_and_shows_its_link(
    client: Client, initiator: User, book: Book, places: list[Address], settings: Settings
) -> None:
    settings.SITE_URL = "https://commandes.dlivre.example"
    sent = Page(client.get(NEW)).fields() | {
        "deadline": "24/12/2026",
        "pickup": str(places[1].pk),
        "customer_reference": " BC  17 ",
        "comment": "Merci !",
    }
    page = Page(client.post(NEW, sent, follow=True))
    order = GroupedOrder.objects.get()
    assert (order.book, order.initiator, order.collectivity) == (book, initiator, initiator.collectivity)
    assert (order.deadline, order.unit_price) == (date(2026, 12, 24), Decimal("6.40"))
    assert (order.pickup_address, order.customer_reference, order.comment) == (places[1].postal, "BC 17", "Merci !")
    assert page.title == "Ma commande groupée – DLIVRE"
    assert page.facts() == {
        "Code EAN13": "9782362210419",
        "Titre": "LE LIVRE QU’IL NE FAUT PAS LIRE",
        "Auteur": "LAROCHE SOPHIE",
        "Éditeur": "MIC MAC EDITION",
        "Prix unitaire (TTC)": "6,40 €",
        "N° commande": str(order.pk),
        "Statut": "Commande ouverte",
        "Date limite de commande": "24/12/2026",
        "Lien du formulaire de souscription en ligne": order.subscription_url,
        "Adresse de mise à disposition": "ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE",
        "Référence collectivité": "BC 17",
        "Commentaire": "Merci !",
    }
    assert page.links()["Consulter toutes mes commandes groupées"] == ORDERS


def test_create_refused_says_how_to_mend_it_and_keeps_what_was_typed(
    client: Client, book: Book, places: list[Address]
) -> None:
    typed = {"deadline": "hier", "pickup": "", "customer_reference": "x" * 61, "comment": "y" * 1001}
    page = Page(client.post(NEW, typed))
    assert page.status == 422
    assert page.errors() == {
        "deadline": ["Cette date n’existe pas : écrivez-la sous la forme JJ/MM/AAAA, par exemple 24/12/2026."],
        "pickup": ["Choisissez une adresse : en librairie ou dans vos locaux."],
        "customer_reference": ["Cette référence est trop longue : 60 caractères au plus."],
        "comment": ["Ce commentaire est trop long : 1 000 caractères au plus."],
    }
    labels = ["Date limite de commande", "Adresse de mise à disposition", "Référence collectivité", "Commentaire"]
    assert page.summary() == [
        f"{label} : {error}" for label, [error] in zip(labels, page.errors().values(), strict=True)
    ]
    kept = page.fields()
    assert {name: kept[name] for name in typed} == typed
    assert page.title.startswith("Erreur : Valider la commande groupée")
    assert GroupedOrder.objects.count() == 0


def test_create_keeps_the_chosen_place_when_the_date_is_wrong(
    client: Client, book: Book, places: list[Address]
) -> None:
    page = Page(client.post(NEW, {"deadline": "2026-11-23", "pickup": str(places[2].pk), "comment": "Merci"}))
    assert page.errors() == {"deadline": ["Cette date est passée : choisissez aujourd’hui ou un jour suivant."]}
    kept = page.fields()
    assert (kept["pickup"], kept["comment"], kept["deadline"]) == (str(places[2].pk), "Merci", "2026-11-23")


def test_create_refuses_a_place_of_another_collectivity(client: Client, book: Book, places: list[Address]) -> None:
    other = AddressFactory()
    page = Page(client.post(NEW, {"deadline": "2026-12-24", "pickup": str(other.pk)}))
    assert page.errors() == {"pickup": ["Cette adresse n’est plus proposée : choisissez-en une autre."]}
    assert GroupedOrder.objects.count() == 0


def test_create_without_a_billing_address_says_whom_to_ask(client: Client, book: Book) -> None:
    shop = AddressFactory(collectivity=None, bookshop=BookshopFactory())
    page = Page(client.post(NEW, {"deadline": "2026-12-24", "pickup": str(shop.pk)}))
    assert (page.status, page.summary()) == (
        422,
        ["Votre collectivité n’a pas encore d’adresse de facturation : contactez la librairie, qui l’ajoutera."],
    )


def test_create_of_a_book_gone_meanwhile_says_why(client: Client, book: Book, places: list[Address]) -> None:
    sent = Page(client.get(NEW)).fields() | {"deadline": "2026-12-24", "pickup": str(places[0].pk)}
    Book.objects.update(withdrawn=True)
    page = Page(client.post(NEW, sent))
    assert (page.status, page.summary()) == (422, ["Cet ouvrage est retiré du catalogue."])
    assert GroupedOrder.objects.count() == 0


def test_create_sent_twice_is_one_order(client: Client, book: Book, places: list[Address]) -> None:
    sent = Page(client.get(NEW)).fields() | {"deadline": "2026-12-24", "pickup": str(places[0].pk)}
    answers = [client.post(NEW, sent).url for _ in range(2)]
    order = GroupedOrder.objects.get()
    assert answers == [f"{ORDERS}{order.pk}/created/"] * 2


def test_create_twice_on_purpose_is_two_orders(client: Client, book: Book, places: list[Address]) -> None:
    """Two classes read the same book: each takes a page of her own."""
    for _ in range(2):
        sent = Page(client.get(NEW)).fields() | {"deadline": "2026-12-24", "pickup": str(places[0].pk)}
        client.post(NEW, sent)
    assert GroupedOrder.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_create_clicked_twice_at_once_is_one_order(client: Client, book: Book, places: list[Address]) -> None:
    sent = Page(client.get(NEW)).fields() | {"deadline": "2026-12-24", "pickup": str(places[0].pk)}

    def click(_: int) -> str:
        browser = Client()
        browser.cookies = client.cookies
        try:
            return browser.post(NEW, sent).url
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as hands:
        answers = set(hands.map(click, range(4)))
    assert answers == {f"{ORDERS}{GroupedOrder.objects.get().pk}/created/"}
