"""The buyer's pages: what the form refuses and how it says so, and the truth about each payment."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from grouped_orders import checkout, lifecycle
from grouped_orders.models import GroupedOrder, Payment, SubOrder
from grouped_orders.models.order import deadline_end
from grouped_orders.statuses import HandMethod, PaymentMethod, PaymentState, SubOrderStatus
from tests.factories import BookshopFactory, GroupedOrderFactory, SubOrderFactory, TermsFactory, UserFactory
from tests.pages import Page
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db

DEADLINE = date(2026, 11, 25)
NOON = datetime.fromisoformat("2026-11-24T12:00:00+01:00")
TYPED = {"first_name": "Louise", "last_name": "Grandville", "email": "louise@free.example", "quantity": "2"}


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def order() -> GroupedOrder:
    BookshopFactory()
    return GroupedOrderFactory(deadline=DEADLINE, collectivity__name="COLLEGE VICTOR PROUVE")


def form_url(order: GroupedOrder) -> str:
    return reverse("buyer:register", args=[order.public_id])


def payment_url(sub_order: SubOrder) -> str:
    return reverse("buyer:payment", args=[sub_order.secret])


def own_page(client: Client, sub_order: SubOrder, query: str = "") -> Page:
    return Page(client.get(reverse("buyer:sub_order", args=[sub_order.secret]) + query))


# The form -------------------------------------------------------------------------------------


def test_form_shows_the_order_and_nobody_else(client: Client, order: GroupedOrder) -> None:
    SubOrderFactory(grouped_order=order, first_name="Zénobie", last_name="Autrui", email="autrui@free.example")
    page = Page(client.get(form_url(order)))
    assert page.facts() == {
        "Commande initiée par": "COLLEGE VICTOR PROUVE",
        "Date limite de commande": "mercredi 25 novembre 2026 à minuit",
        "Statut": "Commande ouverte",
        "Adresse de mise à disposition": "ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE",
    }
    assert page.fields() == {"first_name": "", "last_name": "", "email": "", "quantity": "1"}
    assert not {"Autrui", "Zénobie", "autrui@free.example"} & set(page.main.split())


def test_subscribing_leads_to_the_payment_page(client: Client, order: GroupedOrder) -> None:
    answer = client.post(form_url(order), TYPED)
    sub_order = SubOrder.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, payment_url(sub_order))
    assert (sub_order.full_name, sub_order.email, sub_order.quantity, sub_order.total, sub_order.status) == (
        "Louise Grandville",
        "louise@free.example",
        2,
        Decimal("12.80"),
        SubOrderStatus.PENDING,
    )


QUANTITY_WHOLE = "Écrivez un nombre entier d’exemplaires, par exemple 2."
NAME_LINE = "Écrivez ce nom sur une seule ligne, avec des lettres, des espaces, des tirets ou des apostrophes."
EMAIL_WRONG = "Cette adresse e-mail n’est pas complète : vérifiez-la, par exemple prenom.nom@exemple.be."


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("quantity", "", "Écrivez le nombre d’exemplaires, par exemple 1."),
        ("quantity", "0", "Commandez au moins 1 exemplaire."),
        ("quantity", "-1", "Commandez au moins 1 exemplaire."),
        ("quantity", "1.5", QUANTITY_WHOLE),
        ("quantity", "1,5", QUANTITY_WHOLE),
        ("quantity", "deux", QUANTITY_WHOLE),
        ("quantity", "10 000", QUANTITY_WHOLE),
        ("quantity", "10000", "Commandez au plus 999 exemplaires ; pour davantage, écrivez à la librairie."),
        ("quantity", "9" * 5000, QUANTITY_WHOLE),
        ("last_name", "", "Écrivez votre nom."),
        ("last_name", "    ", "Écrivez votre nom."),
        ("last_name", "---", "Écrivez votre nom."),
        ("last_name", "x" * 300, "Ce nom est trop long : 60 caractères au plus. Abrégez-le."),
        ("last_name", "Grand\nville", NAME_LINE),
        ("last_name", "Grand\r\nBcc: tous", NAME_LINE),
        ("last_name", "Grand\u2028ville", NAME_LINE),
        ("last_name", "Grand\x1bville", NAME_LINE),
        ("last_name", "Grand\u202eville", NAME_LINE),
        ("first_name", "", "Écrivez votre prénom."),
        ("email", "", "Écrivez votre adresse e-mail : votre confirmation y est envoyée."),
        ("email", "louise", EMAIL_WRONG),
        ("email", "louise@free", EMAIL_WRONG),
        ("email", "louise@free.example\nBcc: tous@free.example", EMAIL_WRONG),
    ],
)
def test_refusal_says_how_to_mend_and_keeps_what_was_typed(
    client: Client, order: GroupedOrder, field: str, typed: str, sentence: str
) -> None:
    page = Page(client.post(form_url(order), {**TYPED, field: typed}))
    assert page.status == 422
    assert page.errors()[field][-1] == sentence
    assert page.title.startswith("Erreur :")
    kept = page.fields()
    assert {name: kept[name] for name in TYPED if name != field} == {n: v for n, v in TYPED.items() if n != field}
    assert kept[field].split() == typed.replace("\x1b", " ").split() or typed in ("Grand\x1bville",)
    assert SubOrder.objects.count() == 0


@pytest.mark.parametrize("name", ["O’Brien", "N'Diaye", "Zoë-Marie", "Đặng", "李雷", "d’Ursel", "=1+1", "<b>Bob</b>"])
def test_names_of_every_kind_are_taken_as_they_are(client: Client, order: GroupedOrder, name: str) -> None:
    client.post(form_url(order), {**TYPED, "last_name": name})
    assert SubOrder.objects.get().last_name == name


def test_same_address_twice_is_asked_about_and_not_refused(client: Client, order: GroupedOrder) -> None:
    client.post(form_url(order), TYPED)
    page = Page(client.post(form_url(order), {**TYPED, "email": "LOUISE@free.example"}))
    assert "Une commande avec cette adresse e-mail existe déjà dans cet achat groupé." in page.main
    assert SubOrder.objects.count() == 1
    client.post(form_url(order), {**TYPED, "again": "1"})
    assert SubOrder.objects.count() == 2


@pytest.mark.parametrize("write", [str.lower, lambda public_id: public_id.replace("0", "O").replace("1", "l")])
def test_public_id_is_read_as_people_type_it(client: Client, order: GroupedOrder, write: Any) -> None:
    assert client.get(reverse("buyer:register", args=[write(order.public_id)])).status_code == 200


@pytest.mark.parametrize("public_id", ["01FZWAX30MTN9B3Y4E0NX2PHM5", "x", "é", "1" * 200, "62"])
def test_unknown_link_is_one_404(client: Client, order: GroupedOrder, public_id: str) -> None:
    answer = client.get(f"/order/grouped/suborder/registration/{public_id}")
    assert (answer.status_code, Page(answer).main) == (404, Page(client.get("/nulle-part/")).main)


# The deadline ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "status", "written"), [(-1, 302, 1), (0, 409, 0)])
def test_deadline_decides_to_the_second_whatever_the_browser_sends(
    client: Client, order: GroupedOrder, noon: Any, seconds: int, status: int, written: int
) -> None:
    noon.move_to(deadline_end(DEADLINE) + timedelta(seconds=seconds))
    answer = client.post(form_url(order), TYPED)
    assert (answer.status_code, SubOrder.objects.count()) == (status, written)


def test_closed_order_says_so_kindly_and_offers_no_form(client: Client, order: GroupedOrder, noon: Any) -> None:
    noon.move_to(deadline_end(DEADLINE))
    page = Page(client.get(form_url(order)))
    assert (page.status, page.tree.xpath("//main//form")) == (200, [])
    assert "La date limite (25/11/2026) est passée : il n’est plus possible de commander." in page.main
    assert "contact@dlivre.example" in page.main


def test_cancelled_and_validated_orders_refuse(client: Client, order: GroupedOrder, noon: Any) -> None:
    bookseller = UserFactory(is_staff=True)
    sub_order = SubOrderFactory(grouped_order=order)
    checkout.record_by_hand(sub_order, method=HandMethod.SHOP, reference="1", by=bookseller, now=NOON)
    noon.move_to(deadline_end(DEADLINE))
    lifecycle.validate(order, by=bookseller, now=timezone.now())
    answer = client.post(form_url(order), TYPED)
    assert answer.status_code == 409
    assert "déjà partie chez le libraire" in Page(answer).main
    checkout.cancel_order(order, by=bookseller, reason="Épuisé", now=timezone.now())
    assert "a été annulée" in Page(client.get(form_url(order))).main
    assert SubOrder.objects.count() == 1


# Paying ---------------------------------------------------------------------------------------


@pytest.fixture
def sub_order(order: GroupedOrder) -> SubOrder:
    TermsFactory(version="2026-09")
    return SubOrderFactory(grouped_order=order, first_name="Louise", last_name="Grandville", quantity=2)


def test_payment_page_shows_what_is_due(
    client: Client, sub_order: SubOrder, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    page = Page(client.get(payment_url(sub_order)))
    title = "LE LIVRE QU’IL NE FAUT PAS LIRE"
    ean13 = sub_order.grouped_order.book.ean13
    assert page.rows(0) == [[f"{title} (EAN {ean13})", "2", "6,40 €", "12,80 €"]]
    assert page.rows(1) == [["Sous-total TTC", "12,80 €"], ["Frais de port", "0,00 €"], ["Total TTC", "12,80 €"]]
    assert page.fields() == {"method": "", "terms": ""}
    assert [button.text_content() for button in page.tree.xpath("//main//button")] == [
        "Commander et payer · 12,80\u00a0€"
    ]


def test_payment_needs_a_method_and_the_conditions(
    client: Client, sub_order: SubOrder, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    page = Page(client.post(payment_url(sub_order), {"method": "CARD"}))
    assert (page.status, page.errors()) == (
        422,
        {"terms": ["Pour commander, cochez la case : les Conditions générales de vente s’appliquent."]},
    )
    assert page.fields()["method"] == "CARD"
    page = Page(client.post(payment_url(sub_order), {"terms": "on", "method": "BITCOIN"}))
    assert page.errors() == {"method": ["Ce mode de paiement n’est plus proposé : choisissez-en un autre."]}
    assert Payment.objects.count() == 0


@pytest.mark.parametrize("method", [PaymentMethod.PAYPAL, PaymentMethod.CARD])
def test_straight_path_ends_paid(
    client: Client,
    sub_order: SubOrder,
    method: PaymentMethod,
    paypal_simulator: Simulator,
    card_simulator: Simulator,
    noon: Any,
) -> None:
    # The card provider's own clock is the real one, and its page lives half an hour.
    noon.move_to(time_machine.escape_hatch.datetime.datetime.now(UTC))
    sub_order.grouped_order.deadline = timezone.localdate()
    sub_order.grouped_order.save()
    provider = paypal_simulator if method == PaymentMethod.PAYPAL else card_simulator
    answer = client.post(payment_url(sub_order), {"method": method, "terms": "on"})
    assert answer.status_code == 303
    back = client.get(provider.pay(answer["Location"]).removeprefix("http://127.0.0.1:8000"))
    page = Page(client.get(back["Location"]))
    assert "Votre commande est payée. Merci !" in page.main
    sub_order.refresh_from_db()
    assert (sub_order.status, sub_order.terms.version) == (SubOrderStatus.PAID, "2026-09")
    assert provider.ledger()["total"] == "12.80"
    assert client.get(payment_url(sub_order))["Location"] == reverse("buyer:sub_order", args=[sub_order.secret])


def test_provider_that_does_not_answer_loses_nothing(
    client: Client, sub_order: SubOrder, paypal_simulator: Simulator
) -> None:
    paypal_simulator.fault("status", match="POST /v2/checkout/orders", times=0, status=503)
    page = Page(client.post(payment_url(sub_order), {"method": "PAYPAL", "terms": "on"}))
    assert "Le service de paiement ne répond pas. Rien n’a été débité" in page.main
    assert page.fields()["method"] == "PAYPAL"


# One's own page -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "facts", "query", "sentence"),
    [
        (PaymentState.CAPTURING, {}, "", "Nous vérifions votre paiement."),
        (PaymentState.PENDING, {}, "", "Nous vérifions votre paiement."),
        (PaymentState.REDIRECTED, {}, "?retour=0", "Nous vérifions votre paiement."),
        (PaymentState.REDIRECTED, {}, "", "Un paiement est commencé et n’est pas terminé."),
        (PaymentState.REDIRECTED, {"reason": "INSTRUMENT_DECLINED"}, "?retour=0", "Le paiement a été refusé."),
        (PaymentState.FAILED, {}, "", "Le paiement a été refusé. Rien n’a été débité."),
        (PaymentState.ABANDONED, {}, "", "Vous avez annulé le paiement. Rien n’a été débité."),
        (PaymentState.SUPERSEDED, {"reason": "Trop tard"}, "", "Votre paiement n’a pas été débité."),
        (PaymentState.EXPIRED, {}, "", "Votre commande n’est pas encore payée."),
    ],
)
def test_own_page_tells_the_truth(
    client: Client, sub_order: SubOrder, state: str, facts: dict[str, str], query: str, sentence: str
) -> None:
    Payment.objects.create(sub_order=sub_order, method=PaymentMethod.PAYPAL, amount=12, state=state, **facts)
    page = own_page(client, sub_order, query)
    assert sentence in page.main
    assert "échec" not in page.main.lower()
    offers = any("Payer" in link for link in page.links())
    assert offers == (state not in (PaymentState.CAPTURING, PaymentState.PENDING))


def test_own_page_is_private(client: Client, sub_order: SubOrder) -> None:
    answer = client.get(reverse("buyer:sub_order", args=[sub_order.secret]))
    assert (answer["Cache-Control"], answer["X-Robots-Tag"], answer["Referrer-Policy"]) == (
        "no-store",
        "noindex",
        "same-origin",
    )
    for guess in (str(sub_order.pk), sub_order.grouped_order.public_id, sub_order.secret[:-1]):
        assert client.get(reverse("buyer:sub_order", args=[guess])).status_code == 404


def test_cancelled_and_refunded_is_said(client: Client, sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    page = checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=None, now=NOON)
    paypal_simulator.pay(page)
    checkout.settle(sub_order.payments.get(), now=NOON)
    checkout.cancel_order(sub_order.grouped_order, by=UserFactory(), reason="Épuisé", now=NOON)
    assert "12,80 € vous sont remboursés : le remboursement est en cours." in own_page(client, sub_order).main
    checkout.send_refund(sub_order.payments.get().captures.get().refunds.get(), now=NOON)
    assert "12,80 € vous ont été remboursés le 24/11/2026." in own_page(client, sub_order).main


# The providers' doors -------------------------------------------------------------------------


def test_forged_returns_change_nothing(client: Client, sub_order: SubOrder, paypal_simulator: Simulator) -> None:
    page = checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=None, now=NOON)
    paypal_simulator.pay(page)
    payment = sub_order.payments.get()
    other = SubOrderFactory(grouped_order=sub_order.grouped_order)
    assert client.get(reverse("payments:returned", args=[other.secret, payment.public_id])).status_code == 404
    mine = reverse("payments:returned", args=[sub_order.secret, payment.public_id])
    client.get(f"{mine}?token=AUTRE&PayerID=X")
    payment.refresh_from_db()
    assert (payment.state, paypal_simulator.ledger()["total"]) == (PaymentState.REDIRECTED, "0.00")
    client.get(mine)
    payment.refresh_from_db()
    assert (payment.state, paypal_simulator.ledger()["total"]) == (PaymentState.CAPTURED, "12.80")


@pytest.mark.parametrize("door", ["payments:paypal_webhook", "payments:card_webhook"])
def test_unproved_webhooks_are_refused(
    client: Client, door: str, paypal_simulator: Simulator, card_simulator: Simulator
) -> None:
    forged = {"id": "WH-1", "event_type": "CHECKOUT.ORDER.APPROVED", "type": "checkout.session.completed"}
    assert client.post(reverse(door), forged, content_type="application/json").status_code == 400
    assert client.post(reverse(door), b"x" * 1_000_001, content_type="application/json").status_code == 413
    assert client.get(reverse(door)).status_code == 405


@pytest.mark.parametrize("door", ["payments:paypal_webhook", "payments:card_webhook"])
def test_webhook_of_a_provider_the_shop_does_not_have_is_not_found(client: Client, door: str) -> None:
    assert client.post(reverse(door), {}, content_type="application/json").status_code == 404


@pytest.mark.parametrize("typed", ["²", "9" * 5000, "-1", "x"])
def test_own_page_bears_any_query(client: Client, sub_order: SubOrder, typed: str) -> None:
    assert own_page(client, sub_order, f"?retour={typed}").status == 200
