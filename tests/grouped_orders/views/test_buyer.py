"""« Inscription » : what a buyer without an account sees, types and is told."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from grouped_orders import checkout, lifecycle
from grouped_orders.models import GroupedOrder, SubOrder
from grouped_orders.statuses import HandMethod
from tests.factories import GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.grouped_orders.views.story import LOUISE, form_url, payment_url
from tests.pages import Page, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]


def rows() -> list[tuple[Any, ...]]:
    return list(SubOrder.objects.order_by("pk").values_list("first_name", "last_name", "email", "quantity", "total"))


# « Inscription » ----------------------------------------------------------------------------------


def test_registration_shows_the_book_and_the_order(client: Client, order: GroupedOrder) -> None:
    page = Page(client.get(form_url(order)))
    assert (page.status, page.title) == (200, "Commander « LE LIVRE QU’IL NE FAUT PAS LIRE ! » – DLIVRE")
    assert page.main == (
        "LE LIVRE QU’IL NE FAUT PAS LIRE ! "  # the cover that is missing
        "LE LIVRE QU’IL NE FAUT PAS LIRE ! LAROCHE SOPHIE · MIC MAC EDITION 6,40 € "
        "Informations commande "
        "Commande initiée par COLLEGE VICTOR PROUVE "
        "Date limite de commande mercredi 25 novembre 2026 à minuit "
        "Statut Commande ouverte "
        "Adresse de mise à disposition ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE "
        "Vos coordonnées Si vous souhaitez commander cet ouvrage, merci de bien vouloir entrer ci-dessous vos "
        "coordonnées. Prénom Nom Email La confirmation et le lien vers votre commande y sont envoyés. Quantité "
        "COLLEGE VICTOR PROUVE et la librairie voient votre nom, votre adresse e-mail et la quantité, pour cette "
        "commande et rien d’autre. Les autres acheteurs ne voient rien. Payer la commande"
    )
    assert page.fields() == {"first_name": "", "last_name": "", "email": "", "quantity": "1"}


def test_registration_shows_the_price_frozen_with_the_order(client: Client, order: GroupedOrder) -> None:
    order.book.price = Decimal("9.90")
    order.book.save()
    (price,) = Page(client.get(form_url(order))).with_class("price")
    assert price.text == "6,40\u00a0€"


def test_registration_never_shows_another_buyer(client: Client, order: GroupedOrder) -> None:
    SubOrderFactory(grouped_order=order, first_name="Oscar", last_name="Benhattia", email="oscar@laposte.example")
    for response in (client.get(form_url(order)), client.post(form_url(order), LOUISE, follow=True)):
        assert [word for word in ("Oscar", "Benhattia", "oscar@") if word in response.content.decode()] == []


def test_registration_costs_two_queries(
    client: Client, order: GroupedOrder, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The order with its book and collectivity, and the shop."""
    with django_assert_num_queries(2):
        client.get(form_url(order))


def test_registration_helps_the_phone_to_fill_it_in(client: Client, order: GroupedOrder) -> None:
    fields = Page(client.get(form_url(order))).tree.xpath("//main//input[not(@type='hidden')]")
    helps = {f.get("name"): (f.get("type"), f.get("autocomplete"), f.get("inputmode")) for f in fields}
    assert helps == {
        "first_name": ("text", "given-name", None),
        "last_name": ("text", "family-name", None),
        "email": ("email", "email", "email"),
        "quantity": ("text", "off", "numeric"),
    }


def test_registering_leads_to_the_payment(client: Client, order: GroupedOrder, noon: datetime) -> None:
    response = client.post(form_url(order), LOUISE)
    sub_order = SubOrder.objects.get()
    assert response.url == payment_url(sub_order)
    assert rows() == [("Louise", "Grandville", "louise@free.example", 2, Decimal("12.80"))]
    assert (sub_order.grouped_order, sub_order.status, sub_order.created_at) == (order, "PENDING", noon)


def test_registering_takes_no_price_and_no_order_from_the_browser(client: Client, order: GroupedOrder) -> None:
    other = GroupedOrderFactory()
    client.post(
        form_url(order), LOUISE | {"total": "0.01", "unit_price": "0.01", "status": "PAID", "grouped_order": other.pk}
    )
    assert list(SubOrder.objects.values_list("grouped_order", "status", "total")) == [
        (order.pk, "PENDING", Decimal("12.80"))
    ]


def test_registration_refused_says_how_to_mend_it_and_keeps_what_was_typed(client: Client, order: GroupedOrder) -> None:
    typed = {"first_name": "   ", "last_name": "X" * 300, "email": "louise@", "quantity": "1.5"}
    page = Page(client.post(form_url(order), typed))
    sentences = {
        "first_name": "Écrivez votre prénom.",
        "last_name": "Ce nom est trop long : 60 caractères au plus. Abrégez-le.",
        "email": "Cette adresse e-mail n’est pas complète : vérifiez-la, par exemple prenom.nom@exemple.be.",
        "quantity": "Écrivez un nombre entier d’exemplaires, par exemple 2.",
    }
    assert (page.status, rows()) == (422, [])
    assert page.title == "Erreur : Commander « LE LIVRE QU’IL NE FAUT PAS LIRE ! » – DLIVRE"
    assert page.errors() == {field: [sentence] for field, sentence in sentences.items()}
    labels = ("Prénom", "Nom", "Email", "Quantité")
    assert page.summary() == [f"{label} : {said}" for label, said in zip(labels, sentences.values(), strict=True)]
    assert page.fields() == typed


