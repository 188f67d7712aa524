"""Refunds as the bookseller makes and follows them; each story ends with the provider's own ledger."""

import pytest
from django.test import Client
from django.utils import timezone

from collectivities.models import User
from grouped_orders import checkout
from grouped_orders.clock import send_refunds
from grouped_orders.models import Mail, Refund, SubOrder
from grouped_orders.statuses import OrderStatus, PaymentMethod, RefundState, SubOrderStatus
from tests.factories import GroupedOrderFactory, SubOrderFactory
from tests.grouped_orders.admin.story import in_days, order_in, paid, rows
from tests.pages import Page, words
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db

LIST = "/admin/grouped_orders/unfinishedrefund/"


def page_of(sub_order: SubOrder) -> str:
    return f"/admin/grouped_orders/groupedorder/{sub_order.grouped_order_id}"


def post(client: Client, page: str, **typed: str) -> list[str]:
    answer = client.post(page, typed, follow=True)
    assert [code for _page, code in answer.redirect_chain] == [302]
    return [words(line) for line in Page(answer).tree.xpath("//ul[@class='messagelist']/li")]


def refund(client: Client, sub_order: SubOrder, amount: str, left: str = "12.80", **typed: str) -> list[str]:
    typed = {"refund": "ONLINE", "reason": "Livre abîmé", **typed}
    return post(client, f"{page_of(sub_order)}/sub-orders/{sub_order.pk}/refund/", amount=amount, left=left, **typed)


def pay(simulator: Simulator, method: PaymentMethod) -> SubOrder:
    """12,80 €, paid online."""
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=in_days(1)), quantity=2)
    simulator.pay(checkout.start(sub_order, method=method, terms=None, now=timezone.now()))
    checkout.settle(sub_order.payments.get(), now=timezone.now())
    return sub_order


@pytest.fixture
def by_paypal(paypal_simulator: Simulator) -> SubOrder:
    return pay(paypal_simulator, PaymentMethod.PAYPAL)


@pytest.fixture
def by_card(card_simulator: Simulator) -> SubOrder:
    return pay(card_simulator, PaymentMethod.CARD)


def made() -> list[tuple[str, str, str]]:
    return [(str(r.amount), r.source, r.state) for r in Refund.objects.order_by("pk")]


def moved(simulator: Simulator) -> list[tuple[str, str]]:
    return [(kind, amount) for kind, amount, _reference in simulator.moved()]


def status(sub_order: SubOrder) -> str:
    return SubOrder.objects.values_list("status", flat=True).get(pk=sub_order.pk)


# A part, or the whole --------------------------------------------------------------------------


def test_part_is_refunded_once_and_everybody_is_told(
    client: Client, bookseller: User, by_paypal: SubOrder, paypal_simulator: Simulator
) -> None:
    said = [refund(client, by_paypal, "5,00 €") for _double_click in range(2)]
    send_refunds()

    assert said == [
        ["Remboursement de 5,00 € demandé."],
        ["Un remboursement de ce paiement vient d’être demandé : vérifiez ce qu’il en reste."],
    ]
    assert (status(by_paypal), made()) == (SubOrderStatus.PAID, [("5.00", "ONLINE", "DONE")])
    (row,) = rows(Page(client.get(f"{page_of(by_paypal)}/change/")), under="sub-orders")
    assert row[6] == "Payée PayPal : Encaissé Remboursé : 5,00 €"
    today = timezone.localdate()
    assert f"5,00 € vous ont été remboursés le {today:%d/%m/%Y}." in Page(client.get(by_paypal.url)).main
    mail = " ".join(Mail.objects.get(kind="refund_done").text.split())
    assert "C’est une partie des 12,80 € que vous aviez payés. Votre commande n’est pas annulée." in mail
    assert moved(paypal_simulator) == [("capture", "12.80"), ("refund", "5.00")]


