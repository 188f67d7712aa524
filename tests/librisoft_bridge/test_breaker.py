"""A LIBRISOFT that does not answer is left in peace; one caller at a time finds out when it is back."""

import threading
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from librisoft_bridge import breaker, clock, push, refreshing, statuses, transmission
from librisoft_bridge.client import Refused, Unknown
from librisoft_bridge.models import Link, ShopOrder, Transmission
from tests.factories import BookshopFactory, UserFactory
from tests.librisoft_bridge.story import NOW, hand_over
from tests.pages import Page, words
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def fail(times: int, *, at: datetime = NOW, retry_after: int = 0) -> None:
    for _nth in range(times):
        with pytest.raises(Unknown), breaker.watched(at):
            raise Unknown("LIBRISOFT ne répond pas.", retry_after=retry_after)


def is_let_through(at: datetime) -> bool:
    """Whether a call may be made; it is not made, so nothing is learnt."""
    try:
        with breaker.watched(at):
            raise InterruptedError
    except InterruptedError:
        return True
    except breaker.Open:
        return False


def test_four_failures_in_a_row_stop_nobody() -> None:
    fail(breaker.THRESHOLD - 1)
    assert is_let_through(NOW)


def test_an_answer_between_them_begins_the_count_anew() -> None:
    fail(breaker.THRESHOLD - 1)
    with breaker.watched(NOW):
        pass
    fail(breaker.THRESHOLD - 1)
    assert is_let_through(NOW)


def test_a_refusal_is_an_answer() -> None:
    fail(breaker.THRESHOLD - 1)
    with pytest.raises(Refused), breaker.watched(NOW):
        raise Refused("unauthorized", "Jeton refusé")
    assert (Link.present().failures, Link.present().heard_at) == (0, NOW)


def test_five_failures_in_a_row_keep_everybody_away_for_half_a_minute() -> None:
    fail(breaker.THRESHOLD)
    assert not is_let_through(NOW + 29 * SECOND)
    assert is_let_through(NOW + 30 * SECOND)


def test_one_caller_finds_out_and_the_others_wait_for_what_he_learns() -> None:
    fail(breaker.THRESHOLD)
    then = NOW + timedelta(minutes=1)
    with breaker.watched(then):
        assert not is_let_through(then)
    assert is_let_through(then)


def test_pauses_double_to_five_minutes() -> None:
    fail(breaker.THRESHOLD)
    pauses, now = [], NOW
    for _nth in range(6):
        until = Link.present().open_until
        assert until is not None
        pauses.append((until - now) / SECOND)
        now = until
        fail(1, at=now)
    assert pauses == [30, 60, 120, 240, 300, 300]


def test_a_probe_whose_worker_died_gives_way_to_another() -> None:
    fail(breaker.THRESHOLD)
    then = NOW + timedelta(minutes=1)
    assert is_let_through(then)
    assert not is_let_through(then + 59 * SECOND)
    assert is_let_through(then + 60 * SECOND)


@pytest.mark.parametrize(("wish", "pause"), [(90, timedelta(seconds=90)), (999_999, timedelta(hours=1))])
def test_retry_after_holds_for_every_call(wish: int, pause: timedelta) -> None:
    fail(1, retry_after=wish)
    assert not is_let_through(NOW + pause - SECOND)
    assert is_let_through(NOW + pause)


