"""What each mail says, to whom, and that nothing from outside gets into it."""

import re
import sys
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from icalendar import Calendar
from lxml import html
from pypdf import PdfReader
from pytest_django import Settings

from collectivities import invitation
from collectivities.models import Bookshop
from grouped_orders import mails, tasks
from grouped_orders.models import Capture, GroupedOrder, Mail, Payment, Refund, SubOrder
from grouped_orders.statuses import CaptureStatus, OrderStatus, PaymentMethod, PaymentState, RefundState, SubOrderStatus
from librisoft_bridge.models import ShopOrder, Transmission
from tests.factories import (
    AddressFactory,
    BookFactory,
    BookshopFactory,
    CollectivityFactory,
    GroupedOrderFactory,
    SubOrderFactory,
    TermsFactory,
    UserFactory,
)
from tests.simulation_inbox import Inbox

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 25, 10, 15, 38, tzinfo=UTC)
SITE = "https://commandes.dlivre.example"
FOOT = "\n-- \nDLIVRE\n67 A rue Grande, 5500 DINANT\n+32 82 00 00 00\ncontact@dlivre.example\n"


def printed(text: str) -> str:
    """A text as a reader sees it: which of its spaces may not break is asserted elsewhere."""
    return text.replace("\u00a0", " ")


@pytest.fixture
def shop(settings: Settings) -> Bookshop:
    settings.SITE_URL = SITE
    shop = BookshopFactory(phone="+32 82 00 00 00")
    AddressFactory(collectivity=None, bookshop=shop, name="DLIVRE", street="67 A rue Grande")
    return shop


@pytest.fixture
def order(shop: Bookshop) -> GroupedOrder:
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE", service="Cdi")
    return GroupedOrderFactory(
        pk=53,
        collectivity=collectivity,
        initiator=UserFactory(email="approbateur@victorprouve.example", collectivity=collectivity),
        book=BookFactory(ean13="9791099900005", title="LE LIVRE QU'IL NE FAUT SURTOUT PAS LIRE ! (POCHE)"),
        deadline=date(2026, 3, 29),
    )


@pytest.fixture
def sub_order(order: GroupedOrder) -> SubOrder:
    return SubOrderFactory(
        pk=129,
        grouped_order=order,
        first_name="Armand",
        last_name="Duplantis",
        email="armand.duplantis@gmail.example",
        quantity=2,
        created_at=NOW,
        status=SubOrderStatus.PAID,
        paid_at=NOW,
        terms=TermsFactory(version="2026-09"),
        terms_accepted_at=NOW,
    )


@pytest.fixture
def payment(sub_order: SubOrder) -> Payment:
    return pay(sub_order)


def pay(sub_order: SubOrder, *, set_aside: bool = False) -> Payment:
    payment = Payment.objects.create(
        sub_order=sub_order,
        method=PaymentMethod.PAYPAL,
        amount=sub_order.total,
        state=PaymentState.CAPTURED,
        captured_at=NOW,
        set_aside=set_aside,
    )
    Capture.objects.create(
        payment=payment,
        method=payment.method,
        provider_id=f"CAPTURE{payment.pk}",
        status=CaptureStatus.COMPLETED,
        amount=payment.amount,
        currency="EUR",
    )
    return payment


def give_back(payment: Payment, amount: Decimal | None = None) -> Refund:
    return Refund.objects.create(
        capture=payment.captures.get(),
        amount=amount or payment.amount,
        state=RefundState.DONE,
        done_at=NOW,
        reason="Annulation",
    )


def the_mail() -> Mail:
    """The only one."""
    return Mail.objects.get()


def rows(mail: Mail) -> list[tuple[str, str]]:
    """The tables of the HTML part: each row as (header or first cell, the rest)."""
    found = []
    for row in html.fromstring(mail.html).xpath("//table[contains(@class, 'rows')]//tr"):
        cells = [" ".join(cell.text_content().split()) for cell in row if cell.tag in ("th", "td")]
        if len(cells) == 2:
            found.append((cells[0], cells[1]))
    return found


