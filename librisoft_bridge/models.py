"""The classic order: what a validated group order becomes, what travels to LIBRISOFT, and what came back."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _


class Transmission(models.TextChoices):
    """How far the order is on its way to LIBRISOFT."""

    WAITING = "WAITING", _("Envoi en cours")
    SENT = "SENT", _("Envoyée")
    REFUSED = "REFUSED", _("Refusée")
    FAILED = "FAILED", _("Échec de l’envoi")
    WITHDRAWN = "WITHDRAWN", _("Retirée avant l’envoi")


# LIBRISOFT's own codes; any other may come, and is kept and shown.
UNDER_WAY = ("PREPARATION", "SUPPLIER_ORDERED", "PARTIALLY_RECEIVED")
READY = ("RECEIVED", "RELEASED")
ALARMING = ("CANCELLED", "UNAVAILABLE")
KNOWN_CODES = UNDER_WAY + READY + ALARMING


# The last word on the sending was no; the bookseller decides.
STOPPED = Q(transmission__in=[Transmission.REFUSED, Transmission.FAILED])
# Cancelled here while it was being sent: LIBRISOFT may have it all the same.
DOUBTFUL = Q(transmission=Transmission.WITHDRAWN, in_doubt=True)


def overdue(now: datetime) -> Q:
    """LIBRISOFT should have taken it hours ago (LIBRISOFT_OVERDUE_HOURS), and nobody said no."""
    return Q(transmission=Transmission.WAITING, waiting_since__lte=overdue_since(now))


def overdue_since(now: datetime) -> datetime:
    return now - timedelta(hours=settings.LIBRISOFT_OVERDUE_HOURS)


class ShopOrderQuerySet(models.QuerySet["ShopOrder"]):
    def due(self, now: datetime) -> Self:
        """To be sent now: waiting and due, not in the hands of a worker, nor in LIBRISOFT's already."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        return self.filter(free, transmission=Transmission.WAITING, offered_at__isnull=True, next_try_at__lte=now)

    def claimed(self, shop_order: "ShopOrder", token: uuid.UUID) -> Self:
        """The order as long as this claim of it stands; nothing once it is lost."""
        return self.filter(pk=shop_order.pk, lease_token=token)

    def doubtful(self) -> Self:
        return self.filter(DOUBTFUL)

    def untaken(self, now: datetime) -> Self:
        """Those that do not reach LIBRISOFT: the last word was no, or there was none for hours."""
        return self.filter(STOPPED | overdue(now))


