"""The money: attempts to pay, what was captured, what was given back, and what the providers told us.

Only `checkout` writes these rows. Amounts are euros, exact to the cent.
"""

import secrets
from datetime import datetime
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grouped_orders.models.sub_order import SubOrder
from grouped_orders.statuses import (
    HOLDING_STATES,
    OPEN_STATES,
    CaptureStatus,
    HandMethod,
    PaymentMethod,
    PaymentState,
    RefundSource,
    RefundState,
)


def new_payment_id() -> str:
    """Our own reference for an attempt, sent to the provider and compared when it answers."""
    return secrets.token_hex(16)


class PaymentQuerySet(models.QuerySet["Payment"]):
    def open(self) -> Self:
        """The payer may still be at the provider's page."""
        return self.filter(state__in=OPEN_STATES)

    def holding(self) -> Self:
        """Money moved, is moving or may have moved, and counts: one at most for a sub-order."""
        return self.filter(state__in=HOLDING_STATES, set_aside=False)

    def in_doubt(self) -> Self:
        """Money may have moved: nothing else may be begun, and the order waits."""
        return self.holding().exclude(state=PaymentState.CAPTURED)

    def received(self) -> Self:
        """Money that counts for its sub-order."""
        return self.holding().filter(state=PaymentState.CAPTURED)

    def due(self, now: datetime) -> Self:
        """Those the provider is to be asked about now, whatever their state: money wins over what we believed."""
        return self.filter(next_check_at__lte=now)