def reads(mail: Mail) -> str:
    """The HTML part as a reader sees it."""
    return " ".join(html.fromstring(mail.html).find("body").text_content().split())


# The specification's own -----------------------------------------------------------------------


def test_order_created_says_the_specifications_words(order: GroupedOrder):
    mails.order_created(order)
    mail = the_mail()
    assert (mail.kind, mail.key, mail.grouped_order) == ("order_created", "order_created:53", order)
    assert (mail.recipient, mail.reply_to) == ("approbateur@victorprouve.example", "contact@dlivre.example")
    assert mail.subject == "Votre commande groupée n°\u00a053 est ouverte"
    link = f"{SITE}/order/grouped/suborder/registration/{order.public_id}"
    assert printed(mail.text) == (
        "Bonjour,\n\n"
        "Nous vous confirmons la création de votre commande groupée dont les éléments (ouvrage sélectionné, adresse "
        "de mise à disposition...) sont détaillés ci-après.\n\n"
        "La souscription à cet achat groupé s’effectue très simplement via un formulaire en ligne dont vous trouverez "
        "le lien ci-dessous. Chaque souscripteur y règlera son achat par paiement en ligne, sans nécessité de créer "
        "de compte.\n\n"
        "Attention, la date limite de souscription pour l’instant définie est le 29/03/2026 (dimanche 29 mars 2026 à "
        "minuit). Passé cette date, nous clôturerons les souscriptions pour préparer votre commande dans les meilleurs "
        "délais.\n\n"
        "VOTRE COMMANDE GROUPEE\n\n"
        "Informations commande\n\n"
        "N° commande : 53\n"
        "Date limite de commande : 29/03/2026\n"
        f"Lien du formulaire de souscription en ligne :\n{link}\n"
        "Adresse de mise à disposition :\nANNEXE\n2, rue des jonquilles\n5500 DINANT\nBELGIQUE\n\n"
        "Informations produit\n\n"
        "Code EAN13 : 9791099900005\n"
        "Titre : LE LIVRE QU’IL NE FAUT SURTOUT PAS LIRE ! (POCHE)\n"
        "Auteur : LAROCHE SOPHIE\n"
        "Éditeur : MIC MAC EDITION\n"
        "Prix unitaire (TTC) : 6,40 €\n\n"
        "En pièces jointes : une affiche à imprimer, et la date limite pour votre agenda.\n\n"
        "À transmettre aux acheteurs\n\n"
        "Bonjour,\n"
        "Nous commandons ensemble « LE LIVRE QU’IL NE FAUT SURTOUT PAS LIRE ! (POCHE) », au prix de 6,40 € "
        "l’exemplaire. Commandez et payez en ligne, sans créer de compte, jusqu’au dimanche 29 mars 2026 à minuit. "
        "Les livres seront mis à disposition à cette adresse : ANNEXE, 2, rue des jonquilles, 5500 DINANT.\n"
        f"{link}\n" + FOOT
    )
    assert rows(mail) == [
        ("N° commande", "53"),
        ("Date limite de commande", "29/03/2026"),
        ("Lien du formulaire de souscription en ligne", link),
        ("Adresse de mise à disposition", "ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE"),
        ("Code EAN13", "9791099900005"),
        ("Titre", "LE LIVRE QU’IL NE FAUT SURTOUT PAS LIRE ! (POCHE)"),
        ("Auteur", "LAROCHE SOPHIE"),
        ("Éditeur", "MIC MAC EDITION"),
        ("Prix unitaire (TTC)", "6,40 €"),
    ]