class ShopOrder(models.Model):
    """Frozen when it is handed over. Its number (« 637 ») is the web order's number for LIBRISOFT."""

    group_order_number = models.PositiveBigIntegerField(_("commande groupée n°"), unique=True)
    message_id = models.UUIDField(_("clé d’envoi"), unique=True, default=uuid.uuid4, editable=False)
    ordered_at = models.DateTimeField(_("validée le"))
    customer_code = models.CharField(_("code client"), max_length=20)
    customer_name = models.CharField(_("client"), max_length=120)
    contact_name = models.CharField(_("contact"), max_length=130, blank=True)
    contact_email = models.EmailField(_("e-mail"), blank=True)
    contact_phone = models.CharField(_("téléphone"), max_length=30, blank=True)
    # Written as the contract has them: {name, street, postcode, city, country}; [{method, amount}].
    billing_address = models.JSONField(_("adresse de facturation"))
    delivery_mode = models.CharField(_("mode de mise à disposition"), max_length=12)
    delivery_address = models.JSONField(_("adresse de mise à disposition"))
    payments = models.JSONField(_("paiements"))
    customer_reference = models.CharField(_("référence collectivité"), max_length=60, blank=True)
    comment = models.TextField(_("commentaire"), blank=True)

    transmission = models.CharField(
        _("envoi"), max_length=9, choices=Transmission.choices, default=Transmission.WAITING
    )
    # Since its validation, or since « Renvoyer ».
    waiting_since = models.DateTimeField(_("à envoyer depuis"), default=timezone.now)
    attempts = models.PositiveSmallIntegerField(_("essais"), default=0)
    next_try_at = models.DateTimeField(_("prochain essai"), default=timezone.now)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    # A call was made whose outcome is not known: LIBRISOFT may have the order.
    in_doubt = models.BooleanField(_("peut-être reçue par LIBRISOFT"), default=False)
    # By file: its files are complete, so what is missing of them now has left. See folder.py.
    staged = models.BooleanField(default=False, editable=False)
    # By pull and by file: where LIBRISOFT takes it, or has taken it without a word yet.
    offered_at = models.DateTimeField(_("remise à LIBRISOFT le"), null=True, blank=True)
    error = models.CharField(_("dernière erreur"), max_length=300, blank=True)
    sent_at = models.DateTimeField(_("envoyée le"), null=True, blank=True)
    # The group order was cancelled after it had been validated.
    withdrawn_at = models.DateTimeField(_("annulée ici le"), null=True, blank=True)

    librisoft_number = models.CharField(_("n° LIBRISOFT"), max_length=10, blank=True)
    # LIBRISOFT answered for this order with a second number: never an overwrite, always an alarm.
    second_number = models.CharField(_("second n° LIBRISOFT"), max_length=10, blank=True)
    remote_code = models.CharField(_("code du statut"), max_length=40, blank=True)
    remote_label = models.CharField(_("statut LIBRISOFT"), max_length=80, blank=True)
    remote_sequence = models.PositiveBigIntegerField(default=0, editable=False)
    remote_updated_at = models.DateTimeField(_("statut du"), null=True, blank=True)
    expected_date = models.DateField(_("date prévue"), null=True, blank=True)
    refreshed_at = models.DateTimeField(_("relu le"), null=True, blank=True)
    # The bookseller typed number or status himself; an older remote status never overwrites the one he typed.
    set_by_hand_at = models.DateTimeField(_("saisi à la main le"), null=True, blank=True)
    status_typed_at = models.DateTimeField(_("statut saisi à la main le"), null=True, blank=True)

    objects = ShopOrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("commande classique")
        verbose_name_plural = _("commandes classiques")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["next_try_at"], name="shop_order_due", condition=Q(transmission=Transmission.WAITING)),
            models.Index(fields=["librisoft_number"], name="shop_order_by_librisoft_number"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(transmission__in=Transmission.values),
                name="shop_order_transmission_is_known",
                violation_error_message=_("Cet état d’envoi n’existe pas."),
            ),
            models.CheckConstraint(
                condition=~Q(transmission=Transmission.SENT) | Q(sent_at__isnull=False),
                name="shop_order_sent_has_its_date",
                violation_error_message=_("Une commande envoyée porte sa date d’envoi."),
            ),
            models.CheckConstraint(
                condition=~Q(transmission=Transmission.WITHDRAWN) | Q(withdrawn_at__isnull=False),
                name="shop_order_withdrawn_has_its_date",
                violation_error_message=_("Une commande retirée porte la date de son annulation."),
            ),
            models.CheckConstraint(
                condition=~Q(transmission=Transmission.REFUSED) | ~Q(error=""),
                name="shop_order_refused_has_its_reason",
                violation_error_message=_("Une commande refusée porte la raison du refus."),
            ),
            models.CheckConstraint(
                condition=Q(lease_token__isnull=True, lease_until__isnull=True)
                | Q(lease_token__isnull=False, lease_until__isnull=False),
                name="shop_order_claim_has_its_end",
                violation_error_message=_("Un envoi en cours a son échéance."),
            ),
        ]

    def __str__(self) -> str:
        return f"Commande classique n° {self.pk}"

    @property
    def transmission_label(self) -> str:
        """Where the sending stands, truthfully, in one French sentence."""
        if self.withdrawn_at is not None:
            return self._withdrawn_label()
        match self.transmission:
            case Transmission.SENT:
                return _now("Envoyée vers LIBRISOFT")
            case Transmission.REFUSED:
                return _now("Refusée par LIBRISOFT\u00a0: %(reason)s") % {"reason": self.error}
            case Transmission.FAILED:
                return _now("L’envoi vers LIBRISOFT a échoué\u00a0: %(reason)s") % {"reason": self.error}
            case _waiting if self.offered_at is not None:
                said = _now("Remise à LIBRISOFT à %(when)s, en attente de son accusé de réception")
                return said % {"when": clock_label(self.offered_at)}
            case _waiting if settings.LIBRISOFT_TRANSPORT == "pull":
                return _now("Prête\u00a0: LIBRISOFT viendra la chercher")
            case _waiting if self.error and self.next_try_at > timezone.now():
                when = clock_label(self.next_try_at)
                return _now("%(reason)s Nouvel essai à %(when)s.") % {"reason": self.error, "when": when}
            case _waiting if self.error and not self.attempts:
                return self.error
        return _now("Envoi en cours vers LIBRISOFT")

    def _withdrawn_label(self) -> str:
        if self.librisoft_number and self.remote_code == "CANCELLED":
            return _now("Annulée ici et dans LIBRISOFT")
        if self.librisoft_number:
            said = _now(
                "Annulée ici, mais LIBRISOFT l’a reçue sous le n° %(number)s\u00a0: annulez-la aussi dans LIBRISOFT"
            )
            return said % {"number": self.librisoft_number}
        if self.in_doubt:
            return _now("Retirée pendant l’envoi\u00a0: vérifiez que LIBRISOFT ne l’a pas reçue")
        return _now("Retirée avant l’envoi vers LIBRISOFT")

    @property
    def status_label(self) -> str:
        """LIBRISOFT's status in its own words; empty before it has one."""
        return self.remote_label or self.remote_code

    @property
    def received_summary(self) -> str:
        """« 18 sur 28 » while a part has come; empty otherwise."""
        lines = self.lines.all()  # summed here, so that a list may prefetch them
        ordered, received = sum(line.quantity for line in lines), sum(line.received for line in lines)
        return (
            _now("%(received)d sur %(ordered)d") % {"received": received, "ordered": ordered}
            if 0 < received < ordered
            else ""
        )

    @property
    def full_status_label(self) -> str:
        """« Partiellement réceptionnée (18 sur 28) »."""
        received = self.received_summary
        return f"{self.status_label} ({received})" if received else self.status_label

    @property
    def is_ready(self) -> bool:
        """LIBRISOFT says that all the books are there."""
        return self.remote_code in READY

    @property
    def is_stopped(self) -> bool:
        """The last word on the sending was no."""
        return self.transmission in (Transmission.REFUSED, Transmission.FAILED)

    @property
    def is_overdue(self) -> bool:
        """LIBRISOFT should have taken it hours ago."""
        return self.transmission == Transmission.WAITING and self.waiting_since <= overdue_since(timezone.now())

    @property
    def needs_attention(self) -> bool:
        """Something the bookseller has to decide: one of the kinds of attention.py."""
        if self.second_number or self.is_stopped or self.is_overdue:
            return True
        if self.withdrawn_at is not None:
            return self.in_doubt or bool(self.librisoft_number) and self.remote_code != "CANCELLED"
        return self.remote_code in ALARMING


