import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from collectivities.models import User
from grouped_orders import ledger
from grouped_orders.models import LedgerDifference, Payment
from grouped_orders.statuses import OrderStatus, PaymentMethod
from tests.factories import UserFactory
from tests.grouped_orders.admin.story import order_in
from tests.pages import Page, words

pytestmark = pytest.mark.django_db

LIST = reverse("admin:grouped_orders_ledgerdifference_changelist")


def difference(provider_id: str = "C1", payment: Payment | None = None) -> LedgerDifference:
    return LedgerDifference.objects.create(
        method=PaymentMethod.PAYPAL,
        provider_id=provider_id,
        what="5,00 € remboursés chez le prestataire le 24/11/2026, inconnus ici",
        payment=payment,
    )


def settle_page(told: LedgerDifference) -> str:
    return reverse("admin:grouped_orders_ledgerdifference_settle", args=[told.pk])


def messages(answer: object) -> list[str]:
    return [words(line) for line in Page(answer).tree.xpath("//ul[@class='messagelist']/li")]


def test_list_shows_what_is_to_be_settled_and_leads_to_the_order(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)
    waiting = difference("C1", payment=Payment.objects.get())
    done = difference("C2")
    ledger.settle_difference(done, by=bookseller, note="Un litige clos", now=timezone.now())

    page = Page(client.get(LIST))
    others = Page(client.get(LIST, {"settled": "yes"}))
    everything = client.get(LIST, {"settled": "all"}).context["cl"].result_list

    assert page.tree.findtext(".//h1") == "Écarts avec les prestataires"
    result = [words(cell) for cell in page.tree.xpath("//table[@id='result_list']/tbody/tr/*")]
    assert result[:-1] == [waiting.what.replace("\u00a0", " "), f"n° {order.pk}", "Traité…", "PayPal"]
    assert page.links()[f"n° {order.pk}"] == reverse("admin:grouped_orders_groupedorder_change", args=[order.pk])
    assert page.links()["Traité…"] == settle_page(waiting)
    today = timezone.localdate().strftime("%d/%m/%Y")
    assert f"Traité le {today} par {bookseller} : Un litige clos" in others.main
    assert [told.pk for told in everything] == [done.pk, waiting.pk]


def test_settling_asks_for_a_note_and_keeps_who(client: Client, bookseller: User) -> None:
    told = difference()

    asked = Page(client.get(settle_page(told)))
    refused = Page(client.post(settle_page(told), {"note": " "}))
    answers = [client.post(settle_page(told), {"note": "Geste commercial"}, follow=True) for _twice in range(2)]

    assert (asked.status, asked.facts()["Écart"]) == (200, told.what)
    assert (refused.status, refused.tree.xpath("//ul[contains(@class,'errorlist')]/@id")) == (422, ["id_note_error"])
    assert [messages(answer) for answer in answers] == [["Écart noté « Traité »."], ["Cet écart est déjà traité."]]
    told.refresh_from_db()
    assert (told.settled_by, told.note) == (bookseller, "Geste commercial")


def test_difference_is_read_and_never_changed(client: Client, bookseller: User) -> None:
    told = difference()
    row = "admin:grouped_orders_ledgerdifference"

    read = Page(client.get(reverse(f"{row}_change", args=[told.pk])))
    refused = [
        client.post(reverse(f"{row}_change", args=[told.pk]), {}).status_code,
        client.post(reverse(f"{row}_add"), {}).status_code,
        client.post(reverse(f"{row}_delete", args=[told.pk]), {"post": "yes"}).status_code,
    ]

    assert (read.status, refused) == (200, [403, 403, 403])
    assert "Traité…" in read.links()


def test_who_may_only_look_settles_nothing(client: Client, trainee: User) -> None:
    told = difference()
    assert client.post(settle_page(told), {"note": "Vu"}).status_code == 403
    told.refresh_from_db()
    assert told.settled_at is None


def test_parent_and_initiator_are_sent_to_the_login(client: Client) -> None:
    told = difference()
    client.force_login(UserFactory())
    answer = client.get(settle_page(told))
    assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, reverse("admin:login"))
