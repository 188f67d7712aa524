"""A provider's message is believed when its origin is proved, byte for byte, and never otherwise."""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from grouped_orders.payments.base import Attempt, BadSignature, Money, Notice, PaymentProvider, Unknown
from grouped_orders.payments.card import Card
from tests.payments.conftest import OUR_ID
from tests.simulation import Simulator

MakeAttempt = Callable[..., Attempt]
Message = tuple[dict[str, str], bytes]


class Mailbox:
    """Where the shop would take webhooks: it keeps them, and answers 500 as many times as it is told."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.busy = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.messages.append((dict(request.headers.items()), request.get_data()))
        self.busy -= 1
        return Response(status=500 if self.busy >= 0 else 200)(environ, start_response)

    def wait(self, count: int) -> list[Message]:
        until = time.monotonic() + 10
        while len(self.messages) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.messages) == count
        return self.messages


@pytest.fixture
def mailbox(serve: Callable[[Any], str]) -> tuple[Mailbox, str]:
    box = Mailbox()
    return box, serve(box)


@pytest.fixture(params=["paypal", "card"])
def both(request: pytest.FixtureRequest, mailbox: tuple[Mailbox, str]) -> tuple[PaymentProvider, Simulator, Mailbox]:
    simulator: Simulator = request.getfixturevalue(f"{request.param}_simulator")
    box, url = mailbox
    simulator.send_webhooks_to(url)
    return request.getfixturevalue(request.param), simulator, box


Both = tuple[PaymentProvider, Simulator, Mailbox]
TYPES = {True: "CHECKOUT.ORDER.APPROVED", False: "checkout.session.completed"}


def _pay(both: Both, attempt: Attempt) -> str:
    provider, simulator, _ = both
    redirect = provider.create(attempt, key="cre-1")
    simulator.pay(redirect.url)
    return redirect.ref


def test_webhook_names_the_attempt(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator, box = both
    ref = _pay(both, attempt())
    ((headers, raw),) = box.wait(1)
    notice = provider.parse_webhook(headers, raw)
    assert notice == Notice(simulator.events()[0]["id"], TYPES[provider.needs_capture], ref, OUR_ID)


def test_webhook_headers_may_come_in_any_case(both: Both, attempt: MakeAttempt) -> None:
    provider, _, box = both
    _pay(both, attempt())
    ((headers, raw),) = box.wait(1)
    lower = provider.parse_webhook({name.lower(): value for name, value in headers.items()}, raw)
    assert lower == provider.parse_webhook({name.upper(): value for name, value in headers.items()}, raw)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(OUR_ID.encode(), b"f" * len(OUR_ID)),
        lambda raw: json.dumps(json.loads(raw), separators=(",", ":")).encode(),
        lambda raw: raw[:-1],
        lambda raw: raw[:-1] + b', "id": "WH-other"}',
        lambda raw: b"",
        lambda raw: b"[]",
        lambda raw: b"\xff\xfe",
        lambda raw: b'{"id": 1}, "webhook_id": "OTHER", "webhook_event": ' + raw,
    ],
)
def test_webhook_changed_by_one_byte_is_refused(
    both: Both, attempt: MakeAttempt, change: Callable[[bytes], bytes]
) -> None:
    provider, _, box = both
    _pay(both, attempt())
    ((headers, raw),) = box.wait(1)
    with pytest.raises(BadSignature):
        provider.parse_webhook(headers, change(raw))


def test_webhook_without_its_proof_is_refused(both: Both, attempt: MakeAttempt) -> None:
    provider, _, box = both
    _pay(both, attempt())
    ((headers, raw),) = box.wait(1)
    proofs = [name for name in headers if name.lower().startswith(("paypal-", "stripe-signature"))]
    assert proofs
    for name in proofs:
        with pytest.raises(BadSignature):
            provider.parse_webhook({key: value for key, value in headers.items() if key != name}, raw)
        with pytest.raises(BadSignature):
            provider.parse_webhook({**headers, name: "x" * 2000}, raw)


def test_webhook_badly_signed_is_refused(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator, box = both
    simulator.fault("webhook_bad_signature")
    _pay(both, attempt())
    ((headers, raw),) = box.wait(1)
    with pytest.raises(BadSignature):
        provider.parse_webhook(headers, raw)


def test_webhook_comes_again_until_it_is_taken(both: Both, attempt: MakeAttempt) -> None:
    provider, _, box = both
    box.busy = 1
    _pay(both, attempt())
    first, second = (provider.parse_webhook(headers, raw) for headers, raw in box.wait(2))
    assert first == second


def test_webhook_faults_lose_it_and_double_it(both: Both, attempt: MakeAttempt) -> None:
    provider, simulator, box = both
    simulator.fault("webhook_lost")
    _pay(both, attempt())
    simulator.fault("webhook_twice")
    simulator.pay(provider.create(attempt(our_id="a" * 32), key="cre-2").url)
    notices = {provider.parse_webhook(headers, raw).our_id for headers, raw in box.wait(2)}
    assert notices == {"a" * 32}
    simulator.decide("webhooks", resend=simulator.events()[0]["id"])
    headers, raw = box.wait(3)[-1]
    assert provider.parse_webhook(headers, raw).our_id == OUR_ID


def test_webhook_of_an_unknown_kind_names_nothing(both: Both) -> None:
    provider, simulator, box = both
    event = {"id": "evt_1", "type": "new.kind", "event_type": "NEW.KIND", "data": {"object": {}}, "resource": {}}
    simulator.decide("webhooks", event=event)
    ((headers, raw),) = box.wait(1)
    assert provider.parse_webhook(headers, raw) == Notice("evt_1", "NEW.KIND" if provider.needs_capture else "new.kind")


def test_paypal_webhook_that_cannot_be_verified_now_is_unknown(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt, mailbox: tuple[Mailbox, str]
) -> None:
    box, url = mailbox
    paypal_simulator.send_webhooks_to(url)
    _pay((paypal, paypal_simulator, box), attempt())
    ((headers, raw),) = box.wait(1)
    paypal_simulator.fault("status", match="verify-webhook", status=503)
    with pytest.raises(Unknown):
        paypal.parse_webhook(headers, raw)
    assert paypal.parse_webhook(headers, raw).our_id == OUR_ID


def test_paypal_capture_webhook_names_order_and_attempt(
    paypal: PaymentProvider, paypal_simulator: Simulator, attempt: MakeAttempt, mailbox: tuple[Mailbox, str]
) -> None:
    box, url = mailbox
    ref = _pay((paypal, paypal_simulator, box), attempt())
    paypal_simulator.send_webhooks_to(url)
    (capture,) = paypal.capture(ref, key="cap-1").captures
    headers, raw = box.wait(1)[0]
    notice = paypal.parse_webhook(headers, raw)
    assert (notice.type, notice.ref, notice.our_id) == ("PAYMENT.CAPTURE.COMPLETED", ref, OUR_ID)

    # A refund carries the refund's own id: it must not be taken for a payment's.
    paypal.refund(capture.id, Money(Decimal("5.00"), "EUR"), our_id="refund-1", key="rf-1")
    headers, raw = box.wait(2)[1]
    notice = paypal.parse_webhook(headers, raw)
    assert (notice.type, notice.our_id) == ("PAYMENT.CAPTURE.REFUNDED", None)


def test_card_refund_webhook_names_the_payment(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt, mailbox: tuple[Mailbox, str]
) -> None:
    box, url = mailbox
    ref = _pay((card, card_simulator, box), attempt())
    card_simulator.send_webhooks_to(url)
    (capture,) = card.fetch(ref).captures
    card_simulator.decide(f"payments/{capture.id}/refund", amount=500)
    ((headers, raw),) = box.wait(1)
    notice = card.parse_webhook(headers, raw)
    assert (notice.type, notice.ref, notice.our_id) == ("charge.refunded", None, OUR_ID)


def test_card_webhook_older_than_five_minutes_is_refused(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt, mailbox: tuple[Mailbox, str]
) -> None:
    box, url = mailbox
    card_simulator.send_webhooks_to(url)
    card_simulator.fault("webhook_old")
    _pay((card, card_simulator, box), attempt())
    ((headers, raw),) = box.wait(1)
    with pytest.raises(BadSignature):
        card.parse_webhook(headers, raw)


def test_card_session_that_ends_by_itself_is_announced(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt, mailbox: tuple[Mailbox, str]
) -> None:
    box, url = mailbox
    card_simulator.send_webhooks_to(url)
    redirect = card.create(attempt(), key="cre-1")
    card_simulator.advance(33 * 60)
    ((headers, raw),) = box.wait(1)
    notice = card.parse_webhook(headers, raw)
    assert (notice.type, notice.ref, notice.our_id) == ("checkout.session.expired", redirect.ref, OUR_ID)


def test_card_webhook_without_a_shared_secret_is_refused(
    card: PaymentProvider, card_simulator: Simulator, attempt: MakeAttempt, mailbox: tuple[Mailbox, str]
) -> None:
    box, url = mailbox
    card_simulator.send_webhooks_to(url)
    _pay((card, card_simulator, box), attempt())
    ((headers, raw),) = box.wait(1)
    nobodys = Card(url=card_simulator.url, secret_key="sk_test_shop", webhook_secret="", page_origin="")
    with pytest.raises(BadSignature):
        nobodys.parse_webhook(headers, raw)
