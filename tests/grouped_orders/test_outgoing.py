"""The outbox: from a mail that somebody sends to what a mail server really received."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.mime.image import MIMEImage
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import time_machine
from django.core.mail import EmailMessage, send_mail
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from collectivities.models import Bookshop
from grouped_orders import tasks
from grouped_orders.models import Mail
from grouped_orders.outgoing import OutgoingMail
from grouped_orders.statuses import MailState
from libriweb import celery_app
from tests.factories import BookshopFactory, SubOrderFactory
from tests.simulation_inbox import Inbox, free_port

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def write(key: str = "sub_order_paid:154", **changes: Any) -> OutgoingMail:
    values: dict[str, Any] = {
        "subject": "Confirmation de votre commande n° 154",
        "body": "Bonjour,\n\nTotal TTC : 6,40 €\n",
        "to": ["louise@free.example"],
        "reply_to": ["cdi@college.example"],
        "kind": "sub_order_paid",
        "key": key,
    }
    mail = OutgoingMail(**values | changes)
    mail.attach_alternative("<p>Total TTC : 6,40 €</p>", "text/html")
    return mail


@pytest.fixture
def shop(settings: Settings) -> Bookshop:
    settings.SITE_URL = "https://commandes.dlivre.example"
    settings.DEFAULT_FROM_EMAIL = "Librairie <libraire@dlivre.example>"
    return BookshopFactory(name="DLIVRE, la librairie")


@pytest.fixture(autouse=True)
def hearing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_deaf_until", 0.0)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that answers the bell at once."""
    monkeypatch.setitem(celery_app.conf, "task_always_eager", True)


def outcome(mail: Mail) -> tuple[str, int, str]:
    mail.refresh_from_db()
    return mail.state, mail.attempts, mail.error


# Writing ---------------------------------------------------------------------------------------


def test_sending_writes_one_row_and_sends_nothing(shop: Bookshop, inbox: Inbox):
    sub_order = SubOrderFactory()
    mail = write(grouped_order=sub_order.grouped_order, sub_order=sub_order)
    mail.attach("liste.pdf", b"%PDF \x00\xff", "application/pdf")
    mail.attach("rappel.ics", "BEGIN:VCALENDAR é", "text/calendar")
    assert mail.send() == 1
    row = Mail.objects.get()
    assert (row.kind, row.key, row.recipient) == ("sub_order_paid", "sub_order_paid:154", "louise@free.example")
    assert (row.grouped_order, row.sub_order) == (sub_order.grouped_order, sub_order)
    assert row.sender == '"DLIVRE, la librairie" <libraire@dlivre.example>'
    assert row.reply_to == "cdi@college.example"
    assert row.subject == "Confirmation de votre commande n° 154"
    assert (row.text, row.html) == ("Bonjour,\n\nTotal TTC : 6,40 €\n", "<p>Total TTC : 6,40 €</p>")
    assert (row.state, row.attempts) == (MailState.WAITING, 0)
    assert [(one.filename, one.mimetype, bytes(one.content)) for one in row.attachments.all()] == [
        ("liste.pdf", "application/pdf", b"%PDF \x00\xff"),
        ("rappel.ics", "text/calendar", "BEGIN:VCALENDAR é".encode()),
    ]
    assert inbox.messages() == []


def test_same_key_is_written_once(shop: Bookshop):
    write(body="Premier").send()
    write(body="Second").send()
    assert [mail.text for mail in Mail.objects.all()] == ["Premier"]


def test_each_recipient_has_a_row(shop: Bookshop):
    write(to=["Louise <louise@free.example>", "noe@free.example"], bcc=["oscar@free.example"]).send()
    assert list(Mail.objects.order_by("pk").values_list("recipient", "key")) == [
        ("louise@free.example", "sub_order_paid:154:0"),
        ("noe@free.example", "sub_order_paid:154:1"),
        ("oscar@free.example", "sub_order_paid:154:2"),
    ]