def test_order_created_carries_the_poster_and_the_deadline(order: GroupedOrder, inbox: Inbox):
    mails.order_created(order)
    tasks.deliver_due(timezone.now())
    [message] = inbox.messages()
    poster, event = message["attachments"]
    assert (poster["filename"], poster["content_type"]) == ("affiche-commande-53.pdf", "application/pdf")
    [page] = PdfReader(BytesIO(b64decode(poster["content"]))).pages
    assert "dimanche 29 mars 2026" in page.extract_text()
    assert (event["filename"], event["content_type"]) == ("date-limite-commande-53.ics", "text/calendar")
    [deadline] = Calendar.from_ical(b64decode(event["content"])).events
    assert deadline.start == date(2026, 3, 29)


@pytest.mark.logs_errors  # the shop is told that its machine cannot draw
def test_poster_that_cannot_be_drawn_undoes_nothing(order: GroupedOrder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)  # as on a machine without Pango
    mails.order_created(order)
    mail = the_mail()
    assert [one.filename for one in mail.attachments.all()] == ["date-limite-commande-53.ics"]
    assert "En pièce jointe\u00a0: la date limite pour votre agenda." in mail.text


def test_sub_order_paid_says_the_specifications_words(sub_order: SubOrder, payment: Payment):
    mails.sub_order_paid(sub_order)
    mail = the_mail()
    assert (mail.kind, mail.key) == ("sub_order_paid", "sub_order_paid:129")
    assert (mail.grouped_order, mail.sub_order) == (sub_order.grouped_order, sub_order)
    assert mail.recipient == "armand.duplantis@gmail.example"
    assert mail.reply_to == "approbateur@victorprouve.example"
    assert mail.subject == "Confirmation de votre commande n°\u00a0129"
    assert printed(mail.text) == (
        "Bonjour,\n\n"
        "Nous vous remercions d’avoir passé commande sur notre site et nous confirmons la bonne réception de votre "
        "commande n° 129, passée le 25/03/2026 (à 11:15:38).\n\n"
        "Pour rappel, cette commande fait l’objet d’un regroupement qui a été initié par CDI COLLEGE VICTOR PROUVE "
        "(approbateur@victorprouve.example), que nous vous invitons à contacter pour toute information concernant "
        "son suivi.\n\n"
        "RÉCAPITULATIF DE MA COMMANDE\n\n"
        "Informations générales de la commande\n\n"
        "Créé par : Armand Duplantis\n"
        "Contact : armand.duplantis@gmail.example\n"
        "Statut de la commande : Commande payée\n"
        "Mode de paiement : PayPal\n"
        "Adresse de mise à disposition :\nANNEXE\n2, rue des jonquilles\n5500 DINANT\nBELGIQUE\n\n"
        "DÉTAIL DE LA COMMANDE\n\n"
        "Désignation : LE LIVRE QU’IL NE FAUT SURTOUT PAS LIRE ! (POCHE) (EAN 9791099900005)\n"
        "Quantité : 2\n"
        "Prix unitaire (TTC) : 6,40 €\n"
        "Prix total (TTC) : 12,80 €\n\n"
        "Sous-total TTC : 12,80 €\n"
        "Frais de port : 0,00 €\n"
        "Total TTC : 12,80 €\n\n"
        "Voir ma commande (ce lien est le vôtre : il montre votre commande à qui l’ouvre)\n"
        f"{sub_order.url}\n\n"
        "Vous avez accepté les conditions générales de vente, version 2026-09, le 25/03/2026 (à 11:15:38) :\n"
        f"{SITE}/cgv/2026-09/\n\n"
        "Vous pouvez renoncer à cette commande, sans donner de raison, jusqu’à quatorze jours après la mise à "
        "disposition :\n"
        f"{sub_order.url}withdraw/\n" + FOOT
    )
    assert rows(mail) == [
        ("Créé par", "Armand Duplantis"),
        ("Contact", "armand.duplantis@gmail.example"),
        ("Statut de la commande", "Commande payée"),
        ("Mode de paiement", "PayPal"),
        ("Adresse de mise à disposition", "ANNEXE2, rue des jonquilles5500 DINANTBELGIQUE"),
        ("Désignation", "LE LIVRE QU’IL NE FAUT SURTOUT PAS LIRE ! (POCHE) (EAN 9791099900005)"),
        ("Quantité", "2"),
        ("Prix unitaire (TTC)", "6,40 €"),
        ("Prix total (TTC)", "12,80 €"),
        ("Récapitulatif", "Montants"),
        ("Sous-total TTC", "12,80 €"),
        ("Frais de port", "0,00 €"),
        ("Total TTC", "12,80 €"),
    ]


