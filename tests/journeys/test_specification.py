"""The specification told once, from end to end, in its own words, in a real browser.

Every page that is passed is judged by axe at 390 and 1280 px.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from tests.browser import accessibility, overflow
from tests.journeys.conftest import Demo

pytestmark = pytest.mark.browser

TITLE = "LE LIVRE QU’IL NE FAUT SURTOUT, SURTOUT, SURTOUT, PAS LIRE ! (POCHE)"
INITIATOR = "approbateur@victorprouve.example"
VALIDATE = "Valider la commande groupée et envoyer vers LIBRISOFT"


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Page]:
    yield from _someone(chromium, width=1280)


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    yield from _someone(chromium, width=390)


@pytest.fixture
def counter(chromium: Browser) -> Iterator[Page]:
    """The bookseller's own computer."""
    yield from _someone(chromium, width=1280)


def test_a_class_orders_a_book(demo: Demo, desk: Page, phone: Page, counter: Page) -> None:
    deadline = timezone.localdate() + timedelta(days=10)

    link = the_initiator_creates_a_group_order(demo, desk, deadline)
    louise_subscribes_and_pays_with_paypal(demo, phone, link)
    oscar_is_refused_changes_his_mind_and_pays_by_card(demo, phone, link)
    the_form_says_how_to_mend(phone, link)
    the_initiator_follows_her_order(demo, desk, deadline)

    a_closed_order_refuses_kindly(demo, desk, phone)
    the_bookseller_settles_what_is_unpaid(demo, counter)
    the_bookseller_validates_62_while_librisoft_is_down(demo, counter)
    the_bookseller_makes_62_available(demo, counter)
    the_bookseller_finds_an_order_by_any_of_its_numbers(demo, counter)
    the_bookseller_cancels_the_whole_order(demo, counter)
    another_collectivity_sees_nothing(demo, desk)


# The initiator --------------------------------------------------------------------------------


def the_initiator_creates_a_group_order(demo: Demo, page: Page, deadline: date) -> str:
    page.goto(demo.web)
    look(page)
    page.get_by_role("main").get_by_role("link", name="Se connecter").click()
    look(page)
    log_in(page, "Approbateur@VictorProuve.example")

    expect(page.get_by_role("heading", name="Mes commandes groupées")).to_be_visible()
    look(page)
    row = page.get_by_role("row").filter(has_text=TITLE)
    expect(row).to_contain_text("La date limite approche !")
    expect(row).to_contain_text("Commande ouverte")

    page.get_by_role("link", name="Créer une nouvelle commande groupée").click()
    page.get_by_label("Saisissez le titre ou le code EAN").press_sequentially("surtout livre")
    expect(page.get_by_role("status").filter(has_text="1 article trouvé")).to_be_visible()
    look(page)
    page.get_by_role("link", name="Vider le filtre").click()
    page.get_by_label("Saisissez le titre ou le code EAN").fill("978-2-36221-041-9")
    page.get_by_role("button", name="Rechercher").click()  # a number opens its book at once
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()

    look(page)
    for line in (
        "Code EAN13 : 9782362210419",
        "LAROCHE SOPHIE",
        "MIC MAC EDITION",
        "6,40 €",
        "Aucun résumé disponible",
        "ROMAN - ADOS",
        "FICTIONS ADOLESCENTS",
        "29/04/2011",
        "Broché",
        "194 g",
        "180 mm",
        "118 mm",
        "12 mm",
    ):
        expect(page.get_by_role("main")).to_contain_text(line)
    page.get_by_role("link", name="Choisir cet article").click()

    look(page)
    page.get_by_role("button", name="Valider la commande groupée").click()
    expect(page.get_by_role("alert")).to_contain_text("Indiquez une date")
    look(page)
    page.get_by_label("Date limite de commande").fill(deadline.isoformat())
    page.get_by_label("ANNEXE, 2, rue des jonquilles").check()
    page.get_by_role("button", name="Valider la commande groupée").click()

    expect(page.get_by_role("heading", name="Ma commande groupée")).to_be_visible()
    look(page)
    expect(page.get_by_role("main")).to_contain_text("Commande ouverte")
    link = page.get_by_role("link", name=re.compile("registration")).first.get_attribute("href")
    assert link is not None
    mail = demo.wait_for_mail(INITIATOR, "Votre commande groupée n° 66 est ouverte")
    assert link in mail["text"]
    assert link in mail["html"]
    page.get_by_role("link", name="Consulter toutes mes commandes groupées").click()
    return link


