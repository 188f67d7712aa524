"""The initiator follows her orders, in the specification's words."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from collectivities.models import User
from grouped_orders import checkout, lifecycle
from grouped_orders.models import GroupedOrder, JournalEntry, SubOrder
from grouped_orders.statuses import HandMethod
from tests.factories import (
    BookFactory,
    CollectivityFactory,
    GroupedOrderFactory,
    SubOrderFactory,
    UserFactory,
)
from tests.grouped_orders.views.conftest import NOON
from tests.pages import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]

TODAY = date(2026, 11, 24)
ORDERS = "/order/grouped/"


@pytest.fixture
def client(initiator: User) -> Client:
    client = Client()
    client.force_login(initiator)
    return client


@pytest.fixture
def stranger() -> Client:
    """Logged in, of another collectivity."""
    client = Client()
    client.force_login(UserFactory(collectivity=CollectivityFactory()))
    return client


@pytest.fixture
def order(initiator: User, settings: Settings) -> GroupedOrder:
    settings.SITE_URL = "https://commandes.dlivre.example"
    return GroupedOrderFactory(
        public_id="01FZWAX30MTN9B3Y4E0NX2PHM5",
        book=BookFactory(ean13="9782362210419", title="LE LIVRE QU'IL NE FAUT PAS LIRE !"),
        collectivity=initiator.collectivity,
        initiator=initiator,
        deadline=TODAY + timedelta(days=1),
        created_at=datetime(2026, 11, 24, 8, 44, 23, tzinfo=UTC),
    )


def paid(order: GroupedOrder, quantity: int = 1, **who: object) -> SubOrder:
    sub_order = SubOrderFactory(grouped_order=order, quantity=quantity, **who)
    checkout.record_by_hand(
        sub_order, method=HandMethod.CHEQUE, reference="12", by=UserFactory(is_staff=True), now=NOON
    )
    return sub_order


def queries(get: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        get()
    return len(seen)


# « Mes commandes groupées » ----------------------------------------------------------------------


def test_list_shows_the_columns_of_the_specification(client: Client, order: GroupedOrder) -> None:
    paid(order, 2)
    SubOrderFactory(grouped_order=order)
    page = Page(client.get(ORDERS))
    heads = [cell.text_content() for cell in page.tree.xpath("//thead//th")]
    assert heads == [
        *("N°", "Article", "Date de clôture", "Nombre de jours restant", "Statut"),
        *("Lieu de récupération", "Quantité totale payée", "Total TTC payé", "Actions"),
    ]
    assert page.rows() == [
        [
            str(order.pk),
            "LE LIVRE QU’IL NE FAUT PAS LIRE !",
            "25/11/2026",
            "1",
            "La date limite approche ! Commande ouverte",
            "ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE",
            "2",
            "12,80 €",
            f"Voir détail de la commande groupée n° {order.pk}",
        ]
    ]


@pytest.mark.parametrize(
    ("days", "left", "status"),
    [
        (3, "3", "Commande ouverte"),
        (2, "2", "La date limite approche ! Commande ouverte"),
        (0, "0", "La date limite approche ! Commande ouverte"),
        (-1, "–", "En attente de validation"),
    ],
)
def test_list_tells_by_the_clock_where_an_order_stands(
    client: Client, order: GroupedOrder, days: int, left: str, status: str
) -> None:
    GroupedOrder.objects.update(deadline=TODAY + timedelta(days=days))
    [row] = Page(client.get(ORDERS)).rows()
    assert (row[3], row[4]) == (left, status)


def test_list_without_orders_says_how_to_begin(client: Client) -> None:
    page = Page(client.get(ORDERS))
    assert page.main == (
        "Mes commandes groupées Vous n’avez pas encore de commande groupée. "
        "Choisissez un livre, une date limite et un lieu : vous recevrez un lien à transmettre à vos élèves. "
        "Créer une nouvelle commande groupée"
    )
    assert page.links() == {"Créer une nouvelle commande groupée": "/order/grouped/new/"}


def test_list_leaves_out_the_orders_of_others(stranger: Client, order: GroupedOrder) -> None:
    assert Page(stranger.get(ORDERS)).tree.xpath("//table") == []


def test_list_goes_on_over_pages_newest_first(client: Client, initiator: User) -> None:
    numbers = [order.pk for order in GroupedOrderFactory.create_batch(21, collectivity=initiator.collectivity)]
    first, second = Page(client.get(ORDERS)), Page(client.get(f"{ORDERS}?page=2"))
    shown = [[int(row[0]) for row in page.rows()] for page in (first, second)]
    assert shown == [numbers[:0:-1], numbers[:1]]
    assert (first.links()["Page suivante"], second.links()["Page précédente"]) == ("?page=2", "?page=1")


def test_list_costs_the_same_whatever_the_number(client: Client, initiator: User) -> None:
    GroupedOrderFactory(collectivity=initiator.collectivity)
    one = queries(lambda: client.get(ORDERS))
    GroupedOrderFactory.create_batch(29, collectivity=initiator.collectivity)
    assert queries(lambda: client.get(ORDERS)) == one


# The order's page ---------------------------------------------------------------------------------


def test_order_shows_its_information(client: Client, order: GroupedOrder) -> None:
    GroupedOrder.objects.update(customer_reference="BC-17", comment="Pour la 5e B")
    page = Page(client.get(f"{ORDERS}{order.pk}/"))
    assert page.main.split(" INFORMATIONS GÉNÉRALES ")[0] == (
        f"Retour vers mes commandes groupées Commande groupée n°{order.pk} - Créée le 24/11/2026 (à 09:44:23)"
    )
    link = "https://commandes.dlivre.example/order/grouped/suborder/registration/01FZWAX30MTN9B3Y4E0NX2PHM5"
    facts = page.facts()
    assert facts.pop("Article").endswith(
        "Référence : 9782362210419 Titre : LE LIVRE QU’IL NE FAUT PAS LIRE ! "
        "Auteur : LAROCHE SOPHIE Éditeur : MIC MAC EDITION Prix unitaire (TTC) : 6,40 €"
    )
    assert facts == {
        "Date de clôture": "Date de clôture Mettre à jour la date limite",
        "Statut": "La date limite approche ! Commande ouverte",
        "Lien du formulaire de souscription": f"{link} Copier le lien",
        "Adresse de mise à disposition": "ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE",
        "Adresse de facturation": "COLLEGE VICTOR PROUVE25, rue de Bruges5500 DINANTBELGIQUE",
        "Référence collectivité": "BC-17",
        "Commentaire": "Pour la 5e B",
    }
    assert page.fields() == {"deadline": "2026-11-25"}


def test_order_lists_its_sub_orders_and_what_they_amount_to(client: Client, order: GroupedOrder) -> None:
    """The specification's own three buyers, the last one still to pay, and one who gave up."""
    at = datetime(2026, 11, 24, 8, 57, 13, tzinfo=UTC)
    louise = paid(order, last_name="Grandville", first_name="Louise", email="l@free.example", created_at=at)
    oscar = paid(order, last_name="Benhattia", first_name="Oscar", email="o@laposte.example", created_at=at)
    noe = SubOrderFactory(
        grouped_order=order, last_name="Guidoni", first_name="Noé", email="n@gmail.example", quantity=2, created_at=at
    )
    mia = SubOrderFactory(grouped_order=order, last_name="Rossi", first_name="Mia", email="m@x.example", created_at=at)
    lifecycle.cancel_sub_order(mia, by=UserFactory(is_staff=True), reason="Essai", now=NOON)

    page = Page(client.get(f"{ORDERS}{order.pk}/"))
    assert "DÉTAIL (4 SOUS-COMMANDES)" in page.main
    when = "24/11/2026 (à 09:57:13)"
    assert page.rows() == [
        [str(louise.pk), "Grandville", "Louise", "l@free.example", when, "1", "Payée", "6,40 €"],
        [str(oscar.pk), "Benhattia", "Oscar", "o@laposte.example", when, "1", "Payée", "6,40 €"],
        [str(noe.pk), "Guidoni", "Noé", "n@gmail.example", when, "2", "En attente de paiement", "12,80 €"],
        [str(mia.pk), "Rossi", "Mia", "m@x.example", when, "1", "Annulée", "6,40 €"],
    ]
    assert page.rows(1) == [
        ["TOTAL ARTICLES"],
        ["Annulés", "1"],
        ["En attente de paiement", "2"],
        ["Payés", "2"],
        ["TOTAL SOUS-COMMANDES"],
        ["Annulées", "1"],
        ["En attente de paiement", "1"],
        ["Payées", "2"],
        ["TOTAL TTC"],
        ["Total TTC de toutes les sous-commandes « En attente de paiement »", "12,80 €"],
        ["Total TTC de toutes les sous-commandes « Payées »", "12,80 €"],
    ]
    assert page.links()["Exporter la liste complète au format PDF"] == f"{ORDERS}{order.pk}/pdf/"


