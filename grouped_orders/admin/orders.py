"""The bookseller's shop: the list of group orders, and one order with everything he may do to it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from grouped_orders.admin import decisions, detail, money
from grouped_orders.admin.order_list import order_list
from grouped_orders.models import GroupedOrder

View = Callable[..., HttpResponse]


@admin.register(GroupedOrder)
class GroupedOrderAdmin(admin.ModelAdmin):
    """Orders are made by initiators and moved by the lifecycle's verbs: nothing here is edited field by field."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: GroupedOrder | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return order_list(request, GroupedOrder.objects.all())

    def get_urls(self) -> list[URLPattern]:
        read, change = self.has_view_or_change_permission, self.has_change_permission
        pages: list[tuple[str, str, View, Callable[..., bool]]] = [
            ("change", "change", detail.show, read),
            ("list.pdf", "pdf", detail.pdf, read),
            ("validate", "validate", decisions.validate, change),
            ("cancel", "cancel", decisions.cancel, change),
            ("close", "close", decisions.close, change),
            ("reopen", "reopen", decisions.reopen, change),
            ("librisoft/by-hand", "note_librisoft", decisions.note_librisoft, change),
            ("librisoft/refresh", "refresh", decisions.refresh, change),
            ("librisoft/resend", "resend", decisions.resend, change),
            ("sub-orders/<int:sub_order_pk>/pay", "sub_order_pay", money.record_by_hand, change),
            ("sub-orders/<int:sub_order_pk>/correct", "sub_order_correct", decisions.correct_buyer, change),
            ("sub-orders/<int:sub_order_pk>/cancel", "sub_order_cancel", money.cancel_sub_order, change),
            ("sub-orders/<int:sub_order_pk>/check", "sub_order_check", money.check, change),
            ("sub-orders/<int:sub_order_pk>/refund", "sub_order_refund", money.refund, change),
            ("refunds/<int:refund_pk>/retry", "refund_retry", money.retry_refund, change),
            ("refunds/<int:refund_pk>/done", "refund_done", money.note_refunded, change),
            ("mails/<int:mail_pk>/resend", "mail_resend", decisions.resend_mail, change),
        ]
        ours = [
            path(
                f"<int:pk>/{route}/",
                self.admin_site.admin_view(self._guarded(view, allowed)),
                name=f"grouped_orders_groupedorder_{name}",
            )
            for route, name, view, allowed in pages
        ]
        return ours + super().get_urls()

    def _guarded(self, view: View, allowed: Callable[..., bool]) -> View:
        """Fetch with rights: admin_view only proves that somebody is staff."""

        def guarded(request: HttpRequest, pk: int, **kwargs: int) -> HttpResponse:
            orders = GroupedOrder.objects.select_related("book", "collectivity", "initiator", "shop_order")
            if not allowed(request):
                raise PermissionDenied
            return view(request, get_object_or_404(orders, pk=pk), **kwargs)

        return guarded
