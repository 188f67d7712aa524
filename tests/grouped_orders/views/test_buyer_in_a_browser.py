"""The buyer's pages in a real browser, on a phone and on a desk: axe, width, targets, weight, the button in reach."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from grouped_orders import checkout
from grouped_orders.models import GroupedOrder, Payment, SubOrder
from grouped_orders.statuses import HandMethod, MoneyBack
from tests.browser import accessibility, faults, overflow
from tests.factories import (
    BookFactory,
    BookshopFactory,
    GroupedOrderFactory,
    SubOrderFactory,
    TermsFactory,
    UserFactory,
)
from tests.grouped_orders.views.story import form_url, own_url, payment_url
from tests.grouped_orders.views.test_in_a_browser import SMALL_TARGETS
from tests.simulation import Simulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

LONG = "Anticonstitutionnellement-Rochefoucauld-Montmorency-Luxembour"[:60]
HIDDEN_BY_THE_BAR = """
() => {
  const bar = document.querySelector(".pay-bar").getBoundingClientRect();
  const field = document.activeElement.getBoundingClientRect();
  return field.bottom > bar.top && field.top < bar.bottom;
}
"""


@pytest.fixture
def order() -> GroupedOrder:
    """Names as long as they may be."""
    BookshopFactory(phone="082 00 00 00")
    TermsFactory(version="2026-09")
    return GroupedOrderFactory(
        book=BookFactory(title=f"{LONG} {LONG}", authors=LONG),
        collectivity__name="COLLEGE VICTOR PROUVE",
        collectivity__email=f"cdi@{LONG.lower()}.example",
        deadline=timezone.localdate() + timedelta(days=1),
    )


@pytest.fixture
def addresses(order: GroupedOrder) -> dict[str, str]:
    """Every page, in every state that looks different."""
    bookseller = UserFactory(is_staff=True)
    now = timezone.now()
    over = GroupedOrderFactory(book=order.book, deadline=timezone.localdate() - timedelta(days=1))

    def own(state: str = "", of: GroupedOrder = order, **facts: Any) -> SubOrder:
        sub_order = SubOrderFactory(grouped_order=of, first_name=LONG, last_name=LONG, quantity=999)
        if state:
            facts |= {"provider_ref": f"cs_{sub_order.pk}", "amount": sub_order.total}
            Payment.objects.create(sub_order=sub_order, method="CARD", state=state, **facts)
        return sub_order

    paid, cancelled = own(), own()
    for received in (paid, cancelled):
        checkout.record_by_hand(received, method=HandMethod.SHOP, reference="", by=bookseller, now=now)
    checkout.cancel_sub_order(
        cancelled, by=bookseller, reason="Erreur", refund=MoneyBack.BY_HAND, note="Espèces", now=now
    )
    return {
        "form": form_url(order),
        "closed": form_url(over),
        "payment": payment_url(own()),
        "unpaid": own_url(own()),
        "late": own_url(own(of=over)),
        "paid": own_url(paid),
        "cancelled": own_url(cancelled),
        "give up": reverse("buyer:withdraw", args=[own().secret]),
        "checking": own_url(own("CAPTURING")),
        "held": own_url(own("PENDING")),
        "underway": own_url(own("REDIRECTED")),
        "refused": own_url(own("FAILED", reason="card_declined")),
        "abandoned": own_url(own("ABANDONED")),
    }


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_page(width: int = 390, height: int = 844, **options: Any) -> Page:
        contexts.append(chromium.new_context(viewport={"width": width, "height": height}, locale="fr-BE", **options))
        contexts[-1].set_default_timeout(15_000)
        return contexts[-1].new_page()

    yield open_page
    for context in contexts:
        context.close()


Phone = Callable[..., Page]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.usefixtures("paypal_simulator", "card_simulator")
def test_no_page_of_the_buyer_has_a_fault(
    live_server: LiveServer, phone: Phone, addresses: dict[str, str], width: int
) -> None:
    page = phone(width)
    # The page that waits stays as it is, however long it is looked at.
    page.route("**/return/*", lambda route: route.abort())
    found = {name: faults(page, live_server.url + address) for name, address in addresses.items()}
    assert found == {name: [] for name in addresses}


@pytest.mark.usefixtures("paypal_simulator", "card_simulator")
def test_pages_fit_a_small_phone_and_a_thumb(live_server: LiveServer, phone: Phone, addresses: dict[str, str]) -> None:
    page = phone(320, 568)
    found = {}
    for name, address in addresses.items():
        page.goto(live_server.url + address)
        found[name] = [*overflow(page), *page.evaluate(SMALL_TARGETS)]
    assert found == {name: [] for name in addresses}


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.usefixtures("card_simulator", "paypal_simulator")
def test_refused_forms_have_no_fault_and_the_errors_have_the_focus(
    live_server: LiveServer, phone: Phone, order: GroupedOrder, width: int
) -> None:
    page = phone(width)
    for address in (form_url(order), payment_url(SubOrderFactory(grouped_order=order))):
        page.goto(live_server.url + address)
        page.locator(".pay-bar button").click()
        expect(page.get_by_role("alert")).to_be_focused()
        assert (address, accessibility(page), overflow(page)) == (address, [], [])


def test_question_about_a_second_order_has_the_focus(
    live_server: LiveServer, phone: Phone, order: GroupedOrder
) -> None:
    SubOrderFactory(grouped_order=order, email="louise@free.example")
    page = phone()
    page.goto(live_server.url + form_url(order))
    fill_in(page)
    page.get_by_role("button", name="Payer la commande").click()
    expect(page.get_by_role("alert")).to_be_focused()
    assert accessibility(page) == []
    page.get_by_role("button", name="Passer une autre commande").click()
    expect(page.get_by_role("heading", name="Paiement")).to_be_visible()
    assert SubOrder.objects.count() == 2


def test_question_about_a_mistyped_email_has_the_focus_and_corrects_it(
    live_server: LiveServer, phone: Phone, order: GroupedOrder
) -> None:
    page = phone(320)
    page.goto(live_server.url + form_url(order))
    fill_in(page, email="louise@gmial.com")
    page.get_by_role("button", name="Payer la commande").click()
    expect(page.get_by_role("alert")).to_be_focused()
    assert (accessibility(page), overflow(page)) == ([], [])
    page.get_by_label("Prénom").press("Enter")  # « OK » on a phone confirms, and corrects nothing
    expect(page.get_by_text("louise@gmial.com")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Corriger en louise@gmail.com").click()
    expect(page.get_by_text("louise@gmail.com")).to_be_visible()
    assert list(SubOrder.objects.order_by("pk").values_list("email", flat=True)) == [
        "louise@gmial.com",
        "louise@gmail.com",
    ]


def test_button_is_in_reach_and_hides_no_field(live_server: LiveServer, phone: Phone, order: GroupedOrder) -> None:
    page = phone()
    page.goto(live_server.url + form_url(order))
    expect(page.get_by_role("button", name="Payer la commande")).to_be_in_viewport(ratio=1)
    hidden = []
    page.get_by_label("Prénom").focus()
    for _ in range(4):
        hidden.append(page.evaluate(HIDDEN_BY_THE_BAR))
        page.keyboard.press("Tab")
    assert hidden == [False] * 4
    expect(page.get_by_role("button", name="Payer la commande")).to_be_focused()


def test_button_stays_in_its_place_on_a_low_screen(live_server: LiveServer, phone: Phone, order: GroupedOrder) -> None:
    page = phone(390, 400)
    page.goto(live_server.url + form_url(order))
    expect(page.get_by_role("button", name="Payer la commande")).not_to_be_in_viewport()


@pytest.mark.usefixtures("paypal_simulator", "card_simulator")
def test_pages_weigh_less_than_60_kilobytes(live_server: LiveServer, phone: Phone, addresses: dict[str, str]) -> None:
    """Uncompressed, with everything they ask for; and they ask nobody else."""
    weighed = {}
    for name in ("form", "payment", "checking"):
        page, answers = phone(), []
        page.on("response", lambda answer, into=answers: into.append(answer))
        page.goto(live_server.url + addresses[name], wait_until="load")
        loaded = answers.copy()  # what comes later is the page asking again
        assert {answer.url.startswith(live_server.url) for answer in loaded} == {True}
        weighed[name] = sum(len(answer.body()) for answer in loaded)
    assert {name: weight < 60_000 for name, weight in weighed.items()} == dict.fromkeys(weighed, True)


# Paying, with JavaScript and without --------------------------------------------------------------


@pytest.fixture
def at_the_bank(settings: Settings, live_server: LiveServer, card_simulator: Simulator) -> Simulator:
    """The provider sends the payer back to where this test listens."""
    settings.SITE_URL = live_server.url
    return card_simulator


def fill_in(page: Page, email: str = "louise@free.example") -> None:
    page.get_by_label("Prénom").fill("Louise")
    page.get_by_label("Nom", exact=True).fill("Grandville")
    page.get_by_label("Email").fill(email)


@pytest.mark.parametrize("java_script", [True, False])
def test_parent_orders_and_pays(
    live_server: LiveServer, phone: Phone, order: GroupedOrder, at_the_bank: Simulator, java_script: bool
) -> None:
    page = phone(java_script_enabled=java_script)
    page.goto(live_server.url + form_url(order))
    fill_in(page)
    page.get_by_role("button", name="Payer la commande").click()
    page.get_by_label("J’accepte les Conditions générales de vente").check()
    page.get_by_role("button", name="Commander et payer").click()
    page.get_by_role("button", name="Payer").click()
    expect(page.get_by_text("Votre commande est payée. Merci !")).to_be_visible(timeout=15_000)
    assert list(SubOrder.objects.values_list("email", "status", "total")) == [
        ("louise@free.example", "PAID", Decimal("6.40"))
    ]
    assert at_the_bank.ledger()["total"] == "6.40"


@pytest.mark.parametrize("java_script", [True, False])
def test_page_that_waits_shows_the_news_by_itself(
    live_server: LiveServer, phone: Phone, order: GroupedOrder, at_the_bank: Simulator, java_script: bool
) -> None:
    """The provider does not answer at first: the page says neither yes nor no, and then yes."""
    sub_order = SubOrderFactory(grouped_order=order)
    back = at_the_bank.pay(checkout.start(sub_order, method="CARD", terms=None, now=timezone.now()))
    at_the_bank.fault("status", match="GET /v1/checkout/sessions", times=1, status=503)
    page = phone(java_script_enabled=java_script)
    page.goto(back)
    expect(page.get_by_text("Nous vérifions votre paiement.")).to_be_visible()
    expect(page.get_by_text("Votre commande est payée. Merci !")).to_be_visible(timeout=20_000)
    assert page.url.startswith(live_server.url + reverse("buyer:sub_order", args=[sub_order.secret]))
    assert at_the_bank.ledger()["total"] == "6.40"
