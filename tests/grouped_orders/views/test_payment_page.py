"""« Paiement » : what is due, how to pay it, the conditions, and off to the provider's page."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from grouped_orders import checkout
from grouped_orders.models import GroupedOrder, Payment, SubOrder
from grouped_orders.statuses import HandMethod, PaymentMethod, PaymentState
from tests.factories import SubOrderFactory, TermsFactory, UserFactory
from tests.grouped_orders.views.story import own_url, payment_url
from tests.pages import Page
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db

ACCEPTED = {"terms": "on", "terms_version": "2026-09"}
TICK = "Pour commander, cochez la case : les Conditions générales de vente s’appliquent."


@pytest.fixture
def now(sub_order: SubOrder) -> Any:
    """The providers live by the real clock, so the order is open today."""
    GroupedOrder.objects.update(deadline=timezone.localdate() + timedelta(days=1))
    return timezone.now()


def payments() -> list[tuple[str, str, Decimal]]:
    return list(Payment.objects.order_by("pk").values_list("method", "state", "amount"))


@pytest.mark.usefixtures("noon", "paypal_simulator", "card_simulator")
def test_payment_page_shows_what_is_due(client: Client, sub_order: SubOrder) -> None:
    page = Page(client.get(payment_url(sub_order)))
    assert (page.status, page.title) == (200, "Paiement – DLIVRE")
    assert page.facts() == {"Client": "Louise Grandville", "Email": "louise@free.example"}
    assert page.rows() == [["LE LIVRE QU’IL NE FAUT PAS LIRE ! (EAN 9782362210419)", "2", "6,40 €", "12,80 €"]]
    assert page.rows(of=1) == [["Sous-total TTC", "12,80 €"], ["Frais de port", "0,00 €"], ["Total TTC", "12,80 €"]]
    assert page.main.partition("Sélection du mode de paiement ")[2] == (
        "Paiement en ligne : carte bancaire ou Bancontact. Paypal Paiement en ligne "
        "J’accepte les Conditions générales de vente (nouvel onglet) "
        "Vous allez sur la page sécurisée du prestataire de paiement, puis vous revenez ici. La librairie ne voit "
        "aucune donnée de carte. Les livres sont commandés après la date limite (mercredi 25 novembre 2026), puis mis "
        "à disposition au plus tard trente jours après. Commander et payer · 12,80 €"
    )
    assert page.links() == {"Conditions générales de vente (nouvel onglet)": "/cgv/2026-09/"}
    assert page.fields() == {"method": "", "terms": "", "terms_version": "2026-09"}


@pytest.mark.usefixtures("noon")
def test_payment_page_adds_the_shipping_fee(client: Client, sub_order: SubOrder) -> None:
    GroupedOrder.objects.update(shipping_fee=Decimal("3.00"))
    SubOrder.objects.update(total=Decimal("15.80"))
    page = Page(client.get(payment_url(sub_order)))
    assert page.rows(of=1) == [["Sous-total TTC", "12,80 €"], ["Frais de port", "3,00 €"], ["Total TTC", "15,80 €"]]


@pytest.mark.usefixtures("noon", "card_simulator")
def test_payment_page_offers_what_the_shop_has(client: Client, sub_order: SubOrder) -> None:
    page = Page(client.get(payment_url(sub_order)))
    assert page.tree.xpath("//input[@name='method']/@value") == ["CARD"]
    assert page.fields()["method"] == "CARD"


@pytest.mark.usefixtures("noon")
def test_payment_page_without_a_provider_sends_to_the_shop(client: Client, sub_order: SubOrder) -> None:
    page = Page(client.get(payment_url(sub_order)))
    assert "Le paiement en ligne n’est pas disponible en ce moment : écrivez à la librairie." in page.main
    assert page.tree.xpath("//main//button") == []


@pytest.mark.usefixtures("noon", "paypal_simulator", "card_simulator")
def test_payment_refused_says_how_to_mend_it_and_keeps_the_choice(client: Client, sub_order: SubOrder) -> None:
    page = Page(client.post(payment_url(sub_order), {"method": "CARD"}))
    assert (page.status, page.title) == (422, "Erreur : Paiement – DLIVRE")
    assert page.errors() == {"terms_version": [TICK]}  # the first field beside the sentence
    assert page.summary() == [f"Conditions générales de vente : {TICK}"]
    assert page.fields() == {"method": "CARD", "terms": "", "terms_version": "2026-09"}

    page = Page(client.post(payment_url(sub_order), ACCEPTED | {"method": "BITCOIN"}))
    assert page.errors() == {"method": ["Ce mode de paiement n’est plus proposé : choisissez-en un autre."]}
    assert page.fields() == {"method": "", "terms": "on", "terms_version": "2026-09"}
    assert payments() == []


@pytest.mark.usefixtures("noon", "card_simulator")
def test_terms_that_changed_meanwhile_are_accepted_anew(client: Client, sub_order: SubOrder) -> None:
    TermsFactory(version="2026-10", published_at=timezone.now() + timedelta(seconds=1))
    page = Page(client.post(payment_url(sub_order), ACCEPTED | {"method": "CARD"}))
    assert (page.status, page.summary()) == (422, [f"Conditions générales de vente : {TICK}"])
    assert page.fields() == {"method": "CARD", "terms": "", "terms_version": "2026-10"}
    assert page.links()["Conditions générales de vente (nouvel onglet)"] == "/cgv/2026-10/"


@pytest.mark.parametrize("method", [PaymentMethod.PAYPAL, PaymentMethod.CARD])
def test_paying_leaves_for_the_providers_page(
    client: Client,
    sub_order: SubOrder,
    now: Any,
    paypal_simulator: Simulator,
    card_simulator: Simulator,
    method: PaymentMethod,
) -> None:
    forged = {"amount": "0.01", "total": "0.01", "quantity": "1"}
    response = client.post(payment_url(sub_order), ACCEPTED | forged | {"method": method})
    assert (response.status_code, response["Location"]) == (303, Payment.objects.get().approve_url)
    assert payments() == [(method, PaymentState.REDIRECTED, Decimal("12.80"))]
    sub_order.refresh_from_db()
    assert sub_order.terms.version == "2026-09"
    assert now <= sub_order.terms_accepted_at <= timezone.now()


@pytest.mark.usefixtures("now")
def test_paying_twice_goes_to_the_same_page(
    client: Client, sub_order: SubOrder, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    pages = {client.post(payment_url(sub_order), ACCEPTED | {"method": "CARD"})["Location"] for _ in range(2)}
    assert (len(pages), payments()) == (1, [("CARD", PaymentState.REDIRECTED, Decimal("12.80"))])


@pytest.mark.usefixtures("now")
def test_provider_that_does_not_answer_took_nothing(
    client: Client, sub_order: SubOrder, paypal_simulator: Simulator
) -> None:
    paypal_simulator.fault("status", match="POST /v2/checkout/orders", times=0, status=503)
    page = Page(client.post(payment_url(sub_order), ACCEPTED | {"method": "PAYPAL"}))
    assert page.title.startswith("Erreur : Paiement")
    assert page.summary() == [
        "Le service de paiement ne répond pas. Rien n’a été débité : réessayez dans quelques minutes, ou choisissez "
        "l’autre mode de paiement."
    ]
    assert page.fields() == {"method": "PAYPAL", "terms": "on", "terms_version": "2026-09"}
    assert paypal_simulator.moved() == []
    own = Page(client.get(own_url(sub_order)))
    assert own.main.split("Payer à nouveau")[0].startswith(
        f"Ma commande n° {sub_order.pk} En attente de paiement Le service de paiement n’a pas répondu. "
        "Rien n’a été débité. Réessayez dans quelques minutes, ou choisissez l’autre mode de paiement."
    )


@pytest.mark.usefixtures("now", "paypal_simulator")
@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize("how", ["paid", "cancelled", "closed", "in doubt"])
def test_payment_that_cannot_be_goes_to_ones_own_page(
    client: Client, sub_order: SubOrder, how: str, post: bool
) -> None:
    bookseller = UserFactory()
    now = timezone.now()
    match how:
        case "paid":
            checkout.record_by_hand(sub_order, method=HandMethod.CHEQUE, reference="1", by=bookseller, now=now)
        case "cancelled":
            checkout.cancel_sub_order(sub_order, by=bookseller, reason="Erreur", refund=None, now=now)
        case "closed":
            GroupedOrder.objects.update(deadline=timezone.localdate() - timedelta(days=1))
        case "in doubt":
            Payment.objects.create(sub_order=sub_order, method="CARD", amount=sub_order.total, state="PENDING")
    before = payments()
    address = payment_url(sub_order)
    response = client.post(address, ACCEPTED | {"method": "PAYPAL"}) if post else client.get(address)
    assert (response.status_code, response.url, payments()) == (302, own_url(sub_order), before)


def test_payment_page_opens_with_its_secret_only(client: Client, sub_order: SubOrder) -> None:
    other = SubOrderFactory()
    guesses = [str(sub_order.pk), sub_order.grouped_order.public_id, sub_order.secret[:-1], other.secret.swapcase()]
    found = [client.get(f"/order/grouped/suborder/{guess}/payment/") for guess in guesses]
    assert {(answer.status_code, Page(answer).title) for answer in found} == {(404, "Page introuvable – DLIVRE")}


@pytest.mark.usefixtures("noon")
def test_payment_page_leaves_no_trace(client: Client, sub_order: SubOrder) -> None:
    answer = client.get(payment_url(sub_order))
    headers = ("Cache-Control", "X-Robots-Tag", "Referrer-Policy")
    assert [answer[header] for header in headers] == ["no-store", "noindex", "same-origin"]
