"""A sub-order: one buyer's copies in a group order."""

import secrets
from decimal import Decimal
from typing import NamedTuple, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grouped_orders.models.order import GroupedOrder
from grouped_orders.statuses import SubOrderStatus

MAX_QUANTITY = 999


def new_secret() -> str:
    """What opens one buyer's own page: 192 random bits, unrelated to any number or to the group's link."""
    return secrets.token_urlsafe(24)


class Tally(NamedTuple):
    """What the sub-orders in one state amount to. Euros, VAT included."""

    articles: int
    sub_orders: int
    amount: Decimal


class Recapitulation(NamedTuple):
    """« Récapitulatif de l'ensemble des sous-commandes »: one tally for each state."""

    cancelled: Tally
    pending: Tally
    paid: Tally


class SubOrderQuerySet(models.QuerySet["SubOrder"]):
    def pending(self) -> Self:
        return self.filter(status=SubOrderStatus.PENDING)

    def paid(self) -> Self:
        return self.filter(status=SubOrderStatus.PAID)

    def recapitulation(self) -> Recapitulation:
        rows = self.order_by().values("status").annotate(a=Sum("quantity"), s=Count("pk"), t=Sum("total"))
        tallies = {row["status"]: Tally(row["a"], row["s"], row["t"]) for row in rows}
        nothing = Tally(0, 0, Decimal("0.00"))
        return Recapitulation(
            cancelled=tallies.get(SubOrderStatus.CANCELLED, nothing),
            pending=tallies.get(SubOrderStatus.PENDING, nothing),
            paid=tallies.get(SubOrderStatus.PAID, nothing),
        )


class SubOrder(models.Model):
    secret = models.CharField(max_length=43, unique=True, default=new_secret, editable=False)
    grouped_order = models.ForeignKey(
        GroupedOrder, models.PROTECT, related_name="sub_orders", verbose_name=_("commande groupée")
    )
    first_name = models.CharField(_("prénom"), max_length=60)
    last_name = models.CharField(_("nom"), max_length=60)
    email = models.EmailField(_("e-mail"))
    quantity = models.PositiveSmallIntegerField(_("quantité"))
    total = models.DecimalField(
        _("total TTC"), max_digits=10, decimal_places=2, help_text=_("Euros, TVA et frais de port compris.")
    )
    status = models.CharField(
        _("statut"), max_length=12, choices=SubOrderStatus.choices, default=SubOrderStatus.PENDING
    )
    terms = models.ForeignKey(
        "collectivities.Terms", models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("CGV acceptées")
    )
    terms_accepted_at = models.DateTimeField(_("CGV acceptées le"), null=True, blank=True)
    created_at = models.DateTimeField(_("date d’achat"), default=timezone.now)
    paid_at = models.DateTimeField(_("payée le"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("annulée le"), null=True, blank=True)
    # The buyer gave it up himself.
    withdrawn_at = models.DateTimeField(_("rétractation le"), null=True, blank=True)

    objects = SubOrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("sous-commande")
        verbose_name_plural = _("sous-commandes")
        ordering = ["pk"]
        indexes = [models.Index(fields=["email"], name="sub_order_by_email")]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=SubOrderStatus.values),
                name="sub_order_status_is_known",
                violation_error_message=_("Ce statut n’existe pas."),
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MAX_QUANTITY),
                name="sub_order_quantity_from_1",
                violation_error_message=_("La quantité va de 1 à 999 exemplaires."),
            ),
            models.CheckConstraint(
                condition=Q(total__gt=0),
                name="sub_order_total_above_zero",
                violation_error_message=_("Le total doit être supérieur à zéro."),
            ),
            models.CheckConstraint(
                condition=~Q(status=SubOrderStatus.PAID) | Q(paid_at__isnull=False),
                name="sub_order_paid_has_its_date",
                violation_error_message=_("Une sous-commande payée porte sa date de paiement."),
            ),
            models.CheckConstraint(
                condition=~Q(status=SubOrderStatus.PENDING) | Q(paid_at__isnull=True),
                name="sub_order_pending_is_not_paid",
                violation_error_message=_("Une sous-commande en attente n’a pas de date de paiement."),
            ),
            models.CheckConstraint(
                condition=Q(status=SubOrderStatus.CANCELLED, cancelled_at__isnull=False)
                | (~Q(status=SubOrderStatus.CANCELLED) & Q(cancelled_at__isnull=True)),
                name="sub_order_cancelled_has_its_date",
                violation_error_message=_("Une sous-commande annulée porte sa date d’annulation."),
            ),
        ]

    def __str__(self) -> str:
        return f"Sous-commande n° {self.pk}"

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def goods_total(self) -> Decimal:
        """« Sous-total TTC »: the books alone, in euros."""
        return self.total - self.grouped_order.shipping_fee

    @property
    def url(self) -> str:
        """The absolute link to the buyer's own page: a secret."""
        return f"{settings.SITE_URL}{reverse('buyer:sub_order', args=[self.secret])}"
