"""Who did what, and when: one line for each thing that happened to a group order. Never edited."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grouped_orders.models.order import GroupedOrder
from grouped_orders.models.sub_order import SubOrder


class JournalEntry(models.Model):
    grouped_order = models.ForeignKey(
        GroupedOrder, models.PROTECT, related_name="journal", verbose_name=_("commande groupée")
    )
    sub_order = models.ForeignKey(
        SubOrder, models.PROTECT, related_name="journal", null=True, blank=True, verbose_name=_("sous-commande")
    )
    # Empty when nobody decided: a payment that came in, the clock.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("qui")
    )
    what = models.CharField(_("quoi"), max_length=300, help_text=_("Une phrase, sans donnée personnelle."))
    reason = models.CharField(_("motif"), max_length=500, blank=True)
    from_status = models.CharField(_("de"), max_length=24, blank=True)
    to_status = models.CharField(_("à"), max_length=24, blank=True)
    at = models.DateTimeField(_("quand"), default=timezone.now)

    class Meta:
        verbose_name = _("ligne de journal")
        verbose_name_plural = _("journal")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.what
