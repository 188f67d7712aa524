"""The providers' doors: the payer who comes back, and their webhooks. What they say is never believed."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from grouped_orders import checkout
from grouped_orders.models import GroupedOrder, Mail, Payment, ProviderEvent, SubOrder
from grouped_orders.statuses import PaymentMethod
from tests.factories import SubOrderFactory
from tests.grouped_orders.views.story import own_url, payment_url
from tests.pages import Page
from tests.simulation import Simulator

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[PaymentMethod.PAYPAL, PaymentMethod.CARD])
def provider(request: pytest.FixtureRequest, sub_order: SubOrder) -> Simulator:
    """Each of the two in turn, by the real clock."""
    GroupedOrder.objects.update(deadline=timezone.localdate() + timedelta(days=1))
    name = {PaymentMethod.PAYPAL: "paypal", PaymentMethod.CARD: "card"}[request.param]
    return request.getfixturevalue(f"{name}_simulator")


@pytest.fixture
def page(request: pytest.FixtureRequest, provider: Simulator, client: Client, sub_order: SubOrder) -> str:
    """The provider's page, reached by « Commander et payer »."""
    method = request.node.callspec.params["provider"]
    answer = client.post(payment_url(sub_order), {"method": method, "terms": "on"})
    assert answer.status_code == 303
    return answer["Location"]


def path(address: str) -> str:
    """What the shop is asked for when a browser opens the address."""
    return "/" + address.split("/", 3)[3]


def truth(sub_order: SubOrder) -> tuple[str, list[str]]:
    """The verdict, and the states of the attempts behind it."""
    sub_order.refresh_from_db()
    return sub_order.status, list(sub_order.payments.order_by("pk").values_list("state", flat=True))


def back(sub_order: SubOrder, door: str = "returned", payment: Payment | None = None) -> str:
    return reverse(f"payments:{door}", args=[sub_order.secret, (payment or Payment.objects.get()).public_id])


# The payer comes back -----------------------------------------------------------------------------


def test_payer_who_paid_reads_it(client: Client, sub_order: SubOrder, provider: Simulator, page: str) -> None:
    returned = client.get(path(provider.pay(page)))
    assert (returned.status_code, returned.url) == (302, f"{own_url(sub_order)}?retour=0")
    assert "Votre commande est payée. Merci !" in Page(client.get(returned.url)).main
    assert truth(sub_order) == ("PAID", ["CAPTURED"])
    assert provider.moved() == [("capture", "12.80", Payment.objects.get().public_id)]
    assert list(Mail.objects.values_list("kind", "recipient")) == [("sub_order_paid", "louise@free.example")]


def test_payer_who_comes_back_again_and_again_paid_once(
    client: Client, sub_order: SubOrder, provider: Simulator, page: str
) -> None:
    address = path(provider.pay(page))
    for _ in range(4):
        client.get(address)
    assert truth(sub_order) == ("PAID", ["CAPTURED"])
    assert (provider.ledger()["total"], Mail.objects.count()) == ("12.80", 1)


def test_payer_who_cancelled_reads_it_and_may_pay(
    client: Client, sub_order: SubOrder, provider: Simulator, page: str
) -> None:
    cancelled = client.get(path(provider.cancel(page)))
    assert (cancelled.status_code, cancelled.url) == (302, f"{own_url(sub_order)}?retour=0")
    own = Page(client.get(cancelled.url))
    assert "Vous avez annulé le paiement. Rien n’a été débité." in own.main
    assert own.links()["Payer à nouveau · 12,80 €"] == payment_url(sub_order)
    assert truth(sub_order) == ("PENDING", ["ABANDONED"])
    assert provider.moved() == []


def test_payer_who_paid_and_says_he_cancelled_has_paid(
    client: Client, sub_order: SubOrder, provider: Simulator, page: str
) -> None:
    provider.pay(page)
    own = Page(client.get(back(sub_order, "abandoned"), follow=True))
    assert "Votre commande est payée. Merci !" in own.main
    assert (truth(sub_order), provider.ledger()["total"]) == (("PAID", ["CAPTURED"]), "12.80")