def test_order_available_says_the_specifications_words(order: GroupedOrder, sub_order: SubOrder):
    SubOrderFactory(grouped_order=order)
    order.closed_at = NOW
    mails.order_available(order)
    mail = the_mail()
    assert (mail.recipient, mail.reply_to) == ("approbateur@victorprouve.example", "contact@dlivre.example")
    assert mail.subject == "Votre commande n°\u00a053 est à votre disposition"
    assert printed(mail.text) == (
        "Bonjour,\n\n"
        "L’ensemble de votre commande n° 53 a été préparé le 25/03/2026 (à 11:15:38).\n\n"
        "Pour rappel, votre commande est une commande groupée, mise à disposition selon votre choix, soit dans notre "
        "librairie, soit dans vos locaux.\n\n"
        "Pour toute information, vous pouvez nous contacter à l’adresse contact@dlivre.example\n\n"
        "Vous pouvez également retrouver l’état d’avancement de votre commande sur notre site. Pour cela, nous vous "
        "invitons à vous rendre sur votre compte client, muni de votre login (adresse électronique) et de votre mot "
        "de passe.\n\n"
        f"Lien vers ma commande :\n{SITE}{reverse('initiator:order', args=[53])}\n\n"
        "Nous vous remercions de la confiance que vous nous avez accordée et espérons vous revoir prochainement pour "
        "vos futurs achats.\n\n"
        "DÉTAIL DE LA COMMANDE\n\n"
        "N° commande : 53\n"
        "Désignation : LE LIVRE QU’IL NE FAUT SURTOUT PAS LIRE ! (POCHE) (EAN 9791099900005)\n"
        "Quantité : 2\n"
        "Sous-commandes payées : 1\n"
        "Prix unitaire (TTC) : 6,40 €\n"
        "Total TTC : 12,80 €\n"
        "Adresse de mise à disposition (Dans les locaux de la collectivité) :\n"
        "ANNEXE\n2, rue des jonquilles\n5500 DINANT\nBELGIQUE\n" + FOOT
    )
    assert rows(mail)[:3] == [
        ("N° commande", "53"),
        ("Désignation", "LE LIVRE QU’IL NE FAUT SURTOUT PAS LIRE ! (POCHE) (EAN 9791099900005)"),
        ("Quantité", "2"),
    ]


def test_order_available_is_sent_anew_when_the_closing_was_taken_back(order: GroupedOrder):
    order.closed_at = NOW
    mails.order_available(order)
    mails.order_available(order)
    order.closed_at = timezone.now()
    mails.order_available(order)
    assert Mail.objects.filter(kind="order_available").count() == 2


# Those it forgot -------------------------------------------------------------------------------


def test_sub_order_cancelled_says_that_the_money_comes_back(sub_order: SubOrder, payment: Payment):
    mails.sub_order_cancelled(sub_order, refunded=True)
    mail = the_mail()
    assert mail.recipient == "armand.duplantis@gmail.example"
    assert mail.subject == "Votre commande n°\u00a0129 est annulée"
    paragraphs = printed(mail.text).split("\n\n")
    assert paragraphs[1:3] == [
        "Votre commande n° 129, passée le 25/03/2026 (à 11:15:38), a été annulée.",
        "Votre paiement de 12,80 € (PayPal) vous est remboursé. Un mail vous le confirmera dès que ce sera fait.",
    ]
    for paragraph in paragraphs[1:3]:
        assert paragraph in printed(reads(mail))


