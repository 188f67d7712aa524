"""Where a provider's own list and our rows do not say the same."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grouped_orders.models.payment import Payment
from grouped_orders.statuses import PaymentMethod


class LedgerDifferenceQuerySet(models.QuerySet["LedgerDifference"]):
    def unsettled(self) -> Self:
        """The bookseller has not looked into them yet."""
        return self.filter(settled_at=None)


class LedgerDifference(models.Model):
    """One thing that a provider and we see otherwise. Never repaired by itself: the bookseller looks, and says so."""

    method = models.CharField(_("mode de paiement"), max_length=8, choices=PaymentMethod.choices)
    provider_id = models.CharField(_("numéro chez le prestataire"), max_length=120)
    what = models.CharField(_("quoi"), max_length=300, help_text=_("Une phrase, sans donnée personnelle."))
    # Empty when nothing of ours is known to be concerned.
    payment = models.ForeignKey(
        Payment, models.PROTECT, related_name="differences", null=True, blank=True, verbose_name=_("paiement")
    )
    found_at = models.DateTimeField(_("constaté le"), default=timezone.now)
    settled_at = models.DateTimeField(_("traité le"), null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("traité par")
    )
    note = models.CharField(_("note"), max_length=300, blank=True)

    objects = LedgerDifferenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("écart avec un prestataire")
        verbose_name_plural = _("écarts avec les prestataires")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["method", "provider_id", "what"], name="ledger_difference_told_once"),
            models.CheckConstraint(
                condition=Q(settled_at=None, settled_by=None) | Q(settled_at__isnull=False, settled_by__isnull=False),
                name="ledger_difference_settled_by_somebody",
                violation_error_message=_("Un écart traité dit par qui et quand."),
            ),
        ]

    def __str__(self) -> str:
        return self.what