@pytest.mark.django_db(transaction=True)
def test_only_one_of_many_workers_finds_out() -> None:
    fail(breaker.THRESHOLD)
    then = NOW + timedelta(minutes=1)
    barrier, let_through = threading.Barrier(8), []

    def work() -> None:
        barrier.wait()
        let_through.append(is_let_through(then))
        connection.close()

    workers = [threading.Thread(target=work) for _nth in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(let_through) == 1


# What it spares --------------------------------------------------------------------------------


def test_a_dead_librisoft_is_called_five_times_for_two_hundred_orders(
    librisoft_simulator: LibrisoftSimulator,
) -> None:
    librisoft_simulator.fault("status", status=503, times=0)
    for nth in range(200):
        hand_over(group_order_number=nth, ordered_at=timezone.now())
    clock.transmit_waiting()
    assert librisoft_simulator.asked() == ["POST /v1/orders"] * 5
    assert list(ShopOrder.objects.due(timezone.now())) == []
    # Nothing was tried for the others, so nothing counts against them, and nobody doubts where they are.
    assert ShopOrder.objects.filter(attempts=0, in_doubt=False, transmission=Transmission.WAITING).count() == 195


def test_an_order_that_is_held_back_says_why_and_until_when(librisoft_simulator: LibrisoftSimulator) -> None:
    now = timezone.now()
    fail(breaker.THRESHOLD, at=now)
    order = transmission.transmit(hand_over(ordered_at=now), now=now)
    assert order.next_try_at == now + 30 * SECOND
    assert order.transmission_label == (
        f"LIBRISOFT ne répond pas. Nouvel essai à {timezone.localtime(order.next_try_at):%H:%M}."
    )


def test_orders_held_back_leave_once_it_is_back(librisoft_simulator: LibrisoftSimulator) -> None:
    fail(breaker.THRESHOLD)
    order = transmission.transmit(hand_over(), now=NOW)
    order = transmission.transmit(order, now=order.next_try_at)
    assert (order.transmission, order.attempts, order.error) == (Transmission.SENT, 1, "")
    assert Link.present().state_label == "LIBRISOFT répond."


def test_an_order_withdrawn_meanwhile_proves_nothing(librisoft_simulator: LibrisoftSimulator) -> None:
    """Whoever finds out and then has nothing to send has learnt nothing."""
    fail(breaker.THRESHOLD)
    order = hand_over()
    claim = ShopOrder.objects.claimed(order, order.message_id)

    def mark(**facts: object) -> None:
        if not claim.update(**facts):
            raise transmission.Lost

    with pytest.raises(transmission.Lost):
        push.carry(order, mark, now=NOW + timedelta(minutes=1))
    assert Link.present().failures == breaker.THRESHOLD


def test_nobody_waits_on_a_page_to_find_out(librisoft_simulator: LibrisoftSimulator) -> None:
    fail(breaker.THRESHOLD)
    order = hand_over()
    then = NOW + timedelta(minutes=1)
    assert "Prochain essai à" in refreshing.refresh(order, now=then).said
    assert librisoft_simulator.asked() == []
    transmission.transmit(order, now=then)
    assert refreshing.refresh(order, now=then + refreshing.REFRESH_EVERY).answered


def test_statuses_are_not_asked_for_meanwhile(
    librisoft_simulator: LibrisoftSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    fail(breaker.THRESHOLD, at=timezone.now())
    clock.read_statuses()
    assert librisoft_simulator.asked() == []
    assert "changes could not be read" in caplog.text
    Link.objects.update(open_until=timezone.now())
    assert statuses.read_changes(now=timezone.now()) == 0
    assert librisoft_simulator.asked() == ["GET /v1/orders/changes"]


# What it says ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        (None, "LIBRISOFT n’a pas encore été appelé."),
        (0, "LIBRISOFT répond."),
        (1, "Dernier appel sans réponse : LIBRISOFT ne répond pas."),
        (5, "LIBRISOFT ne répond pas. Laissé en paix depuis 24/11 à 10:00, nouvel essai à 24/11 à 10:00."),
    ],
)
def test_the_bookseller_reads_whether_librisoft_answers(failures: int | None, said: str, client: Client) -> None:
    now = NOW - timedelta(days=365)  # on another day than today's
    if failures is not None:
        breaker.note_answer(now)
        fail(failures, at=now)
    assert Link.present().state_label.replace("\u00a0", " ") == said
    BookshopFactory()
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_link"))
    client.force_login(user)
    page = Page(client.get(reverse("admin:librisoft_bridge_link_changelist")))
    assert [words(cell) for cell in page.tree.find_class("field-state")] == ([] if failures is None else [said])
