from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from collectivities.models import User
from grouped_orders import checkout
from grouped_orders.clock import send_refunds
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import GroupedOrder, JournalEntry, LedgerDifference, Mail, Payment, Refund, SubOrder
from grouped_orders.statuses import (
    HandMethod,
    OrderStatus,
    PaymentMethod,
    PaymentState,
    RefundState,
    SubOrderStatus,
)
from tests.factories import GroupedOrderFactory, SubOrderFactory
from tests.grouped_orders.admin.story import in_days, order_in, paid
from tests.pages import Page, words
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> GroupedOrder:
    return GroupedOrderFactory(deadline=in_days(1))


def url(sub_order: SubOrder, action: str) -> str:
    return f"/admin/grouped_orders/groupedorder/{sub_order.grouped_order_id}/sub-orders/{sub_order.pk}/{action}/"


def post(client: Client, page: str, **typed: str) -> list[str]:
    answer = client.post(page, typed, follow=True)
    assert [code for _page, code in answer.redirect_chain] == [302]
    return [words(line) for line in Page(answer).tree.xpath("//ul[@class='messagelist']/li")]


def status(sub_order: SubOrder) -> str:
    return SubOrder.objects.values_list("status", flat=True).get(pk=sub_order.pk)


# « Valider » -----------------------------------------------------------------------------------


def test_pay_asks_how_and_what_proves_it(client: Client, bookseller: User, order: GroupedOrder) -> None:
    sub_order = SubOrderFactory(grouped_order=order, first_name="Noé", last_name="Guidoni", email="noe@g.example")

    page = Page(client.get(url(sub_order, "pay")))

    assert words(page.tree.find(".//h1")) == f"Valider la sous-commande n° {sub_order.pk}"
    assert page.facts() == {
        "Sous-commande": f"n° {sub_order.pk}",
        "Acheteur": "Noé Guidoni, noe@g.example",
        "Quantité": "1",
        "Total TTC": "6,40 €",
    }
    assert [words(label) for label in page.tree.xpath("//main//fieldset//label")] == [
        str(method.label) for method in HandMethod
    ]
    assert status(sub_order) == SubOrderStatus.PENDING


def test_pay_records_the_payment_once(client: Client, bookseller: User, order: GroupedOrder) -> None:
    sub_order = SubOrderFactory(grouped_order=order)

    said = [post(client, url(sub_order, "pay"), method="CHEQUE", reference="n° 0419") for _twice in range(2)]

    assert said == [
        [f"Sous-commande n° {sub_order.pk} payée (6,40 €)."],
        ["Cette sous-commande n’est plus en attente de paiement."],
    ]
    payment = Payment.objects.get()
    assert (payment.method, payment.hand_method, payment.hand_reference, payment.recorded_by, payment.amount) == (
        PaymentMethod.BY_HAND,
        HandMethod.CHEQUE,
        "n° 0419",
        bookseller,
        Decimal("6.40"),
    )
    assert status(sub_order) == SubOrderStatus.PAID
    assert Mail.objects.filter(kind="sub_order_paid").count() == 1


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({}, {"method", "reference"}),
        ({"method": "CHEQUE", "reference": " "}, {"reference"}),
        ({"method": "BITCOIN", "reference": "1"}, {"method"}),
        ({"method": "CHEQUE", "reference": "9" * 81}, {"reference"}),
    ],
)
def test_pay_without_its_proof_is_asked_again(
    client: Client, bookseller: User, order: GroupedOrder, typed: dict[str, str], wrong: set[str]
) -> None:
    sub_order = SubOrderFactory(grouped_order=order)

    page = Page(client.post(url(sub_order, "pay"), typed))

    assert page.status == 422
    assert set(page.tree.xpath("//main//ul[contains(@class,'errorlist')]/@id")) == {
        f"id_{name}_error" for name in wrong
    }
    assert (status(sub_order), Payment.objects.count()) == (SubOrderStatus.PENDING, 0)