class Payment(models.Model):
    """One attempt to pay one sub-order, written before anything is called."""

    public_id = models.CharField(max_length=32, unique=True, default=new_payment_id, editable=False)
    sub_order = models.ForeignKey(SubOrder, models.PROTECT, related_name="payments", verbose_name=_("sous-commande"))
    method = models.CharField(_("mode de paiement"), max_length=8, choices=PaymentMethod.choices)
    amount = models.DecimalField(_("montant"), max_digits=10, decimal_places=2)
    currency = models.CharField(_("devise"), max_length=3, default="EUR")
    state = models.CharField(_("état"), max_length=12, choices=PaymentState.choices, default=PaymentState.CREATED)
    provider_ref = models.CharField(_("référence du prestataire"), max_length=120, blank=True)
    approve_url = models.URLField(_("page du prestataire"), max_length=500, blank=True)
    # Raised each time a declined instrument sends the payer back: a new capture needs a new key.
    capture_seq = models.PositiveSmallIntegerField(default=1)
    lease_until = models.DateTimeField(_("réservé jusqu’à"), null=True, blank=True)
    next_check_at = models.DateTimeField(_("prochaine vérification"), null=True, blank=True)
    checks = models.PositiveSmallIntegerField(_("vérifications"), default=0)
    # Money that does not count for the sub-order: paid twice, paid too late, not the amount that was asked.
    set_aside = models.BooleanField(_("mis de côté"), default=False)
    reason = models.CharField(_("explication"), max_length=300, blank=True)
    debug_id = models.CharField(_("référence technique"), max_length=60, blank=True)
    # Only when the bookseller validated it himself.
    hand_method = models.CharField(_("réglé par"), max_length=10, choices=HandMethod.choices, blank=True)
    hand_reference = models.CharField(_("référence"), max_length=80, blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("saisi par")
    )
    created_at = models.DateTimeField(_("commencé le"), default=timezone.now)
    redirected_at = models.DateTimeField(_("parti chez le prestataire le"), null=True, blank=True)
    captured_at = models.DateTimeField(_("encaissé le"), null=True, blank=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("paiement")
        verbose_name_plural = _("paiements")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["next_check_at"], name="payment_due", condition=Q(next_check_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=PaymentState.values),
                name="payment_state_is_known",
                violation_error_message=_("Cet état n’existe pas."),
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="payment_amount_above_zero",
                violation_error_message=_("Le montant doit être supérieur à zéro."),
            ),
            models.CheckConstraint(
                condition=~Q(method=PaymentMethod.BY_HAND) | (Q(recorded_by__isnull=False) & ~Q(hand_method="")),
                name="payment_by_hand_has_its_author",
                violation_error_message=_("Un paiement saisi à la main dit par qui et comment."),
            ),
            models.CheckConstraint(
                condition=~Q(state=PaymentState.CAPTURED) | Q(captured_at__isnull=False),
                name="payment_captured_has_its_date",
                violation_error_message=_("Un paiement encaissé porte sa date."),
            ),
            models.UniqueConstraint(
                fields=["method", "provider_ref"],
                condition=~Q(provider_ref=""),
                name="payment_one_for_a_provider_ref",
            ),
            # What makes a double capture impossible, whoever races with whom.
            models.UniqueConstraint(
                fields=["sub_order"],
                condition=Q(state__in=HOLDING_STATES, set_aside=False),
                name="payment_one_holds_a_sub_order",
                violation_error_message=_("Un paiement de cette sous-commande est déjà en cours."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_method_display()} {self.amount} € ({self.get_state_display()})"


class CaptureQuerySet(models.QuerySet["Capture"]):
    def received(self) -> Self:
        """Money that is really ours to count."""
        return self.filter(status=CaptureStatus.COMPLETED)

    def refundable(self) -> Self:
        """Those of which something is left, as `Capture.refundable` counts."""
        given = Sum("refunds__amount", filter=~Q(refunds__state=RefundState.FAILED))
        return self.annotate(given=Coalesce(given, Decimal("0.00"))).filter(given__lt=F("amount"))


class Capture(models.Model):
    """One movement of money towards the shop, as the provider shows it."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="captures", verbose_name=_("paiement"))
    method = models.CharField(_("mode de paiement"), max_length=8, choices=PaymentMethod.choices)
    provider_id = models.CharField(_("numéro chez le prestataire"), max_length=120)
    status = models.CharField(_("état"), max_length=10, choices=CaptureStatus.choices)
    amount = models.DecimalField(_("montant"), max_digits=10, decimal_places=2)
    currency = models.CharField(_("devise"), max_length=3)
    fee = models.DecimalField(_("commission"), max_digits=10, decimal_places=2, null=True, blank=True)
    reason = models.CharField(_("explication"), max_length=120, blank=True)
    seen_at = models.DateTimeField(_("constaté le"), default=timezone.now)

    objects = CaptureQuerySet.as_manager()

    class Meta:
        verbose_name = _("encaissement")
        verbose_name_plural = _("encaissements")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["method", "provider_id"], name="capture_counted_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="capture_amount_above_zero"),
            models.CheckConstraint(condition=Q(status__in=CaptureStatus.values), name="capture_status_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.amount} {self.currency}"

    @property
    def refundable(self) -> Decimal:
        """What has not been given back yet, nor asked to be. Euros."""
        return self.amount - sum(refund.amount for refund in self.refunds.all() if refund.state != RefundState.FAILED)


class RefundQuerySet(models.QuerySet["Refund"]):
    def due(self, now: datetime) -> Self:
        return self.filter(state__in=[RefundState.REQUESTED, RefundState.PENDING], next_try_at__lte=now)

    def unfinished(self) -> Self:
        """« À rembourser » : the money is not back yet, and no other refund took the place of this one."""
        return self.exclude(state=RefundState.DONE).filter(replaced_by=None)


class Refund(models.Model):
    """Money given back, followed to its end. The row stands before the provider is asked."""

    capture = models.ForeignKey(Capture, models.PROTECT, related_name="refunds", verbose_name=_("encaissement"))
    public_id = models.CharField(max_length=32, unique=True, default=new_payment_id, editable=False)
    amount = models.DecimalField(_("montant"), max_digits=10, decimal_places=2)
    state = models.CharField(_("état"), max_length=10, choices=RefundState.choices, default=RefundState.REQUESTED)
    source = models.CharField(_("voie"), max_length=8, choices=RefundSource.choices, default=RefundSource.ONLINE)
    provider_id = models.CharField(_("numéro chez le prestataire"), max_length=120, blank=True)
    reason = models.CharField(_("motif"), max_length=300)
    note = models.CharField(_("comment"), max_length=200, blank=True)
    error = models.CharField(_("dernière erreur"), max_length=300, blank=True)
    tries = models.PositiveSmallIntegerField(_("essais"), default=0)
    next_try_at = models.DateTimeField(_("prochain essai"), default=timezone.now, null=True, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("demandé par")
    )
    requested_at = models.DateTimeField(_("demandé le"), default=timezone.now)
    done_at = models.DateTimeField(_("remboursé le"), null=True, blank=True)
    # Set on one that failed, when another was made for the same money.
    replaced_by = models.ForeignKey(
        "self", models.PROTECT, related_name="replaces", null=True, blank=True, verbose_name=_("remplacé par")
    )

    objects = RefundQuerySet.as_manager()

    class Meta:
        verbose_name = _("remboursement")
        verbose_name_plural = _("remboursements")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["provider_id"], condition=~Q(provider_id=""), name="refund_counted_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_above_zero"),
            models.CheckConstraint(condition=Q(state__in=RefundState.values), name="refund_state_is_known"),
            models.CheckConstraint(condition=Q(source__in=RefundSource.values), name="refund_source_is_known"),
            models.CheckConstraint(
                condition=Q(replaced_by=None) | Q(state=RefundState.FAILED), name="refund_replaced_had_failed"
            ),
            models.CheckConstraint(
                condition=~Q(state=RefundState.DONE) | Q(done_at__isnull=False), name="refund_done_has_its_date"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} € ({self.get_state_display()})"

    @property
    def waits_by_hand(self) -> bool:
        """Nobody but the bookseller can give it back now: it was paid by hand, or the provider refused."""
        waits = self.state in (RefundState.REQUESTED, RefundState.FAILED) and self.next_try_at is None
        return waits and self.replaced_by_id is None

    @property
    def may_be_retried(self) -> bool:
        """The provider refused, and may be asked again."""
        online = self.source != RefundSource.BY_HAND
        return self.state == RefundState.FAILED and online and self.replaced_by_id is None


class UnfinishedRefund(Refund):
    """A refund that is still to be made, as the entry « À rembourser » of the bookseller's menu."""

    class Meta:
        proxy = True
        verbose_name = _("remboursement à faire")
        verbose_name_plural = _("à rembourser")


class ProviderEvent(models.Model):
    """A provider's message, kept once. Its content is only a reason to go and ask."""

    method = models.CharField(max_length=8, choices=PaymentMethod.choices)
    event_id = models.CharField(max_length=120)
    type = models.CharField(max_length=80)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="events", null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now)
    processed_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("message d’un prestataire")
        verbose_name_plural = _("messages des prestataires")
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["method", "event_id"], name="provider_event_once")]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
