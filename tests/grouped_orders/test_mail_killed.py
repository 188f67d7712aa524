"""`kill -9` of a worker at each step of a mail: one copy in the inbox, but for the one case where nobody can know."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from grouped_orders import tasks
from grouped_orders.models import Mail
from grouped_orders.outgoing import OutgoingMail
from grouped_orders.statuses import MailState
from tests.factories import BookshopFactory
from tests.processes import Kill, Maker, maker_of, wait_until
from tests.simulation_inbox import Inbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def maker(django_db_setup: None) -> Iterator[Maker]:
    with maker_of("tests.grouped_orders.checkout.victim") as maker:
        yield maker


@pytest.fixture(autouse=True)
def mail() -> None:
    BookshopFactory()
    write("louise")


def write(who: str) -> None:
    OutgoingMail("Objet", "Texte", None, [f"{who}@free.example"], kind="essai", key=f"essai:{who}").send()


def worker(maker: Maker, *, port: int) -> AbstractContextManager[Kill]:
    """One at work on the mails, with the mail server at this port; killed at the end of the block."""
    server = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port, "EMAIL_TIMEOUT": 30, "EMAIL_HOST_USER": ""}
    return maker.killed({"what": "mails", "settings": server})


def deliver_when_the_lease_is_over() -> int:
    return tasks.deliver_due(timezone.now() + timedelta(minutes=10))


def test_killed_before_the_server_was_spoken_to(maker: Maker, inbox: Inbox) -> None:
    with (
        ExitStack() as after,
        socket.create_server(("127.0.0.1", 0)) as mute,
        worker(maker, port=mute.getsockname()[1]),
    ):
        after.enter_context(mute.accept()[0])  # its greeting never comes
    assert Mail.objects.get().state == MailState.SENDING
    assert deliver_when_the_lease_is_over() == 1
    assert len(inbox.messages()) == 1


def test_killed_after_one_mail_and_while_the_server_takes_its_time_over_the_next(maker: Maker, inbox: Inbox) -> None:
    write("noe")
    inbox.fault("hang", match="DATA noe", seconds=30)
    with worker(maker, port=inbox.smtp_port):
        wait_until(lambda: inbox.faults() == [])
    assert [mail.state for mail in Mail.objects.order_by("pk")] == [MailState.SENT, MailState.SENDING]
    assert deliver_when_the_lease_is_over() == 1
    assert [to for to, _ in inbox.received()] == [["louise@free.example"], ["noe@free.example"]]


def test_killed_between_the_250_and_the_record_is_the_only_case_that_repeats_one(maker: Maker, inbox: Inbox) -> None:
    inbox.fault("hang", match="DATA", seconds=0.5)  # time to hold the row; then it takes the mail
    with worker(maker, port=inbox.smtp_port):
        wait_until(lambda: inbox.faults() == [])
        with transaction.atomic():
            Mail.objects.select_for_update().get()
            wait_until(inbox.messages)
            wait_until(lambda: end_whoever_waits_for_a_row() == 1)
    assert Mail.objects.get().state == MailState.SENDING
    assert deliver_when_the_lease_is_over() == 1
    first, second = inbox.messages()
    # A mail reader that knows the one hides the other.
    assert first["headers"]["Message-ID"] == second["headers"]["Message-ID"]


def end_whoever_waits_for_a_row() -> int:
    """Its session as well: PostgreSQL would carry out a dead client's last statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        (count,) = cursor.fetchone()
        return int(count)