def test_pay_is_refused_once_the_order_is_cancelled(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.CANCELLED)
    sub_order = order.sub_orders.get()

    assert post(client, url(sub_order, "pay"), method="SHOP", reference="12") == [
        "Cette commande groupée est déjà validée ou annulée."
    ]


# « Annuler » -----------------------------------------------------------------------------------


def test_cancel_of_an_awaited_payment_asks_a_reason_only(client: Client, bookseller: User, order: GroupedOrder) -> None:
    sub_order = SubOrderFactory(grouped_order=order)
    page = Page(client.get(url(sub_order, "cancel")))

    said = [post(client, url(sub_order, "cancel"), reason="À sa demande") for _twice in range(2)]

    assert list(page.fields()) == ["reason"]
    assert said == [
        [f"Sous-commande n° {sub_order.pk} annulée."],
        ["Cette sous-commande est « Annulée » : annulation impossible."],
    ]
    entry = JournalEntry.objects.latest("pk")
    assert (status(sub_order), entry.reason, entry.actor) == (SubOrderStatus.CANCELLED, "À sa demande", bookseller)


@pytest.fixture
def paid_online(order: GroupedOrder, paypal_simulator: Simulator) -> SubOrder:
    """12,80 € by PayPal."""
    sub_order = SubOrderFactory(grouped_order=order, quantity=2)
    paypal_simulator.pay(checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=None, now=timezone.now()))
    checkout.settle(sub_order.payments.get(), now=timezone.now())
    return sub_order


def made() -> list[tuple[str, str, str, str]]:
    return [(str(r.amount), r.source, r.state, r.note) for r in Refund.objects.order_by("pk")]


@pytest.mark.parametrize(
    ("typed", "refunds", "left"),
    [
        ({"refund": "ONLINE"}, [("12.80", "ONLINE", "REQUESTED", "")], "0.00"),
        ({"refund": "BY_HAND", "note": "en espèces"}, [("12.80", "BY_HAND", "DONE", "en espèces")], "12.80"),
        ({"refund": "NOTHING"}, [], "12.80"),
    ],
)
def test_cancel_of_one_paid_online_does_what_was_chosen(
    client: Client,
    bookseller: User,
    paid_online: SubOrder,
    paypal_simulator: Simulator,
    typed: dict[str, str],
    refunds: list[tuple[str, str, str, str]],
    left: str,
) -> None:
    said = post(client, url(paid_online, "cancel"), reason="À sa demande", **typed)

    assert said == [f"Sous-commande n° {paid_online.pk} annulée."]
    assert (status(paid_online), made()) == (SubOrderStatus.CANCELLED, refunds)
    send_refunds()
    assert paypal_simulator.ledger()["total"] == left


def test_cancel_without_refund_keeps_the_reason(client: Client, bookseller: User, paid_online: SubOrder) -> None:
    post(client, url(paid_online, "cancel"), reason="Livre déjà remis", refund="NOTHING")

    entry = JournalEntry.objects.latest("pk")
    assert (" ".join(entry.what.split()), entry.reason, entry.actor) == (
        f"Sous-commande n° {paid_online.pk} : pas de remboursement",
        "Livre déjà remis",
        bookseller,
    )


def test_cancel_offers_three_ways_and_chooses_none(client: Client, bookseller: User, paid_online: SubOrder) -> None:
    page = Page(client.get(url(paid_online, "cancel")))

    assert ways(page) == ["Rembourser en ligne", "Remboursé à la main", "Ne rien rembourser"]
    assert page.fields() == {"refund": "", "note": "", "reason": ""}


def ways(page: Page) -> list[str]:
    return [words(label) for label in page.tree.xpath("//main//fieldset//label")]


