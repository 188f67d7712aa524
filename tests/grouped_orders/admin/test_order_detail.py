from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from collectivities.models import User
from grouped_orders import checkout, lifecycle
from grouped_orders.models import GroupedOrder, Mail, Payment
from grouped_orders.statuses import MailState, MoneyBack, OrderStatus, PaymentMethod, PaymentState
from librisoft_bridge.models import ShopOrder, Transmission
from tests.factories import CollectivityFactory, GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.grouped_orders.admin.story import in_days, order_in, paid, rows
from tests.pages import Page, words

pytestmark = pytest.mark.django_db


def url(order: GroupedOrder, action: str = "change") -> str:
    return f"/admin/grouped_orders/groupedorder/{order.pk}/{action}/"


def look(client: Client, order: GroupedOrder) -> Page:
    return Page(client.get(url(order)))


def notices(page: Page) -> list[str]:
    return [words(line) for line in page.tree.xpath("//main//*[contains(@class,'notice')]/*[self::li or self::p]")]


def buttons(page: Page) -> list[str]:
    """What the page offers to do, in its order: buttons change something, links lead to a page that asks."""
    return [words(one) for one in page.tree.xpath("//main//*[contains(concat(' ',@class,' '),' button ')]")]


def test_page_says_all_that_the_specification_lists(client: Client, bookseller: User) -> None:
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE", service="Cdi", phone="03 88 69 69 69")
    order = GroupedOrderFactory(
        collectivity=collectivity,
        initiator=UserFactory(email="approbateur@victorprouve.example", collectivity=collectivity),
        deadline=in_days(5),
        created_at=timezone.make_aware(datetime(2022, 4, 5, 9, 44, 23)),  # noqa: DTZ001 - made aware around it,
    )

    page = look(client, order)

    assert page.title == f"Commande groupée n°{order.pk} - Créée le 05/04/2022 (à 09:44:23) | Libriweb — librairie"
    assert page.links()["Retourner à la liste des commandes groupées"] == (
        "/admin/grouped_orders/groupedorder/?status=OPEN"
    )
    assert page.facts() == {
        "Article": f"Référence : {order.book.ean13} Titre : LE LIVRE QU’IL NE FAUT PAS LIRE "
        "Auteur : LAROCHE SOPHIE Éditeur : MIC MAC EDITION Prix unitaire (TTC) : 6,40 €",
        "Date de clôture": f"{order.deadline:%d/%m/%Y}Il reste 5 jours",
        "Statut": "Commande ouverte",
        "Lien du formulaire de souscription": order.subscription_url,
        "Client": "COLLEGE VICTOR PROUVECdi03 88 69 69 69approbateur@victorprouve.example",
        "Adresse de mise à disposition": "Dans les locaux de la collectivité"
        "ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE",
        "Adresse de facturation": "COLLEGE VICTOR PROUVE25, rue de Bruges5500 DINANTBELGIQUE",
        "Référence collectivité": "—",
        "Commentaire": "Pas de commentaire laissé pour cette commande",
        "N° commande groupée": str(order.pk),
    }


def test_page_shows_the_reference_and_the_comment_that_were_left(client: Client, bookseller: User) -> None:
    order = GroupedOrderFactory(deadline=in_days(5), customer_reference="BC-14", comment="<b>Au CDI</b>")

    facts = look(client, order).facts()

    assert (facts["Référence collectivité"], facts["Commentaire"]) == ("BC-14", "<b>Au CDI</b>")


@pytest.mark.parametrize(
    ("days", "words_left"),
    [
        (1, "Il reste 1 jour"),
        (0, "C’est le dernier jour"),
        (-1, "La date de clôture des commandes est passée"),
    ],
)
def test_page_says_how_many_days_are_left(client: Client, bookseller: User, days: int, words_left: str) -> None:
    order = GroupedOrderFactory(deadline=in_days(days))

    assert look(client, order).facts()["Date de clôture"] == f"{order.deadline:%d/%m/%Y}{words_left}"


def test_page_warns_of_payments_awaited_and_of_the_deadline(client: Client, bookseller: User) -> None:
    order = GroupedOrderFactory(deadline=in_days(1))
    SubOrderFactory(grouped_order=order)

    page = look(client, order)

    assert notices(page) == [
        "Des paiements sont en attente de traitement. Veuillez les valider ou les annuler dans la liste ci-dessous.",
        f"La date de clôture des commandes ({order.deadline:%d/%m/%Y}) n’est pas encore passée. "
        "Vous pourrez valider cette commande groupée dans 2 jours.",
    ]
    (validate,) = page.tree.xpath(f"//form[@action='{url(order, 'validate')}']/button")
    assert (validate.get("aria-disabled"), validate.get("aria-describedby")) == ("true", "blockers")


