"""A group order: one book, one deadline, one pick-up place, one public link."""

import secrets
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from operator import and_, or_
from typing import Self

from django.conf import settings
from django.db import connection, models
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from ulid import ULID

from collectivities.models import User
from collectivities.postal import Country, PostalAddress
from grouped_orders.statuses import OrderStatus, PickupMode, SubOrderStatus

# « La date limite approche ! » : the last day and this many before it.
NEAR = 2
# The advisory locks of this application stand under one number, those of another would have theirs.
LOCK_NAMESPACE = 7162


def new_public_id() -> str:
    """A ULID with fresh randomness: python-ulid's own are neighbours within one millisecond, so guessable."""
    now_ms = int(time.time() * 1000)
    return str(ULID.from_bytes(now_ms.to_bytes(6, "big") + secrets.token_bytes(10)))


def deadline_end(deadline: date) -> datetime:
    """The first instant after the deadline: midnight of the next day in the shop's time zone."""
    return timezone.make_aware(datetime.combine(deadline + timedelta(days=1), datetime.min.time()))


def _about(word: str) -> Q:
    digits = word.replace("-", "")
    if digits.isdecimal():
        numbers = Q(book__ean13=digits) | Q(shop_order__librisoft_number=word) | Q(book__title__icontains=word)
        # A bigger number than a row can have is nobody's.
        return numbers | Q(pk=digits) | Q(shop_order_id=digits) if len(digits) < 19 else numbers
    places = [
        *("collectivity__name", "collectivity__service", "initiator__last_name", "initiator__email", "book__title"),
        *("customer_reference", "sub_orders__first_name", "sub_orders__last_name", "sub_orders__email"),
    ]
    return reduce(or_, (Q(**{f"{place}__unaccent__icontains": word}) for place in places))


class GroupedOrderQuerySet(models.QuerySet["GroupedOrder"]):
    def of(self, user: User) -> Self:
        """The orders a member of a collectivity may see: all those of that collectivity."""
        return self.filter(collectivity_id=user.collectivity_id, collectivity__isnull=False)

    def taking_sub_orders(self, now: datetime) -> Self:
        """The same rule as `GroupedOrder.takes_sub_orders`, for the database."""
        return self.filter(status=OrderStatus.OPEN, deadline__gte=timezone.localdate(now))

    def past_deadline(self, now: datetime) -> Self:
        return self.filter(status=OrderStatus.OPEN, deadline__lt=timezone.localdate(now))

    def matching(self, words: str) -> Self:
        """The orders in which every word is found: one of the three numbers, the collectivity, the book, a buyer.

        A number is that of the group order, of the classic one or of LIBRISOFT, or an EAN.
        Neither capitals nor accents matter.
        """
        about = [_about(word) for word in words.lower().replace("n°", " ").split()]
        # One join for all the words, out of sight of what the query adds up.
        found = GroupedOrder.objects.filter(reduce(and_, about, Q())).order_by()
        return self.filter(pk__in=found.values("pk"))

    def with_totals(self) -> Self:
        """Add `paid_quantity`, `paid_amount` (euros), `pending_count` and `sub_order_count` to each order."""
        paid = Q(sub_orders__status=SubOrderStatus.PAID)
        return self.annotate(
            paid_quantity=Coalesce(Sum("sub_orders__quantity", filter=paid), 0),
            paid_amount=Coalesce(Sum("sub_orders__total", filter=paid), Decimal("0.00")),
            pending_count=Count("sub_orders", filter=Q(sub_orders__status=SubOrderStatus.PENDING)),
            sub_order_count=Count("sub_orders"),
        )

    def locked_for_adding(self, pk: int) -> "GroupedOrder":
        """The order as it is now, and it stays so until commit. Others may add too (shared advisory lock).

        Row locks would serialise the last evening; the queue of advisory locks is fair to the closer.
        """
        return self._locked(pk, "pg_advisory_xact_lock_shared")

    def locked_for_moving(self, pk: int) -> "GroupedOrder":
        """The order as it is now, for the one transaction that may move it (exclusive advisory lock)."""
        return self._locked(pk, "pg_advisory_xact_lock")

    def _locked(self, pk: int, lock: str) -> "GroupedOrder":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {lock}(%s, %s)", [LOCK_NAMESPACE, pk % 2**31])
        return self.select_related("book", "collectivity", "initiator").get(pk=pk)


