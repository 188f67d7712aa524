"""One's own page: the truth about each payment, in words, and never « échec » when it is not known."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from grouped_orders import checkout, lifecycle
from grouped_orders.models import Capture, GroupedOrder, Mail, Payment, Refund, SubOrder
from grouped_orders.statuses import HandMethod
from tests.factories import SubOrderFactory, UserFactory
from tests.grouped_orders.views.conftest import NOON
from tests.grouped_orders.views.story import own_url
from tests.pages import Page, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]

UNTIL = "Votre commande ne compte qu’une fois payée : vous avez jusqu’au mercredi 25 novembre 2026 à minuit."
AGAIN = "Payer à nouveau · 12,80 €"
RESUME = "Reprendre le paiement · 12,80 €"
VERIFY = "Vérifier mon paiement"
DO_NOT_PAY_TWICE = (
    "Ne payez pas une seconde fois : dès que le prestataire nous répond, cette page le dit et la confirmation vous est "
    "envoyée par mail."
)
UNDERWAY = (
    "Un paiement est commencé : nous ne savons pas encore s’il a abouti. Vérifiez-le d’abord. Si vous n’avez pas payé, "
    "vous pouvez le reprendre."
)
GOING_BACK = "12,80 € vous sont remboursés : le remboursement est en cours. Un mail vous dira quand il est fait."


@pytest.fixture
def attempt(sub_order: SubOrder) -> Callable[..., Payment]:
    """An attempt to pay by card in any state, written as checkout would have."""

    def create(state: str, method: str = "CARD", provider_ref: str = "cs_1", **facts: Any) -> Payment:
        facts |= {"captured_at": timezone.now()} if state == "CAPTURED" else {}
        return Payment.objects.create(
            sub_order=sub_order, method=method, amount=Decimal("12.80"), state=state, provider_ref=provider_ref, **facts
        )

    return create


def read(client: Client, sub_order: SubOrder, query: str = "") -> Page:
    return Page(client.get(own_url(sub_order) + query))


def told(page: Page) -> str:
    (box,) = page.tree.xpath("//main//*[@role='status']")
    return words(box)


def offers(page: Page) -> list[str]:
    """The buttons of the page, and the links that look like one."""
    return [words(button) for button in page.tree.xpath("//main//*[contains(@class, 'button ') or @class='button']")]


def test_own_page_shows_what_was_ordered(client: Client, sub_order: SubOrder) -> None:
    page = read(client, sub_order)
    assert (page.status, page.title) == (200, f"Ma commande n° {sub_order.pk} – DLIVRE")
    assert page.facts() == {
        "Commande initiée par": "COLLEGE VICTOR PROUVE",
        "Date limite de commande": "mercredi 25 novembre 2026 à minuit",
        "Adresse de mise à disposition": "ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE",
        "Client": "Louise Grandville",
        "Email": "louise@free.example",
        "Date d’achat": "24/11/2026 (à 12:00:00)",
    }
    assert page.rows() == [["LE LIVRE QU’IL NE FAUT PAS LIRE ! (EAN 9782362210419)", "2", "6,40 €", "12,80 €"]]
    assert page.rows(of=1)[-1] == ["Total TTC", "12,80 €"]
    assert [link for link in page.links().values() if link.startswith("mailto:")] == [
        "mailto:cdi@victorprouve.example",
        "mailto:contact@dlivre.example",
    ]


@pytest.mark.parametrize(
    ("state", "facts", "query", "says", "offered"),
    [
        ("CREATED", {}, "", UNDERWAY, [VERIFY, RESUME]),
        ("REDIRECTED", {}, "", UNDERWAY, [VERIFY, RESUME]),
        ("REDIRECTED", {}, "?retour=0", f"Nous vérifions votre paiement. {DO_NOT_PAY_TWICE}", [VERIFY]),
        ("CAPTURING", {}, "", f"Nous vérifions votre paiement. {DO_NOT_PAY_TWICE}", [VERIFY]),
        (
            "PENDING",
            {},
            "",
            "Nous vérifions votre paiement. Le prestataire l’a reçu et le vérifie encore, ce qui peut durer quelques "
            "jours. Ne payez pas une seconde fois : la confirmation vous est envoyée par mail dès qu’il l’accepte.",
            [VERIFY],
        ),
        (
            "REDIRECTED",
            {"reason": "INSTRUMENT_DECLINED"},
            "?retour=0",
            "Le paiement a été refusé. Rien n’a été débité. PayPal ou votre banque a refusé la carte ou le compte "
            f"choisi. Essayez une autre carte ou l’autre mode de paiement. {UNTIL}",
            [AGAIN],
        ),
        (
            "FAILED",
            {"reason": "insufficient_funds"},
            "",
            "Le paiement a été refusé. Rien n’a été débité. Le compte n’est pas assez approvisionné. Essayez une autre "
            f"carte ou l’autre mode de paiement. {UNTIL}",
            [AGAIN],
        ),
        (
            "FAILED",
            {"reason": "some_new_code"},
            "",
            "Le paiement a été refusé. Rien n’a été débité. Essayez une autre carte ou l’autre mode de paiement. "
            f"{UNTIL}",
            [AGAIN],
        ),
        (
            "FAILED",
            {"provider_ref": "", "reason": "ConnectTimeout"},
            "",
            "Le service de paiement n’a pas répondu. Rien n’a été débité. Réessayez dans quelques minutes, ou "
            f"choisissez l’autre mode de paiement. {UNTIL}",
            [AGAIN],
        ),
        ("ABANDONED", {}, "", f"Vous avez annulé le paiement. Rien n’a été débité. {UNTIL}", [AGAIN]),
        (
            "EXPIRED",
            {},
            "",
            f"Le paiement commencé n’a pas été terminé à temps. Rien n’a été débité. {UNTIL}",
            [AGAIN],
        ),
        (
            "SUPERSEDED",
            {"reason": "La commande ne pouvait plus prendre ce paiement"},
            "",
            f"Votre paiement n’a pas été débité. La commande ne pouvait plus prendre ce paiement. {UNTIL}",
            [AGAIN],
        ),
        (
            "SUPERSEDED",
            {"reason": "Remplacé", "next_check_at": NOON},
            "",
            f"Nous vérifions votre paiement. {DO_NOT_PAY_TWICE}",
            [VERIFY],
        ),
    ],
)
def test_own_page_tells_the_truth(
    client: Client,
    sub_order: SubOrder,
    attempt: Callable[..., Payment],
    state: str,
    facts: dict[str, Any],
    query: str,
    says: str,
    offered: list[str],
) -> None:
    attempt(state, **facts)
    page = read(client, sub_order, query)
    assert told(page).startswith(says)
    assert offers(page) == offered
    assert [word for word in ("échec", "échoué", "erreur") if word in page.main.lower()] == []


def test_own_page_unpaid_offers_to_pay(client: Client, sub_order: SubOrder) -> None:
    page = read(client, sub_order)
    assert told(page) == f"Votre commande n’est pas encore payée. {UNTIL}"
    assert page.links()["Payer maintenant · 12,80 €"] == f"{own_url(sub_order)}payment/"


def test_own_page_unpaid_after_the_deadline_sends_to_the_shop(client: Client, sub_order: SubOrder) -> None:
    GroupedOrder.objects.update(deadline=date(2026, 11, 23))
    page = read(client, sub_order)
    assert (told(page), offers(page)) == (
        "Votre commande n’est pas encore payée. La date limite (23/11/2026) est passée : il n’est plus possible de "
        "commander. La librairie peut encore accepter votre règlement : écrivez-lui.",
        [],
    )


def test_own_page_puts_money_that_may_have_moved_first(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment]
) -> None:
    attempt("PENDING", provider_ref="cs_1")
    attempt("ABANDONED", provider_ref="cs_2")
    page = read(client, sub_order)
    assert (told(page)[:30], offers(page)) == ("Nous vérifions votre paiement.", [VERIFY])


def test_own_page_waits_for_an_older_page_that_may_not_be_shut(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment]
) -> None:
    """It may have been paid: what became of the attempt after it does not say that nothing was debited."""
    attempt("SUPERSEDED", next_check_at=NOON)
    attempt("FAILED", method="PAYPAL", provider_ref="")
    page = read(client, sub_order)
    assert (told(page), offers(page)) == (f"Nous vérifions votre paiement. {DO_NOT_PAY_TWICE}", [VERIFY])


def test_own_page_underway_does_not_lead_to_a_second_payment(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment]
) -> None:
    """Of the two buttons, the one that asks the provider is the first and the loud one."""
    attempt("REDIRECTED")
    buttons = read(client, sub_order).with_class("button")
    assert [(words(button), button.get("class")) for button in buttons] == [
        (VERIFY, "button"),
        (RESUME, "button button-quiet"),
    ]


def test_own_page_of_an_amount_that_was_not_asked_asks_for_no_other(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment]
) -> None:
    payment = attempt("CAPTURED", set_aside=True)
    capture(payment, amount="1.00")
    page = read(client, sub_order)
    assert (told(page), offers(page)) == (
        "La librairie vérifie votre paiement. Le montant reçu n’est pas celui de la commande. Ne payez pas une seconde "
        "fois : écrivez à la librairie si elle ne vous a pas écrit.",
        [],
    )


# Money that counts, money given back --------------------------------------------------------------


def capture(payment: Payment, amount: str = "12.80") -> Capture:
    return Capture.objects.create(
        payment=payment,
        method=payment.method,
        provider_id=f"pi_{payment.pk}",
        status="COMPLETED",
        amount=Decimal(amount),
        currency="EUR",
    )


def pay_by_hand(sub_order: SubOrder) -> None:
    checkout.record_by_hand(
        sub_order, method=HandMethod.SHOP, reference="12", by=UserFactory(is_staff=True), now=timezone.now()
    )


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("WAITING", "Un mail de confirmation est envoyé à louise@free.example."),
        ("SENT", "Un mail de confirmation a été envoyé à louise@free.example."),
        (
            "FAILED",
            "Le mail de confirmation n’a pas pu être remis à louise@free.example : gardez l’adresse de cette page, et "
            "signalez-le à la librairie.",
        ),
    ],
)
def test_own_page_paid_says_what_became_of_the_mail(client: Client, sub_order: SubOrder, state: str, says: str) -> None:
    pay_by_hand(sub_order)
    Mail.objects.update(state=state, sent_at=NOON if state == "SENT" else None)
    page = read(client, sub_order)
    assert (told(page), offers(page)) == (f"Votre commande est payée. Merci ! {says}", [])
    assert page.facts()["Mode de paiement"] == "Réglé à la librairie"


def test_own_page_paid_says_where_the_books_are(client: Client, sub_order: SubOrder) -> None:
    bookseller, now = UserFactory(is_staff=True), timezone.now()
    pay_by_hand(sub_order)

    def books() -> str:
        return words(read(client, sub_order).tree.get_element_by_id("suite").getnext())

    said = [books()]
    GroupedOrder.objects.update(deadline=date(2026, 11, 23))
    said += [books()]
    order = lifecycle.validate(sub_order.grouped_order, by=bookseller, now=now)
    said += [books()]
    lifecycle.close(order, by=bookseller, now=now)
    said += [books()]
    assert said == [
        "Les livres sont commandés après la date limite.",
        "La date limite est passée : la librairie prépare la commande.",
        "Les livres sont commandés depuis le 24/11/2026.",
        "Les livres sont à disposition depuis le 24/11/2026.",
    ]


def test_own_page_cancelled_says_there_is_nothing_to_pay(client: Client, sub_order: SubOrder) -> None:
    checkout.cancel_sub_order(sub_order, by=UserFactory(), reason="Erreur", refund=None, now=timezone.now())
    page = read(client, sub_order)
    assert (told(page), offers(page)) == ("Cette commande est annulée. Il n’y a rien à payer.", [])
    assert "Adresse de mise à disposition" not in page.facts()


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"state": "REQUESTED"}, GOING_BACK),
        ({"state": "PENDING"}, GOING_BACK),
        (
            {"state": "DONE", "done_at": NOON},
            "12,80 € vous ont été remboursés le 24/11/2026. Selon votre banque, la somme peut mettre quelques jours à "
            "apparaître.",
        ),
        (
            {"state": "FAILED", "next_try_at": None},
            "La librairie vous rembourse elle-même 12,80 € : écrivez-lui si elle ne vous a pas écrit.",
        ),
        (
            {"state": "REQUESTED", "next_try_at": None},
            "La librairie vous rembourse elle-même 12,80 € : écrivez-lui si elle ne vous a pas écrit.",
        ),
    ],
)
def test_own_page_follows_a_refund_to_its_end(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment], facts: dict[str, Any], says: str
) -> None:
    payment = attempt("CAPTURED")
    lifecycle.mark_paid(sub_order, now=timezone.now())
    lifecycle.cancel_sub_order(sub_order, by=None, reason="Épuisé", now=timezone.now())
    Refund.objects.create(capture=capture(payment), amount=Decimal("12.80"), reason="Épuisé", **facts)
    assert told(read(client, sub_order)) == "Cette commande est annulée. " + says


def test_own_page_paid_twice_says_what_goes_back(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment]
) -> None:
    attempt("CAPTURED")
    lifecycle.mark_paid(sub_order, now=timezone.now())
    twice = attempt("CAPTURED", method="PAYPAL", provider_ref="5O1", set_aside=True)
    Refund.objects.create(capture=capture(twice), amount=Decimal("12.80"), reason="Reçu en trop")
    page = read(client, sub_order)
    assert page.facts()["Mode de paiement"] == "Paiement en ligne"
    assert told(page) == (
        "Votre commande est payée. Merci ! Un mail de confirmation est envoyé à louise@free.example. "
        f"Un paiement a été reçu en trop. {GOING_BACK}"
    )


# While it waits, and to whom it opens -------------------------------------------------------------


def next_look(page: Page) -> list[str]:
    """Where the page goes by itself, with JavaScript and without."""
    quiet = page.tree.xpath("//*[@data-again]/@data-again")
    reload = page.tree.xpath("//noscript/meta[@http-equiv='refresh']/@content")
    assert reload == [f"3; url={address}" for address in quiet]
    return quiet


def test_own_page_asks_again_by_itself_a_few_times(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment]
) -> None:
    payment = attempt("CAPTURING")
    back = reverse("payments:returned", args=[sub_order.secret, payment.public_id])
    looks = [next_look(read(client, sub_order, query)) for query in ("", "?retour=0", "?retour=5", "?retour=6")]
    assert looks == [[f"{back}?retour=1"], [f"{back}?retour=1"], [f"{back}?retour=6"], []]


@pytest.mark.parametrize("state", ["PENDING", "FAILED", "REDIRECTED", "ABANDONED"])
def test_own_page_does_not_move_when_there_is_nothing_to_wait_for(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment], state: str
) -> None:
    attempt(state)
    assert next_look(read(client, sub_order)) == []


@pytest.mark.parametrize("times", ["6", "99", "-1", "²", "x", "", "9" * 5000])
def test_own_page_that_waited_long_enough_offers_to_go_on(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment], times: str
) -> None:
    attempt("REDIRECTED")
    page = read(client, sub_order, f"?retour={times}")
    assert (next_look(page), offers(page)) == ([], [VERIFY, RESUME])


def test_own_page_opens_with_its_secret_only(client: Client, sub_order: SubOrder) -> None:
    guesses = [str(sub_order.pk), sub_order.grouped_order.public_id, sub_order.secret[:-1], "%00", "x" * 5000]
    found = [client.get(f"/order/grouped/suborder/{guess}/") for guess in guesses]
    assert {(answer.status_code, Page(answer).title) for answer in found} == {(404, "Page introuvable – DLIVRE")}


def test_own_page_shows_nobody_else(client: Client, sub_order: SubOrder) -> None:
    SubOrderFactory(grouped_order=sub_order.grouped_order, last_name="Autrui", email="autrui@free.example")
    assert "autrui" not in client.get(own_url(sub_order)).content.decode().lower()


def test_own_page_leaves_no_trace(client: Client, sub_order: SubOrder) -> None:
    answer = client.get(own_url(sub_order))
    headers = ("Cache-Control", "X-Robots-Tag", "Referrer-Policy")
    assert [answer[header] for header in headers] == ["no-store", "noindex", "same-origin"]
    assert answer.cookies.keys() <= {"csrftoken"}


# Giving up -------------------------------------------------------------------------------------


def test_own_page_leads_to_giving_up_in_two_steps(client: Client, sub_order: SubOrder) -> None:
    checkout.record_by_hand(
        sub_order, method=HandMethod.SHOP, reference="1", by=UserFactory(is_staff=True), now=timezone.now()
    )
    step = read(client, sub_order).links()["Renoncer au contrat ici"]

    page = Page(client.get(step))
    assert page.title.startswith("Renoncer à ma commande")
    assert page.tree.xpath("//main//button/text()") == ["Confirmer la rétractation"]
    assert SubOrder.objects.get().withdrawn_at is None

    after = Page(client.post(step, follow=True))

    assert told(after).startswith(
        "Cette commande est annulée. Vous y avez renoncé le 24/11/2026 (à 12:00:00). Un accusé de réception vous est "
        "envoyé."
    )
    assert "Renoncer au contrat ici" not in after.links()
    mail = Mail.objects.get(kind="withdrawal_received")
    assert mail.text.replace("\u00a0", " ").split("\n\n")[1:3] == [
        f"Le 24/11/2026 (à 12:00:00), {sub_order.full_name} nous a déclaré renoncer à la commande n° {sub_order.pk}, "
        "passée le 24/11/2026 (à 12:00:00).",
        "Elle est annulée. 12,80 € vous sont remboursés, par le moyen que vous avez utilisé (Réglé à la librairie). "
        "Un mail vous le confirmera dès que ce sera fait.",
    ]


def test_own_page_of_what_is_not_paid_says_cancel(client: Client, sub_order: SubOrder) -> None:
    step = read(client, sub_order).links()["Annuler ma commande"]

    assert Page(client.get(step)).tree.xpath("//main//button/text()") == ["Confirmer l’annulation"]
    assert told(Page(client.post(step, follow=True))).endswith("Il n’y a rien à payer.")


def test_giving_up_while_a_payment_is_in_doubt_says_that_it_goes_back(
    client: Client, sub_order: SubOrder, attempt: Callable[..., Payment]
) -> None:
    step = own_url(sub_order) + "withdraw/"
    assert "Rien n’a été payé : votre commande sera annulée" in Page(client.get(step)).main
    attempt("CAPTURING")
    page = Page(client.get(step))
    assert "Un paiement est commencé : s’il a abouti, il vous sera remboursé" in page.main
    assert "Rien n’a été payé" not in page.main

    lifecycle.cancel_sub_order(sub_order, by=None, reason="Doublon", now=timezone.now())
    assert told(read(client, sub_order)) == (
        "Cette commande est annulée. Il n’y a rien à payer. Si le paiement commencé a abouti, il vous est remboursé."
    )


def test_giving_up_twice_or_too_late_is_said_kindly(client: Client, sub_order: SubOrder) -> None:
    checkout.cancel_sub_order(sub_order, by=UserFactory(), reason="Doublon", refund=None, now=timezone.now())
    step = own_url(sub_order) + "withdraw/"

    assert client.get(step).headers["Location"] == own_url(sub_order)
    after = Page(client.post(step, follow=True))

    assert "Cette commande ne peut plus être annulée ici : écrivez à la librairie." in after.main
    assert Mail.objects.filter(kind="withdrawal_received").count() == 0


# Correcting ------------------------------------------------------------------------------------


def test_own_page_corrects_who_ordered_and_tells_the_new_address(client: Client, sub_order: SubOrder) -> None:
    step = read(client, sub_order).links()["Corriger mes coordonnées"]
    assert Page(client.get(step)).fields() == {
        "first_name": sub_order.first_name,
        "last_name": sub_order.last_name,
        "email": "louise@free.example",
    }

    after = Page(
        client.post(
            step, {"first_name": "Louise", "last_name": "Grandville-Dupont", "email": "lgd@ecole.example"}, follow=True
        )
    )

    sub_order.refresh_from_db()
    assert (sub_order.last_name, sub_order.email) == ("Grandville-Dupont", "lgd@ecole.example")
    assert "Vos coordonnées sont à jour." in after.main
    (mail,) = Mail.objects.all()
    assert (mail.kind, mail.recipient) == ("buyer_corrected", "lgd@ecole.example")
    assert sub_order.url in mail.text
    assert [(entry.what, entry.actor) for entry in sub_order.journal.all()] == [
        (f"Sous-commande n°\u00a0{sub_order.pk}\u00a0: coordonnées de l’acheteur corrigées", None)
    ]


def test_own_page_corrects_a_name_without_a_mail(client: Client, sub_order: SubOrder) -> None:
    typed = {"first_name": "Louisette", "last_name": sub_order.last_name, "email": sub_order.email}
    client.post(own_url(sub_order) + "correct/", typed)
    client.post(own_url(sub_order) + "correct/", typed)

    assert SubOrder.objects.get().first_name == "Louisette"
    assert Mail.objects.count() == 0
    assert sub_order.journal.count() == 1


def test_correction_that_cannot_be_is_kept_and_explained(client: Client, sub_order: SubOrder) -> None:
    answer = client.post(own_url(sub_order) + "correct/", {"first_name": " ", "last_name": "D", "email": "louise@"})

    page = Page(answer)
    assert answer.status_code == 422
    assert page.errors() == {
        "first_name": ["Écrivez votre prénom."],
        "email": ["Cette adresse e-mail n’est pas complète : vérifiez-la, par exemple prenom.nom@exemple.be."],
    }
    assert page.fields()["email"] == "louise@"


def test_correction_questions_a_mistyped_domain_once(client: Client, sub_order: SubOrder) -> None:
    typed = {"first_name": "Louise", "last_name": "Grandville", "email": "louise@gmial.com"}
    page = Page(client.post(own_url(sub_order) + "correct/", typed))
    assert "Vous avez écrit louise@gmial.com." in page.main
    assert SubOrder.objects.get().email == "louise@free.example"

    client.post(own_url(sub_order) + "correct/", {**typed, "confirmed": "louise@gmial.com"})

    assert SubOrder.objects.get().email == "louise@gmial.com"


def test_correction_ends_with_the_order(client: Client, sub_order: SubOrder) -> None:
    GroupedOrder.objects.update(status="CANCELLED", cancelled_at=timezone.now())
    step = own_url(sub_order) + "correct/"

    assert "Corriger mes coordonnées" not in read(client, sub_order).links()
    assert client.get(step).headers["Location"] == own_url(sub_order)
    after = Page(client.post(step, {"first_name": "A", "last_name": "B", "email": "a@b.example"}, follow=True))

    assert "Cette commande ne peut plus être corrigée : écrivez à la librairie." in after.main
    assert SubOrder.objects.get().email == "louise@free.example"