def test_sub_order_cancelled_after_a_part_was_given_back_names_the_rest(sub_order: SubOrder, payment: Payment):
    give_back(payment, Decimal("5.00"))
    mails.sub_order_cancelled(sub_order, refunded=True)
    assert printed(the_mail().text).split("\n\n")[2] == (
        "De votre paiement de 12,80 € (PayPal), il restait 7,80 € : ils vous sont remboursés. "
        "Un mail vous le confirmera dès que ce sera fait."
    )


def test_sub_order_cancelled_after_all_was_given_back_says_so(sub_order: SubOrder, payment: Payment):
    give_back(payment)
    mails.sub_order_cancelled(sub_order, refunded=False)
    assert printed(the_mail().text).split("\n\n")[2] == (
        "Votre paiement de 12,80 € (PayPal) vous a déjà été remboursé."
    )


def test_sub_order_cancelled_without_refund_says_whom_to_ask(sub_order: SubOrder, payment: Payment):
    mails.sub_order_cancelled(sub_order, refunded=False)
    assert printed(the_mail().text).split("\n\n")[2] == (
        "Pour votre paiement de 12,80 € (PayPal), adressez-vous à la librairie en répondant à ce mail."
    )
    assert the_mail().reply_to == "contact@dlivre.example"


def test_sub_order_cancelled_before_any_payment_says_so(sub_order: SubOrder):
    mails.sub_order_cancelled(sub_order, refunded=False)
    assert the_mail().text.split("\n\n")[2] == (
        "Nous n’avons encaissé aucun paiement pour elle. S’il en arrivait un malgré tout, il vous serait remboursé."
    )


def test_order_cancelled_tells_the_initiator_and_the_buyers_concerned(order: GroupedOrder, sub_order: SubOrder):
    pay(sub_order)
    cancelled = {"status": SubOrderStatus.CANCELLED, "cancelled_at": NOW}
    SubOrder.objects.filter(pk=sub_order.pk).update(**cancelled)
    SubOrderFactory(grouped_order=order, email="noe@gmail.example", created_at=NOW, **cancelled)
    before = {**cancelled, "cancelled_at": datetime(2026, 3, 24, tzinfo=UTC)}
    SubOrderFactory(grouped_order=order, email="oscar@laposte.example", **before)
    GroupedOrder.objects.filter(pk=53).update(status=OrderStatus.CANCELLED, cancelled_at=NOW)
    order.refresh_from_db()
    mails.order_cancelled(order, reason="L'éditeur n'a plus l'ouvrage : épuisé")
    told = {mail.recipient: mail for mail in Mail.objects.all()}
    initiator = told.pop("approbateur@victorprouve.example")
    armand = told.pop("armand.duplantis@gmail.example")
    noe = told.pop("noe@gmail.example")
    assert told == {}
    assert initiator.kind == "order_cancelled"
    assert printed(initiator.text).split("\n\n")[1:4] == [
        "Votre commande groupée n° 53 a été annulée par la librairie le 25/03/2026 (à 11:15:38).",
        "Motif : L’éditeur n’a plus l’ouvrage : épuisé",
        "Le formulaire de souscription est fermé. Chaque acheteur en est averti par mail, et ceux qui avaient payé "
        "sont remboursés.",
    ]
    assert printed(armand.text).split("\n\n")[1:3] == [
        "La commande groupée n° 53 a été annulée, et avec elle votre commande n° 129, passée le 25/03/2026 "
        "(à 11:15:38).",
        "Votre paiement de 12,80 € (PayPal) vous est remboursé. Un mail vous le confirmera dès que ce sera fait.",
    ]
    assert "aucun paiement" in noe.text
    assert "éditeur" not in armand.text + noe.text


