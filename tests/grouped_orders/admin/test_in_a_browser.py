import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from collectivities.models import User
from grouped_orders import checkout
from grouped_orders.models import Payment
from grouped_orders.statuses import MoneyBack, OrderStatus, PaymentMethod, PaymentState
from librisoft_bridge.models import ShopOrder, Transmission
from tests.browser import accessibility, faults
from tests.factories import (
    AddressFactory,
    BookshopFactory,
    CollectivityFactory,
    GroupedOrderFactory,
    SubOrderFactory,
    TermsFactory,
    UserFactory,
)
from tests.grouped_orders.admin.story import in_days, order_in, paid

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def addresses() -> list[str]:
    """The bookseller's pages, the orders in every state that looks different."""
    odile = UserFactory(email="libraire@dlivre.example", first_name="Odile", is_staff=True, is_superuser=True)
    shop = BookshopFactory()
    AddressFactory(collectivity=None, bookshop=shop, name="DLIVRE")
    TermsFactory()
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE", service="Cdi")
    AddressFactory(collectivity=collectivity)
    camille = UserFactory(email="approbateur@victorprouve.example", collectivity=collectivity)
    still_open = GroupedOrderFactory(collectivity=collectivity, initiator=camille, deadline=in_days(1))
    received = paid(still_open, by=odile)
    awaited = SubOrderFactory(grouped_order=still_open, email="jean-christophe.de.la.rochefoucauld@education.example")
    Payment.objects.create(
        sub_order=awaited, method=PaymentMethod.PAYPAL, amount=awaited.total, state=PaymentState.REDIRECTED
    )
    gone = paid(still_open, by=odile)
    checkout.cancel_sub_order(
        gone, by=odile, reason="Erreur", refund=MoneyBack.BY_HAND, note="Rendu", now=timezone.now()
    )
    refused, ready = order_in(OrderStatus.AWAITING_PROCESSING), order_in(OrderStatus.AWAITING_PROCESSING)
    ShopOrder.objects.filter(pk=refused.shop_order_id).update(transmission=Transmission.REFUSED, error="EAN inconnu")
    ShopOrder.objects.filter(pk=ready.shop_order_id).update(remote_code="RECEIVED", remote_label="Réceptionnée")
    closed, cancelled = order_in(OrderStatus.CLOSED), order_in(OrderStatus.CANCELLED)
    orders = "grouped_orders/groupedorder/"
    return [
        "",
        *(f"{orders}?status={status}" for status in (OrderStatus.OPEN, OrderStatus.AWAITING_PROCESSING)),
        f"{orders}?q=zorro",
        *(f"{orders}{order.pk}/change/" for order in (still_open, refused, ready, closed, cancelled)),
        *(f"{orders}{still_open.pk}/sub-orders/{one.pk}/cancel/" for one in (received, awaited)),
        f"{orders}{still_open.pk}/sub-orders/{awaited.pk}/pay/",
        f"{orders}{still_open.pk}/sub-orders/{received.pk}/refund/",
        "grouped_orders/unfinishedrefund/",
        f"{orders}{still_open.pk}/cancel/",
        f"{orders}{ready.pk}/close/",
        f"{orders}{ready.pk}/librisoft/by-hand/",
        f"{orders}{closed.pk}/reopen/",
        *(f"grouped_orders/{model}/" for model in ("payment", "journalentry")),
        f"collectivities/collectivity/{collectivity.pk}/change/",
        f"collectivities/user/{camille.pk}/change/",
        "collectivities/user/",
        f"collectivities/bookshop/{shop.pk}/change/",
        "collectivities/terms/add/",
        "password_change/",
    ]


def log_in(page: Page, admin: str) -> None:
    page.goto(admin)
    page.get_by_label("E-mail").fill("libraire@dlivre.example")
    page.get_by_label("Mot de passe").fill("demo")
    page.get_by_role("button", name="Connexion").click()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_has_a_fault(chromium: Browser, live_server: LiveServer, addresses: list[str], width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, locale="fr-BE")
    admin = f"{live_server.url}/admin/"
    found = {"login": faults(page, f"{admin}login/")}
    log_in(page, admin)

    found |= {address: faults(page, admin + address) for address in addresses}

    page.context.close()
    assert {address: wrong for address, wrong in found.items() if wrong} == {}


def test_refused_form_has_no_fault(page: Page, live_server: LiveServer, addresses: list[str]) -> None:
    log_in(page, f"{live_server.url}/admin/")
    (pay,) = (address for address in addresses if address.endswith("/pay/"))
    page.goto(f"{live_server.url}/admin/{pay}")

    page.get_by_role("button", name="Valider la sous-commande").click()

    assert page.title().startswith("Erreur")
    assert accessibility(page) == []


def test_bookseller_settles_and_validates(page: Page, live_server: LiveServer, addresses: list[str]) -> None:
    """The specification's way: « Valider » what is awaited, then the whole order."""
    order = order_in(OrderStatus.OPEN)
    awaited = SubOrderFactory(grouped_order=order)
    log_in(page, f"{live_server.url}/admin/")
    page.goto(f"{live_server.url}/admin/")
    page.get_by_role("link", name="Commandes groupées").nth(1).click()
    page.get_by_role("link", name=f"Voir détail de la commande n° {order.pk}").click()

    page.get_by_role("link", name=f"Valider n° {awaited.pk}").click()
    page.get_by_label("Chèque").check()
    page.get_by_label("Référence").fill("n° 0419")
    page.get_by_role("button", name="Valider la sous-commande").click()
    page.get_by_role("button", name="Valider la commande groupée et envoyer vers LIBRISOFT").click()

    assert page.get_by_text("Cette commande groupée a été validée et envoyée vers LIBRISOFT.").count() == 1
    order.refresh_from_db()
    assert order.status == OrderStatus.AWAITING_PROCESSING
    assert User.objects.get(email="libraire@dlivre.example") == order.journal.latest("pk").actor