def test_page_lets_an_order_that_is_ready_be_validated(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)

    page = look(client, order)

    assert notices(page) == []
    (validate,) = page.tree.xpath(f"//form[@action='{url(order, 'validate')}']/button")
    assert words(validate) == "Valider la commande groupée et envoyer vers LIBRISOFT"
    assert validate.get("aria-disabled") is None


def test_page_lists_the_sub_orders_and_adds_them_up(client: Client, bookseller: User) -> None:
    order = GroupedOrderFactory(deadline=in_days(1))
    louise = paid(order, by=bookseller, first_name="Louise", last_name="Grandville", email="louise@free.example")
    noe = SubOrderFactory(grouped_order=order, first_name="Noé", last_name="Guidoni", email="n@g.example", quantity=2)
    gone = SubOrderFactory(grouped_order=order, first_name="Cameron", last_name="Diaz", email="c@g.example", quantity=3)
    checkout.cancel_sub_order(gone, by=bookseller, reason="À sa demande", refund=None, now=timezone.now())

    page = look(client, order)

    assert words(page.tree.get_element_by_id("sub-orders")) == "Détail (3 sous-commandes)"
    when = f"{timezone.localtime(noe.created_at):%d/%m/%Y (à %H:%M:%S)}"
    assert [row[:4] + row[5:] for row in rows(page, under="sub-orders")] == [
        [
            *(str(louise.pk), "Grandville", "Louise", "louise@free.example", "1"),
            "Payée Réglé à la librairie : Encaissé (Chèque, 0419, Odile Hotton)",
            *("6,40 €", f"Corriger n° {louise.pk} Annuler n° {louise.pk} Rembourser n° {louise.pk}"),
        ],
        [
            *(str(noe.pk), "Guidoni", "Noé", "n@g.example", "2", "En attente de paiement", "12,80 €"),
            f"Valider n° {noe.pk} Corriger n° {noe.pk} Annuler n° {noe.pk}",
        ],
        [str(gone.pk), "Diaz", "Cameron", "c@g.example", "3", "Annulée", "19,20 €", ""],
    ]
    assert rows(page, under="sub-orders")[1][4] == when
    assert rows(page, under="recapitulation") == [
        ["Total articles"],
        ["Annulés", "3"],
        ["En attente de paiement", "2"],
        ["Payés", "1"],
        ["Total sous-commandes"],
        ["Annulées", "1"],
        ["En attente de paiement", "1"],
        ["Payées", "1"],
        ["Total TTC"],
        ["Total TTC de toutes les sous-commandes « En attente de paiement »", "12,80 €"],
        ["Total TTC de toutes les sous-commandes « Payées »", "6,40 €"],
    ]


def test_page_without_sub_orders_says_so(client: Client, bookseller: User) -> None:
    page = look(client, GroupedOrderFactory(deadline=in_days(1)))

    assert words(page.tree.get_element_by_id("sub-orders")) == "Détail (0 sous-commande)"
    assert "Aucune sous-commande n’est encore enregistrée." in page.main


@pytest.mark.parametrize(
    ("state", "again", "offered"),
    [
        (PaymentState.REDIRECTED, True, True),
        (PaymentState.PENDING, True, True),
        (PaymentState.EXPIRED, False, True),
    ],
)
def test_page_offers_to_check_a_payment_that_may_have_news(
    client: Client, bookseller: User, state: PaymentState, again: bool, offered: bool
) -> None:
    order = GroupedOrderFactory(deadline=in_days(1))
    sub_order = SubOrderFactory(grouped_order=order)
    Payment.objects.create(
        sub_order=sub_order,
        method=PaymentMethod.PAYPAL,
        amount=sub_order.total,
        state=state,
        next_check_at=timezone.now() if again else None,
    )

    (row,) = rows(look(client, order), under="sub-orders")

    assert row[6] == f"En attente de paiement PayPal : {state.label}"
    assert (f"Vérifier n° {sub_order.pk}" in row[8]) is offered


def test_page_after_validation_says_where_librisoft_stands(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)
    ShopOrder.objects.update(
        transmission=Transmission.SENT,
        sent_at=timezone.now(),
        librisoft_number="6767",
        remote_code="PREPARATION",
        remote_label="Préparation commande",
    )

    page = look(client, order)

    assert notices(page) == [
        "Cette commande groupée a été validée et envoyée vers LIBRISOFT.",
        "Envoyée vers LIBRISOFT",
        "Statut LIBRISOFT : Préparation commande",
    ]
    assert page.facts()["N° commande classique"] == str(order.shop_order_id)
    assert page.facts()["ID Librisoft"] == "Commande N° 6767"
    assert buttons(page)[:4] == [
        "Mettre à disposition",
        "Réactualiser le statut",
        "Saisir le numéro et le statut",
        "Annuler la commande groupée",
    ]


