"""People, the collectivities they order for, and the bookshop itself."""

from decimal import Decimal

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from collectivities.postal import Country, PostalAddress


class Collectivity(models.Model):
    """A school, library or association: who a group order is made for."""

    name = models.CharField(_("nom"), max_length=120, unique=True)
    service = models.CharField(_("service"), max_length=80, blank=True, help_text=_("Par exemple : Cdi"))
    customer_code = models.CharField(
        _("code client LIBRISOFT"),
        max_length=20,
        unique=True,
        help_text=_("Le code de ce client dans LIBRISOFT, envoyé avec chaque commande."),
    )
    phone = models.CharField(_("téléphone"), max_length=30, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)

    class Meta:
        verbose_name = _("collectivité")
        verbose_name_plural = _("collectivités")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def billing_address(self) -> "Address | None":
        """The address invoices go to; the first one entered when none is marked."""
        return self.addresses.order_by("-is_billing", "pk").first()


class Terms(models.Model):
    """One version of the bookshop's general conditions of sale (CGV). A published version is never edited."""

    version = models.CharField(_("version"), max_length=20, unique=True, help_text=_("Par exemple : 2026-09"))
    text = models.TextField(_("texte"), help_text=_("Une ligne vide sépare deux paragraphes."))
    published_at = models.DateTimeField(_("publiées le"), default=timezone.now)

    class Meta:
        verbose_name = _("conditions générales de vente")
        verbose_name_plural = _("conditions générales de vente")
        ordering = ["-published_at"]
        get_latest_by = "published_at"

    def __str__(self) -> str:
        return f"CGV {self.version}"


class Bookshop(models.Model):
    """The shop's own identity. There is one row; a second is refused by the database."""

    only_one = models.BooleanField(default=True, unique=True, editable=False)
    name = models.CharField(_("nom"), max_length=80)
    legal_name = models.CharField(_("raison sociale"), max_length=120, blank=True)
    legal_number = models.CharField(_("numéro d’entreprise et TVA"), max_length=60, blank=True)
    email = models.EmailField(_("e-mail de contact"))
    phone = models.CharField(_("téléphone"), max_length=30, blank=True)
    opening_hours = models.CharField(_("heures d’ouverture"), max_length=200, blank=True)
    cancels_unpaid_after = models.PositiveSmallIntegerField(
        _("annuler ce qui reste impayé (heures après la date limite)"),
        default=48,
        help_text=_("0 : jamais, la librairie décide elle-même."),
    )

    class Meta:
        verbose_name = _("librairie")
        verbose_name_plural = _("librairie")
        constraints = [
            models.CheckConstraint(
                condition=Q(only_one=True),
                name="bookshop_only_one",
                violation_error_message=_("La librairie existe déjà : modifiez-la."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def current(cls) -> "Bookshop":
        """The shop; an unsaved one with placeholder words while none has been entered."""
        return cls.objects.first() or cls(name=str(_("Librairie")), email="")


class Address(models.Model):
    """A place of the bookshop or of a collectivity: books are made available there, or invoices sent."""

    collectivity = models.ForeignKey(
        Collectivity, models.CASCADE, related_name="addresses", null=True, blank=True, verbose_name=_("collectivité")
    )
    bookshop = models.ForeignKey(
        Bookshop, models.CASCADE, related_name="addresses", null=True, blank=True, verbose_name=_("librairie")
    )
    name = models.CharField(_("nom"), max_length=80, help_text=_("Par exemple : ANNEXE"))
    street = models.CharField(_("rue et numéro"), max_length=120)
    postcode = models.CharField(_("code postal"), max_length=12)
    city = models.CharField(_("ville"), max_length=80)
    country = models.CharField(_("pays"), max_length=2, choices=Country.choices, default=Country.BE)
    is_pickup = models.BooleanField(_("lieu de mise à disposition"), default=True)
    is_billing = models.BooleanField(_("adresse de facturation"), default=False)
    shipping_fee = models.DecimalField(
        _("frais de port par sous-commande (€)"),
        max_digits=6,
        decimal_places=2,
        default=Decimal("0.00"),
        validators=[MinValueValidator(Decimal("0.00"))],
        help_text=_("En France, la loi peut imposer des frais de port pour une livraison hors d’une librairie."),
    )

    class Meta:
        verbose_name = _("adresse")
        verbose_name_plural = _("adresses")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(collectivity__isnull=False, bookshop__isnull=True)
                | Q(collectivity__isnull=True, bookshop__isnull=False),
                name="address_has_one_owner",
                violation_error_message=_("Une adresse est celle de la librairie ou celle d’une collectivité."),
            ),
            models.CheckConstraint(
                condition=Q(shipping_fee__gte=0),
                name="address_shipping_fee_not_negative",
                violation_error_message=_("Les frais de port ne peuvent pas être négatifs."),
            ),
            models.UniqueConstraint(
                fields=["collectivity"],
                condition=Q(is_billing=True),
                name="address_one_billing_for_a_collectivity",
                violation_error_message=_("Cette collectivité a déjà une adresse de facturation."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.postal)

    @property
    def postal(self) -> PostalAddress:
        return PostalAddress(self.name, self.street, self.postcode, self.city, self.country)


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        """People type their address as they like: capitals do not matter."""
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        """Create an account. Without a password it can only be entered through the invitation link."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """An account: an initiator when it belongs to a collectivity, a bookseller when it is staff."""

    email = models.EmailField(
        _("e-mail"), unique=True, error_messages={"unique": _("Un compte existe déjà avec cette adresse e-mail.")}
    )
    first_name = models.CharField(_("prénom"), max_length=60, blank=True)
    last_name = models.CharField(_("nom"), max_length=60, blank=True)
    phone = models.CharField(_("téléphone"), max_length=30, blank=True)
    collectivity = models.ForeignKey(
        Collectivity, models.PROTECT, related_name="members", null=True, blank=True, verbose_name=_("collectivité")
    )
    is_active = models.BooleanField(_("actif"), default=True)
    is_staff = models.BooleanField(_("libraire"), default=False, help_text=_("Peut ouvrir l’administration."))
    date_joined = models.DateTimeField(_("créé le"), default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"

    class Meta:
        verbose_name = _("compte")
        verbose_name_plural = _("comptes")
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique_whatever_the_case",
                violation_error_message=_("Un compte existe déjà avec cette adresse e-mail."),
            )
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    def get_full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def get_short_name(self) -> str:
        return self.first_name or self.email
