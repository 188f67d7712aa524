"""The public site in a real browser: axe, width, targets, the policy, and what JavaScript adds."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from collectivities.models import User
from grouped_orders import checkout
from grouped_orders.models import GroupedOrder
from grouped_orders.statuses import HandMethod
from tests.browser import faults, overflow
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

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

LONG = "Anticonstitutionnellement-Rochefoucauld-Montmorency-Luxembour"[:60]
SMALLEST = 24
# WCAG 2.5.8 leaves out links within a sentence and what is not shown.
SMALL_TARGETS = f"""
[...document.querySelectorAll("a, button, input, select, textarea")]
  .filter(e => e.checkVisibility() && !e.closest("p, .skip") && e.type !== "hidden")
  .filter(e => {{ const r = e.getBoundingClientRect(); return r.height < {SMALLEST} || r.width < {SMALLEST}; }})
  .map(e => e.outerHTML.slice(0, 100))
"""


@pytest.fixture
def order() -> GroupedOrder:
    """A day before its deadline, with a sub-order in each state and names as long as they may be."""
    shop = BookshopFactory(legal_name="Librairie DLIVRE SRL", phone="00 00 00 00 00")
    AddressFactory(collectivity=None, bookshop=shop, name="DLIVRE")
    TermsFactory()
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE")
    AddressFactory(collectivity=collectivity, is_billing=True)
    initiator = UserFactory(email="approbateur@victorprouve.example", collectivity=collectivity)
    book = BookFactory(ean13="9782362210419", title=f"{LONG} {LONG}", authors=LONG, collection="ROMAN - ADOS")
    book.describe_for_search()
    book.save()
    order = GroupedOrderFactory(
        book=book,
        collectivity=collectivity,
        initiator=initiator,
        deadline=timezone.localdate() + timedelta(days=1),
        comment="Merci !",
    )
    bookseller = UserFactory(is_staff=True)
    now = timezone.now()
    received, awaited, gone = SubOrderFactory.create_batch(3, grouped_order=order, last_name=LONG, first_name=LONG)
    checkout.record_by_hand(received, method=HandMethod.CHEQUE, reference="12", by=bookseller, now=now)
    checkout.cancel_sub_order(gone, by=bookseller, reason="Essai", refund=None, now=now)
    return order


@pytest.fixture
def open_page(chromium: Browser, live_server: LiveServer) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_page(width: int = 1280, user: User | None = None, **options: object) -> Page:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, locale="fr-BE", **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        if user is not None:
            page.goto(f"{live_server.url}/compte/connexion/")
            page.get_by_label("E-mail").fill(user.email)
            page.get_by_label("Mot de passe").fill("demo")
            page.get_by_role("button", name="Se connecter").click()
        return page

    yield open_page
    for context in contexts:
        context.close()


def addresses(order: GroupedOrder) -> list[str]:
    orders = "/order/grouped/"
    return [
        orders,
        f"{orders}{order.pk}/",
        f"{orders}{order.pk}/created/",
        f"{orders}new/?q=anti",
        f"{orders}new/?q=zzzzz",
        f"{orders}new/{order.book.ean13}/",
        f"{orders}new/{order.book.ean13}/validate/",
        "/compte/mot-de-passe/",
    ]


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_of_the_initiator_has_a_fault(
    live_server: LiveServer, open_page: Callable[..., Page], order: GroupedOrder, width: int
) -> None:
    page = open_page(width, order.initiator)
    found = {address: faults(page, live_server.url + address) for address in addresses(order)}
    assert found == {address: [] for address in addresses(order)}


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_for_everybody_has_a_fault(
    live_server: LiveServer, open_page: Callable[..., Page], order: GroupedOrder, width: int
) -> None:
    everybody = ["/", "/cgv/", "/compte/connexion/", "/compte/mot-de-passe/oublie/"]
    page = open_page(width)
    assert {address: faults(page, live_server.url + address) for address in everybody} == {at: [] for at in everybody}


def test_pages_fit_a_small_phone_and_a_thumb(
    live_server: LiveServer, open_page: Callable[..., Page], order: GroupedOrder
) -> None:
    page = open_page(320, order.initiator)
    found = {}
    for address in addresses(order):
        page.goto(live_server.url + address)
        found[address] = [*overflow(page), *page.evaluate(SMALL_TARGETS)]
    assert found == {address: [] for address in addresses(order)}


def test_refused_form_has_no_fault_and_the_errors_have_the_focus(
    live_server: LiveServer, open_page: Callable[..., Page], order: GroupedOrder
) -> None:
    page = open_page(390, order.initiator)
    console: list[str] = []
    page.goto(f"{live_server.url}/order/grouped/new/{order.book.ean13}/validate/")
    page.on("console", lambda message: console.append(message.text) if "Content Security" in message.text else None)
    page.get_by_role("button", name="Valider la commande groupée").click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("alert").get_by_role("link", name="Date limite de commande").click()
    expect(page.get_by_label("Date limite de commande")).to_be_focused()
    assert (console, overflow(page)) == ([], [])


def test_search_shows_results_while_one_types(
    live_server: LiveServer, open_page: Callable[..., Page], order: GroupedOrder
) -> None:
    page = open_page(user=order.initiator)
    page.goto(f"{live_server.url}/order/grouped/new/")
    page.get_by_label("Saisissez le titre ou le code EAN").press_sequentially("anticonst")
    expect(page.locator("#count")).to_have_text("1 article trouvé")
    expect(page.locator("#results li")).to_have_count(1)
    assert page.url == f"{live_server.url}/order/grouped/new/?q=anticonst"


def test_link_is_copied_by_its_button(
    live_server: LiveServer, open_page: Callable[..., Page], order: GroupedOrder
) -> None:
    page = open_page(user=order.initiator, permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{live_server.url}/order/grouped/{order.pk}/")
    page.get_by_role("button", name="Copier le lien").click()
    expect(page.get_by_text("Lien copié.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == order.subscription_url


def test_pages_work_without_javascript(
    live_server: LiveServer, open_page: Callable[..., Page], order: GroupedOrder
) -> None:
    page = open_page(user=order.initiator, java_script_enabled=False)
    page.goto(f"{live_server.url}/order/grouped/{order.pk}/")
    expect(page.get_by_role("button", name="Copier le lien")).to_be_hidden()
    page.get_by_role("link", name="Retour vers mes commandes groupées").click()
    page.get_by_role("link", name="Créer une nouvelle commande groupée").click()
    page.get_by_label("Saisissez le titre ou le code EAN").fill("anticonst")
    page.get_by_role("button", name="Rechercher").click()
    expect(page.get_by_text("1 article trouvé")).to_be_visible()
    page.locator("#results a").click()
    page.get_by_role("link", name="Choisir cet article").click()
    page.get_by_label("Date limite de commande").fill((timezone.localdate() + timedelta(days=9)).isoformat())
    page.get_by_label("DLIVRE").check()
    page.get_by_role("button", name="Valider la commande groupée").click()
    expect(page.get_by_role("heading", name="Ma commande groupée")).to_be_visible()
    assert GroupedOrder.objects.count() == 2
