"""The catalogue in the admin: read, corrected, searched as the initiator searches it."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import CharField, ModelForm
from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog import tasks, vocabulary
from catalog.ean import to_ean13
from catalog.markup import clean_html
from catalog.models import Book, BookQuerySet, ImportRun
from catalog.runs import COUNTS


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


_ONE_BUTTON = {"show_save_and_continue": False, "show_save_and_add_another": False}


@admin.register(ImportRun)
class ImportRunAdmin(admin.ModelAdmin):
    """A catalogue is uploaded here, followed while it is taken in, and its report read."""

    list_display = ["created_at", "name", "state", "percent", "new", "changed", "withdrawn", "rejected"]
    list_display_links = ["created_at", "name"]
    list_filter = ["state"]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["name", "created_at", "started_at", "finished_at"] if obj else ["upload"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        form = super().get_form(request, obj, change, **options)
        if "upload" in form.base_fields:
            form.base_fields["upload"].required = True  # kept only until it is taken in
        return form

    def save_model(self, request: HttpRequest, obj: ImportRun, form: ModelForm, change: Any) -> None:
        obj.name = obj.upload.name[-255:]
        super().save_model(request, obj, form, change)
        transaction.on_commit(partial(tasks.ring, obj.pk))

    def response_add(self, request: HttpRequest, obj: ImportRun, post_url_continue: str | None = None) -> Any:
        return redirect("admin:catalog_importrun_change", obj.pk)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        run = self.get_object(request, object_id)
        counts = [(ImportRun._meta.get_field(name).verbose_name, getattr(run, name)) for name in COUNTS] if run else []
        context = {**(extra_context or {}), "title": _("Import du catalogue"), "counts": counts}
        return super().change_view(request, object_id, form_url, context)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        return super().add_view(
            request, form_url, {**(extra_context or {}), "title": _("Importer un catalogue"), **_ONE_BUTTON}
        )

    def get_urls(self) -> list[URLPattern]:
        report = self.admin_site.admin_view(self.report)
        return [path("<int:pk>/report/", report, name="catalog_importrun_report"), *super().get_urls()]

    def report(self, request: HttpRequest, pk: int) -> FileResponse:
        """Only for whoever may see imports: it tells what the shop is sent."""
        run = get_object_or_404(ImportRun, pk=pk)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        if not run.report or not run.report.storage.exists(run.report.name):
            raise Http404
        return FileResponse(run.report.open(), content_type="text/plain; charset=utf-8", filename=f"import-{pk}.txt")