def test_mail_of_another_origin_takes_the_same_way(shop: Bookshop):
    send_mail("Mot de passe", "Bonjour", None, ["cdi@college.example"], html_message="<p>Bonjour</p>")
    send_mail("Mot de passe", "Bonjour", "autre@dlivre.example", ["cdi@college.example"])
    second, first = Mail.objects.all()
    assert (first.kind, first.sender) == ("compte", '"DLIVRE, la librairie" <libraire@dlivre.example>')
    assert (first.text, first.html, first.reply_to) == ("Bonjour", "<p>Bonjour</p>", "contact@dlivre.example")
    assert second.sender == "autre@dlivre.example"
    assert first.key != second.key


def test_attachment_that_is_a_part_already_is_kept(shop: Bookshop):
    part = MIMEImage(b"\x89PNG", "png")
    part.add_header("Content-Disposition", "attachment", filename="logo.png")
    message = EmailMessage("Objet", "Texte", to=["cdi@college.example"], attachments=[part])
    message.send()
    [attachment] = Mail.objects.get().attachments.all()
    assert (attachment.filename, attachment.mimetype, bytes(attachment.content)) == (
        "logo.png",
        "image/png",
        b"\x89PNG",
    )


def test_nothing_is_written_when_the_transaction_is_undone(shop: Bookshop):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write().send()
        raise ZeroDivisionError
    assert not Mail.objects.exists()


def test_subject_is_one_line_that_fits(shop: Bookshop):
    write(subject="Commande\r\nBcc: tous@free.example\u2028\x00 " + "x" * 300).send()
    subject = Mail.objects.get().subject
    assert subject.startswith("Commande Bcc: tous@free.example xxx")
    assert len(subject) == 200


# The bell --------------------------------------------------------------------------------------


def test_bell_rings_after_the_commit_and_the_mail_goes(
    shop: Bookshop,
    inbox: Inbox,
    eager: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
):
    with django_capture_on_commit_callbacks(execute=True):
        write().send()
        assert inbox.messages() == []
    assert inbox.received() == [(["louise@free.example"], "Confirmation de votre commande n° 154")]
    assert outcome(Mail.objects.get()) == (MailState.SENT, 1, "")


def test_bell_is_not_rung_for_a_mail_already_written(
    shop: Bookshop, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
):
    write().send()
    with django_capture_on_commit_callbacks() as rung:
        write().send()
    assert rung == []