class ShopOrderLine(models.Model):
    """Copies of one book. Euros, VAT included, never discounted."""

    shop_order = models.ForeignKey(ShopOrder, models.CASCADE, related_name="lines")
    line_number = models.PositiveSmallIntegerField(_("ligne"))
    ean13 = models.CharField(_("code EAN13"), max_length=13)
    title = models.CharField(_("titre"), max_length=500)
    quantity = models.PositiveIntegerField(_("quantité"))
    unit_price = models.DecimalField(_("prix unitaire (TTC)"), max_digits=8, decimal_places=2)
    vat_rate = models.DecimalField(_("taux de TVA (%)"), max_digits=4, decimal_places=2)
    received = models.PositiveIntegerField(_("reçus"), default=0)

    class Meta:
        verbose_name = _("ligne")
        verbose_name_plural = _("lignes")
        ordering = ["line_number"]
        constraints = [
            models.UniqueConstraint(fields=["shop_order", "line_number"], name="shop_order_line_once"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1),
                name="shop_order_line_quantity_at_least_1",
                violation_error_message=_("La quantité est d’au moins un exemplaire."),
            ),
            models.CheckConstraint(
                condition=Q(unit_price__gt=0),
                name="shop_order_line_price_above_zero",
                violation_error_message=_("Le prix doit être supérieur à zéro."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"

    @property
    def amount(self) -> Decimal:
        return self.unit_price * self.quantity


class StatusChange(models.Model):
    """One status LIBRISOFT reported, or the bookseller typed. Kept in full, never edited."""

    shop_order = models.ForeignKey(ShopOrder, models.CASCADE, related_name="status_changes")
    code = models.CharField(_("code"), max_length=40, blank=True)
    label = models.CharField(_("statut"), max_length=80)
    # Empty when the bookseller typed it.
    sequence = models.PositiveBigIntegerField(_("rang"), null=True, blank=True)
    updated_at = models.DateTimeField(_("quand"))
    seen_at = models.DateTimeField(_("vu le"), default=timezone.now)

    class Meta:
        verbose_name = _("changement de statut")
        verbose_name_plural = _("changements de statut")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["shop_order", "sequence"], name="status_change_once"),
        ]

    def __str__(self) -> str:
        return self.label or self.code


