"""« Corriger » : the bookseller mends a buyer's name or address, and the new one gets its link."""

import pytest
from django.test import Client

from collectivities.models import User
from grouped_orders.models import Mail, SubOrder
from grouped_orders.statuses import OrderStatus
from tests.factories import GroupedOrderFactory, SubOrderFactory
from tests.grouped_orders.admin.story import in_days, order_in
from tests.pages import Page

pytestmark = pytest.mark.django_db

TYPED = {"first_name": "Louise", "last_name": "Grandville", "email": "louise@ecole.example"}


def url(sub_order: SubOrder) -> str:
    return f"/admin/grouped_orders/groupedorder/{sub_order.grouped_order_id}/sub-orders/{sub_order.pk}/correct/"


def test_address_is_corrected_and_gets_the_link(client: Client, bookseller: User) -> None:
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=in_days(1)), email="luise@ecole.example")
    detail = Page(client.get(f"/admin/grouped_orders/groupedorder/{sub_order.grouped_order_id}/change/"))
    assert detail.links()[f"Corriger n° {sub_order.pk}"] == url(sub_order)
    assert client.get(url(sub_order)).status_code == 200

    client.post(url(sub_order), TYPED)

    sub_order.refresh_from_db()
    assert sub_order.email == "louise@ecole.example"
    assert [(mail.kind, mail.recipient) for mail in Mail.objects.all()] == [("buyer_corrected", "louise@ecole.example")]
    assert sub_order.journal.get().actor == bookseller


def test_what_is_typed_wrong_is_kept(client: Client, bookseller: User) -> None:
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=in_days(1)))

    answer = client.post(url(sub_order), {**TYPED, "email": "louise@"})

    assert answer.status_code == 422
    assert 'value="louise@"' in answer.content.decode()


def test_once_validated_nothing_is_corrected(client: Client, bookseller: User) -> None:
    sub_order = order_in(OrderStatus.AWAITING_PROCESSING).sub_orders.get()

    answer = client.post(url(sub_order), TYPED, follow=True)

    assert "Cette commande ne peut plus être corrigée" in answer.content.decode()
    assert SubOrder.objects.get().email == sub_order.email


def test_trainee_corrects_nothing(client: Client, trainee: User) -> None:
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=in_days(1)))

    assert client.post(url(sub_order), TYPED).status_code == 403
