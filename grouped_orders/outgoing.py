"""Every mail of whatever origin takes the same way out: a row first, in the caller's transaction, sent by a task."""

import re
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import Message
from email.utils import parseaddr
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage, EmailMultiAlternatives
from django.db import transaction
from django.utils import timezone
from django.utils.text import Truncator

from collectivities.models import Bookshop
from grouped_orders import tasks
from grouped_orders.models import GroupedOrder, Mail, MailAttachment, SubOrder
from grouped_orders.models.mail import new_message_id

# What may not stand in a header: a name from a form could otherwise add one.
_CONTROL = re.compile(r" *[\x00-\x1f\x7f-\x9f\u2028\u2029]+ *")


class OutgoingMail(EmailMultiAlternatives):
    """A mail that knows what it is about. Two with the same key are the same mail: the second is not written."""

    def __init__(
        self,
        *args: Any,
        kind: str,
        key: str,
        grouped_order: GroupedOrder | None = None,
        sub_order: SubOrder | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        self.key = key
        self.grouped_order = grouped_order
        self.sub_order = sub_order


class OutboxBackend(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write one row for each recipient and ring for it once it is committed. Returns the messages taken.

        A mail that is not ours (Django's password reset) is of the kind « compte », with a key of its own. Answers go
        to the bookshop unless the message says otherwise.
        """
        shop = Bookshop.current()
        with transaction.atomic():
            for message in email_messages:
                if not isinstance(message, OutgoingMail):
                    message = _adopt(message)
                recipients = message.recipients()
                for at, recipient in enumerate(recipients):
                    key = message.key if len(recipients) == 1 else f"{message.key}:{at}"
                    _write(message, recipient, key, shop)
        return len(email_messages)


def one_line(text: str) -> str:
    """Text for a header: one line, without control characters."""
    return _CONTROL.sub(" ", text).strip()


def _adopt(message: EmailMessage) -> OutgoingMail:
    """The same message as one of ours."""
    return OutgoingMail(
        message.subject,
        message.body,
        message.from_email,
        message.to,
        message.bcc,
        attachments=message.attachments,
        headers=message.extra_headers,
        alternatives=getattr(message, "alternatives", []),
        cc=message.cc,
        reply_to=message.reply_to,
        kind="compte",
        key=f"compte:{uuid4().hex}",
    )


def _write(message: OutgoingMail, recipient: str, key: str, shop: Bookshop) -> None:
    now = timezone.now()
    mail, is_new = Mail.objects.get_or_create(
        key=key,
        defaults={
            "kind": message.kind,
            "grouped_order": message.grouped_order,
            "sub_order": message.sub_order,
            "recipient": parseaddr(recipient)[1],
            "sender": _sender(message.from_email, shop),
            "reply_to": next(iter(message.reply_to), shop.email),
            "subject": Truncator(one_line(str(message.subject))).chars(200),
            "text": str(message.body),
            "html": next((str(content) for content, mimetype in message.alternatives if mimetype == "text/html"), ""),
            "headers": {
                "Message-ID": new_message_id(key, now),
                "Auto-Submitted": "auto-generated",
                "X-Auto-Response-Suppress": "All",
                **message.extra_headers,
            },
            "created_at": now,
            "next_try_at": now,
        },
    )
    if is_new:
        MailAttachment.objects.bulk_create([_attachment(mail, one) for one in message.attachments])
        tasks.ring(mail)


def _sender(from_email: str, shop: Bookshop) -> str:
    """The address as given; the shop's own goes under the shop's name."""
    address = parseaddr(from_email)[1]
    if address != parseaddr(settings.DEFAULT_FROM_EMAIL)[1]:
        return from_email
    return str(Address(display_name=one_line(shop.name), addr_spec=address))


def _attachment(mail: Mail, attachment: Any) -> MailAttachment:
    if isinstance(attachment, Message):
        name, content, mimetype = (
            attachment.get_filename(),
            attachment.get_payload(decode=True),
            attachment.get_content_type(),
        )
    else:
        name, content, mimetype = attachment
    return MailAttachment(
        mail=mail,
        filename=name or "piece-jointe",
        mimetype=mimetype or "application/octet-stream",
        content=content.encode() if isinstance(content, str) else content,
    )