def the_initiator_follows_her_order(demo: Demo, page: Page, deadline: date) -> None:
    page.goto(f"{demo.web}/order/grouped/")
    row = page.get_by_role("row").filter(has_text=f"{deadline:%d/%m/%Y}")
    expect(row).to_contain_text("19,20 €")
    row.get_by_role("link", name="Voir détail").click()
    look(page)
    main = page.get_by_role("main")
    expect(page.get_by_role("heading", name="DÉTAIL (2 SOUS-COMMANDES)")).to_be_visible()
    expect(main).to_contain_text("Benhattia")
    expect(main).to_contain_text("RÉCAPITULATIF DE L’ENSEMBLE DES SOUS-COMMANDES")
    with page.expect_download() as download:
        page.get_by_role("link", name="Exporter la liste complète au format PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    later = deadline + timedelta(days=1)
    page.get_by_label("Date de clôture").fill(later.isoformat())
    page.get_by_role("button", name="Mettre à jour la date limite").click()
    expect(page.get_by_label("Date de clôture")).to_have_value(later.isoformat())
    log_out(page)


def another_collectivity_sees_nothing(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.web}/compte/connexion/")
    log_in(page, "cdi@alainfournier.example")
    expect(page.get_by_role("main")).not_to_contain_text("ANNEXE")
    answer = page.goto(f"{demo.web}/order/grouped/65/")
    assert answer is not None
    assert answer.status == 404
    look(page)


# The buyers -----------------------------------------------------------------------------------


def louise_subscribes_and_pays_with_paypal(demo: Demo, page: Page, link: str) -> None:
    page.goto(link)
    look(page)
    main = page.get_by_role("main")
    expect(main).to_contain_text("COLLEGE VICTOR PROUVE")
    expect(main).to_contain_text("Commande ouverte")
    subscribe(page, "Louise", "Grandville", "louise@free.example", "1")

    look(page)
    expect(main).to_contain_text("Louise Grandville")
    expect(main).to_contain_text("Frais de port")
    page.get_by_role("button", name="Commander et payer").click()
    expect(page.get_by_role("alert")).to_contain_text("Choisissez un mode de paiement")
    look(page)
    choose(page, "Paypal")
    look(page)
    page.get_by_role("button", name="Payer").click()

    expect(main).to_contain_text("Votre commande est payée. Merci !")
    look(page)
    mail = demo.wait_for_mail("louise@free.example", "Confirmation de votre commande n° 156")
    assert "COLLEGE VICTOR PROUVE" in mail["text"]
    assert demo.moved("paypal")[-1] == ("capture", "6.40")


def oscar_is_refused_changes_his_mind_and_pays_by_card(demo: Demo, page: Page, link: str) -> None:
    page.goto(link)
    subscribe(page, "Oscar", "Benhattia", "oscar@laposte.example", "2")
    choose(page, "Paiement en ligne")
    look(page)
    page.get_by_role("button", name="Carte refusée").click()
    look(page)
    page.get_by_role("button", name="Annuler").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("Vous avez annulé le paiement. Rien n’a été débité.")
    look(page)
    assert demo.moved("card") == []

    page.get_by_role("link", name="Payer à nouveau").click()
    choose(page, "Paypal")
    page.get_by_role("button", name="Annuler").click()
    expect(main).to_contain_text("Rien n’a été débité")
    page.get_by_role("link", name="Payer à nouveau").click()
    choose(page, "Paiement en ligne")
    page.get_by_role("button", name="Payer").click()
    expect(main).to_contain_text("Votre commande est payée. Merci !")
    demo.wait_for_mail("oscar@laposte.example", "Confirmation de votre commande n° 157")
    assert demo.moved("card") == [("capture", "12.80")]


def the_form_says_how_to_mend(page: Page, link: str) -> None:
    page.goto(link)
    subscribe(page, "Noé", "   ", "noe@", "0")
    expect(page).to_have_title(re.compile("^Erreur"))
    for sentence in (
        "Écrivez votre nom.",
        "Cette adresse e-mail n’est pas complète",
        "Commandez au moins 1 exemplaire.",
    ):
        expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.get_by_label("Email")).to_have_value("noe@")
    look(page)