def test_payer_who_says_he_paid_and_did_not_has_not(
    client: Client, sub_order: SubOrder, provider: Simulator, page: str
) -> None:
    own = Page(client.get(back(sub_order) + "?PayerID=FORGED", follow=True))
    assert "Nous vérifions votre paiement." in own.main
    assert (truth(sub_order), provider.moved()) == (("PENDING", ["REDIRECTED"]), [])


def test_card_refused_then_paid(client: Client, sub_order: SubOrder, card_simulator: Simulator) -> None:
    GroupedOrder.objects.update(deadline=timezone.localdate())
    form = {"method": "CARD", "terms": "on"}
    page = client.post(payment_url(sub_order), form)["Location"]
    assert "refus" in card_simulator.refuse(page)
    own = Page(client.get(back(sub_order, "abandoned"), follow=True))
    assert "Vous avez annulé le paiement. Rien n’a été débité." in own.main
    assert card_simulator.moved() == []
    client.get(path(card_simulator.pay(client.post(payment_url(sub_order), form)["Location"])))
    assert (truth(sub_order)[0], card_simulator.ledger()["total"]) == ("PAID", "12.80")


def test_paypal_instrument_declined_sends_back_to_choose_another(
    client: Client, sub_order: SubOrder, paypal_simulator: Simulator
) -> None:
    GroupedOrder.objects.update(deadline=timezone.localdate())
    form = {"method": "PAYPAL", "terms": "on"}
    page = client.post(payment_url(sub_order), form)["Location"]
    paypal_simulator.fault("instrument_declined")
    own = Page(client.get(path(paypal_simulator.pay(page)), follow=True))
    assert "PayPal ou votre banque a refusé la carte ou le compte choisi." in own.main
    assert (truth(sub_order), paypal_simulator.moved()) == (("PENDING", ["REDIRECTED"]), [])
    assert client.post(payment_url(sub_order), form)["Location"] == page
    client.get(path(paypal_simulator.pay(page)))
    assert (truth(sub_order), paypal_simulator.ledger()["total"]) == (("PAID", ["CAPTURED"]), "12.80")


def test_verify_asks_the_provider(client: Client, sub_order: SubOrder, provider: Simulator, page: str) -> None:
    """The payer closed the provider's page instead of coming back."""
    provider.pay(page)
    address = reverse("buyer:verify", args=[sub_order.secret])
    assert client.get(address).status_code == 405
    assert client.post(address).url == f"{own_url(sub_order)}?retour=0"
    assert (truth(sub_order), provider.ledger()["total"]) == (("PAID", ["CAPTURED"]), "12.80")


# Forged returns -----------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["returned", "abandoned"])
def test_return_with_somebody_elses_secret_or_payment_is_nothing(
    client: Client, sub_order: SubOrder, provider: Simulator, page: str, door: str
) -> None:
    provider.pay(page)
    payment = Payment.objects.get()
    other = SubOrderFactory(grouped_order=sub_order.grouped_order)
    theirs = Payment.objects.create(sub_order=other, method="CARD", amount=other.total)
    forged = [
        back(other, door, payment),
        back(sub_order, door, theirs),
        reverse(f"payments:{door}", args=[sub_order.secret, "0" * 32]),
        reverse(f"payments:{door}", args=["x" * 32, payment.public_id]),
    ]
    assert [client.get(address).status_code for address in forged] == [404] * 4
    assert (truth(sub_order), truth(other)) == (("PENDING", ["REDIRECTED"]), ("PENDING", ["CREATED"]))