def test_cancel_of_one_paid_by_hand_says_why_not_online(client: Client, bookseller: User, order: GroupedOrder) -> None:
    sub_order = paid(order)

    page = Page(client.get(url(sub_order, "cancel")))
    refused = client.post(url(sub_order, "cancel"), {"reason": "À sa demande", "refund": "ONLINE"})

    assert ways(page) == ["Remboursé à la main", "Ne rien rembourser"]
    assert [words(line) for line in page.tree.xpath("//main//ul[contains(@class,'notice')]/li")] == [
        "Réglée à la librairie (Chèque, 0419) : il reste 6,40 € à rembourser. "
        "Ce qui n’est pas passé par un prestataire ne peut pas être remboursé en ligne."
    ]
    assert (refused.status_code, status(sub_order), made()) == (422, SubOrderStatus.PAID, [])


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({}, "id_refund_error"),
        ({"refund": "BY_HAND", "note": " "}, "id_note_error"),
        ({"refund": "yes"}, "id_refund_error"),
    ],
)
def test_cancel_of_a_paid_one_does_not_guess(
    client: Client, bookseller: User, paid_online: SubOrder, typed: dict[str, str], wrong: str
) -> None:
    page = Page(client.post(url(paid_online, "cancel"), {"reason": "À sa demande", **typed}))

    assert page.status == 422
    assert page.tree.xpath("//main//ul[contains(@class,'errorlist')]/@id") == [wrong]
    assert (status(paid_online), made()) == (SubOrderStatus.PAID, [])


def test_cancel_of_one_paid_meanwhile_is_refused(bookseller: User, order: GroupedOrder) -> None:
    """The page was shown before the money came: nobody decided about it."""
    sub_order = paid(order)

    with pytest.raises(NotAllowed, match="dites s’il est remboursé"):
        checkout.cancel_sub_order(sub_order, by=bookseller, reason="Essai", refund=None, now=timezone.now())

    assert (status(sub_order), made()) == (SubOrderStatus.PAID, [])


def test_cancel_is_refused_once_validated(client: Client, bookseller: User) -> None:
    sub_order = order_in(OrderStatus.AWAITING_PROCESSING).sub_orders.get()

    assert post(client, url(sub_order, "cancel"), reason="Trop tard", refund="NOTHING") == [
        "Cette commande groupée est déjà validée ou annulée : ses sous-commandes ne changent plus."
    ]
    assert (status(sub_order), Refund.objects.count()) == (SubOrderStatus.PAID, 0)


@pytest.mark.parametrize("action", ["pay", "cancel", "check"])
def test_sub_order_of_another_order_is_not_found(
    client: Client, bookseller: User, order: GroupedOrder, action: str
) -> None:
    stranger = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=in_days(1)))
    page = f"/admin/grouped_orders/groupedorder/{order.pk}/sub-orders/{stranger.pk}/{action}/"

    assert client.post(page, {"reason": "Essai", "method": "SHOP", "reference": "1"}).status_code == 404
    assert status(stranger) == SubOrderStatus.PENDING


# « Vérifier » ----------------------------------------------------------------------------------


def test_check_finds_a_payment_whose_payer_never_came_back(
    client: Client, bookseller: User, order: GroupedOrder, paypal_simulator: Simulator
) -> None:
    sub_order = SubOrderFactory(grouped_order=order)
    paypal_simulator.pay(checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=None, now=timezone.now()))

    said = post(client, url(sub_order, "check"))

    assert said == [f"Vérifié. Sous-commande n° {sub_order.pk} : Payée."]
    assert (status(sub_order), Payment.objects.get().state) == (SubOrderStatus.PAID, PaymentState.CAPTURED)
    assert [entry[:2] for entry in paypal_simulator.moved()] == [("capture", "6.40")]


def test_check_of_a_page_still_open_changes_nothing(
    client: Client, bookseller: User, order: GroupedOrder, paypal_simulator: Simulator
) -> None:
    sub_order = SubOrderFactory(grouped_order=order)
    checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=None, now=timezone.now())

    said = post(client, url(sub_order, "check"))

    assert said == [f"Vérifié. Sous-commande n° {sub_order.pk} : En attente de paiement."]
    assert (status(sub_order), Payment.objects.get().state) == (SubOrderStatus.PENDING, PaymentState.REDIRECTED)