def test_page_before_librisoft_has_answered_does_not_claim_it(client: Client, bookseller: User) -> None:
    page = look(client, order_in(OrderStatus.AWAITING_PROCESSING))

    assert notices(page) == ["Cette commande groupée a été validée.", "Envoi en cours vers LIBRISOFT"]
    assert page.facts()["ID Librisoft"] == "pas encore reçu"


def test_page_of_a_refused_hand_over_says_why_and_offers_to_send_again(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)
    ShopOrder.objects.update(transmission=Transmission.REFUSED, error="EAN inconnu")

    page = look(client, order)

    assert notices(page) == ["Cette commande groupée a été validée.", "Refusée par LIBRISOFT : EAN inconnu"]
    assert buttons(page)[0] == "Renvoyer vers LIBRISOFT"


def test_page_of_a_closed_order_offers_to_take_it_back(client: Client, bookseller: User) -> None:
    assert buttons(look(client, order_in(OrderStatus.CLOSED)))[:3] == [
        "Réactualiser le statut",
        "Saisir le numéro et le statut",
        "Reprendre la clôture",
    ]


def test_page_of_a_cancelled_order_lists_the_refunds(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.CANCELLED)
    sub_order = order.sub_orders.get()

    page = look(client, order)

    (row,) = rows(page, under="refunds")
    assert row[:4] == [
        f"n° {sub_order.pk}, Louise Grandville",
        "6,40 €",
        "Réglé à la librairie",
        "À rembourser à la main",
    ]
    assert row[5:] == ["Un autre titre", f"Remboursé à la main (sous-commande n° {sub_order.pk})"]


def test_page_shows_the_mails_of_the_order_and_of_its_buyers(client: Client, bookseller: User) -> None:
    order = GroupedOrderFactory(deadline=in_days(1))
    sub_order = paid(order, email="louise@free.example")
    order_in(OrderStatus.OPEN)
    Mail.objects.filter(sub_order=sub_order).update(state=MailState.FAILED, error="Boîte pleine")

    (row,) = rows(look(client, order), under="mails")

    assert (row[1], row[3]) == ("louise@free.example", "Échec Boîte pleine")
    assert row[0].startswith("Confirmation")


def test_page_tells_the_journal_newest_first(client: Client, bookseller: User) -> None:
    order = GroupedOrderFactory(deadline=in_days(1))
    sub_order = SubOrderFactory(grouped_order=order)
    checkout.cancel_sub_order(sub_order, by=bookseller, reason="À sa demande", refund=None, now=timezone.now())
    lifecycle.move_deadline(order, to=in_days(2), by=order.initiator, now=timezone.now())

    told = rows(look(client, order), under="journal")

    assert [row[1:] for row in told] == [
        ["Camille Dumont", f"Date limite déplacée du {in_days(1):%d/%m/%Y} au {in_days(2):%d/%m/%Y}", "—"],
        ["Odile Hotton", f"Sous-commande n° {sub_order.pk} : Annulée", "À sa demande"],
    ]


def test_pdf_lists_the_buyers(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)

    answer = client.get(url(order, "list.pdf"))

    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'attachment; filename="commande-groupee-{order.pk}.pdf"'
    assert "Grandville" in PdfReader(BytesIO(answer.content)).pages[0].extract_text()


def test_trainee_looks_and_is_offered_nothing(client: Client, trainee: User) -> None:
    order = order_in(OrderStatus.OPEN)
    SubOrderFactory(grouped_order=order)

    page = look(client, order)

    assert buttons(page) == ["Exporter la liste complète au format PDF"]
    assert page.tree.xpath("//main//form") == []


def test_page_costs_the_same_for_one_sub_order_or_many(
    client: Client, bookseller: User, django_assert_num_queries: Callable[..., Any]
) -> None:
    order = GroupedOrderFactory(deadline=in_days(1))
    for count in (1, 5):
        for _nth in range(count):
            checkout.cancel_sub_order(
                paid(order), by=bookseller, reason="Erreur", refund=MoneyBack.BY_HAND, note="Rendu", now=timezone.now()
            )
            paid(order)
            SubOrderFactory(grouped_order=order)
        with django_assert_num_queries(15):
            client.get(url(order))


def test_unknown_order_is_not_found(client: Client, bookseller: User) -> None:
    assert client.get("/admin/grouped_orders/groupedorder/999/change/").status_code == 404