def test_rest_is_refunded_by_card_in_two_times(
    client: Client, bookseller: User, by_card: SubOrder, card_simulator: Simulator
) -> None:
    refund(client, by_card, "5")
    refund(client, by_card, "7.80", left="7.80")
    send_refunds()

    assert made() == [("5.00", "ONLINE", "DONE"), ("7.80", "ONLINE", "DONE")]
    assert refund(client, by_card, "0,01", left="0.01") == ["Il ne reste rien à rembourser pour cette sous-commande."]
    assert moved(card_simulator) == [("capture", "12.80"), ("refund", "5.00"), ("refund", "7.80")]


def test_cancelling_after_a_part_gives_back_the_rest(
    client: Client, bookseller: User, by_paypal: SubOrder, paypal_simulator: Simulator
) -> None:
    refund(client, by_paypal, "5,00")
    post(client, f"{page_of(by_paypal)}/sub-orders/{by_paypal.pk}/cancel/", refund="ONLINE", reason="À sa demande")
    send_refunds()

    assert (status(by_paypal), made()) == (
        SubOrderStatus.CANCELLED,
        [("5.00", "ONLINE", "DONE"), ("7.80", "ONLINE", "DONE")],
    )
    assert paypal_simulator.ledger()["total"] == "0.00"


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("", "Saisissez le montant à rembourser."),
        ("0", "Le montant doit être supérieur à zéro."),
        ("0,00 €", "Le montant doit être supérieur à zéro."),
        ("-5", "Un montant négatif ne se rembourse pas : saisissez un montant en euros."),
        ("12,81", "C’est plus que ce qui reste à rembourser : 12,80 €."),
        ("5,001", "Saisissez un montant en euros, au centime près : par exemple 5,00 €."),
        ("cinq", "Saisissez un montant en euros, au centime près : par exemple 5,00 €."),
        ("NaN", "Saisissez un montant en euros, au centime près : par exemple 5,00 €."),
    ],
)
def test_amount_that_cannot_be_is_explained(
    client: Client, bookseller: User, by_paypal: SubOrder, amount: str, sentence: str
) -> None:
    page = Page(
        client.post(
            f"{page_of(by_paypal)}/sub-orders/{by_paypal.pk}/refund/",
            {"amount": amount, "left": "12.80", "refund": "ONLINE", "reason": "Livre abîmé"},
        )
    )

    assert [words(line) for line in page.tree.xpath("//main//ul[contains(@class,'errorlist')]/li")] == [sentence]
    assert (page.status, made()) == (422, [])


def test_paid_by_hand_is_refunded_by_hand_only(client: Client, bookseller: User) -> None:
    sub_order = paid(GroupedOrderFactory(deadline=in_days(1)))
    page = Page(client.get(f"{page_of(sub_order)}/sub-orders/{sub_order.pk}/refund/"))

    said = refund(client, sub_order, "2", left="6.40", refund="BY_HAND", note="en espèces")

    assert [words(label) for label in page.tree.xpath("//main//fieldset//label")] == ["Remboursé à la main"]
    assert said == ["Remboursement de 2,00 € noté."]
    assert (status(sub_order), made()) == (SubOrderStatus.PAID, [("2.00", "BY_HAND", "DONE")])


# Refused, retried, followed to the end ---------------------------------------------------------


def test_refused_refund_is_explained_and_retried_once(
    client: Client, bookseller: User, by_paypal: SubOrder, paypal_simulator: Simulator
) -> None:
    paypal_simulator.fault("refund_refused")
    refund(client, by_paypal, "12,80")
    send_refunds()
    failed = Refund.objects.get()
    (row,) = rows(Page(client.get(LIST)))

    assert refund(client, by_paypal, "5")[0].startswith("Un remboursement de ce paiement a échoué")
    said = [post(client, f"{page_of(by_paypal)}/refunds/{failed.pk}/retry/") for _double_click in range(2)]
    send_refunds()

    assert row[4] == (
        "Échoué Le compte du prestataire n’a pas assez d’argent : approvisionnez-le, puis réessayez. "
        "(REFUND_FAILED_INSUFFICIENT_FUNDS)"
    )
    assert said == [
        ["Remboursement de 12,80 € demandé à nouveau."],
        ["Ce remboursement n’est plus à réessayer."],
    ]
    assert made() == [("12.80", "ONLINE", "FAILED"), ("12.80", "ONLINE", "DONE")]
    assert Page(client.get(LIST)).tree.xpath("//main//table") == []
    assert moved(paypal_simulator) == [("capture", "12.80"), ("refund", "12.80")]


