"""The doors that a LIBRISOFT which calls us finds; every answer is judged by librisoft-pull-v1.yaml."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from librisoft_bridge import outbox, payload, refreshing, tasks
from librisoft_bridge.models import Link, ShopOrder, Transmission
from tests.contracts.exchanges import Exchange
from tests.contracts.judging import pull_breaches
from tests.librisoft_bridge.story import NOW, hand_over, read

pytestmark = pytest.mark.django_db

TOKEN = "jeton-de-librisoft-pour-les-tests-1234"
STATE: dict[str, Any] = {
    "librisoft_order_id": "6767",
    "status": {
        "code": "PARTIALLY_RECEIVED",
        "label": "Partiellement réceptionnée",
        "sequence": 2,
        "updated_at": "2026-11-24T09:00:00Z",
    },
    "lines": [{"line_number": 1, "ordered": 5, "received": 3}],
}


@pytest.fixture(autouse=True)
def by_pull(settings: Settings) -> None:
    settings.LIBRISOFT_TRANSPORT, settings.LIBRISOFT_TOKEN = "pull", TOKEN


def ask(method: str, path: str, body: Any = None, *, token: str = f"Bearer {TOKEN}") -> tuple[int, Any]:
    sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    client = Client(enforce_csrf_checks=True)
    answer = client.generic(method, f"/librisoft{path}", sent, "application/json", headers={"Authorization": token})
    said = answer.json()
    assert pull_breaches(Exchange(method, path, answer.status_code, said, by_us=False)) == []
    return answer.status_code, said


def fetch(**asked: Any) -> tuple[list[str], bool]:
    status, page = ask("POST", "/v1/orders/fetch", asked or None)
    assert status == 200, page
    return [order["web_order_number"] for order in page["orders"]], page["has_more"]


# Who may ---------------------------------------------------------------------------------------

CALLS = [
    ("POST", "/v1/orders/fetch", {}),
    ("PUT", "/v1/orders/1/acknowledgement", {"librisoft_order_id": "6767"}),
    ("PUT", "/v1/orders/1/refusal", {"message": "EAN inconnu"}),
    ("POST", "/v1/statuses", {"changes": []}),
]


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"])
@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_without_the_token_nothing_is_told_or_done(method: str, path: str, body: Any, token: str) -> None:
    order = hand_over()
    said = ask(method, path.replace("/1/", f"/{order.pk}/"), body, token=token)
    assert said == (401, {"code": "unauthorized", "message": "Jeton refusé."})
    assert (read(order).transmission, read(order).in_doubt, Link.objects.count()) == (Transmission.WAITING, False, 0)


@pytest.mark.parametrize("changes", [{"LIBRISOFT_TRANSPORT": "push"}, {"LIBRISOFT_TOKEN": ""}])
@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_there_is_no_door_but_by_pull_with_a_token(
    changes: dict[str, str], method: str, path: str, body: Any, client: Client, settings: Settings
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    token = f"Bearer {settings.LIBRISOFT_TOKEN}"
    answer = client.generic(method, f"/librisoft{path}", json.dumps(body), headers={"Authorization": token})
    assert answer.status_code == 404


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_another_method_does_nothing(method: str, path: str, body: Any, client: Client) -> None:
    order = hand_over()
    at = f"/librisoft{path}".replace("/1/", f"/{order.pk}/")
    answer = client.get(at, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer["Allow"], read(order).in_doubt) == (405, method, False)


# Fetching --------------------------------------------------------------------------------------


def test_fetch_gives_the_document_and_says_from_then_on_that_librisoft_may_have_it() -> None:
    order = hand_over()
    assert ask("POST", "/v1/orders/fetch") == (200, {"orders": [payload.write(order)], "has_more": False})
    order = read(order)
    assert (order.transmission, order.in_doubt, order.attempts) == (Transmission.WAITING, True, 1)
    assert order.transmission_label.startswith("Remise à LIBRISOFT à ")
    assert not outbox.withdraw(order, now=NOW)


def test_an_order_comes_again_until_it_is_acknowledged() -> None:
    order = hand_over()
    first = read(order)
    assert fetch() == fetch() == ([str(order.pk)], False)
    assert read(order).offered_at != first.offered_at
    offered = read(order).offered_at
    fetch()
    assert (read(order).offered_at, read(order).attempts) == (offered, 3)
    ask("PUT", f"/v1/orders/{order.pk}/acknowledgement", {"librisoft_order_id": "6767"})
    assert fetch() == ([], False)


def test_orders_are_paged_and_one_that_is_never_acknowledged_holds_up_no_other() -> None:
    numbers = [str(hand_over(group_order_number=nth).pk) for nth in range(5)]
    assert fetch(limit=2) == (numbers[:2], True)
    assert fetch(limit=2, after=numbers[1]) == (numbers[2:4], True)
    assert fetch(limit=2, after=numbers[3]) == (numbers[4:], False)


def test_nothing_is_sent_by_us_meanwhile() -> None:
    order = hand_over()
    tasks.transmit(order.pk)
    assert (read(order).attempts, read(order).transmission_label) == (0, "Prête\u00a0: LIBRISOFT viendra la chercher")


@pytest.mark.parametrize(
    "asked",
    [{"limit": 0}, {"limit": 101}, {"limit": "2"}, {"limit": True}, {"after": 5}, {"after": "²"}, {"after": "9" * 19}],
)
def test_fetch_refuses_what_the_contract_refuses(asked: dict[str, Any]) -> None:
    order = hand_over()
    assert ask("POST", "/v1/orders/fetch", asked)[0] == 422
    assert not read(order).in_doubt


@pytest.mark.parametrize("body", [b"{", b"[]", b'"637"', b"[" * 100_000, b"\xff", b" " * 3_000_000])
def test_a_body_that_nobody_can_read_is_refused(body: bytes) -> None:
    assert ask("POST", "/v1/orders/fetch", body) == (
        422,
        {"code": "invalid", "message": "Le corps de la demande est illisible."},
    )


# Acknowledging ---------------------------------------------------------------------------------


def test_acknowledgement_is_safe_to_repeat() -> None:
    order = hand_over()
    for _twice in range(2):
        said = ask("PUT", f"/v1/orders/{order.pk}/acknowledgement", {"librisoft_order_id": " 6767 "})
        assert said == (200, {"web_order_number": str(order.pk), "librisoft_order_id": "6767"})
    order = read(order)
    assert (order.transmission, order.librisoft_number, order.second_number) == (Transmission.SENT, "6767", "")


def test_acknowledgement_under_a_second_number_is_an_alarm() -> None:
    order = hand_over()
    ask("PUT", f"/v1/orders/{order.pk}/acknowledgement", {"librisoft_order_id": "6767"})
    assert ask("PUT", f"/v1/orders/{order.pk}/acknowledgement", {"librisoft_order_id": "6999"}) == (
        409,
        {
            "code": "contradiction",
            "message": f"La commande n° {order.pk} porte déjà le n° LIBRISOFT 6767\u00a0: 6999 en est un second.",
        },
    )
    assert (read(order).librisoft_number, read(order).second_number) == ("6767", "6999")


@pytest.mark.parametrize("number", [None, "", "  ", 6767, "12345678901", "67\x0067", ["6767"]])
def test_acknowledgement_without_a_number_of_librisoft_is_refused(number: Any) -> None:
    order = hand_over()
    assert ask("PUT", f"/v1/orders/{order.pk}/acknowledgement", {"librisoft_order_id": number})[0] == 422
    assert read(order).transmission == Transmission.WAITING


@pytest.mark.parametrize("number", ["0", "abc", "9" * 30, "%00"])
@pytest.mark.parametrize(
    ("what", "body"), [("acknowledgement", {"librisoft_order_id": "6767"}), ("refusal", {"message": "Non"})]
)
def test_an_order_that_is_not_ours_is_not_found(number: str, what: str, body: Any) -> None:
    assert ask("PUT", f"/v1/orders/{number}/{what}", body)[0] == 404


# Refusing --------------------------------------------------------------------------------------


def test_refusal_is_shown_and_the_order_comes_no_more_until_renvoyer() -> None:
    order = hand_over(ordered_at=timezone.now())
    fetch()
    for _twice in range(2):
        said = ask("PUT", f"/v1/orders/{order.pk}/refusal", {"message": "EAN inconnu"})
        assert said == (200, {"web_order_number": str(order.pk)})
    assert (read(order).transmission, read(order).error, read(order).in_doubt) == (
        Transmission.REFUSED,
        "EAN inconnu",
        False,
    )
    assert fetch() == ([], False)
    assert outbox.resend(order, now=NOW)
    assert fetch() == ([str(order.pk)], False)


def test_refusal_of_what_was_acknowledged_is_no_answer() -> None:
    order = hand_over()
    ask("PUT", f"/v1/orders/{order.pk}/acknowledgement", {"librisoft_order_id": "6767"})
    assert ask("PUT", f"/v1/orders/{order.pk}/refusal", {"message": "EAN inconnu"}) == (
        409,
        {"code": "contradiction", "message": f"La commande n° {order.pk} est déjà prise, sous le n° 6767."},
    )
    assert read(order).transmission == Transmission.SENT


def test_refusal_of_a_withdrawn_order_ends_the_doubt() -> None:
    order = hand_over()
    fetch()
    outbox.withdraw(order, now=NOW)
    ask("PUT", f"/v1/orders/{order.pk}/refusal", {"message": "Annulée"})
    assert (read(order).transmission, read(order).in_doubt) == (Transmission.WITHDRAWN, False)


def test_refusal_without_a_reason_is_refused() -> None:
    order = hand_over()
    assert ask("PUT", f"/v1/orders/{order.pk}/refusal", {"message": " "})[0] == 422
    assert read(order).transmission == Transmission.WAITING


# Reporting -------------------------------------------------------------------------------------


def test_statuses_are_taken_in_and_odd_ones_are_named() -> None:
    order, other = hand_over(), hand_over(group_order_number=63)
    ShopOrder.objects.filter(pk=other.pk).update(librisoft_number="6700")
    changes = [
        {"odd": True},
        {**STATE, "web_order_number": "0"},
        {**STATE, "web_order_number": str(other.pk)},
        {**STATE, "web_order_number": str(order.pk)},
    ]
    assert ask("POST", "/v1/statuses", {"changes": changes}) == (
        200,
        {
            "taken": 1,
            "left_out": [
                {"index": 0, "message": "L’état de la commande est illisible."},
                {"index": 1, "message": "La commande n° 0 n’existe pas ici."},
                {
                    "index": 2,
                    "message": f"La commande n° {other.pk} porte déjà le n° LIBRISOFT 6700\u00a0: "
                    "6767 en est un second.",
                },
            ],
        },
    )
    assert read(order).full_status_label == "Partiellement réceptionnée (3 sur 5)"
    assert read(other).second_number == "6767"


@pytest.mark.parametrize("changes", [None, {}, "637", [{}] * 501])
def test_what_is_no_list_of_statuses_is_refused(changes: Any) -> None:
    assert ask("POST", "/v1/statuses", {"changes": changes})[0] == 422


# What the bookseller reads ---------------------------------------------------------------------


def test_reactualiser_says_when_librisoft_came_last() -> None:
    order = hand_over()
    said = refreshing.refresh(order, now=NOW)
    assert said == (False, "LIBRISOFT vient donner ses statuts de lui-même. LIBRISOFT n’est pas encore passé.")
    fetch()
    heard = timezone.localtime(Link.present().heard_at)
    said = refreshing.refresh(order, now=NOW + refreshing.REFRESH_EVERY)
    assert said.said == (
        f"LIBRISOFT vient donner ses statuts de lui-même. LIBRISOFT est passé pour la dernière fois à {heard:%H:%M}."
    )