def test_registration_of_nothing_is_refused(client: Client, order: GroupedOrder) -> None:
    page = Page(client.post(form_url(order)))
    assert (page.status, sorted(page.errors())) == (422, ["email", "first_name", "last_name", "quantity"])


@pytest.mark.parametrize("written", [str.lower, str.title, lambda id: id.replace("1", "l").replace("0", "o")])
def test_registration_link_forgives_how_it_is_copied(
    client: Client, order: GroupedOrder, written: Callable[[str], str]
) -> None:
    GroupedOrder.objects.filter(pk=order.pk).update(public_id="01FZWAX30MTN9B3Y4E0NX2PHM5")
    assert (
        client.get(f"/order/grouped/suborder/registration/{written('01FZWAX30MTN9B3Y4E0NX2PHM5')}").status_code == 200
    )


def test_registration_link_unknown_or_malformed_is_the_same_404(client: Client, order: GroupedOrder) -> None:
    wrong = ["01FZWAX30MTN9B3Y4E0NX2PHM5", "x", str(order.pk), "%00", "é" * 26, "..", order.public_id + "0", "%2e"]
    pages = [client.get(f"/order/grouped/suborder/registration/{public_id}") for public_id in wrong]
    assert {page.status_code for page in pages} == {404}
    assert len({page.content for page in pages}) == 1


# A second order with the same address -------------------------------------------------------------

ASKED = "Une commande avec cette adresse e-mail existe déjà dans ce groupe. Voulez-vous en passer une autre ?"


def asked(page: Page) -> list[str]:
    return [strong.text_content().replace("\u00a0", " ") for strong in page.tree.xpath("//*[@role='alert']//strong")]


def test_same_email_is_asked_about_once(client: Client, order: GroupedOrder) -> None:
    """Nothing of the first order is shown: whoever types the address may be anybody."""
    SubOrderFactory(grouped_order=order, first_name="Oscar", email="Louise@Free.example", quantity=7)
    page = Page(client.post(form_url(order), LOUISE))
    assert (page.status, asked(page), SubOrder.objects.count()) == (200, [ASKED], 1)
    assert page.fields() == LOUISE | {"confirmed": "louise@free.example"}
    assert [word for word in ("Oscar", "7", "payée") if word in page.main] == []

    assert client.post(form_url(order), page.fields()).status_code == 302
    assert SubOrder.objects.count() == 2


def test_another_email_is_asked_about_anew(client: Client, order: GroupedOrder) -> None:
    SubOrderFactory(grouped_order=order, email="oscar@laposte.example")
    page = Page(
        client.post(form_url(order), LOUISE | {"email": "oscar@laposte.example", "confirmed": "louise@free.example"})
    )
    assert (asked(page), SubOrder.objects.count()) == ([ASKED], 1)


def test_same_email_elsewhere_or_cancelled_is_not_asked_about(
    client: Client, order: GroupedOrder, noon: datetime
) -> None:
    SubOrderFactory(email="louise@free.example")
    gone = SubOrderFactory(grouped_order=order, email="louise@free.example")
    checkout.cancel_sub_order(gone, by=UserFactory(), reason="Essai", refund=None, now=noon)
    assert client.post(form_url(order), LOUISE).status_code == 302


# An address that looks like a slip ----------------------------------------------------------------

SLIP = LOUISE | {"email": "louise@gmial.com"}


def test_mistyped_email_is_questioned_and_taken_when_confirmed(client: Client, order: GroupedOrder) -> None:
    page = Page(client.post(form_url(order), SLIP))
    assert (page.status, asked(page), rows()) == (200, ["Votre adresse e-mail est-elle juste ?"], [])
    assert "Vous avez écrit louise@gmial.com. Si elle est juste, continuez avec le bouton du bas." in page.main
    assert page.fields() == SLIP | {"confirmed": "louise@gmial.com"}

    assert client.post(form_url(order), page.fields()).status_code == 302
    assert [row[2] for row in rows()] == ["louise@gmial.com"]


def test_mistyped_email_is_corrected_by_one_button(client: Client, order: GroupedOrder) -> None:
    """A form of its own, so that neither « Entrée » nor what is typed meanwhile changes an address unseen."""
    page = Page(client.post(form_url(order), SLIP))
    (button,) = page.tree.xpath("//button[@form]")
    assert words(button) == "Corriger en louise@gmail.com"
    corrected = dict(page.tree.get_element_by_id(button.get("form")).fields)
    del corrected["csrfmiddlewaretoken"]
    assert corrected == LOUISE | {"email": "louise@gmail.com"}
    assert client.post(form_url(order), corrected).status_code == 302
    assert rows() == [("Louise", "Grandville", "louise@gmail.com", 2, Decimal("12.80"))]