def test_refund_done_tells_the_buyer(payment: Payment):
    mails.refund_done(give_back(payment))
    mail = the_mail()
    assert mail.recipient == "armand.duplantis@gmail.example"
    assert printed(mail.subject) == "Remboursement de 12,80 € pour votre commande n° 129"
    assert printed(mail.text).split("\n\n")[1:3] == [
        "Nous vous avons remboursé 12,80 € le 25/03/2026 (à 11:15:38), pour votre commande n° 129. Le paiement avait "
        "été fait ainsi : PayPal.",
        "Selon votre banque, la somme peut mettre quelques jours à apparaître sur votre compte.",
    ]


def test_refund_of_a_payment_set_aside_says_why(sub_order: SubOrder):
    mails.refund_done(give_back(pay(sub_order, set_aside=True)))
    why = "Ce paiement ne comptait pas pour votre commande : il a été reçu en trop, ou trop tard."
    assert why in printed(the_mail().text)
    assert why in reads(the_mail())


@pytest.mark.parametrize(
    ("status", "why", "next_step"),
    [
        (SubOrderStatus.PAID, "cette commande est déjà payée.", "Vous n’avez rien à faire."),
        (SubOrderStatus.CANCELLED, "cette commande est annulée.", "Vous n’avez rien à faire."),
        (
            SubOrderStatus.PENDING,
            "il est arrivé trop tard, ou un autre paiement l’a remplacé.",
            "Votre commande attend toujours son paiement : vous pouvez le recommencer sur sa page.",
        ),
    ],
)
def test_payment_superseded_says_that_nothing_was_debited(
    payment: Payment, status: SubOrderStatus, why: str, next_step: str
):
    payment.sub_order.status = status
    payment.sub_order.grouped_order.deadline = timezone.localdate()
    mails.payment_superseded(payment)
    assert printed(the_mail().subject) == "Votre paiement n’a pas été débité (commande n° 129)"
    assert printed(the_mail().text).split("\n\n")[1:3] == [
        "Vous avez approuvé un paiement de 12,80 € (PayPal) pour votre commande n° 129. Votre paiement n’a pas été "
        f"débité : {why}",
        next_step,
    ]


def test_payment_superseded_after_the_deadline_offers_nothing(payment: Payment):
    payment.sub_order.status = SubOrderStatus.PENDING
    payment.sub_order.grouped_order.deadline = date(2022, 3, 29)
    mails.payment_superseded(payment)
    assert "Vous n’avez rien à faire." in the_mail().text


@pytest.mark.parametrize(
    ("status", "deadline", "next_step"),
    [
        (
            SubOrderStatus.PENDING,
            date(2026, 3, 29),
            "Votre commande ne compte qu’une fois payée. Vous pouvez payer à nouveau sur sa page, jusqu’au dimanche "
            "29 mars 2026 à minuit.",
        ),
        (
            SubOrderStatus.PENDING,
            date(2026, 3, 24),
            "On ne peut plus payer en ligne. La librairie peut encore accepter votre règlement : écrivez-lui.",
        ),
        (
            SubOrderStatus.PAID,
            date(2026, 3, 29),
            "Votre commande est payée par un autre paiement : vous n’avez rien à faire.",
        ),
        (SubOrderStatus.CANCELLED, date(2026, 3, 29), "Votre commande est annulée : vous n’avez rien à faire."),
    ],
)
def test_payment_denied_says_what_to_do(payment: Payment, status: SubOrderStatus, deadline: date, next_step: str):
    payment.sub_order.status = status
    payment.sub_order.grouped_order.deadline = deadline
    with time_machine.travel(NOW, tick=False):
        mails.payment_denied(payment)
    mail = the_mail()
    assert (mail.recipient, printed(mail.subject)) == (
        "armand.duplantis@gmail.example",
        "Votre paiement a été refusé (commande n° 129)",
    )
    assert printed(mail.text) == (
        "Bonjour,\n\n"
        "Votre paiement de 12,80 € (PayPal) pour votre commande n° 129 était en cours de vérification. Il a finalement "
        f"été refusé : la librairie n’a rien reçu.\n\n{next_step}\n\n"
        f"Voir ma commande :\n{payment.sub_order.url}\n" + FOOT
    )
    assert [part in reads(mail) for part in ("Il a finalement été refusé", next_step)] == [True, True]