def test_order_without_sub_orders_says_so(client: Client, order: GroupedOrder) -> None:
    page = Page(client.get(f"{ORDERS}{order.pk}/"))
    assert page.main.endswith("DÉTAIL Aucune sous-commande n’est encore enregistrée.")


def test_order_costs_the_same_whatever_its_sub_orders(client: Client, order: GroupedOrder) -> None:
    SubOrderFactory(grouped_order=order)
    one = queries(lambda: client.get(f"{ORDERS}{order.pk}/"))
    SubOrderFactory.create_batch(29, grouped_order=order)
    assert queries(lambda: client.get(f"{ORDERS}{order.pk}/")) == one


@pytest.mark.parametrize("page", ["", "created/", "pdf/"])
def test_order_of_another_collectivity_is_not_found(stranger: Client, order: GroupedOrder, page: str) -> None:
    assert stranger.get(f"{ORDERS}{order.pk}/{page}").status_code == 404


@pytest.mark.parametrize("page", ["", "1/", "1/created/", "1/pdf/", "new/", "new/9782362210419/"])
def test_pages_ask_who_is_there(page: str) -> None:
    assert Client().get(ORDERS + page).url == f"/compte/connexion/?next={ORDERS}{page}"


def test_names_are_text_whatever_they_hold(client: Client, order: GroupedOrder) -> None:
    SubOrderFactory(grouped_order=order, last_name="<b onclick=x>O'Brien</b>")
    assert Page(client.get(f"{ORDERS}{order.pk}/")).rows()[0][1] == "<b onclick=x>O'Brien</b>"


