"""Sending the mails that were written: claimed by row, sent outside any transaction, marked.

A worker may die at any point and any number of them may run at once. The one case where a mail goes twice is when the
server's "250" never becomes our mark: the worker is killed between the two, or the line is cut before it is heard. Both
copies then bear the same Message-ID.
"""

import logging
import math
import random
import smtplib
import time
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import partial
from uuid import uuid4

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from grouped_orders.models import Mail
from grouped_orders.models.mail import MailQuerySet, new_message_id
from grouped_orders.statuses import MailState

log = logging.getLogger(__name__)

# Two days, at an hour's distance in the end: a mail server that is down for a night loses nothing.
MAX_ATTEMPTS = 64
# One connection carries a batch.
BATCH = 20
# One run ends about here; the clock's next one goes on.
RUN_SECONDS = 60
# Between two tries to reach a database that went away.
RETRY_SECONDS = 0.5
# How long no bell is rung after one that nobody answered: a dead broker costs one request, not every request.
DEAF_SECONDS = 60

_deaf_until = 0.0


def ring(mail: Mail) -> None:
    """Ask, once this transaction is committed, that the mail be sent now rather than by the clock's next round."""
    transaction.on_commit(partial(_ring, mail.pk), robust=True)


def _ring(pk: int) -> None:
    global _deaf_until
    if time.monotonic() < _deaf_until:
        return
    try:
        deliver_mail.apply_async((pk,), expires=60, retry=False)
    except Exception as error:  # each broker has its own; whatever it is, the row stands and the clock finds it
        _deaf_until = time.monotonic() + DEAF_SECONDS
        log.warning("mail %s: no broker to ring, the clock will send it: %s", pk, error)


@shared_task
def deliver_mail(pk: int) -> None:
    """Send one mail, if it still waits for it."""
    if batch := _claim(Mail.objects.filter(pk=pk), timezone.now()):
        _send(batch)


def deliver_due(now: datetime) -> int:
    """Send the mails that are due. The clock calls this: it is what guarantees delivery. Returns how many went."""
    sent = 0
    end = time.monotonic() + RUN_SECONDS
    while time.monotonic() < end and (batch := _claim(Mail.objects.all(), now)):
        went, reachable = _send(batch, until=end)
        sent += went
        if not reachable:
            break
    return sent


@transaction.atomic
def resend(mail: Mail) -> bool:
    """« Renvoyer »: send a mail again, whatever became of it. False while a worker is sending it."""
    now = timezone.now()
    mail = Mail.objects.select_for_update(of=("self",)).get(pk=mail.pk)
    if mail.state == MailState.SENDING and mail.lease_until and mail.lease_until >= now:
        return False
    if mail.state == MailState.SENT:
        # A mail reader hides a second message with the same id, and this one is meant to be seen.
        mail.headers["Message-ID"] = new_message_id(mail.key, now)
    mail.state, mail.attempts, mail.next_try_at = MailState.WAITING, 0, now
    mail.lease_token = mail.lease_until = mail.sent_at = None
    mail.error = ""
    mail.save(
        update_fields=[
            *("state", "attempts", "next_try_at", "lease_token", "lease_until", "sent_at", "error", "headers")
        ]
    )
    ring(mail)
    return True


# A claim: the rows are ours until the lease ends -----------------------------------------------


def _lease() -> timedelta:
    """Longer than the slowest single message: about ten exchanges with the server, each with the same patience."""
    return timedelta(seconds=10 * settings.EMAIL_TIMEOUT)


# Durable: sending while somebody's transaction is open would be a network call inside it.
@transaction.atomic(durable=True)
def _claim(mails: MailQuerySet, now: datetime) -> list[Mail]:
    """Take up to a batch of those that are due, counting the attempt now: a mail that kills its worker counts too."""
    due = mails.due(now).order_by("next_try_at", "pk").select_for_update(skip_locked=True, of=("self",))
    tried = dict(due.values_list("pk", "attempts")[:BATCH])
    if not tried:
        return []
    hopeless = [pk for pk, attempts in tried.items() if attempts >= MAX_ATTEMPTS]
    Mail.objects.filter(pk__in=hopeless).update(
        state=MailState.FAILED,
        lease_token=None,
        lease_until=None,
        error=_("L’envoi ne s’est jamais terminé : abandonné après %(count)s essais.") % {"count": MAX_ATTEMPTS},
    )
    token = uuid4()
    Mail.objects.filter(pk__in=tried.keys() - hopeless).update(
        state=MailState.SENDING, attempts=F("attempts") + 1, lease_token=token, lease_until=now + _lease()
    )
    claimed = Mail.objects.filter(lease_token=token).order_by("next_try_at", "pk")
    return list(claimed.prefetch_related("attachments"))


def _still_ours(mail: Mail) -> bool:
    """Take the lease anew just before sending; no when it ran out and another worker has the mail."""
    ours = Mail.objects.filter(pk=mail.pk, state=MailState.SENDING, lease_token=mail.lease_token)
    return bool(ours.update(lease_until=timezone.now() + _lease()))


def _release(mail: Mail, **outcome: object) -> None:
    """Write the outcome and give the row back, unless it is no longer ours to judge."""
    ours = Mail.objects.filter(pk=mail.pk, state=MailState.SENDING, lease_token=mail.lease_token)
    if not ours.update(lease_token=None, lease_until=None, **outcome):
        log.warning("mail %s: the lease was lost before its outcome was written", mail.pk)


