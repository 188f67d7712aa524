"""The lists of the bridge in the admin, on a desk and on a phone."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from librisoft_bridge import outbox, statuses
from librisoft_bridge.models import Link, SetAsideFile, ShopOrder, Transmission
from librisoft_bridge.order_state import OrderState
from tests.browser import faults
from tests.factories import BookshopFactory, UserFactory
from tests.librisoft_bridge.story import NOW, hand_over

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def pages() -> list[str]:
    """One order of each look, LIBRISOFT left in peace, and a file that nobody can read."""
    UserFactory(email="libraire@dlivre.example", is_staff=True, is_superuser=True)
    BookshopFactory()
    now = timezone.now()
    orders = [hand_over(group_order_number=nth, ordered_at=now) for nth in range(5)]
    for order, code in zip(orders, ("PARTIALLY_RECEIVED", "UNAVAILABLE", "PREPARATION"), strict=False):
        state = OrderState(f"67{order.pk}", str(order.pk), code, code.capitalize(), 1, NOW, {1: 2})
        statuses.take_in(state, now=now)
    outbox.withdraw(orders[2], now=now)
    ShopOrder.objects.filter(pk=orders[3].pk).update(transmission=Transmission.REFUSED, error="EAN inconnu")
    late = {"error": "LIBRISOFT ne répond pas.", "next_try_at": now + timedelta(minutes=5)}
    ShopOrder.objects.filter(pk=orders[4].pk).update(waiting_since=now - timedelta(days=1), **late)
    Link.objects.create(failures=6, reason="LIBRISOFT ne répond pas.", opened_at=now, open_until=late["next_try_at"])
    reason = "Entrée 1\u00a0: la commande n° 0 n’existe pas ici.\nEntrée 2\u00a0: la raison du refus manque."
    SetAsideFile.objects.create(name="20261124T090000000000Z-637.json", modified_at=now, reason=reason)
    at = "admin/librisoft_bridge"
    return [
        f"{at}/shoporder/",
        f"{at}/shoporder/?attention=cancel_there",
        f"{at}/link/",
        f"{at}/setasidefile/",
    ]


def test_pages_fit_and_read_well(pages: list[str], live_server: LiveServer, page: Page) -> None:
    site = live_server.url.replace("localhost", "127.0.0.1")
    page.goto(f"{site}/admin/login/")
    page.fill("#id_username", "libraire@dlivre.example")
    page.fill("#id_password", "demo")
    page.click("[type=submit]")
    wrong = []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for address in pages:
            wrong += [f"{address} at {width}: {fault}" for fault in faults(page, f"{site}/{address}")]
    assert not wrong, "\n".join(wrong)
