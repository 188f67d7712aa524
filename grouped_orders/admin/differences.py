"""« Écarts avec les prestataires » : what a provider and we see otherwise, until the bookseller has looked into it."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from grouped_orders import ledger
from grouped_orders.admin.asking import bound
from grouped_orders.admin.records import RecordAdmin
from grouped_orders.forms.differences import SettleDifferenceForm
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import LedgerDifference

LIST = "admin:grouped_orders_ledgerdifference_changelist"


class SettledFilter(admin.SimpleListFilter):
    """Those that wait, unless others are asked for."""

    title = _("suite")
    parameter_name = "settled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("À traiter")), ("yes", _("Traités")), ("all", _("Tous"))]

    def choices(self, changelist: Any) -> Iterable[dict[str, Any]]:
        for value, label in self.lookup_choices:
            yield {
                "selected": value == (self.value() or "no"),
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerDifference]) -> QuerySet[LedgerDifference]:
        if self.value() == "all":
            return queryset
        return queryset.filter(settled_at__isnull=self.value() != "yes")


@admin.register(LedgerDifference)
class LedgerDifferenceAdmin(RecordAdmin):
    list_display = ["what", "order", "outcome", "method", "found_at"]
    list_filter = [SettledFilter]
    list_select_related = ["payment__sub_order", "settled_by"]
    search_fields = ["=provider_id", "what", "note", "=payment__sub_order__pk"]
    fields = ["found_at", "method", "provider_id", "what", "payment", "order", "outcome"]
    readonly_fields = ["order", "outcome"]

    def get_urls(self) -> list[URLPattern]:
        settle = path(
            "<int:pk>/settle/",
            self.admin_site.admin_view(self.settle),
            name="grouped_orders_ledgerdifference_settle",
        )
        return [settle, *super().get_urls()]

    @admin.display(description=_("commande groupée"))
    def order(self, difference: LedgerDifference) -> SafeString | str:
        if difference.payment is None:
            return ""
        pk = difference.payment.sub_order.grouped_order_id
        return format_html('<a href="{}">n° {}</a>', reverse("admin:grouped_orders_groupedorder_change", args=[pk]), pk)

    @admin.display(description=_("suite"))
    def outcome(self, difference: LedgerDifference) -> SafeString | str:
        """Who looked into it and what he noted, or the way to say so."""
        if difference.settled_at is None:
            url = reverse("admin:grouped_orders_ledgerdifference_settle", args=[difference.pk])
            return format_html('<a href="{}">{}</a>', url, _now("Traité…"))
        return _now("Traité le %(day)s par %(who)s : %(note)s") % {
            "day": timezone.localtime(difference.settled_at).strftime("%d/%m/%Y"),
            "who": difference.settled_by,
            "note": difference.note,
        }

    def settle(self, request: HttpRequest, pk: int) -> HttpResponse:
        """« Traité » : asks for a note, and keeps who and when."""
        if not request.user.has_perm("grouped_orders.change_ledgerdifference"):
            raise PermissionDenied
        difference = get_object_or_404(LedgerDifference, pk=pk)
        form = bound(SettleDifferenceForm, request)
        if form.is_valid():
            note = form.cleaned_data["note"]
            try:
                ledger.settle_difference(difference, by=request.user, note=note, now=timezone.now())
            except NotAllowed as no:
                messages.error(request, str(no))
            else:
                self.log_change(request, difference, _now("Traité"))
                messages.success(request, _now("Écart noté « Traité »."))
            return redirect(LIST)
        return TemplateResponse(
            request,
            "admin/grouped_orders/settle_difference.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "difference": difference,
                "form": form,
                "title": _now("Noter cet écart « Traité »"),
            },
            status=422 if form.is_bound else 200,
        )