def test_invitation_wears_the_same_clothes(order: GroupedOrder):
    invitation.invite(order.initiator)
    mail = the_mail()
    assert (mail.kind, mail.subject) == ("compte", "Votre compte chez DLIVRE")
    [link] = re.findall(r"^http.*$", mail.text, re.MULTILINE)
    assert printed(mail.text) == (
        "Bonjour,\n\n"
        "DLIVRE vous a ouvert un compte pour COLLEGE VICTOR PROUVE. Il vous permet de créer des commandes groupées et "
        "de les suivre.\n\n"
        "Votre login est votre adresse électronique, approbateur@victorprouve.example. Il reste à choisir votre mot "
        "de passe :\n\n"
        f"{link}\n\n"
        "Ce lien est personnel et valable 3 jours. Passé ce délai, demandez-en un autre à la librairie.\n" + FOOT
    )
    assert f'href="{link}"' in mail.html


def test_password_mail_wears_the_same_clothes_and_ignores_the_host(
    order: GroupedOrder, settings: Settings, client: Client
):
    settings.ALLOWED_HOSTS = ["*"]
    answer = client.post(reverse("password_reset"), {"email": order.initiator.email}, headers={"host": "evil.example"})
    assert answer.status_code == 302
    mail = the_mail()
    assert (mail.kind, mail.recipient) == ("compte", "approbateur@victorprouve.example")
    assert (mail.subject, mail.sender.partition(" ")[0]) == ("Votre mot de passe chez DLIVRE", "DLIVRE")
    [link] = re.findall(r"^http.*$", mail.text, re.MULTILINE)
    assert link.startswith(f"{SITE}/compte/mot-de-passe/")
    assert f'href="{link}"' in mail.html
    assert "evil" not in mail.text + mail.html


# All of them -----------------------------------------------------------------------------------


@pytest.fixture
def every_mail(order: GroupedOrder, sub_order: SubOrder, payment: Payment) -> Callable[[], list[Mail]]:
    def send() -> list[Mail]:
        order.closed_at = order.cancelled_at = NOW
        mails.order_created(order)
        mails.sub_order_paid(sub_order)
        mails.order_available(order)
        mails.sub_order_cancelled(sub_order, refunded=True)
        mails.order_cancelled(order, reason="Épuisé")
        sub_order.withdrawn_at = NOW
        mails.withdrawal_received(sub_order)
        mails.buyer_corrected(sub_order, now=NOW)
        mails.refund_done(Refund.objects.first() or give_back(payment))
        mails.payment_superseded(payment)
        mails.payment_denied(payment)
        return list(Mail.objects.all())

    return send


def test_each_reason_makes_one_mail(every_mail: Callable[[], list[Mail]]):
    assert len(every_mail()) == 10
    assert len(every_mail()) == 10


def test_html_asks_nothing_from_outside(every_mail: Callable[[], list[Mail]]):
    for mail in every_mail():
        page = html.fromstring(mail.html)
        assert page.get("lang") == "fr"
        assert page.xpath("//*[@src or @background or @srcset] | //script | //link | //form | //iframe") == []
        assert "url(" not in mail.html
        assert "@import" not in mail.html
        links = {link for _element, _attribute, link, _at in page.iterlinks()}
        assert {link for link in links if not link.startswith((f"{SITE}/", "mailto:"))} == set()


def test_style_is_inlined_and_dark_mode_stays(every_mail: Callable[[], list[Mail]]):
    for mail in every_mail():
        page = html.fromstring(mail.html)
        assert "background-color" in page.find("body").get("style")
        [style] = page.findall(".//style")
        assert "prefers-color-scheme: dark" in style.text
        assert page.xpath("//meta[@name='color-scheme']/@content") == ["light dark"]
        assert page.findtext(".//title") == mail.subject