# Refunds ---------------------------------------------------------------------------------------


def test_check_of_a_paid_one_takes_in_what_the_daily_list_showed(
    client: Client, bookseller: User, order: GroupedOrder, paid_online: SubOrder, paypal_simulator: Simulator
) -> None:
    """The message of a refund made at PayPal's dashboard was lost; the comparison found it."""
    detail, button = f"/admin/grouped_orders/groupedorder/{order.pk}/change/", "//button[starts-with(., 'Vérifier')]"
    assert len(Page(client.get(detail)).tree.xpath(button)) == 0
    payment = paid_online.payments.get()
    difference = LedgerDifference(method=payment.method, provider_id="R1", what="5,00 € inconnus ici", payment=payment)
    difference.save()
    assert len(Page(client.get(detail)).tree.xpath(button)) == 1
    paypal_simulator.decide(f"captures/{payment.captures.get().provider_id}/refund", amount="5.00")

    post(client, url(paid_online, "check"))

    assert made() == [("5.00", "EXTERNAL", "DONE", "")]


def test_refund_of_money_that_does_not_count_leaves_what_counts(
    client: Client, bookseller: User, order: GroupedOrder, paypal_simulator: Simulator
) -> None:
    """A payment of another amount than was asked stays aside until a person decides."""
    sub_order = SubOrderFactory(grouped_order=order, quantity=2)
    paypal_simulator.pay(checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=None, now=timezone.now()))
    paypal_simulator.fault("wrong_amount", match="/capture", value="1.00")
    checkout.settle(sub_order.payments.get(), now=timezone.now())
    assert [row.what for row in LedgerDifference.objects.all()] == ["Montant reçu inattendu, mis de côté : 1,00 EUR"]
    page = url(sub_order, "refund")
    assert "il ne compte pas" in client.get(page).content.decode()

    post(client, page, amount="1,00", left="1.00", refund="ONLINE", reason="Montant erroné")
    send_refunds()

    assert made() == [("1.00", "ONLINE", "DONE", "")]
    assert status(sub_order) == SubOrderStatus.PENDING
    assert paypal_simulator.ledger()["total"] == "0.00"


def test_refund_by_hand_is_noted_once(client: Client, bookseller: User) -> None:
    refund = Refund.objects.get(capture__payment__sub_order__grouped_order=order_in(OrderStatus.CANCELLED))
    order = refund.capture.payment.sub_order.grouped_order
    page = f"/admin/grouped_orders/groupedorder/{order.pk}/refunds/{refund.pk}/done/"

    said = [post(client, page, note="en espèces") for _twice in range(2)]

    assert said == [
        ["Remboursement de 6,40 € noté."],
        ["Ce remboursement est déjà fait ou en cours chez le prestataire."],
    ]
    entry = JournalEntry.objects.latest("pk")
    refund.refresh_from_db()
    assert (refund.state, entry.actor, entry.reason) == (RefundState.DONE, bookseller, "à la main : en espèces")


def test_refund_by_hand_says_how(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.CANCELLED)
    refund = Refund.objects.get()

    page = Page(client.post(f"/admin/grouped_orders/groupedorder/{order.pk}/refunds/{refund.pk}/done/", {"note": " "}))

    refund.refresh_from_db()
    assert (page.status, refund.state) == (422, RefundState.REQUESTED)


def test_refund_of_another_order_is_not_found(client: Client, bookseller: User, order: GroupedOrder) -> None:
    order_in(OrderStatus.CANCELLED)
    refund = Refund.objects.get()

    answer = client.post(f"/admin/grouped_orders/groupedorder/{order.pk}/refunds/{refund.pk}/done/", {"note": "Fait"})

    refund.refresh_from_db()
    assert (answer.status_code, refund.state) == (404, RefundState.REQUESTED)