def a_closed_order_refuses_kindly(demo: Demo, desk: Page, phone: Page) -> None:
    desk.goto(f"{demo.web}/compte/connexion/")
    log_in(desk, INITIATOR)
    desk.goto(f"{demo.web}/order/grouped/62/")
    link = desk.get_by_role("link", name=re.compile("registration")).first.get_attribute("href")
    assert link is not None
    log_out(desk)
    phone.goto(link)
    expect(phone.get_by_role("main")).to_contain_text("il n’est plus possible de commander")
    expect(phone.get_by_role("button", name="Payer la commande")).to_have_count(0)
    look(phone)


# The bookseller -------------------------------------------------------------------------------


def the_bookseller_settles_what_is_unpaid(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.web}/admin/")
    look(page)
    log_in(page, "libraire@dlivre.example")
    look(page)
    page.get_by_role("main").get_by_role("link", name="Commandes groupées", exact=True).last.click()
    tabs = page.get_by_role("navigation", name="Commandes groupées par état")
    for tab in (
        "En attente de validation (5)",
        "En attente de traitement (1)",
        "Clôturées (1)",
        "Annulées (1)",
    ):
        expect(tabs.get_by_role("link", name=tab)).to_be_visible()
    look(page)

    open_order(demo, page, 61)
    main = page.get_by_role("main")
    expect(main).to_contain_text("Des paiements sont en attente de traitement")
    look(page)
    page.get_by_role("button", name=VALIDATE).click(force=True)
    expect(main).to_contain_text("Des paiements sont en attente de traitement")
    expect(main).to_contain_text("En attente de validation")

    page.get_by_role("link", name=re.compile("Valider.*n° 145")).click()
    look(page)
    page.get_by_label("Réglé en librairie (ticket)").check()
    page.get_by_label("Référence").fill("ticket 4711")
    main.get_by_role("button", name=re.compile("Valider")).click()
    expect(page.locator("#sub-order-145")).to_contain_text("Payée")
    demo.wait_for_mail("paul.verhoeven@gmail.example", "Confirmation de votre commande n° 145")


def the_bookseller_validates_62_while_librisoft_is_down(demo: Demo, page: Page) -> None:
    demo.fault("librisoft", kind="status", match="/v1/", status=503, times=1)
    open_order(demo, page, 62)
    main = page.get_by_role("main")
    expect(main).to_contain_text("La date de clôture des commandes est passée")
    expect(main).to_contain_text("74,50 €")
    look(page)
    page.get_by_role("button", name=VALIDATE).click()
    expect(main).to_contain_text("Cette commande groupée a été validée et envoyée vers LIBRISOFT.")
    for _ in range(90):
        if "Commande N° 6767" in main.inner_text().replace("\u00a0", " "):
            break
        page.wait_for_timeout(1000)
        page.reload()
    look(page)
    expect(main).to_contain_text("Préparation commande")
    order = demo.librisoft_orders()["637"]
    assert order["body"]["totals"] == {"quantity": 5, "amount": "74.50"}
    assert not re.search("Leto|Rourke|@gmail|@free", str(order["body"]))