def test_pdf_is_a_file_with_the_number_of_the_order(client: Client, order: GroupedOrder) -> None:
    SubOrderFactory(grouped_order=order)
    response = client.get(f"{ORDERS}{order.pk}/pdf/")
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'attachment; filename="commande-groupee-{order.pk}.pdf"'
    assert response.content.startswith(b"%PDF-")


# « Mettre à jour la date limite » -----------------------------------------------------------------


@pytest.mark.parametrize("typed", ["2026-12-04", "04/12/2026"])
def test_deadline_moves_and_the_page_says_to_when(client: Client, order: GroupedOrder, typed: str) -> None:
    page = Page(client.post(f"{ORDERS}{order.pk}/deadline/", {"deadline": typed}, follow=True))
    order.refresh_from_db()
    assert order.deadline == date(2026, 12, 4)
    assert JournalEntry.objects.get().actor == order.initiator
    assert page.main.startswith("C’est fait : La date limite est maintenant le vendredi 4 décembre 2026.")


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("", "Indiquez une date, par exemple 24/12/2026."),
        (
            "31/02/2027",
            "Cette date n’existe pas : écrivez-la sous la forme JJ/MM/AAAA, par exemple 24/12/2026.",
        ),
        ("2026-11-23", "Cette date est passée : choisissez aujourd’hui ou un jour suivant."),
        ("9999-12-31", "Cette date est dans plus de deux ans : vérifiez l’année."),
    ],
)
def test_deadline_refused_says_how_to_mend_it(client: Client, order: GroupedOrder, typed: str, error: str) -> None:
    page = Page(client.post(f"{ORDERS}{order.pk}/deadline/", {"deadline": typed}))
    assert (page.status, page.errors(), page.summary()) == (422, {"deadline": [error]}, [f"Date de clôture : {error}"])
    assert page.title.startswith(f"Erreur : Commande groupée n°{order.pk}")
    assert page.fields() == {"deadline": typed}
    order.refresh_from_db()
    assert order.deadline == date(2026, 11, 25)


def test_deadline_of_a_cancelled_order_stays(client: Client, order: GroupedOrder) -> None:
    lifecycle.cancel(order, by=UserFactory(is_staff=True), reason="Essai", now=NOON)
    page = Page(client.post(f"{ORDERS}{order.pk}/deadline/", {"deadline": "2026-12-04"}))
    assert page.status == 422
    assert page.summary() == [
        "Date de clôture : Cette commande groupée est validée ou annulée : sa date limite ne change plus."
    ]
    assert page.facts()["Date de clôture"] == "25/11/2026"


def test_deadline_of_another_collectivity_is_not_found(stranger: Client, order: GroupedOrder) -> None:
    assert stranger.post(f"{ORDERS}{order.pk}/deadline/", {"deadline": "2026-12-04"}).status_code == 404
    order.refresh_from_db()
    assert order.deadline == date(2026, 11, 25)


def test_deadline_is_never_moved_by_a_link(client: Client, order: GroupedOrder) -> None:
    assert client.get(f"{ORDERS}{order.pk}/deadline/?deadline=2026-12-04").status_code == 405
