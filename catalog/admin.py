"""The catalogue in the admin: read, corrected, searched as the initiator searches it."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import CharField, ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog import vocabulary
from catalog.ean import to_ean13
from catalog.markup import clean_html
from catalog.models import Book, BookQuerySet


class OrderableFilter(admin.SimpleListFilter):
    title = _("peut être commandé")
    parameter_name = "commande"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("oui", _("Oui")), ("non", _("Non"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Book]) -> QuerySet[Book]:
        sellable = Book.sellable(timezone.localdate())
        if self.value() == "oui":
            return queryset.filter(sellable)
        return queryset.exclude(sellable) if self.value() == "non" else queryset


class BookForm(ModelForm):
    # Room for the dashes: thirteen digits are left of it.
    ean13 = CharField(label=_("code EAN13"), max_length=30)

    def clean_ean13(self) -> str:
        """Taken as people type it, dashes and ISBN-10 included."""
        if ean13 := to_ean13(self.cleaned_data["ean13"]):
            return ean13
        raise ValidationError(_("Ce code n’est pas valable : un chiffre est faux ou manque."))

    def clean_summary(self) -> str:
        return clean_html(self.cleaned_data["summary"])


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    form = BookForm
    list_display = ["ean13", "title", "authors", "publisher", "price", "published", "why_not"]
    list_filter = [OrderableFilter, "availability", "withdrawn", "is_digital", "form"]
    search_fields = ["ean13"]  # shows the box; `get_search_results` does the search
    list_per_page = 50
    show_full_result_count = False
    fieldsets = [
        (None, {"fields": ["ean13", "title", "subtitle", "authors", "publisher", "collection", "genre"]}),
        (_("Vente"), {"fields": ["price", "vat_rate", "availability", "embargo_until", "withdrawn", "is_digital"]}),
        (
            _("Description"),
            {
                "fields": [
                    ("publication_date", "publication_precision"),
                    "form",
                    ("weight_g", "height_mm", "width_mm", "thickness_mm"),
                    "summary",
                    "cover",
                ]
            },
        ),
    ]

    @admin.display(description=_("date de parution"), ordering="publication_date")
    def published(self, book: Book) -> str:
        return book.published

    @admin.display(description=_("ne peut pas être commandé"))
    def why_not(self, book: Book) -> str:
        return book.unavailable_reason(timezone.localdate()) or "—"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Book], search_term: str
    ) -> tuple[QuerySet[Book], bool]:
        if not search_term:
            return queryset, False
        assert isinstance(queryset, BookQuerySet)
        found = queryset.search(search_term).books
        return queryset.filter(pk__in=[book.pk for book in found]), False

    def save_model(self, request: HttpRequest, obj: Book, form: ModelForm, change: Any) -> None:
        obj.describe_for_search()
        super().save_model(request, obj, form, change)
        vocabulary.learn([obj.search_text])
