from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from collectivities.models import User
from grouped_orders import checkout
from grouped_orders.models import Mail, Payment, Refund, SubOrder
from grouped_orders.statuses import MoneyBack, PaymentMethod
from tests.factories import GroupedOrderFactory, SubOrderFactory, TermsFactory
from tests.simulation import Simulator


@dataclass
class Buyer:
    """One sub-order and its parent, who has a browser; `now` is the clock he and the shop live by."""

    sub_order: SubOrder
    now: datetime
    client: Client

    def start(self, method: PaymentMethod = PaymentMethod.PAYPAL) -> str:
        return checkout.start(self.sub_order, method=method, terms=None, now=self.now)

    def settle(self, payment: Payment | None = None) -> Payment:
        return checkout.settle(payment or self.last, now=self.now)

    def be_cancelled(self, by: User | None = None) -> SubOrder:
        """The bookseller cancels, and gives back online what was received."""
        return checkout.cancel_sub_order(self.sub_order, by=by, reason="Épuisé", refund=MoneyBack.ONLINE, now=self.now)

    def wait(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    @property
    def last(self) -> Payment:
        return self.sub_order.payments.select_related("sub_order").latest("pk")

    @property
    def truth(self) -> tuple[str, list[str]]:
        """The verdict, and the states of the attempts behind it, oldest first."""
        self.sub_order.refresh_from_db()
        return self.sub_order.status, list(self.sub_order.payments.order_by("pk").values_list("state", flat=True))

    def press(self, method: PaymentMethod = PaymentMethod.PAYPAL, client: Client | None = None) -> Any:
        """« Commander et payer »."""
        address = reverse("buyer:payment", args=[self.sub_order.secret])
        return (client or self.client).post(address, {"method": method, "terms": "on"})

    def come_back(self, address: str) -> Any:
        """The browser follows the provider's redirect to its end; the page he then reads."""
        path = "/" + address.split("/", 3)[3]
        return self.client.get(path, follow=True)

    def read_page(self) -> Any:
        return self.client.get(reverse("buyer:sub_order", args=[self.sub_order.secret]))


@pytest.fixture
def buyer(db: None) -> Buyer:
    """Two copies at 6,40 €, three days before the deadline."""
    order = GroupedOrderFactory(deadline=timezone.localdate() + timedelta(days=3), unit_price=Decimal("6.40"))
    TermsFactory()
    return Buyer(SubOrderFactory(grouped_order=order, quantity=2), timezone.now(), Client())


def shop_settings() -> dict[str, Any]:
    """How this test's shop reaches the providers, for another process of it."""
    return {name: getattr(settings, name) for name in dir(settings) if name.startswith(("PAYPAL_", "STRIPE_"))}


@pytest.fixture
def tell(client: Client) -> Callable[..., int]:
    """Hand the shop one of the provider's messages, changed by `headers` if given; the status of its answer."""

    def post(simulator: Simulator, event: dict[str, Any], **headers: str) -> int:
        method = simulator.stage.app.name
        body, proof = simulator.message(event)
        address = reverse(f"payments:{method}_webhook")
        return client.post(address, body, content_type="application/json", headers=proof | headers).status_code

    return post


def kinds() -> list[str]:
    """The mails written, by kind."""
    return sorted(Mail.objects.values_list("kind", flat=True))


def refund_all(buyer: Buyer) -> None:
    """The clock, for the refunds that are due."""
    for refund in Refund.objects.due(buyer.now):
        checkout.send_refund(refund, now=buyer.now)


MANY = 1000


def struck(*simulators: Simulator) -> int:
    """How often the fault that was set for MANY times was met."""
    return sum(MANY - fault["times"] for simulator in simulators for fault in simulator.stage.faults)