def test_another_mistyped_email_is_questioned_anew(client: Client, order: GroupedOrder) -> None:
    page = Page(client.post(form_url(order), SLIP | {"confirmed": "louise@gmal.com"}))
    assert (asked(page), rows()) == (["Votre adresse e-mail est-elle juste ?"], [])


def test_mistyped_email_that_has_ordered_is_asked_about_in_one_go(client: Client, order: GroupedOrder) -> None:
    SubOrderFactory(grouped_order=order, email="louise@gmial.com")
    page = Page(client.post(form_url(order), SLIP))
    assert asked(page) == ["Votre adresse e-mail est-elle juste ?", ASKED]
    assert client.post(form_url(order), page.fields()).status_code == 302


# When it is over ----------------------------------------------------------------------------------


def close(order: GroupedOrder, how: str, now: datetime) -> None:
    bookseller = UserFactory(is_staff=True)
    if how == "past":
        GroupedOrder.objects.filter(pk=order.pk).update(deadline=date(2026, 11, 23))
    elif how == "cancelled":
        lifecycle.cancel(order, by=bookseller, reason="Épuisé", now=now)
    else:
        paid = SubOrderFactory(grouped_order=order)
        checkout.record_by_hand(paid, method=HandMethod.SHOP, reference="", by=bookseller, now=now)
        lifecycle.validate(order, by=bookseller, now=now + timedelta(days=2))


SAID = {
    "past": "La date limite (23/11/2026) est passée : il n’est plus possible de commander.",
    "cancelled": "Cette commande groupée a été annulée : il n’est plus possible de commander.",
    "validated": "Cette commande groupée est déjà partie chez le libraire : il n’est plus possible de commander.",
}
ASK = {
    "past": "Vous vouliez un exemplaire ? Demandez-le : la date limite peut encore être déplacée, et la librairie peut "
    "vous commander le livre.",
    "cancelled": "Vous vouliez un exemplaire ? Demandez-le à qui a organisé cet achat, ou à la librairie :",
    "validated": "Vous vouliez un exemplaire ? La librairie peut vous commander le livre.",
}
WHOM = "COLLEGE VICTOR PROUVEcdi@victorprouve.example DLIVREcontact@dlivre.exampleTél. 082 00 00 00"


@pytest.mark.parametrize("how", SAID)
def test_closed_order_says_so_kindly_and_whom_to_ask(
    client: Client, order: GroupedOrder, noon: datetime, how: str
) -> None:
    close(order, how, noon)
    page = Page(client.get(form_url(order)))
    assert (page.status, page.title) == (200, "Commande groupée terminée – DLIVRE")
    assert page.main.split("On ne peut plus commander ici ")[1] == (
        f"{SAID[how]} {ASK[how]} {WHOM} "
        "Vous avez déjà commandé ? Le lien vers votre commande est dans le mail de confirmation."
    )
    assert page.tree.xpath("//main//form") == []
    assert page.links() == {
        "cdi@victorprouve.example": "mailto:cdi@victorprouve.example",
        "contact@dlivre.example": "mailto:contact@dlivre.example",
    }


@pytest.mark.parametrize("how", SAID)
def test_closed_order_refuses_whatever_the_browser_sends(
    client: Client, order: GroupedOrder, noon: datetime, how: str
) -> None:
    close(order, how, noon)
    before = rows()
    page = Page(client.post(form_url(order), LOUISE))
    assert (page.status, rows()) == (409, before)
    assert f"{SAID[how]} Rien n’a été enregistré ni débité." in page.main


@pytest.mark.parametrize(
    ("deadline", "last_second"),
    [
        (date(2026, 11, 25), datetime(2026, 11, 25, 22, 59, 59, 999999, tzinfo=UTC)),
        (date(2026, 3, 29), datetime(2026, 3, 29, 21, 59, 59, 999999, tzinfo=UTC)),  # the clocks went forward
        (date(2026, 10, 25), datetime(2026, 10, 25, 22, 59, 59, 999999, tzinfo=UTC)),  # and back
    ],
)
def test_deadline_is_midnight_in_the_shop_to_the_second(
    client: Client, order: GroupedOrder, deadline: date, last_second: datetime
) -> None:
    GroupedOrder.objects.filter(pk=order.pk).update(deadline=deadline)
    with time_machine.travel(last_second, tick=False):
        assert timezone.localtime().strftime("%d %H:%M:%S") == f"{deadline:%d} 23:59:59"
        assert client.post(form_url(order), LOUISE).status_code == 302
    with time_machine.travel(last_second + timedelta(microseconds=1), tick=False):
        assert client.post(form_url(order), LOUISE | {"email": "tard@free.example"}).status_code == 409
    assert [row[2] for row in rows()] == ["louise@free.example"]
