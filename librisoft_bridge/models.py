"""The classic order: what a validated group order becomes, and what travels to LIBRISOFT."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ShopOrder(models.Model):
    group_order_number = models.PositiveBigIntegerField(_("commande groupée n°"), unique=True)

    class Meta:
        verbose_name = _("commande classique")
        verbose_name_plural = _("commandes classiques")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"Commande classique n° {self.pk}"
