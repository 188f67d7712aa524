"""What the bookseller is asked to look at: counted, listed and shown by one and the same condition."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from librisoft_bridge import outbox, statuses
from librisoft_bridge.attention import KINDS, Needed, needing_attention
from librisoft_bridge.models import ShopOrder, StatusChange, Transmission
from librisoft_bridge.order_state import OrderState
from tests.factories import BookshopFactory, UserFactory
from tests.librisoft_bridge.story import NOW, hand_over, read
from tests.pages import Page, words

pytestmark = pytest.mark.django_db

LIST = reverse("admin:librisoft_bridge_shoporder_changelist")


def sent(nth: int, code: str = "PREPARATION") -> ShopOrder:
    order = hand_over(group_order_number=nth, ordered_at=timezone.now())
    statuses.take_in(OrderState(f"67{nth}", str(order.pk), code, "", 1, NOW), now=NOW)
    return order


def waiting(nth: int, **facts: object) -> ShopOrder:
    order = hand_over(group_order_number=nth, ordered_at=timezone.now())
    ShopOrder.objects.filter(pk=order.pk).update(**facts)
    return order


def withdrawn(order: ShopOrder) -> ShopOrder:
    outbox.withdraw(read(order), now=timezone.now())
    return order


IN_TROUBLE: dict[str, Callable[[int], ShopOrder]] = {
    "failed": lambda nth: waiting(nth, transmission=Transmission.FAILED),
    "overdue": lambda nth: waiting(nth, waiting_since=timezone.now() - timedelta(hours=4)),
    "second_number": lambda nth: waiting(nth, librisoft_number="6765", second_number="6999"),
    "cancel_there": lambda nth: withdrawn(sent(nth)),
    "in_doubt": lambda nth: withdrawn(waiting(nth, in_doubt=True)),
    "alarming": lambda nth: sent(nth, "UNAVAILABLE"),
}
IN_ORDER: list[Callable[[int], ShopOrder]] = [
    sent,
    lambda nth: sent(nth, "RECEIVED"),
    waiting,
    lambda nth: waiting(nth, in_doubt=True, attempts=3, error="LIBRISOFT ne répond pas."),
    lambda nth: waiting(nth, waiting_since=timezone.now() - timedelta(hours=3, minutes=59)),
    lambda nth: withdrawn(waiting(nth)),
    lambda nth: withdrawn(sent(nth, "CANCELLED")),
]


def everything() -> dict[str, ShopOrder]:
    """One order of each kind, and of each that asks for nothing."""
    for nth, make in enumerate(IN_ORDER):
        make(nth)
    return {kind: make(50 + nth) for nth, (kind, make) in enumerate(IN_TROUBLE.items())}


def test_every_kind_is_tried() -> None:
    assert list(IN_TROUBLE) == list(KINDS)


def test_each_kind_is_counted_with_its_words() -> None:
    everything()
    assert needing_attention(timezone.now()) == [
        Needed("failed", "Envois vers LIBRISOFT refusés ou échoués", 1),
        Needed("overdue", "Commandes que LIBRISOFT n’a pas encore prises", 1),
        Needed("second_number", "Commandes à deux numéros LIBRISOFT", 1),
        Needed("cancel_there", "Commandes annulées ici, à annuler dans LIBRISOFT", 1),
        Needed("in_doubt", "Commandes annulées ici, peut-être reçues par LIBRISOFT", 1),
        Needed("alarming", "Commandes annulées ou manquantes chez LIBRISOFT", 1),
    ]


def test_orders_that_ask_for_nothing_are_not_counted() -> None:
    for nth, make in enumerate(IN_ORDER):
        make(nth)
    assert needing_attention(timezone.now()) == []


def test_counts_are_narrowed_to_the_orders_in_question() -> None:
    orders = everything()
    among = ShopOrder.objects.filter(pk=orders["overdue"].pk)
    assert [(need.kind, need.count) for need in needing_attention(timezone.now(), among=among)] == [("overdue", 1)]


def test_an_order_says_of_itself_what_the_count_says_of_it() -> None:
    orders = everything()
    asking = {order.pk for order in ShopOrder.objects.all() if order.needs_attention}
    assert asking == {order.pk for order in orders.values()}


@pytest.mark.parametrize("kind", list(IN_TROUBLE))
def test_the_list_shows_the_orders_of_one_kind(kind: str, client: Client) -> None:
    order = everything()[kind]
    bookseller(client, "view_shoporder")
    page = Page(client.get(LIST, {"attention": kind}))
    assert [words(cell) for cell in page.tree.find_class("field-number")] == [str(order.pk)]


def bookseller(client: Client, *rights: str) -> None:
    BookshopFactory()
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)


# What ends it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cancel_there", "in_doubt"])
def test_what_the_bookseller_settled_in_librisoft_asks_no_more(kind: str, client: Client) -> None:
    order, live = everything()[kind], sent(99)
    bookseller(client, "view_shoporder", "change_shoporder")
    chosen = {"action": "settle", "_selected_action": [order.pk, live.pk]}
    assert "1 commande annulée est réglée." in Page(client.post(LIST, chosen, follow=True)).main
    assert (read(order).needs_attention, read(live).remote_code) == (False, "PREPARATION")
    typed = list(StatusChange.objects.filter(sequence=None).values_list("shop_order", "code", "label"))
    assert typed == ([(order.pk, "CANCELLED", "Annulée")] if kind == "cancel_there" else [])


def test_what_waits_for_too_long_is_sent_again_by_renvoyer() -> None:
    order = everything()["overdue"]
    now = timezone.now()
    ShopOrder.objects.filter(pk=order.pk).update(attempts=7, error="LIBRISOFT ne répond pas.")
    assert outbox.resend(order, now=now)
    order = read(order)
    assert (order.attempts, order.next_try_at, order.error, order.needs_attention) == (0, now, "", False)