@pytest.mark.parametrize("door", ["returned", "abandoned"])
@pytest.mark.parametrize("token", ["AUTRE", ""])
def test_return_with_another_token_does_nothing(
    client: Client, sub_order: SubOrder, provider: Simulator, page: str, door: str, token: str
) -> None:
    provider.pay(page)
    assert client.get(f"{back(sub_order, door)}?token={token}&PayerID=X").status_code == 302
    assert truth(sub_order) == ("PENDING", ["REDIRECTED"])


@pytest.mark.parametrize("door", ["returned", "abandoned"])
def test_return_is_a_get_that_leaves_no_trace(
    client: Client, sub_order: SubOrder, provider: Simulator, page: str, door: str
) -> None:
    assert client.post(back(sub_order, door)).status_code == 405
    answer = client.get(back(sub_order, door))
    assert (answer["Cache-Control"], answer["X-Robots-Tag"]) == ("no-store", "noindex")


# Webhooks -----------------------------------------------------------------------------------------


@pytest.fixture
def tell(client: Client, provider: Simulator) -> Callable[..., int]:
    """Hand the shop the provider's message about what just happened; the status of its answer."""
    address = reverse(f"payments:{provider.stage.app.name}_webhook")

    def post(body: bytes | None = None, **headers: str) -> int:
        said, proof = provider.message(provider.events()[-1])
        return client.post(
            address, said if body is None else body, content_type="application/json", headers=proof | headers
        ).status_code

    return post


def test_webhook_settles_though_nobody_came_back(
    client: Client, sub_order: SubOrder, provider: Simulator, page: str, tell: Callable[..., int]
) -> None:
    provider.pay(page)
    assert tell() == 200
    assert truth(sub_order) == ("PAID", ["CAPTURED"])
    assert provider.ledger()["total"] == "12.80"


def test_webhook_replayed_changes_nothing(
    client: Client, sub_order: SubOrder, provider: Simulator, page: str, tell: Callable[..., int]
) -> None:
    provider.pay(page)
    client.get(back(sub_order))
    assert [tell() for _ in range(5)] == [200] * 5
    assert (truth(sub_order), provider.ledger()["total"]) == (("PAID", ["CAPTURED"]), "12.80")
    assert (ProviderEvent.objects.count(), Mail.objects.count()) == (1, 1)


def test_webhook_that_is_not_theirs_is_refused(
    sub_order: SubOrder, provider: Simulator, page: str, tell: Callable[..., int]
) -> None:
    provider.pay(page)
    assert [tell(body) for body in (b"", b"{}", b"[]", b"\xff", b'{"id": "WH-1"}')] == [400] * 5
    assert (truth(sub_order), ProviderEvent.objects.count()) == (("PENDING", ["REDIRECTED"]), 0)


def test_webhook_too_long_is_not_even_read(
    sub_order: SubOrder, provider: Simulator, page: str, tell: Callable[..., int]
) -> None:
    provider.pay(page)
    assert tell(b"x" * 5_000_000) == 413
    assert ProviderEvent.objects.count() == 0


@pytest.mark.logs_errors
def test_webhook_whose_proof_cannot_be_had_is_asked_for_again(
    sub_order: SubOrder, paypal_simulator: Simulator, client: Client
) -> None:
    GroupedOrder.objects.update(deadline=timezone.localdate())
    paypal_simulator.pay(checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=None, now=timezone.now()))
    body, proof = paypal_simulator.message(paypal_simulator.events()[-1])
    paypal_simulator.fault("status", match="verify-webhook-signature", times=1, status=503)
    address = reverse("payments:paypal_webhook")
    answers = [client.post(address, body, content_type="application/json", headers=proof) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 200]
    assert truth(sub_order) == ("PAID", ["CAPTURED"])


@pytest.mark.parametrize("door", ["payments:paypal_webhook", "payments:card_webhook"])
def test_webhook_of_a_provider_the_shop_does_not_have_is_nothing(client: Client, door: str) -> None:
    """No secret is shared with it, so an empty one would prove whatever one likes."""
    assert (client.get(reverse(door)).status_code, client.post(reverse(door)).status_code) == (405, 404)