def test_refused_refund_is_given_back_by_hand(
    client: Client, bookseller: User, by_paypal: SubOrder, paypal_simulator: Simulator
) -> None:
    paypal_simulator.advance(181 * 24 * 3600)
    refund(client, by_paypal, "5")
    send_refunds()
    failed = Refund.objects.get()
    assert failed.error == "REFUND_TIME_LIMIT_EXCEEDED"

    said = post(client, f"{page_of(by_paypal)}/refunds/{failed.pk}/done/", note="virement n° 4471")

    assert said == ["Remboursement de 5,00 € noté."]
    assert made() == [("5.00", "BY_HAND", "DONE")]
    assert [r.note for r in Refund.objects.all()] == ["virement n° 4471"]
    assert moved(paypal_simulator) == [("capture", "12.80")]


@pytest.mark.parametrize(("end", "state"), [("succeeded", RefundState.DONE), ("failed", RefundState.FAILED)])
def test_pending_refund_is_followed_to_its_end(
    client: Client, bookseller: User, by_card: SubOrder, card_simulator: Simulator, end: str, state: RefundState
) -> None:
    card_simulator.fault("refund_pending")
    refund(client, by_card, "12,80")
    send_refunds()
    under_way = Refund.objects.get()
    assert under_way.state == RefundState.PENDING
    card_simulator.decide(f"refunds/{under_way.provider_id}", status=end)

    checkout.send_refund(under_way, now=timezone.now())

    assert made() == [("12.80", "ONLINE", state)]
    assert card_simulator.ledger()["total"] == ("0.00" if end == "succeeded" else "12.80")


# « À rembourser » ------------------------------------------------------------------------------


def test_list_holds_what_is_not_done(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.CANCELLED)
    waiting = Refund.objects.get()
    sub_order = order.sub_orders.get()
    page = Page(client.get(LIST))

    assert page.links() == {
        f"n° {order.pk}": f"{page_of(sub_order)}/change/",
        f"Remboursé à la main (sous-commande n° {sub_order.pk})": f"{page_of(sub_order)}/refunds/{waiting.pk}/done/",
    }
    (row,) = rows(page)
    assert row[:5] == [
        f"n° {order.pk}",
        f"n° {sub_order.pk}, Louise Grandville",
        "6,40 €",
        "Réglé à la librairie",
        "À rembourser à la main",
    ]
    post(client, f"{page_of(sub_order)}/refunds/{waiting.pk}/done/", note="en espèces")
    assert words(Page(client.get(LIST)).with_class("nothing")[0]) == "Rien n’est à rembourser : tout est fait."


def test_list_is_in_the_menu(client: Client, bookseller: User) -> None:
    assert "À rembourser" in [words(link) for link in Page(client.get("/admin/")).tree.xpath(f"//a[@href='{LIST}']")]


def test_list_is_not_for_a_trainee(client: Client, trainee: User) -> None:
    assert client.get(LIST).status_code == 403


@pytest.mark.parametrize("action", ["sub-orders/{sub}/refund", "refunds/{refund}/retry", "refunds/{refund}/done"])
def test_trainee_gives_nothing_back(client: Client, trainee: User, action: str) -> None:
    order = order_in(OrderStatus.CANCELLED)
    waiting, sub_order = Refund.objects.get(), order.sub_orders.get()
    page = f"{page_of(sub_order)}/{action.format(sub=sub_order.pk, refund=waiting.pk)}/"

    assert client.post(page, {"note": "Fait"}).status_code == 403
    assert made() == [("6.40", "BY_HAND", "REQUESTED")]
