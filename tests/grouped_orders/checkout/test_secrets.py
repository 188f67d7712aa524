"""A whole story of payments with faults, read for secrets: every line of the log, every row, every page of a failure.

Secret is what opens an account at a provider, and what opens a buyer's own page; private is his address.
"""

import base64
import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from grouped_orders.models import Mail, Refund, SubOrder
from grouped_orders.statuses import PaymentMethod, RefundState
from libriweb.logs import layout
from tests.factories import SubOrderFactory, TermsFactory, UserFactory
from tests.grouped_orders.checkout.conftest import Buyer, refund_all
from tests.grouped_orders.checkout.ledger import assert_ledger_agrees
from tests.simulation import CARD as CARD_OPTIONS
from tests.simulation import PAYPAL as PAYPAL_OPTIONS
from tests.simulation import Simulator

PAYPAL, CARD = PaymentMethod.PAYPAL, PaymentMethod.CARD
LOGGERS = [
    "",
    "django",
    "django.request",
    "libriweb",
    "grouped_orders",
    "urllib3",
    "requests",
    "paypalrestsdk",
    "stripe",
]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the shop's log holds when everybody's lines are asked for, in the layout of settings.LOGGING."""
    formatter = layout(as_json=True)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter.pop("()")(**formatter))
    # The simulators' own server, and the test's own event loop.
    handler.addFilter(lambda record: not record.name.startswith(("werkzeug", "asyncio")))
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def secrets(paypal_simulator: Simulator) -> list[str]:
    """Whatever opens an account at a provider, as it travels."""
    tokens = list(paypal_simulator.stage.state["tokens"])
    assert tokens
    return [
        *tokens,
        base64.b64encode(f"{PAYPAL_OPTIONS.client_id}:{PAYPAL_OPTIONS.client_secret}".encode()).decode(),
        PAYPAL_OPTIONS.client_secret,
        CARD_OPTIONS.secret_key,
        CARD_OPTIONS.webhook_secret,
        "Authorization",
        "Bearer ",
    ]


def private(*buyers: Buyer) -> list[str]:
    """What opens a buyer's page and where he is written to, as typed and as it stands in a form."""
    addresses = [buyer.sub_order.email for buyer in buyers]
    return [buyer.sub_order.secret for buyer in buyers] + [a for e in addresses for a in (e, e.replace("@", "%40"))]


def found(words: list[str], text: str) -> list[str]:
    return [word for word in words if word in text]


@pytest.fixture
def other(buyer: Buyer) -> Buyer:
    """Another parent of the same class."""
    return Buyer(SubOrderFactory(grouped_order=buyer.sub_order.grouped_order), buyer.now, Client())


@pytest.mark.logs_errors  # « come back later » to a webhook is a 503
def test_no_secret_reaches_a_log_line_or_a_row(
    buyer: Buyer,
    other: Buyer,
    paypal_simulator: Simulator,
    card_simulator: Simulator,
    tell: Callable[..., int],
    log: io.StringIO,
) -> None:
    for one, method, simulator in ((buyer, PAYPAL, paypal_simulator), (other, CARD, card_simulator)):
        for fault in ("status", "html", "truncated", "drop_before"):
            simulator.fault(fault, match="/v[12]/", status=401)
            one.press(method)
        simulator.clear_faults()
        back = simulator.pay(one.press(method).headers["Location"])
        for fault in ("status", "html", "truncated", "drop_after"):
            simulator.fault(fault, match="/v[12]/", status=500)
            one.come_back(back)
        simulator.clear_faults()
        event = simulator.events()[-1]
        assert tell(simulator, event) == 200
        name = "PAYPAL-TRANSMISSION-SIG" if method == PAYPAL else "Stripe-Signature"
        assert tell(simulator, event, **{name: "t=1,v1=c2VjcmV0"}) == 400
        one.come_back(back)
        one.be_cancelled(UserFactory())
        simulator.fault("status", match="/refund", status=503)
        for _ in range(3):
            one.wait(minutes=5)
            refund_all(one)
    paypal_simulator.fault("status", match="verify", status=503)
    assert tell(paypal_simulator, paypal_simulator.events()[0] | {"id": "WH-9"}) == 503
    assert [refund.state for refund in Refund.objects.all()] == [RefundState.DONE] * 2
    assert_ledger_agrees(paypal_simulator, card_simulator)

    assert '"logger": "urllib3.connectionpool"' in log.getvalue()
    assert found(secrets(paypal_simulator) + private(buyer, other), log.getvalue()) == []
    # The buyer's own rows hold where he is written to and what opens his page; no other row of the shop does.
    his = (SubOrder, Mail)
    for model in apps.get_models():
        for row in model._base_manager.values():
            assert found(secrets(paypal_simulator), str(row)) == []
            assert model in his or found(private(buyer, other), str(row)) == []
    assert [found(private(buyer, other), str(session.get_decoded())) for session in Session.objects.all()] == []


