"""Mails as rows: written in the transaction that is their reason, sent after it by a task."""

import re
from datetime import datetime
from typing import Self
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grouped_orders.models.order import GroupedOrder
from grouped_orders.models.sub_order import SubOrder
from grouped_orders.statuses import MailState


def new_message_id(key: str, at: datetime) -> str:
    """On our domain, made of the key: the same at each try, so that a copy sent twice can be recognised.

    The instant is in it because another installation, or a demo begun again, has the same keys.
    """
    return f"<{re.sub('[^0-9A-Za-z_]+', '.', key)}.{at:%Y%m%d%H%M%S%f}@{urlsplit(settings.SITE_URL).hostname}>"


class MailQuerySet(models.QuerySet["Mail"]):
    def due(self, now: datetime) -> Self:
        """Waiting and due, or claimed by a worker that did not come back in time."""
        return self.filter(
            Q(state=MailState.WAITING, next_try_at__lte=now) | Q(state=MailState.SENDING, lease_until__lt=now)
        )


class Mail(models.Model):
    """One message to one address."""

    kind = models.CharField(_("sorte"), max_length=40)
    # Two mails for the same reason have the same key: the second is not written.
    key = models.CharField(max_length=120, unique=True, editable=False)
    grouped_order = models.ForeignKey(
        GroupedOrder, models.CASCADE, related_name="mails", null=True, blank=True, verbose_name=_("commande groupée")
    )
    sub_order = models.ForeignKey(
        SubOrder, models.CASCADE, related_name="mails", null=True, blank=True, verbose_name=_("sous-commande")
    )
    recipient = models.EmailField(_("destinataire"))
    sender = models.CharField(_("expéditeur"), max_length=254)
    reply_to = models.EmailField(_("répondre à"), blank=True)
    subject = models.CharField(_("objet"), max_length=200)
    text = models.TextField(_("texte"))
    html = models.TextField(_("HTML"), blank=True)
    headers = models.JSONField(_("en-têtes"), default=dict)
    state = models.CharField(_("état"), max_length=8, choices=MailState.choices, default=MailState.WAITING)
    attempts = models.PositiveSmallIntegerField(_("essais"), default=0)
    next_try_at = models.DateTimeField(_("prochain essai"), default=timezone.now)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    error = models.CharField(_("dernière erreur"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("écrit le"), default=timezone.now)
    sent_at = models.DateTimeField(_("envoyé le"), null=True, blank=True)

    objects = MailQuerySet.as_manager()

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                name="mail_due",
                condition=Q(state__in=[MailState.WAITING, MailState.SENDING]),
            )
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=MailState.values), name="mail_state_is_known"),
            models.CheckConstraint(
                condition=~Q(state=MailState.SENT) | Q(sent_at__isnull=False), name="mail_sent_has_its_date"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"


class MailAttachment(models.Model):
    mail = models.ForeignKey(Mail, models.CASCADE, related_name="attachments")
    filename = models.CharField(max_length=120)
    mimetype = models.CharField(max_length=80)
    content = models.BinaryField()

    class Meta:
        verbose_name = _("pièce jointe")
        verbose_name_plural = _("pièces jointes")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.filename