class GroupedOrder(models.Model):
    public_id = models.CharField(_("identifiant public"), max_length=26, unique=True, default=new_public_id)
    status = models.CharField(_("statut"), max_length=24, choices=OrderStatus.choices, default=OrderStatus.OPEN)
    book = models.ForeignKey("catalog.Book", models.PROTECT, related_name="+", verbose_name=_("article"))
    collectivity = models.ForeignKey(
        "collectivities.Collectivity", models.PROTECT, related_name="+", verbose_name=_("client")
    )
    initiator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("initiateur")
    )
    deadline = models.DateField(_("date de clôture"), help_text=_("Incluse, jusqu’à minuit à l’heure de la librairie."))

    # Frozen when the order is created: the catalogue may change, what was promised does not.
    unit_price = models.DecimalField(_("prix unitaire (TTC)"), max_digits=8, decimal_places=2)
    vat_rate = models.DecimalField(_("taux de TVA (%)"), max_digits=4, decimal_places=2)
    shipping_fee = models.DecimalField(_("frais de port"), max_digits=6, decimal_places=2, default=Decimal("0.00"))

    # Copies: editing a collectivity never rewrites history.
    pickup_mode = models.CharField(_("mode de mise à disposition"), max_length=12, choices=PickupMode.choices)
    pickup_name = models.CharField(_("nom du lieu"), max_length=80)
    pickup_street = models.CharField(_("rue"), max_length=120)
    pickup_postcode = models.CharField(_("code postal"), max_length=12)
    pickup_city = models.CharField(_("ville"), max_length=80)
    pickup_country = models.CharField(_("pays"), max_length=2, choices=Country.choices)
    billing_name = models.CharField(_("nom de facturation"), max_length=120)
    billing_street = models.CharField(_("rue"), max_length=120)
    billing_postcode = models.CharField(_("code postal"), max_length=12)
    billing_city = models.CharField(_("ville"), max_length=80)
    billing_country = models.CharField(_("pays"), max_length=2, choices=Country.choices)

    customer_reference = models.CharField(_("référence collectivité"), max_length=60, blank=True)
    comment = models.TextField(_("commentaire"), max_length=1000, blank=True)

    shop_order = models.OneToOneField(
        "librisoft_bridge.ShopOrder",
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("commande classique"),
    )
    created_at = models.DateTimeField(_("créée le"), default=timezone.now)
    validated_at = models.DateTimeField(_("validée le"), null=True, blank=True)
    closed_at = models.DateTimeField(_("clôturée le"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("annulée le"), null=True, blank=True)

    objects = GroupedOrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("commande groupée")
        verbose_name_plural = _("commandes groupées")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["status", "deadline"], name="order_by_status_and_deadline"),
            models.Index(fields=["collectivity", "-id"], name="order_by_collectivity"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=OrderStatus.values),
                name="order_status_is_known",
                violation_error_message=_("Ce statut n’existe pas."),
            ),
            models.CheckConstraint(
                condition=Q(unit_price__gt=0),
                name="order_unit_price_above_zero",
                violation_error_message=_("Le prix doit être supérieur à zéro."),
            ),
            models.CheckConstraint(
                condition=Q(shipping_fee__gte=0),
                name="order_shipping_fee_not_negative",
                violation_error_message=_("Les frais de port ne peuvent pas être négatifs."),
            ),
            models.CheckConstraint(
                condition=Q(status=OrderStatus.CANCELLED, cancelled_at__isnull=False)
                | (~Q(status=OrderStatus.CANCELLED) & Q(cancelled_at__isnull=True)),
                name="order_cancelled_has_its_date",
                violation_error_message=_("Une commande annulée porte sa date d’annulation."),
            ),
            models.CheckConstraint(
                condition=Q(status=OrderStatus.CLOSED, closed_at__isnull=False)
                | (~Q(status=OrderStatus.CLOSED) & Q(closed_at__isnull=True)),
                name="order_closed_has_its_date",
                violation_error_message=_("Une commande clôturée porte sa date de clôture."),
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[OrderStatus.AWAITING_PROCESSING, OrderStatus.CLOSED])
                | Q(validated_at__isnull=False, shop_order__isnull=False),
                name="order_validated_has_its_shop_order",
                violation_error_message=_("Une commande validée a sa commande classique."),
            ),
        ]

    def __str__(self) -> str:
        return f"Commande groupée n° {self.pk}"

    def takes_sub_orders(self, now: datetime) -> bool:
        """Whether a buyer may still subscribe or begin to pay: OPEN, until 23:59:59 of the deadline, shop time."""
        return self.status == OrderStatus.OPEN and now < deadline_end(self.deadline)

    def days_left(self, now: datetime) -> int:
        """The deadline minus today: 1 on the eve, 0 on the last day, negative once it is past."""
        return (self.deadline - timezone.localdate(now)).days

    def deadline_is_near(self, now: datetime) -> bool:
        """« La date limite approche ! » : one of the last three days on which a buyer may subscribe."""
        return self.takes_sub_orders(now) and self.days_left(now) <= NEAR

    def status_label(self, now: datetime) -> str:
        """The status in the specification's words, told by the clock while the order is OPEN."""
        if self.takes_sub_orders(now):
            return str(_("Commande ouverte"))
        return str(OrderStatus(self.status).label)

    @property
    def pickup_address(self) -> PostalAddress:
        return PostalAddress(
            self.pickup_name, self.pickup_street, self.pickup_postcode, self.pickup_city, self.pickup_country
        )

    @property
    def billing_address(self) -> PostalAddress:
        return PostalAddress(
            self.billing_name, self.billing_street, self.billing_postcode, self.billing_city, self.billing_country
        )

    @property
    def subscription_url(self) -> str:
        """The absolute public link. It opens the subscription form and nothing else."""
        return f"{settings.SITE_URL}{reverse('buyer:register', args=[self.public_id])}"