@pytest.mark.logs_errors
def test_page_that_breaks_tells_nothing_and_neither_does_its_log(
    buyer: Buyer, other: Buyer, paypal_simulator: Simulator, settings: Settings, log: io.StringIO
) -> None:
    """A view fails at an address that holds a secret: Django writes the address down, and the traceback."""
    client = Client(raise_request_exception=False)
    buyer.start()
    returned = reverse("payments:returned", args=[buyer.sub_order.secret, buyer.last.public_id])
    settings.PAYPAL_API_URL = None  # no client can be made of that
    answers: list[Any] = [other.press(client=client), client.get(returned + f"?token={buyer.last.provider_ref}")]
    assert [answer.status_code for answer in answers] == [500, 500]
    for answer in answers:
        assert "Une erreur est survenue" in answer.text
        assert found([*private(buyer, other), buyer.last.public_id, "Traceback"], answer.text) == []
    assert "Internal Server Error: /order/grouped/suborder/…/" in log.getvalue()
    assert "AttributeError" in log.getvalue()
    assert found(secrets(paypal_simulator) + private(buyer, other), log.getvalue()) == []


@pytest.mark.logs_errors  # a host that is not ours
def test_refused_pages_tell_nothing_and_neither_does_their_log(
    buyer: Buyer, other: Buyer, paypal_simulator: Simulator, log: io.StringIO
) -> None:
    buyer.start()
    mine, his, attempt = buyer.sub_order.secret, other.sub_order.secret, buyer.last.public_id
    strict = Client(enforce_csrf_checks=True)
    form = {"method": PAYPAL, "terms": "on", "email": buyer.sub_order.email}
    answers: list[tuple[int, Any]] = [
        (404, buyer.client.get(reverse("buyer:sub_order", args=[mine[:-1]]))),
        (404, buyer.client.get(reverse("buyer:sub_order", args=[mine]) + "x/")),
        (404, buyer.client.get(reverse("buyer:payment", args=[mine + "A"]))),
        (404, buyer.client.get(reverse("payments:returned", args=[his, attempt]))),
        (404, buyer.client.get(reverse("payments:abandoned", args=[his, attempt]))),
        (404, buyer.client.get(reverse("payments:returned", args=[mine, "0" * 32]) + f"?token={mine}")),
        (403, strict.post(reverse("buyer:payment", args=[mine]), form)),
        (403, strict.post(reverse("buyer:verify", args=[mine]))),
        (400, Client(SERVER_NAME="elsewhere.example").get(reverse("buyer:sub_order", args=[mine]))),
        (405, buyer.client.get(reverse("buyer:verify", args=[mine]))),
    ]
    for status, answer in answers:
        assert answer.status_code == status
        assert found(private(buyer, other) + [attempt], answer.text) == []
    assert "Forbidden (CSRF cookie not set.)" in log.getvalue()
    assert found(secrets(paypal_simulator) + private(buyer, other), log.getvalue()) == []


@pytest.mark.parametrize("method", [PAYPAL, CARD])
def test_payment_that_cannot_begin_shows_nobody_else_and_no_token(
    buyer: Buyer,
    other: Buyer,
    paypal_simulator: Simulator,
    card_simulator: Simulator,
    log: io.StringIO,
    method: PaymentMethod,
) -> None:
    TermsFactory()
    other.start()
    for simulator in (paypal_simulator, card_simulator):
        simulator.fault("status", match="orders|sessions", times=0, status=503, body={"message": "sk_test_shop"})
    page = buyer.press(method)
    assert "Rien n’a été débité" in page.text
    pages = [page, buyer.read_page(), buyer.client.post(reverse("buyer:verify", args=[buyer.sub_order.secret]))]
    for answer in pages:
        assert found(secrets(paypal_simulator) + private(other), answer.text) == []
    assert found(secrets(paypal_simulator) + private(buyer, other), log.getvalue()) == []
