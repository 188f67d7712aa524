import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse

from collectivities.models import User
from librisoft_bridge import statuses
from librisoft_bridge.models import ShopOrder, StatusChange, Transmission
from librisoft_bridge.order_state import OrderState
from tests.factories import BookshopFactory, UserFactory
from tests.librisoft_bridge.story import NOW, hand_over, read
from tests.pages import Page, words

pytestmark = pytest.mark.django_db

LIST = reverse("admin:librisoft_bridge_shoporder_changelist")


def staff(client: Client, *rights: str) -> User:
    BookshopFactory()
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return user


@pytest.fixture
def bookseller(client: Client) -> User:
    return staff(client, "view_shoporder", "view_shoporderline", "view_statuschange", "change_shoporder")


@pytest.fixture
def order() -> ShopOrder:
    """Classic order 637 of group order 62, which LIBRISOFT has as 6767."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('librisoft_bridge_shoporder', 'id'), 637, false)")
    order = hand_over()
    hand_over(group_order_number=63)
    statuses.take_in(OrderState("6767", str(order.pk), "PREPARATION", "Préparation commande", 1, NOW), now=NOW)
    return read(order)


def send_again(client: Client, *orders: ShopOrder) -> str:
    answer = client.post(
        LIST, {"action": "send_again", "_selected_action": [order.pk for order in orders]}, follow=True
    )
    return Page(answer).main if answer.status_code == 200 else str(answer.status_code)


@pytest.mark.parametrize("number", ["637", "62", "6767", "victor prouve"])
def test_search_finds_an_order_by_any_of_its_numbers(
    number: str, client: Client, bookseller: User, order: ShopOrder
) -> None:
    ShopOrder.objects.exclude(pk=order.pk).update(customer_name="LYCÉE ALAIN-FOURNIER")
    page = Page(client.get(LIST, {"q": number}))
    found = [words(cell) for cell in page.tree.find_class("field-group_number")]
    assert found == ["62"]


def test_list_says_in_words_how_far_each_order_is(client: Client, bookseller: User, order: ShopOrder) -> None:
    ShopOrder.objects.exclude(pk=order.pk).update(transmission=Transmission.REFUSED, error="EAN inconnu")
    page = Page(client.get(LIST))
    assert [words(cell) for cell in page.tree.find_class("field-sending")] == [
        "Refusée par LIBRISOFT : EAN inconnu",
        "Envoyée vers LIBRISOFT",
    ]


def test_order_is_read_with_its_lines_and_every_status(client: Client, bookseller: User, order: ShopOrder) -> None:
    statuses.take_in(OrderState("6767", str(order.pk), "RECEIVED", "Réceptionnée", 2, NOW, {1: 5}), now=NOW)
    page = Page(client.get(reverse("admin:librisoft_bridge_shoporder_change", args=[order.pk])))
    for said in (
        "Commande classique n° 637",
        "ANNEXE, 2, rue des jonquilles, 5500 DINANT (BE)",
        "PayPal 29,80 €, Réglé à la librairie 44,70 €",
        "9791097284657",
        "Préparation commande",
        "Réceptionnée",
    ):
        assert said in page.main
    assert page.tree.xpath("//main//form//input[@type='text' or @type='submit']") == []


def test_nothing_can_be_edited_or_deleted(client: Client, bookseller: User, order: ShopOrder) -> None:
    for name in ("change", "delete"):
        url = reverse(f"admin:librisoft_bridge_shoporder_{name}", args=[order.pk])
        assert client.post(url, {"customer_name": "AUTRE", "post": "yes"}).status_code == 403
    assert (read(order).customer_name, StatusChange.objects.count()) == ("COLLEGE VICTOR PROUVE", 1)


def test_renvoyer_puts_what_was_refused_on_its_way_again(client: Client, bookseller: User, order: ShopOrder) -> None:
    refused = ShopOrder.objects.exclude(pk=order.pk).get()
    ShopOrder.objects.filter(pk=refused.pk).update(transmission=Transmission.REFUSED, error="EAN inconnu", attempts=4)
    assert "1 commande est renvoyée." in send_again(client, refused, order)
    assert (read(refused).transmission, read(refused).attempts) == (Transmission.WAITING, 0)
    assert read(order).transmission == Transmission.SENT


def test_renvoyer_is_for_those_who_may(client: Client, order: ShopOrder) -> None:
    staff(client, "view_shoporder")
    ShopOrder.objects.update(transmission=Transmission.FAILED)
    send_again(client, order)
    assert read(order).transmission == Transmission.FAILED