def the_bookseller_makes_62_available(demo: Demo, page: Page) -> None:
    page.goto(demo.addresses["librisoft"])
    look(page)
    received = page.get_by_role("article").filter(has_text="Commande N° 6767")
    received.get_by_role("button", name="Réceptionnée", exact=True).click()
    open_order(demo, page, 62)
    page.get_by_role("button", name="Réactualiser le statut").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("Réceptionnée")
    page.get_by_role("link", name="Mettre à disposition").click()
    expect(page.get_by_role("heading", name="Clôture de la commande numéro 637")).to_be_visible()
    expect(main).to_contain_text("Confirmez l’envoi du mail de mise à disposition")
    look(page)
    page.get_by_role("button", name="Envoyer le mail et clôturer la commande").click()
    expect(main).to_contain_text("Clôturée")
    look(page)
    mail = demo.wait_for_mail(INITIATOR, "Votre commande n° 62 est à votre disposition")
    assert "WESTERN COQUILLETTES" in mail["text"]


def the_bookseller_finds_an_order_by_any_of_its_numbers(demo: Demo, page: Page) -> None:
    for words in ("62", "637", "6767", "9791097284657", "Rourke", "mickey@free.example", "victor prouve"):
        page.goto(f"{demo.web}/admin/grouped_orders/groupedorder/?q={words}")
        expect(page.get_by_role("row").filter(has_text="74,50 €")).to_have_count(1)


def the_bookseller_cancels_the_whole_order(demo: Demo, page: Page) -> None:
    open_order(demo, page, 64)
    page.get_by_role("link", name="Annuler la commande groupée").click()
    look(page)
    page.get_by_label("Motif").fill("Épuisé chez l’éditeur")
    page.get_by_role("main").get_by_role("button", name="Annuler la commande groupée").click()
    expect(page.get_by_role("main")).to_contain_text("Annulée")
    demo.wait_for_mail("cdi@alainfournier.example", "Votre commande groupée n° 64 est annulée")
    demo.wait_for_mail("chloe.noel@free.example", "Votre commande n° 151 est annulée")
    for _ in range(200):
        if demo.moved("paypal")[-1][0] == "refund":
            break
        page.wait_for_timeout(200)
    assert demo.moved("paypal")[-1] == ("refund", "18.00")


# What is done over and over -------------------------------------------------------------------


def look(page: Page) -> None:
    """Judge the page as it stands, on a phone and on a desk."""
    # A click leaves for another page: judge the one it leads to, once it stands still.
    page.wait_for_load_state("networkidle")
    was = page.viewport_size
    assert was is not None
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert (page.url, width, overflow(page) + accessibility(page)) == (page.url, width, [])
    page.set_viewport_size(was)


def log_in(page: Page, email: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Mot de passe").fill("demo")
    page.get_by_role("main").get_by_role("button").click()


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Se déconnecter").click()


def subscribe(page: Page, first_name: str, last_name: str, email: str, quantity: str) -> None:
    page.get_by_label("Prénom").fill(first_name)
    page.get_by_label("Nom", exact=True).fill(last_name)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Quantité").fill(quantity)
    page.get_by_role("button", name="Payer la commande").click()


def choose(page: Page, method: str) -> None:
    """How to pay, the conditions of sale, and off to the provider's page."""
    page.get_by_label(method).check()
    page.get_by_label("J’accepte les Conditions générales de vente").check()
    page.get_by_role("button", name="Commander et payer").click()


def open_order(demo: Demo, page: Page, number: int) -> None:
    page.goto(f"{demo.web}/admin/grouped_orders/groupedorder/?q={number}")
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=str(number), exact=True))
    row.get_by_role("link", name="Voir détail").click()


def _someone(chromium: Browser, *, width: int) -> Iterator[Page]:
    context = chromium.new_context(locale="fr-BE", viewport={"width": width, "height": 900})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()