def _give_back(mails: list[Mail]) -> None:
    """These were claimed and not tried: as if nothing had been."""
    tokens = {mail.lease_token for mail in mails}
    ours = Mail.objects.filter(pk__in=[mail.pk for mail in mails], state=MailState.SENDING, lease_token__in=tokens)
    ours.update(state=MailState.WAITING, attempts=F("attempts") - 1, lease_token=None, lease_until=None)


def _record_sent(mail: Mail) -> None:
    """Write down that it went, waiting for a database that is restarted, for as long as the mail is ours.

    Forgotten, it would go a second time.
    """
    end = time.monotonic() + _lease().total_seconds()
    sent_at = timezone.now()
    while True:
        try:
            return _release(mail, state=MailState.SENT, sent_at=sent_at, error="")
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > end:
                raise
            log.warning("mail %s: it went, and the database is not there to be told", mail.pk)
            connection.close()
            time.sleep(RETRY_SECONDS)


# The conversation with the mail server ---------------------------------------------------------


def _send(batch: list[Mail], *, until: float = math.inf) -> tuple[int, bool]:
    """Send claimed mails over one connection, none after `until` (monotonic seconds).

    Returns how many went, and whether the server is there: one that is absent, or hangs, would do so to the others too.
    """
    sent = 0
    server = get_connection(settings.SMTP_BACKEND)
    try:
        for at, mail in enumerate(batch):
            if time.monotonic() > until:
                _give_back(batch[at:])
                return sent, True
            if not _still_ours(mail):
                continue
            try:
                server.open()
            except OSError as error:  # smtplib's errors are among them
                for waiting in batch[at:]:
                    _put_off(waiting, _("Le serveur de mail ne répond pas : %(error)s") % {"error": _words(error)})
                return sent, False
            try:
                server.send_messages([_message(mail)])
            except (OSError, ValueError) as error:
                _close(server)  # whatever state it was left in, the next mail begins anew
                _judge(mail, error)
                if isinstance(error.__context__ or error, TimeoutError):  # smtplib hides it behind its own
                    _give_back(batch[at + 1 :])
                    return sent, False
            else:
                _record_sent(mail)
                sent += 1
    finally:
        _close(server)
    return sent, True


def _message(mail: Mail) -> EmailMultiAlternatives:
    """The message as it goes over the wire: the same at each try. Raises ValueError when it cannot be written."""
    if not mail.recipient:
        # Django would send it to nobody and call it sent.
        raise ValueError(_("aucune adresse lisible"))
    message = EmailMultiAlternatives(
        subject=mail.subject,
        body=mail.text,
        from_email=mail.sender,
        to=[mail.recipient],
        reply_to=[mail.reply_to] if mail.reply_to else [],
        headers={"Date": format_datetime(timezone.localtime(mail.created_at)), **mail.headers},
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    for attachment in mail.attachments.all():
        message.attach(attachment.filename, bytes(attachment.content), attachment.mimetype)
    return message


def _judge(mail: Mail, error: Exception) -> None:
    """A definite no (5xx) stops the mail; anything else, a lost connection included, is tried again later."""
    code: int
    answer: bytes | str
    match error:
        case smtplib.SMTPRecipientsRefused():
            code, answer = next(iter(error.recipients.values()))
        case smtplib.SMTPResponseException():
            code, answer = error.smtp_code, error.smtp_error
        case OSError():
            return _put_off(mail, _("Le serveur de mail n’a pas confirmé : %(error)s") % {"error": _words(error)})
        case _:
            return _give_up(mail, _("Ce mail est mal formé : %(error)s") % {"error": error})
    said = {"code": code, "answer": answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer}
    if code < 500:
        _put_off(mail, _("Le serveur de mail demande d’attendre (%(code)s) : %(answer)s") % said)
    elif isinstance(error, smtplib.SMTPRecipientsRefused):
        _give_up(mail, _("Adresse refusée par le serveur de mail (%(code)s) : %(answer)s") % said)
    else:
        _give_up(mail, _("Mail refusé par le serveur de mail (%(code)s) : %(answer)s") % said)


def _put_off(mail: Mail, reason: str) -> None:
    """Wait 30 s after the first try, twice as long after each one, an hour at most, not all at the same moment."""
    if mail.attempts >= MAX_ATTEMPTS:
        return _give_up(
            mail, _("Abandonné après %(count)s essais. %(reason)s") % {"count": MAX_ATTEMPTS, "reason": reason}
        )
    seconds = min(3600, 30 * 2 ** (mail.attempts - 1)) * random.uniform(0.75, 1)
    log.info("mail %s: put off, its row says why", mail.pk)
    _release(
        mail,
        state=MailState.WAITING,
        next_try_at=timezone.now() + timedelta(seconds=seconds),
        error=reason[:300],
    )


def _give_up(mail: Mail, reason: str) -> None:
    log.warning("mail %s: given up, its row says why", mail.pk)
    _release(mail, state=MailState.FAILED, error=reason[:300])


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _close(connection: BaseEmailBackend) -> None:
    with suppress(OSError):
        connection.close()
