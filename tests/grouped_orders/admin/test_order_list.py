from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from collectivities.models import User
from grouped_orders.models import GroupedOrder
from grouped_orders.statuses import OrderStatus
from librisoft_bridge.models import ShopOrder, Transmission
from tests.factories import BookFactory, CollectivityFactory, GroupedOrderFactory, SubOrderFactory, UserFactory
from tests.grouped_orders.admin.story import in_days, order_in, paid, rows
from tests.pages import Page, words

pytestmark = pytest.mark.django_db

LIST = "/admin/grouped_orders/groupedorder/"


def tab(status: OrderStatus) -> str:
    return f"{LIST}?status={status}"


def numbers(page: Page) -> list[str]:
    return [row[0] for row in rows(page)]


def tabs(page: Page) -> list[tuple[str, str | None]]:
    return [(words(link), link.get("aria-current")) for link in page.tree.xpath("//nav[@class='tabs']//a")]


def test_first_visit_goes_to_the_first_tab(client: Client, bookseller: User) -> None:
    answer = client.get(LIST)

    assert (answer.status_code, answer.url) == (302, tab(OrderStatus.OPEN))


@pytest.mark.parametrize("status", OrderStatus)
def test_tab_shows_the_orders_in_its_status_and_every_count(
    client: Client, bookseller: User, status: OrderStatus
) -> None:
    made = {each: order_in(each) for each in OrderStatus}
    another = order_in(OrderStatus.OPEN)

    page = Page(client.get(tab(status)))

    expected = [made[status], another] if status == OrderStatus.OPEN else [made[status]]
    assert numbers(page) == [str(order.pk) for order in expected]
    labels = ["En attente de validation (2)", "En attente de traitement (1)", "Clôturées (1)", "Annulées (1)"]
    assert tabs(page) == [
        (label, "page" if each == status else None) for label, each in zip(labels, OrderStatus, strict=True)
    ]


def test_row_says_what_the_specification_lists(client: Client, bookseller: User) -> None:
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE", service="Cdi", phone="03 88 69 69 69")
    order = GroupedOrderFactory(
        collectivity=collectivity,
        initiator=UserFactory(email="approbateur@victorprouve.example", collectivity=collectivity),
        deadline=in_days(1),
    )
    paid(order, quantity=2)
    SubOrderFactory(grouped_order=order)

    page = Page(client.get(tab(OrderStatus.OPEN)))

    assert [words(head) for head in page.tree.xpath("//main//table//th")] == [
        "N°",
        "Date de clôture",
        "Nombre de jours restant",
        "Statut",
        "Client",
        "Lieu de récupération",
        "Quantité totale payée",
        "Total TTC payé",
        "Actions",
    ]
    assert rows(page) == [
        [
            str(order.pk),
            f"{order.deadline:%d/%m/%Y}",
            "1",
            "Commande ouverte La date limite approche !",
            "COLLEGE VICTOR PROUVECdi03 88 69 69 69approbateur@victorprouve.example",
            "ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE",
            "2",
            "12,80 €",
            f"Voir détail de la commande n° {order.pk}",
        ]
    ]
    assert page.links()[f"Voir détail de la commande n° {order.pk}"] == f"{LIST}{order.pk}/change/"


@pytest.mark.parametrize(
    ("days", "left", "status"),
    [
        (3, "3", "Commande ouverte"),
        (2, "2", "Commande ouverte La date limite approche !"),
        (0, "0", "Commande ouverte La date limite approche !"),
        (-1, "échue", "En attente de validation"),
    ],
)
def test_status_of_an_open_order_is_told_by_the_clock(
    client: Client, bookseller: User, days: int, left: str, status: str
) -> None:
    GroupedOrderFactory(deadline=in_days(days))

    (row,) = rows(Page(client.get(tab(OrderStatus.OPEN))))

    assert (row[2], row[3]) == (left, status)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"remote_code": "PREPARATION", "remote_label": "Préparation commande"}, "En attente de traitement"),
        (
            {"remote_code": "RECEIVED", "remote_label": "Réceptionnée"},
            "En attente de traitement Prête à mettre à disposition",
        ),
        (
            {"remote_code": "CANCELLED", "remote_label": "Annulée"},
            "En attente de traitement LIBRISOFT : Annulée",
        ),
        (
            {"transmission": Transmission.REFUSED, "error": "EAN inconnu"},
            "En attente de traitement LIBRISOFT : Refusée",
        ),
        (
            {"librisoft_number": "6767", "second_number": "6768"},
            "En attente de traitement LIBRISOFT : un second numéro (6768)",
        ),
    ],
)
def test_status_of_an_order_at_librisoft_asks_for_attention(
    client: Client, bookseller: User, facts: dict[str, Any], status: str
) -> None:
    order_in(OrderStatus.AWAITING_PROCESSING)
    ShopOrder.objects.update(**facts)

    (row,) = rows(Page(client.get(tab(OrderStatus.AWAITING_PROCESSING))))

    assert (row[2], row[3]) == ("—", status)


