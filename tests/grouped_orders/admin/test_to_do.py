"""« À traiter », the bookseller's first page: each count leads to a list of exactly as many."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from collectivities.models import User
from grouped_orders import checkout
from grouped_orders.models import LedgerDifference, Mail, Payment
from grouped_orders.statuses import MailState, MoneyBack, OrderStatus, PaymentMethod, PaymentState
from librisoft_bridge.models import SetAsideFile, ShopOrder, Transmission
from tests.factories import GroupedOrderFactory, SubOrderFactory
from tests.grouped_orders.admin.story import in_days, order_in, paid, rows
from tests.pages import Page, words

pytestmark = pytest.mark.django_db


def tasks(client: Client) -> dict[str, str]:
    """The lines of « À traiter », and where each leads."""
    links = Page(client.get("/admin/")).tree.xpath("//section[@aria-labelledby='to-do']//a")
    return {words(link): link.get("href") for link in links}


def shop_order(**facts: Any) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)
    ShopOrder.objects.filter(pk=order.shop_order_id).update(**facts)


def test_nothing_to_do_is_said(client: Client, bookseller: User) -> None:
    GroupedOrderFactory(deadline=in_days(20))
    order_in(OrderStatus.CLOSED)

    page = Page(client.get("/admin/"))

    assert tasks(client) == {}
    assert "Rien n’attend : tout est à jour." in page.main


def test_files_of_librisoft_set_aside_are_counted_and_listed(client: Client, bookseller: User) -> None:
    for nth in range(2):
        SetAsideFile.objects.create(name=f"{nth}.json", modified_at=timezone.now(), reason="Le fichier est illisible.")
    assert tasks(client) == {}
    bookseller.user_permissions.add(Permission.objects.get(codename="view_setasidefile"))
    to_do = tasks(client)
    assert list(to_do) == ["Fichiers de LIBRISOFT mis de côté 2"]
    page = Page(client.get(to_do["Fichiers de LIBRISOFT mis de côté 2"]))
    assert [words(cell) for cell in page.tree.find_class("field-name")] == ["1.json", "0.json"]


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (lambda: order_in(OrderStatus.OPEN), "Commandes à valider"),
        (lambda: GroupedOrderFactory(deadline=in_days(7)), "Commandes qui se clôturent dans les sept jours"),
        (lambda: shop_order(remote_code="RECEIVED"), "Commandes prêtes à mettre à disposition"),
        (lambda: shop_order(transmission=Transmission.REFUSED, error="EAN inconnu"), "Envois vers LIBRISOFT"),
        (lambda: shop_order(remote_code="UNAVAILABLE"), "Commandes annulées ou manquantes chez LIBRISOFT"),
        (lambda: shop_order(librisoft_number="1", second_number="2"), "Commandes à deux numéros LIBRISOFT"),
    ],
)
def test_orders_that_wait_are_counted_and_listed(
    client: Client, bookseller: User, made: Callable[[], object], line: str
) -> None:
    GroupedOrderFactory(deadline=in_days(20))
    made()
    made()

    ((label, url),) = tasks(client).items()

    assert label.startswith(line) and label.endswith(" 2")
    assert len(rows(Page(client.get(url)))) == 2


def test_what_a_buyer_gave_up_waits_until_it_is_given_back(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.CLOSED)
    sub_order = order.sub_orders.get()
    checkout.withdraw(sub_order, now=timezone.now())
    assert list(tasks(client)) == ["Commandes avec une rétractation à rembourser 1"]

    capture = sub_order.payments.get().captures.get()
    refund = checkout.request_refund(capture, by=bookseller, reason="Rétractation", now=timezone.now())
    checkout.note_refunded_by_hand(refund, by=bookseller, note="En espèces", now=timezone.now())

    assert tasks(client) == {}


def test_an_order_that_is_over_asks_for_nothing(client: Client, bookseller: User) -> None:
    order_in(OrderStatus.CLOSED)
    ShopOrder.objects.update(remote_code="CANCELLED")

    assert tasks(client) == {}
    page = Page(client.get("/admin/grouped_orders/groupedorder/?due=librisoft-alarming"))
    assert "Il n’y a plus rien à traiter ici." in page.main


def test_money_and_mails_that_wait_are_counted_and_listed(client: Client, bookseller: User) -> None:
    order = GroupedOrderFactory(deadline=in_days(20))
    sub_order = paid(order)
    checkout.request_refund(
        sub_order.payments.get().captures.get(), by=bookseller, reason="Livre abîmé", now=timezone.now()
    )
    doubt = Payment.objects.create(
        sub_order=SubOrderFactory(grouped_order=order),
        method=PaymentMethod.PAYPAL,
        amount="6.40",
        state=PaymentState.CAPTURING,
    )
    LedgerDifference.objects.create(method=PaymentMethod.PAYPAL, provider_id="R1", what="Écart", payment=doubt)
    Mail.objects.update(state=MailState.FAILED)
    failed = Mail.objects.count()

    found = tasks(client)

    assert list(found) == [
        "Remboursements à faire 1",
        "Écarts avec les prestataires 1",
        "Paiements en vérification 1",
        f"Mails qui n’ont pas pu partir {failed}",
    ]
    for label, url in found.items():
        assert len(Page(client.get(url)).tree.xpath("//main//table//tbody/tr")) == int(label.split()[-1])


def test_search_and_tabs_stay_inside_a_line_of_the_list(client: Client, bookseller: User) -> None:
    order_in(OrderStatus.OPEN)
    GroupedOrderFactory(deadline=in_days(20))

    page = Page(client.get("/admin/grouped_orders/groupedorder/?due=validate"))

    assert [words(tab) for tab in page.tree.xpath("//nav[@class='tabs']//a")][0] == "En attente de validation (1)"
    assert {tab.get("href").endswith("due=validate") for tab in page.tree.xpath("//nav[@class='tabs']//a")} == {True}
    assert page.tree.xpath("//form[@role='search']//input[@name='due']/@value") == ["validate"]


def test_line_that_does_not_exist_is_the_ordinary_list(client: Client, bookseller: User) -> None:
    answer = client.get("/admin/grouped_orders/groupedorder/?due=nonsense")

    assert answer.headers["Location"].endswith("?status=OPEN")


def test_trainee_sees_what_he_may_see(client: Client, trainee: User) -> None:
    order = order_in(OrderStatus.OPEN)
    checkout.cancel_sub_order(paid(order), by=trainee, reason="Essai", refund=MoneyBack.NOTHING, now=timezone.now())
    Mail.objects.update(state=MailState.FAILED)

    assert list(tasks(client)) == ["Commandes à valider 1"]


def test_first_page_costs_the_same_for_one_order_or_many(
    client: Client, bookseller: User, django_assert_num_queries: Callable[..., Any]
) -> None:
    for count in (1, 6):
        for _nth in range(count):
            shop_order(remote_code="RECEIVED")
            order_in(OrderStatus.OPEN)
        with django_assert_num_queries(14):
            client.get("/admin/")