def test_dead_broker_costs_one_warning_and_nothing_else(
    shop: Bookshop,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
):
    monkeypatch.setitem(celery_app.conf, "broker_url", f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setattr(celery_app, "_pool", None)
    monkeypatch.setattr(celery_app.amqp, "_producer_pool", None)
    with django_capture_on_commit_callbacks(execute=True):
        write("a").send()
        write("b").send()
    assert Mail.objects.filter(state=MailState.WAITING).count() == 2
    [warning] = [one for one in caplog.records if one.name == "grouped_orders.tasks"]
    assert warning.levelname == "WARNING"
    assert "no broker to ring" in warning.getMessage()


# What arrives ----------------------------------------------------------------------------------


def test_message_arrives_whole(shop: Bookshop, inbox: Inbox, settings: Settings):
    settings.EMAIL_USE_LOCALTIME = True
    mail = write()
    mail.attach("liste é.pdf", b"%PDF \x00\xff", "application/pdf")
    mail.send()
    row = Mail.objects.get()
    Mail.objects.update(created_at=NOW)
    assert tasks.deliver_due(timezone.now()) == 1
    [message] = inbox.messages()
    assert message["to"] == ["louise@free.example"]
    assert message["from"] == '"DLIVRE, la librairie" <libraire@dlivre.example>'
    assert message["subject"] == "Confirmation de votre commande n° 154"
    assert message["text"] == "Bonjour,\n\nTotal TTC : 6,40 €\n"
    assert message["html"].strip() == "<p>Total TTC : 6,40 €</p>"
    assert [(one["filename"], one["content_type"], one["size"]) for one in message["attachments"]] == [
        ("liste é.pdf", "application/pdf", 7)
    ]
    headers = message["headers"]
    assert headers["To"] == "louise@free.example"
    assert headers["Reply-To"] == "cdi@college.example"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["X-Auto-Response-Suppress"] == "All"
    assert headers["Message-ID"] == row.headers["Message-ID"]
    assert headers["Message-ID"].startswith("<sub_order_paid.154.")
    assert headers["Message-ID"].endswith("@commandes.dlivre.example>")
    # At the shop's time, in winter.
    assert headers["Date"] == "Tue, 24 Nov 2026 10:00:00 +0100"
    assert parsedate_to_datetime(headers["Date"]) == NOW
    row.refresh_from_db()
    assert (row.state, row.attempts, row.lease_token, row.lease_until) == (MailState.SENT, 1, None, None)
    assert row.sent_at is not None


def test_sent_mail_does_not_go_again(shop: Bookshop, inbox: Inbox):
    write().send()
    assert [tasks.deliver_due(timezone.now()) for _ in range(2)] == [1, 0]
    tasks.deliver_mail(Mail.objects.get().pk)
    assert len(inbox.messages()) == 1


def test_a_batch_goes_over_one_connection(shop: Bookshop, inbox: Inbox, caplog: pytest.LogCaptureFixture):
    for nth in range(tasks.BATCH + 1):
        write(f"k:{nth}").send()
    caplog.set_level("INFO", logger="mail.log")
    assert tasks.deliver_due(timezone.now()) == tasks.BATCH + 1
    peers = {one.getMessage() for one in caplog.records if one.getMessage().startswith("Peer: ")}
    assert len(peers) == 2


# What goes wrong -------------------------------------------------------------------------------


def test_temporary_refusal_waits_and_then_arrives_once(shop: Bookshop, inbox: Inbox):
    inbox.fault("refuse_temporary")
    write().send()
    mail = Mail.objects.get()
    before = timezone.now()
    assert tasks.deliver_due(before) == 0
    assert outcome(mail) == (
        MailState.WAITING,
        1,
        "Le serveur de mail demande d’attendre (451)\u00a0: 4.3.0 Please try again later",
    )
    assert timedelta(seconds=22) < mail.next_try_at - before < timedelta(seconds=32)
    assert tasks.deliver_due(before) == 0
    assert tasks.deliver_due(mail.next_try_at) == 1
    assert outcome(mail) == (MailState.SENT, 2, "")
    assert len(inbox.messages()) == 1


def test_permanent_refusal_of_an_address_fails_with_its_reason(shop: Bookshop, inbox: Inbox):
    inbox.fault("refuse_permanent", match="RCPT louise")
    write("a").send()
    write("b", to=["noe@free.example"]).send()
    assert tasks.deliver_due(timezone.now()) == 1
    louise = Mail.objects.get(recipient="louise@free.example")
    assert outcome(louise) == (
        MailState.FAILED,
        1,
        "Adresse refusée par le serveur de mail (550)\u00a0: 5.1.1 No such user here",
    )
    assert [to for to, _ in inbox.received()] == [["noe@free.example"]]
    assert tasks.deliver_due(timezone.now() + timedelta(days=1)) == 0


def test_permanent_refusal_of_the_message_fails_with_its_reason(shop: Bookshop, inbox: Inbox):
    inbox.fault("refuse_permanent", match="DATA", answer="554 5.7.1 Spam")
    write().send()
    tasks.deliver_due(timezone.now())
    assert outcome(Mail.objects.get()) == (
        MailState.FAILED,
        1,
        "Mail refusé par le serveur de mail (554)\u00a0: 5.7.1 Spam",
    )


def test_connection_dropped_after_the_message_is_tried_again(shop: Bookshop, inbox: Inbox):
    inbox.fault("drop", match="louise")
    write("a").send()
    write("b", to=["noe@free.example"]).send()
    assert tasks.deliver_due(timezone.now()) == 1
    louise = Mail.objects.get(recipient="louise@free.example")
    state, attempts, error = outcome(louise)
    assert (state, attempts) == (MailState.WAITING, 1)
    assert error.startswith("Le serveur de mail n’a pas confirmé\u00a0: ")
    assert tasks.deliver_due(louise.next_try_at) == 1
    assert [to for to, _ in inbox.received()] == [["noe@free.example"], ["louise@free.example"]]


def test_message_kept_by_a_server_that_did_not_say_so_comes_twice_with_one_id(shop: Bookshop, inbox: Inbox):
    inbox.fault("drop", kept=True)
    write().send()
    tasks.deliver_due(timezone.now())
    tasks.deliver_due(Mail.objects.get().next_try_at)
    first, second = inbox.messages()
    assert first["headers"]["Message-ID"] == second["headers"]["Message-ID"]


def test_hanging_server_costs_its_time_and_the_mail_waits(shop: Bookshop, inbox: Inbox, settings: Settings):
    settings.EMAIL_TIMEOUT = 0.3
    inbox.fault("hang", seconds=30)
    write().send()
    tasks.deliver_due(timezone.now())
    mail = Mail.objects.get()
    assert outcome(mail)[:2] == (MailState.WAITING, 1)
    tasks.deliver_due(mail.next_try_at)
    assert outcome(mail)[:2] == (MailState.SENT, 2)
    assert len(inbox.messages()) == 1


def test_hanging_server_holds_a_run_up_once_and_costs_the_others_no_try(
    shop: Bookshop, inbox: Inbox, settings: Settings
):
    settings.EMAIL_TIMEOUT = 0.3
    inbox.fault("hang", match="parent0@", seconds=30, times=0)
    for nth in range(3):
        write(f"k:{nth}", to=[f"parent{nth}@free.example"]).send()
    began = time.monotonic()
    assert tasks.deliver_due(timezone.now()) == 0
    assert time.monotonic() - began < 2
    assert [outcome(mail)[:2] for mail in Mail.objects.order_by("pk")] == [
        (MailState.WAITING, 1),
        (MailState.WAITING, 0),
        (MailState.WAITING, 0),
    ]
    assert tasks.deliver_due(timezone.now()) == 2
    assert [to for to, _ in inbox.received()] == [["parent1@free.example"], ["parent2@free.example"]]


def test_run_that_is_over_gives_back_what_it_did_not_try(shop: Bookshop, inbox: Inbox):
    for nth in range(2):
        write(f"k:{nth}").send()
    batch = tasks._claim(Mail.objects.all(), timezone.now())
    assert tasks._send(batch, until=time.monotonic() - 1) == (0, True)
    assert {outcome(mail) for mail in batch} == {(MailState.WAITING, 0, "")}
    assert tasks.deliver_due(timezone.now()) == 2


def test_absent_server_puts_off_the_whole_batch(shop: Bookshop, settings: Settings):
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    for nth in range(3):
        write(f"k:{nth}").send()
    assert tasks.deliver_due(timezone.now()) == 0
    assert {outcome(mail) for mail in Mail.objects.all()} == {
        (MailState.WAITING, 1, "Le serveur de mail ne répond pas\u00a0: Connection refused")
    }


def test_retries_last_two_days_and_the_last_failure_is_the_end(shop: Bookshop, inbox: Inbox):
    inbox.fault("refuse_temporary", times=0)
    write().send()
    mail = Mail.objects.get()
    waits = []
    for _ in range(tasks.MAX_ATTEMPTS - 1):
        before = mail.next_try_at
        with time_machine.travel(before, tick=False):
            tasks.deliver_due(before)
        mail.refresh_from_db()
        waits.append((mail.next_try_at - before).total_seconds())
    for wait, longest in zip(waits, [30, 60, 120, 240, 480, 960, 1920, *[3600] * 56], strict=True):
        assert longest * 0.75 < wait < longest + 1
    assert timedelta(seconds=sum(waits)) > timedelta(hours=45)
    tasks.deliver_due(mail.next_try_at)
    assert outcome(mail) == (
        MailState.FAILED,
        64,
        "Abandonné après 64 essais. Le serveur de mail demande d’attendre (451)\u00a0: 4.3.0 Please try again later",
    )


def test_mail_that_cannot_be_written_fails_and_harms_no_other(shop: Bookshop, inbox: Inbox):
    write("a", to=["louise@free.example\nBcc: tous@free.example"]).send()
    write("b", to=["noe@free.example"]).send()
    Mail.objects.filter(key="a").update(reply_to="x@free.example\r\nBcc: tous@free.example")
    tasks.deliver_due(timezone.now())
    state, _attempts, error = outcome(Mail.objects.get(key="a"))
    assert state == MailState.FAILED
    assert error.startswith("Ce mail est mal formé\u00a0: ")
    assert [to for to, _ in inbox.received()] == [["noe@free.example"]]


# Workers that die, and others beside -----------------------------------------------------------


def test_mail_of_a_dead_worker_is_taken_over_when_its_lease_ends(shop: Bookshop, inbox: Inbox):
    write().send()
    now = timezone.now()
    assert len(tasks._claim(Mail.objects.all(), now)) == 1
    assert tasks.deliver_due(now) == 0
    assert tasks.deliver_due(now + tasks._lease() + timedelta(seconds=1)) == 1
    assert outcome(Mail.objects.get()) == (MailState.SENT, 2, "")


def test_worker_that_lost_its_lease_sends_nothing_and_writes_nothing(shop: Bookshop, inbox: Inbox):
    write().send()
    now = timezone.now()
    late = tasks._claim(Mail.objects.all(), now)
    taken_over = tasks._claim(Mail.objects.all(), now + tasks._lease() + timedelta(seconds=1))
    assert tasks._send(late) == (0, True)
    tasks._release(late[0], state=MailState.FAILED)
    mail = Mail.objects.get()
    assert (mail.state, mail.lease_token) == (MailState.SENDING, taken_over[0].lease_token)
    assert inbox.messages() == []


def test_mail_that_kills_its_worker_each_time_is_given_up(shop: Bookshop, inbox: Inbox):
    write().send()
    now = timezone.now()
    for _ in range(tasks.MAX_ATTEMPTS):
        assert len(tasks._claim(Mail.objects.all(), now)) == 1
        now += tasks._lease() + timedelta(seconds=1)
    assert tasks.deliver_due(now) == 0
    assert outcome(Mail.objects.get()) == (
        MailState.FAILED,
        64,
        "L’envoi ne s’est jamais terminé\u00a0: abandonné après 64 essais.",
    )


@pytest.mark.django_db(transaction=True)
def test_three_workers_at_once_send_each_mail_once(shop: Bookshop, inbox: Inbox):
    for nth in range(60):
        write(f"k:{nth}", to=[f"parent{nth}@free.example"]).send()
    sent: list[int] = []
    workers = [
        threading.Thread(target=in_a_thread(lambda: sent.append(tasks.deliver_due(timezone.now())))) for _ in "123"
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sum(sent) == 60
    assert sorted(to for to, _ in inbox.received()) == sorted([f"parent{nth}@free.example"] for nth in range(60))


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_inside_a_transaction(shop: Bookshop, inbox: Inbox):
    write().send()
    with pytest.raises(RuntimeError), transaction.atomic():
        tasks.deliver_due(timezone.now())
    assert inbox.messages() == []


def in_a_thread(work: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    return run


# « Renvoyer » ----------------------------------------------------------------------------------


def test_resend_sends_a_failed_mail_under_the_same_id(shop: Bookshop, inbox: Inbox):
    inbox.fault("refuse_permanent")
    write().send()
    tasks.deliver_due(timezone.now())
    mail = Mail.objects.get()
    assert tasks.resend(mail) is True
    assert outcome(mail) == (MailState.WAITING, 0, "")
    tasks.deliver_due(timezone.now())
    assert outcome(mail) == (MailState.SENT, 1, "")
    [message] = inbox.messages()
    assert message["headers"]["Message-ID"] == mail.headers["Message-ID"]


def test_resend_of_a_sent_mail_is_another_message(shop: Bookshop, inbox: Inbox):
    write().send()
    tasks.deliver_due(timezone.now())
    assert tasks.resend(Mail.objects.get()) is True
    tasks.deliver_due(timezone.now())
    first, second = inbox.messages()
    assert first["headers"]["Message-ID"] != second["headers"]["Message-ID"]


def test_resend_is_refused_while_a_worker_sends(shop: Bookshop):
    write().send()
    tasks._claim(Mail.objects.all(), timezone.now())
    assert tasks.resend(Mail.objects.get()) is False
    assert Mail.objects.get().state == MailState.SENDING


def test_resend_rings(
    shop: Bookshop,
    inbox: Inbox,
    eager: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
):
    write().send()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.resend(Mail.objects.get())
    assert len(inbox.messages()) == 1