@pytest.fixture
def sought() -> GroupedOrder:
    """An order at LIBRISOFT whose three numbers, and whatever else one may look for, are its own."""
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE")
    GroupedOrderFactory(deadline=in_days(1))
    order = GroupedOrderFactory(
        pk=62062,
        collectivity=collectivity,
        book=BookFactory(ean13="9782362210419", title="WESTERN COQUILLETTES"),
        initiator=UserFactory(email="approbateur@victorprouve.example", collectivity=collectivity),
        deadline=in_days(-1),
    )
    paid(order, first_name="Noé", last_name="Guidoni", email="noe.guidoni@gmail.example")
    paid(order, first_name="Louise", last_name="Grandville", email="louise@free.example")
    GroupedOrder.objects.filter(pk=order.pk).update(
        status=OrderStatus.AWAITING_PROCESSING,
        validated_at=order.created_at,
        shop_order=ShopOrder.objects.create(
            pk=637637,
            group_order_number=order.pk,
            ordered_at=order.created_at,
            billing_address={},
            delivery_address={},
            payments=[],
            librisoft_number="6767",
        ),
    )
    return order


@pytest.mark.parametrize(
    "sought_for",
    [
        "62062",
        "n°62062",
        "637637",
        "6767",
        "victor prouve",
        "9782362210419",
        "978-2-36221-041-9",
        "coquillettes",
        "guidoni",
        "Louise Grandville",
        "NOE.GUIDONI@gmail.example",
        "approbateur@victorprouve.example",
        "prouve coquillettes",
        "collège prouvé",
    ],
)
def test_search_finds_the_order_by(client: Client, bookseller: User, sought: GroupedOrder, sought_for: str) -> None:
    page = Page(client.get(LIST, {"q": sought_for}))

    assert numbers(page) == ["62062"]
    assert tabs(page) == [
        ("En attente de validation (0)", None),
        ("En attente de traitement (1)", None),
        ("Clôturées (0)", None),
        ("Annulées (0)", None),
    ]


@pytest.mark.parametrize("sought_for", ["62063", "676", "99999999999999999999", "Louise Guidoni", "²", "zorro"])
def test_search_finds_nothing_for(client: Client, bookseller: User, sought: GroupedOrder, sought_for: str) -> None:
    page = Page(client.get(LIST, {"q": sought_for}))

    assert numbers(page) == []
    assert f"Aucune commande groupée ne correspond à « {sought_for} »." in page.main


def test_search_leaves_the_sums_alone(client: Client, bookseller: User) -> None:
    order = GroupedOrderFactory(deadline=in_days(1))
    for name in ("Louise", "Louis", "Louison"):
        paid(order, first_name=name)

    (row,) = rows(Page(client.get(LIST, {"q": "louis"})))

    assert (row[0], row[6], row[7]) == (str(order.pk), "3", "19,20 €")


def test_search_looks_in_all_tabs_and_tabs_narrow_it(client: Client, bookseller: User) -> None:
    made = {each: order_in(each, book=BookFactory(title="WESTERN")) for each in OrderStatus}

    everywhere = Page(client.get(LIST, {"q": "western"}))
    narrowed = Page(client.get(LIST, {"q": "western", "status": OrderStatus.CLOSED}))

    assert numbers(everywhere) == sorted((str(order.pk) for order in made.values()), key=int, reverse=True)
    assert numbers(narrowed) == [str(made[OrderStatus.CLOSED].pk)]
    assert everywhere.links()["Vider le filtre"] == LIST


def test_list_is_read_in_pages(client: Client, bookseller: User) -> None:
    orders = GroupedOrderFactory.create_batch(26, deadline=in_days(1), collectivity=CollectivityFactory())

    first, second = (Page(client.get(tab(OrderStatus.OPEN) + f"&page={number}")) for number in (1, 2))

    assert numbers(first) == [str(order.pk) for order in orders[:25]]
    assert numbers(second) == [str(orders[25].pk)]
    assert first.links()["Page 2"] == f"?status={OrderStatus.OPEN}&page=2"


def test_list_costs_the_same_for_one_order_or_many(
    client: Client, bookseller: User, django_assert_num_queries: Callable[..., Any]
) -> None:
    for count in (1, 5):
        for _nth in range(count):
            order_in(OrderStatus.AWAITING_PROCESSING)
        # session, account, two for the rights, counts, rows
        with django_assert_num_queries(6):
            client.get(tab(OrderStatus.AWAITING_PROCESSING))
