import pytest
from django.test import Client
from django.urls import reverse

from collectivities.invitation import invite
from collectivities.models import User
from grouped_orders.models import GroupedOrder, Mail, SubOrder
from grouped_orders.statuses import MailState, OrderStatus
from tests.factories import UserFactory
from tests.grouped_orders.admin.story import order_in
from tests.pages import Page, words

pytestmark = pytest.mark.django_db

RECORDS = ["suborder", "payment", "refund", "mail", "journalentry"]


@pytest.mark.parametrize("model", RECORDS)
def test_record_is_read_and_never_changed(client: Client, bookseller: User, model: str) -> None:
    order_in(OrderStatus.CANCELLED)
    row = f"admin:grouped_orders_{model}"
    pk = client.get(reverse(f"{row}_changelist")).context["cl"].result_list[0].pk

    read = Page(client.get(reverse(f"{row}_change", args=[pk])))
    refused = [
        client.post(reverse(f"{row}_change", args=[pk]), {}).status_code,
        client.post(reverse(f"{row}_add"), {}).status_code,
        client.post(reverse(f"{row}_delete", args=[pk]), {"post": "yes"}).status_code,
    ]

    assert read.status == 200
    assert read.tree.xpath("//main//form//*[self::input[not(@type='hidden')] or self::textarea or self::select]") == []
    assert refused == [403, 403, 403]


@pytest.mark.parametrize("model", RECORDS)
def test_records_lead_to_their_order(client: Client, bookseller: User, model: str) -> None:
    order = order_in(OrderStatus.CANCELLED)

    page = Page(client.get(reverse(f"admin:grouped_orders_{model}_changelist")))

    assert page.links()[f"n° {order.pk}"] == reverse("admin:grouped_orders_groupedorder_change", args=[order.pk])


@pytest.mark.parametrize("model", RECORDS)
def test_records_are_called_by_their_name(client: Client, bookseller: User, model: str) -> None:
    page = Page(client.get(reverse(f"admin:grouped_orders_{model}_changelist")))

    names = {
        "suborder": "Sous-commandes",
        "payment": "Paiements",
        "refund": "Remboursements",
        "mail": "Mails",
        "journalentry": "Journal",
    }
    assert page.tree.findtext(".//h1") == names[model]


def test_sub_order_is_found_by_the_number_its_buyer_was_told(client: Client, bookseller: User) -> None:
    orders = [order_in(OrderStatus.OPEN) for _twice in range(2)]
    wanted = SubOrder.objects.get(grouped_order=orders[1])

    found = client.get(reverse("admin:grouped_orders_suborder_changelist"), {"q": str(wanted.pk)}).context["cl"]

    # A group order's number finds its sub-orders too, and here it may be the same one.
    same_number = SubOrder.objects.filter(grouped_order_id=wanted.pk).values_list("pk", flat=True)
    assert {sub_order.pk for sub_order in found.result_list} == {wanted.pk, *same_number}


def test_mail_of_an_account_keeps_its_link_to_itself(client: Client, bookseller: User) -> None:
    invite(UserFactory(email="camille@ecole.example"))
    order_in(OrderStatus.OPEN)
    about_the_account, about_the_order = Mail.objects.order_by("pk")

    shown = [
        client.get(reverse("admin:grouped_orders_mail_change", args=[mail.pk])).content.decode()
        for mail in (about_the_account, about_the_order)
    ]

    assert "Masqué : ce mail contient un lien personnel." in shown[0].replace("\u00a0", " ")
    assert ("/mot-de-passe/" in about_the_account.text, "/mot-de-passe/" in shown[0]) == (True, False)
    assert "Nous vous remercions" in shown[1]


def test_group_orders_are_neither_added_nor_deleted(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)

    refused = [
        client.post(reverse("admin:grouped_orders_groupedorder_add"), {}).status_code,
        client.post(reverse("admin:grouped_orders_groupedorder_delete", args=[order.pk]), {"post": "yes"}).status_code,
    ]

    assert (refused, GroupedOrder.objects.count()) == ([403, 403], 1)


def test_failed_mail_of_no_order_is_sent_again(client: Client, bookseller: User) -> None:
    invite(UserFactory())
    mail = Mail.objects.get()
    Mail.objects.update(state=MailState.FAILED, attempts=3, error="Adresse refusée")

    changelist = reverse("admin:grouped_orders_mail_changelist")
    page = Page(client.post(changelist, {"action": "resend", "_selected_action": [mail.pk]}, follow=True))

    assert "Les mails choisis repartent." in words(page.tree)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.error) == (MailState.WAITING, 0, "")
