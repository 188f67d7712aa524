"""The catalogue: every book a group order can be made for."""

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Book(models.Model):
    """A catalogue entry, found by EAN or title. Prices in euros, VAT included."""

    ean13 = models.CharField(_("code EAN13"), max_length=13, unique=True)
    title = models.CharField(_("titre"), max_length=500)
    authors = models.CharField(_("auteur"), max_length=500, blank=True)
    publisher = models.CharField(_("éditeur"), max_length=200, blank=True)
    price = models.DecimalField(_("prix unitaire (TTC)"), max_digits=8, decimal_places=2, null=True, blank=True)
    vat_rate = models.DecimalField(_("taux de TVA (%)"), max_digits=4, decimal_places=2, default=Decimal("6.00"))

    class Meta:
        verbose_name = _("article")
        verbose_name_plural = _("articles")
        constraints = [
            models.CheckConstraint(condition=Q(ean13__regex=r"^[0-9]{13}$"), name="book_ean13_is_13_digits"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.ean13})"