def test_every_link_of_the_html_stands_in_the_text(every_mail: Callable[[], list[Mail]]):
    for mail in every_mail():
        links = {link for _e, _a, link, _at in html.fromstring(mail.html).iterlinks() if link.startswith("http")}
        assert links == set(re.findall(r"https?://\S+", mail.text))


def test_hostile_words_stay_words(order: GroupedOrder, sub_order: SubOrder, payment: Payment, inbox: Inbox):
    BookshopFactory(name="x")
    Bookshop.objects.update(name="D’LIVRE\r\nBcc: tous@free.example")
    order.collectivity.name = "<script>alert(1)</script> & fils"
    sub_order.first_name = "Armand\r\nBcc: tous@free.example\r\n\r\n<img src=x>"
    sub_order.grouped_order = order
    mails.sub_order_paid(sub_order)
    mails.order_created(order)
    assert tasks.deliver_due(timezone.now()) == 2
    for message in inbox.messages():
        assert len(message["to"]) == 1
        assert "Bcc" not in message["headers"]
        page = html.fromstring(message["html"])
        assert page.xpath("//script | //img") == []
    [paid] = [one for one in inbox.messages() if one["to"] == ["armand.duplantis@gmail.example"]]
    assert paid["subject"] == "Confirmation de votre commande n°\u00a0129"
    assert paid["headers"]["From"].startswith('"D’LIVRE Bcc: tous@free.example" <')
    assert "<script>alert(1)</script> & fils" in paid["text"]


def test_mail_goes_before_the_shop_has_said_its_name():
    sub_order = SubOrderFactory()
    mails.sub_order_paid(sub_order)
    assert the_mail().sender.startswith("Librairie <")
    assert the_mail().text.endswith("\n-- \nLibrairie\n")


def test_transmission_failed_tells_the_bookshop_once_a_failure(order: GroupedOrder):
    order.shop_order = ShopOrder.objects.create(
        pk=637,
        group_order_number=53,
        ordered_at=NOW,
        next_try_at=NOW,
        customer_code="C1",
        customer_name="COLLEGE VICTOR PROUVE",
        billing_address={},
        delivery_mode="BOOKSHOP",
        delivery_address={},
        payments=[],
        transmission=Transmission.REFUSED,
        error="Client inconnu",
    )
    mails.transmission_failed(order)
    mails.transmission_failed(order)
    mail = the_mail()
    assert (mail.recipient, mail.grouped_order) == ("contact@dlivre.example", order)
    assert printed(mail.subject) == "LIBRISOFT n’a pas pris la commande groupée n° 53"
    assert printed(mail.text).split("\n\n")[1:4] == [
        "La commande groupée n° 53 (commande classique n° 637) est validée, mais LIBRISOFT ne l’a pas prise. Aucun "
        "nouvel essai ne sera fait sans vous.",
        "Refusée par LIBRISOFT : Client inconnu",
        "Une fois la cause levée, cliquez sur « Renvoyer » sur la page de la commande. Vous pouvez aussi la saisir "
        "dans LIBRISOFT, puis noter ici son numéro.",
    ]
    assert "Refusée par LIBRISOFT : Client inconnu" in printed(reads(mail))
    order.shop_order.waiting_since = timezone.now()
    mails.transmission_failed(order)
    assert Mail.objects.count() == 2


def test_amounts_of_an_order_with_shipping_add_up(order: GroupedOrder):
    order.shipping_fee = Decimal("3.00")
    order.save()
    sub_order = SubOrderFactory(grouped_order=order, quantity=3)
    mails.sub_order_paid(sub_order)
    assert [row for row in rows(the_mail()) if "€" in row[1]] == [
        ("Prix unitaire (TTC)", "6,40 €"),
        ("Prix total (TTC)", "19,20 €"),
        ("Sous-total TTC", "19,20 €"),
        ("Frais de port", "3,00 €"),
        ("Total TTC", "22,20 €"),
    ]
