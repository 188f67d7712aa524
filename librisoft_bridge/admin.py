"""The bookseller reads what was sent to LIBRISOFT and what came back; only « Renvoyer » changes anything."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from librisoft_bridge import outbox
from librisoft_bridge.models import ShopOrder, ShopOrderLine, StatusChange


class ReadOnly:
    """Facts are read, not edited."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LineInline(ReadOnly, admin.TabularInline):
    model = ShopOrderLine
    fields = ["line_number", "ean13", "title", "quantity", "received", "unit_price", "vat_rate"]
    extra = 0


class StatusChangeInline(ReadOnly, admin.TabularInline):
    model = StatusChange
    fields = ["label", "code", "sequence", "updated_at", "seen_at"]
    extra = 0


@admin.register(ShopOrder)
class ShopOrderAdmin(ReadOnly, admin.ModelAdmin):
    list_display = [
        "id",
        "group_order_number",
        "librisoft_number",
        "customer_name",
        "sending",
        "remote_label",
        "ordered_at",
    ]
    list_filter = ["transmission"]
    search_fields = ["=id", "=group_order_number", "=librisoft_number", "customer_name", "lines__ean13"]
    inlines = [LineInline, StatusChangeInline]
    actions = ["send_again"]

    @admin.display(description=_("envoi"))
    def sending(self, shop_order: ShopOrder) -> str:
        return shop_order.transmission_label

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("librisoft_bridge.change_shoporder")

    @admin.action(description=_("Renvoyer vers LIBRISOFT"), permissions=["resend"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[ShopOrder]) -> None:
        sent = sum(outbox.resend(shop_order, now=timezone.now()) for shop_order in chosen)
        said = ngettext("%d commande est renvoyée.", "%d commandes sont renvoyées.", sent) % sent
        self.message_user(request, said, messages.SUCCESS if sent else messages.WARNING)
