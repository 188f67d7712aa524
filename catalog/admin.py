"""The catalogue in the admin: read, corrected, searched as the initiator searches it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.markup import clean_html
from catalog.models import Book, BookQuerySet


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ["ean13", "title", "authors", "publisher", "price", "published", "why_not"]
    list_filter = ["withdrawn", "is_digital", "form", "availability"]
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
        obj.summary = clean_html(obj.summary)
        obj.describe_for_search()
        super().save_model(request, obj, form, change)
