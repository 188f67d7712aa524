"""The catalogue: every book a group order can be made for."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Optional, Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.core.files.storage import FileSystemStorage
from django.core.validators import FileExtensionValidator
from django.db import models
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from catalog import codes
from catalog.search import BookQuerySet
from catalog.vocabulary import LONGEST
from catalog.wording import normalise, title_key

EPOCH = date(1900, 1, 1)
# More days than there are between the epoch and any publication.
ORDERABLE = 100_000


class Precision(models.TextChoices):
    """How much of a publication date is known."""

    DAY = "DAY", _("jour")
    MONTH = "MONTH", _("mois")
    YEAR = "YEAR", _("année")


class Book(models.Model):
    """A catalogue entry, found by EAN or title. The price is the public one: euros, VAT included."""

    ean13 = models.CharField(_("code EAN13"), max_length=13, unique=True)
    title = models.CharField(_("titre"), max_length=500)
    subtitle = models.CharField(_("sous-titre"), max_length=500, blank=True)
    authors = models.CharField(_("auteur"), max_length=500, blank=True)
    publisher = models.CharField(_("éditeur"), max_length=200, blank=True)
    collection = models.CharField(_("collection"), max_length=200, blank=True)
    genre = models.CharField(_("genre"), max_length=120, blank=True)
    publication_date = models.DateField(_("date de parution"), null=True, blank=True)
    publication_precision = models.CharField(
        _("précision de la date"), max_length=5, choices=Precision.choices, default=Precision.DAY
    )
    form = models.CharField(_("support"), max_length=60, blank=True)
    is_digital = models.BooleanField(_("numérique"), default=False)
    weight_g = models.PositiveIntegerField(_("poids (g)"), null=True, blank=True)
    height_mm = models.PositiveIntegerField(_("hauteur (mm)"), null=True, blank=True)
    width_mm = models.PositiveIntegerField(_("largeur (mm)"), null=True, blank=True)
    thickness_mm = models.PositiveIntegerField(_("épaisseur (mm)"), null=True, blank=True)
    price = models.DecimalField(_("prix unitaire (TTC)"), max_digits=8, decimal_places=2, null=True, blank=True)
    vat_rate = models.DecimalField(_("taux de TVA (%)"), max_digits=4, decimal_places=2, default=Decimal("6.00"))
    availability = models.CharField(
        _("disponibilité"), max_length=2, choices=codes.AVAILABILITY, default="20", blank=True
    )
    embargo_until = models.DateField(_("pas de vente avant le"), null=True, blank=True)
    withdrawn = models.BooleanField(_("retiré du catalogue"), default=False)
    summary = models.TextField(_("résumé"), blank=True, help_text=_("HTML simple, nettoyé à l’import."))
    cover = models.FileField(
        _("couverture"),
        upload_to="covers/",
        blank=True,
        # Pictures only: a page or a drawing with a script in it would run as ours.
        validators=[FileExtensionValidator(["jpg", "jpeg", "png", "webp"])],
    )
    cover_source = models.URLField(_("adresse de la couverture"), max_length=500, blank=True, editable=False)
    # When to fetch it from there; nothing once it is here, or cannot be had.
    cover_due_at = models.DateTimeField(null=True, editable=False)

    # Where it came from: an older message never overwrites a newer one.
    record_reference = models.CharField(_("référence de la notice"), max_length=100, blank=True, editable=False)
    message_sent = models.DateTimeField(_("notice envoyée le"), null=True, blank=True, editable=False)

    # For the search, filled by `describe_for_search` with the very function that reads the question.
    search_text = models.TextField(editable=False, default="")
    title_key = models.CharField(max_length=500, editable=False, default="")
    standing = models.IntegerField(editable=False, default=0)
    search_vector = models.GeneratedField(
        expression=SearchVector("search_text", config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects = BookQuerySet.as_manager()

    class Meta:
        verbose_name = _("article")
        verbose_name_plural = _("articles")
        ordering = ["title_key", "pk"]
        indexes = [
            GinIndex(fields=["search_vector"], name="book_by_word", fastupdate=False),
            models.Index(
                fields=["title_key"],
                include=["standing", "id"],
                name="book_by_title",
                opclasses=["varchar_pattern_ops"],
            ),
            # What the search reads from the front: the text stands in the index, so no book is fetched for it.
            models.Index(fields=["-standing", "-id"], name="book_by_standing", include=["search_text"]),
            models.Index(fields=["cover_due_at"], name="book_cover_due", condition=Q(cover_due_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ean13__regex=r"^[0-9]{13}$"),
                name="book_ean13_is_13_digits",
                violation_error_message=_("Le code EAN13 a treize chiffres."),
            ),
            models.CheckConstraint(
                condition=Q(price__isnull=True) | Q(price__gt=0),
                name="book_price_above_zero",
                violation_error_message=_("Le prix doit être supérieur à zéro."),
            ),
            models.CheckConstraint(
                condition=Q(vat_rate__gte=0, vat_rate__lte=99),
                name="book_vat_rate_is_a_rate",
                violation_error_message=_("Le taux de TVA est un pourcentage."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.ean13})"

    @staticmethod
    def sellable(today: date) -> Q:
        """The same rule as `unavailable_reason`, for the database: what can be ordered."""
        free = Q(embargo_until__isnull=True) | Q(embargo_until__lte=today)
        return free & Q(withdrawn=False, is_digital=False, price__isnull=False, availability__in=codes.ON_SALE)

    def unavailable_reason(self, today: date) -> str:
        """Why nobody can order this book, in French; empty when it can be ordered."""
        if self.withdrawn:
            return _now("Cet ouvrage est retiré du catalogue.")
        if self.is_digital:
            return _now("Cet ouvrage est numérique : il ne peut pas faire l’objet d’une commande groupée.")
        if reason := codes.GONE.get(self.availability):
            return str(reason)
        if self.embargo_until and self.embargo_until > today:
            return _now("Cet ouvrage ne peut pas être vendu avant le %(day)s.") % {"day": _day(self.embargo_until)}
        if self.availability in codes.TO_APPEAR:
            known_day = self.publication_precision == Precision.DAY
            if self.publication_date and known_day and self.publication_date > today:
                return _now("Cet ouvrage est à paraître le %(day)s.") % {"day": _day(self.publication_date)}
            return _now("Cet ouvrage est à paraître.")
        if self.availability not in codes.ON_SALE:
            return str(codes.NOT_SOLD)
        if self.price is None:
            return _now("Le prix de cet ouvrage n’est pas connu : demandez-le à la librairie.")
        return ""

    @property
    def published(self) -> str:
        """The publication date, as much of it as is known: 29/04/2011, avril 2011 or 2011."""
        if self.publication_date is None:
            return ""
        formats = {Precision.DAY: "d/m/Y", Precision.MONTH: "F Y", Precision.YEAR: "Y"}
        return date_format(self.publication_date, formats[Precision(self.publication_precision)])

    @property
    def author_names(self) -> list[str]:
        """Each for itself: « LE GUEN/XENARD » is two people."""
        return [name.strip() for name in self.authors.split("/") if name.strip()]

    @property
    def cover_url(self) -> str:
        """The cover kept by the shop; empty when there is none."""
        return self.cover.url if self.cover else ""

    @property
    def cover_tint(self) -> int:
        """Which of the twelve grounds of cover.css stands for a cover that is missing; always the same for a book."""
        return int(self.ean13) % 12

    def describe_for_search(self) -> None:
        """Fill the columns of the search from the others; whoever writes a book calls it before saving."""
        parts = (self.title, self.subtitle, self.authors, self.publisher, self.collection)
        # An index holds both, and no entry of an index may be longer than 2 704 bytes.
        self.search_text = normalise(" ".join(parts))[:2000]
        self.title_key = title_key(self.title)[:500]
        day = (self.publication_date - EPOCH).days if self.publication_date else 0
        in_reach = self.availability in codes.ON_SALE and not (self.withdrawn or self.is_digital or self.price is None)
        self.standing = min(max(day, 0), ORDERABLE - 1) + (ORDERABLE if in_reach else 0)


class Word(models.Model):
    """A word of the catalogue and how many books had it when they were last counted: it steers the search."""

    word = models.CharField(max_length=LONGEST, primary_key=True)
    books = models.PositiveIntegerField()

    class Meta:
        indexes = [GinIndex(fields=["word"], name="word_by_likeness", opclasses=["gin_trgm_ops"])]

    def __str__(self) -> str:
        return self.word


def imports_storage() -> FileSystemStorage:
    """Where catalogues that are uploaded wait, and where the reports are: never among what the site shows."""
    return FileSystemStorage(location=settings.IMPORT_ROOT)


class ImportRunQuerySet(models.QuerySet["ImportRun"]):
    def due(self, now: datetime) -> Self:
        """Uploaded files that wait, or whose import has died: it says at least every minute that it lives."""
        dead = Q(state=ImportRun.State.RUNNING, seen_at__lt=now - timedelta(minutes=5))
        return self.exclude(upload="").filter(Q(state=ImportRun.State.WAITING) | dead)

    def claim(self, pk: int, now: datetime) -> Optional["ImportRun"]:
        """The run to do, if nobody else has it: two workers never take the same file in."""
        claimed = self.due(now).filter(pk=pk).update(state=ImportRun.State.RUNNING, started_at=now, seen_at=now)
        return self.get(pk=pk) if claimed else None


class ImportRun(models.Model):
    """A catalogue file that is taken in: followed while it lasts, its report read afterwards."""

    class State(models.TextChoices):
        WAITING = "WAITING", _("en attente")
        RUNNING = "RUNNING", _("en cours")
        DONE = "DONE", _("terminé")
        REFUSED = "REFUSED", _("arrêté")

    name = models.CharField(_("fichier"), max_length=255)
    upload = models.FileField(
        _("fichier"),
        storage=imports_storage,
        upload_to="uploads/",
        blank=True,
        validators=[FileExtensionValidator(["xml", "onx", "onix", "csv", "gz", "zip"])],
        help_text=_("ONIX 3.0 ou 3.1, ou CSV en UTF-8 ; .gz et .zip acceptés."),
    )
    report = models.FileField(_("rapport"), storage=imports_storage, upload_to="reports/", blank=True)
    state = models.CharField(_("état"), max_length=8, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(_("demandé le"), auto_now_add=True)
    started_at = models.DateTimeField(_("commencé le"), null=True)
    seen_at = models.DateTimeField(_("vu en vie le"), null=True)
    finished_at = models.DateTimeField(_("terminé le"), null=True)
    percent = models.PositiveSmallIntegerField(_("avancement (%)"), null=True)
    new = models.PositiveIntegerField(_("nouveaux"), default=0)
    changed = models.PositiveIntegerField(_("modifiés"), default=0)
    unchanged = models.PositiveIntegerField(_("inchangés"), default=0)
    withdrawn = models.PositiveIntegerField(_("retirés"), default=0)
    rejected = models.PositiveIntegerField(_("rejetés"), default=0)
    refusal = models.TextField(_("pourquoi il s’est arrêté"), blank=True)

    objects = ImportRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("import du catalogue")
        verbose_name_plural = _("imports du catalogue")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["WAITING", "RUNNING"], finished_at__isnull=True)
                | Q(state__in=["DONE", "REFUSED"], finished_at__isnull=False),
                name="import_run_is_finished_when_it_says_so",
                violation_error_message=_("Un import terminé a une date de fin."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def read(self) -> int:
        return self.new + self.changed + self.unchanged + self.withdrawn + self.rejected


def _day(day: date) -> str:
    return date_format(day, "d/m/Y")