class ChangesCursor(models.Model):
    """How far LIBRISOFT's changes have been read. One row."""

    only_one = models.BooleanField(default=True, unique=True, editable=False)
    cursor = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(only_one=True), name="changes_cursor_only_one")]

    def __str__(self) -> str:
        return self.cursor


# How each way of carrying tells that LIBRISOFT is alive, and that nothing was heard of it yet.
SIGNS = {
    "push": (_("LIBRISOFT répond."), _("LIBRISOFT n’a pas encore été appelé.")),
    "pull": (_("LIBRISOFT est passé pour la dernière fois à %(when)s."), _("LIBRISOFT n’est pas encore passé.")),
    "file": (_("Dernier fichier de LIBRISOFT à %(when)s."), _("LIBRISOFT n’a encore déposé aucun fichier.")),
}


class Link(models.Model):
    """How LIBRISOFT answers, for every process: the state of the circuit breaker (breaker.py). One row."""

    only_one = models.BooleanField(default=True, unique=True, editable=False)
    failures = models.PositiveIntegerField(_("échecs de suite"), default=0)
    reason = models.CharField(_("dernière erreur"), max_length=300, blank=True)
    # Nobody calls before `open_until`; then one caller tries.
    opened_at = models.DateTimeField(_("muet depuis"), null=True, blank=True)
    open_until = models.DateTimeField(_("prochain essai"), null=True, blank=True)
    heard_at = models.DateTimeField(_("dernière réponse"), null=True, blank=True)

    class Meta:
        verbose_name = _("liaison avec LIBRISOFT")
        verbose_name_plural = _("liaison avec LIBRISOFT")
        constraints = [models.CheckConstraint(condition=Q(only_one=True), name="link_only_one")]

    def __str__(self) -> str:
        return "LIBRISOFT"

    @classmethod
    def present(cls) -> "Link":
        """The row; where there is none, nothing was ever said, and nothing is wrong."""
        return cls.objects.first() or cls()

    @property
    def is_open(self) -> bool:
        """LIBRISOFT does not answer, or asked for a pause, and is left in peace."""
        return self.open_until is not None

    @property
    def state_label(self) -> str:
        """How LIBRISOFT answers, in one French sentence: for the admin and for whoever looks after the machine."""
        if self.opened_at is not None and self.open_until is not None:
            said = _now("%(reason)s Laissé en paix depuis %(since)s, nouvel essai à %(when)s.")
            since, when = clock_label(self.opened_at), clock_label(self.open_until)
            return said % {"reason": self.reason, "since": since, "when": when}
        if self.failures:
            return _now("Dernier appel sans réponse\u00a0: %(reason)s") % {"reason": self.reason}
        heard, silent = SIGNS[settings.LIBRISOFT_TRANSPORT]
        return str(heard) % {"when": clock_label(self.heard_at)} if self.heard_at is not None else str(silent)


class SetAsideFile(models.Model):
    """A file from LIBRISOFT that nobody can read, or not the whole of it; it lies in the folder of such files."""

    name = models.CharField(_("fichier"), max_length=255)
    modified_at = models.DateTimeField(_("écrit le"))
    reason = models.TextField(_("raison"))
    set_aside_at = models.DateTimeField(_("mis de côté le"), default=timezone.now)

    class Meta:
        verbose_name = _("fichier de LIBRISOFT mis de côté")
        verbose_name_plural = _("fichiers de LIBRISOFT mis de côté")
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["name", "modified_at"], name="file_set_aside_once")]

    def __str__(self) -> str:
        return self.name


def clock_label(at: datetime) -> str:
    """« 10:05 » today, « 24/11 à 10:05 » on another day."""
    at = timezone.localtime(at)
    return date_format(at, "H:i" if at.date() == timezone.localdate() else r"d/m \à H:i")
