"""The bookseller reads what was sent to LIBRISOFT and what came back; only « Renvoyer » changes anything."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from librisoft_bridge import outbox
from librisoft_bridge.attention import KINDS
from librisoft_bridge.models import Link, SetAsideFile, ShopOrder, ShopOrderLine, StatusChange

# The contract's words, in the bookseller's.
METHODS = {"PAYPAL": _("PayPal"), "CARD": _("Paiement en ligne"), "BY_HAND": _("Réglé à la librairie")}
MODES = {"BOOKSHOP": _("En librairie"), "COLLECTIVITY": _("Dans les locaux de la collectivité")}


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
    verbose_name_plural = _("lignes")
    fields = ["line_number", "ean13", "title", "quantity", "received", "unit_price", "vat_rate"]
    extra = 0


class StatusChangeInline(ReadOnly, admin.TabularInline):
    model = StatusChange
    verbose_name_plural = _("journal des statuts")
    fields = ["label", "code", "sequence", "updated_at", "seen_at"]
    extra = 0


class AttentionFilter(admin.SimpleListFilter):
    """« À traiter »: the orders that one line of the bookseller's first page counts."""

    title = _("motif « à traiter »")
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, kind.label) for name, kind in KINDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ShopOrder]) -> QuerySet[ShopOrder]:
        kind = KINDS.get(self.value() or "")
        return queryset if kind is None else queryset.filter(kind.condition(timezone.now()))


@admin.register(ShopOrder)
class ShopOrderAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["number", "group_number", "their_number", "customer_name", "sending", "status"]
    list_filter = [AttentionFilter, "transmission"]
    search_fields = ["=id", "=group_order_number", "=librisoft_number", "customer_name", "=lines__ean13"]
    fieldsets = [
        (None, {"fields": ["number", "group_order_number", "librisoft_number", "second_number", "ordered_at"]}),
        (_("Envoi"), {"fields": ["sending", "attempts", "sent_at", "message_id"]}),
        (
            _("Statut LIBRISOFT"),
            {"fields": ["status", "expected_date", "remote_updated_at", "set_by_hand_at"]},
        ),
        (
            _("Ce qui est envoyé"),
            {
                "fields": [
                    "customer_code",
                    "customer_name",
                    "contact_name",
                    "contact_email",
                    "contact_phone",
                    "billing",
                    "delivery",
                    "paid",
                    "customer_reference",
                    "comment",
                ]
            },
        ),
    ]
    inlines = [LineInline, StatusChangeInline]
    actions = ["send_again", "settle"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShopOrder]:
        return super().get_queryset(request).prefetch_related("lines")

    @admin.display(description=_("n°"), ordering="pk")
    def number(self, shop_order: ShopOrder) -> int:
        return shop_order.pk

    # Short heads, so that the two sentences have room.
    @admin.display(description=_("groupée"), ordering="group_order_number")
    def group_number(self, shop_order: ShopOrder) -> int:
        return shop_order.group_order_number

    @admin.display(description=_("LIBRISOFT"), ordering="librisoft_number")
    def their_number(self, shop_order: ShopOrder) -> str:
        return shop_order.librisoft_number

    @admin.display(description=_("envoi"))
    def sending(self, shop_order: ShopOrder) -> str:
        return shop_order.transmission_label

    @admin.display(description=_("statut"))
    def status(self, shop_order: ShopOrder) -> str:
        return shop_order.full_status_label

    @admin.display(description=_("adresse de facturation"))
    def billing(self, shop_order: ShopOrder) -> str:
        return _on_one_line(shop_order.billing_address)

    @admin.display(description=_("mise à disposition"))
    def delivery(self, shop_order: ShopOrder) -> str:
        mode = MODES.get(shop_order.delivery_mode, shop_order.delivery_mode)
        return f"{mode} — {_on_one_line(shop_order.delivery_address)}"

    @admin.display(description=_("paiements"))
    def paid(self, shop_order: ShopOrder) -> str:
        shares = [(METHODS.get(share["method"], share["method"]), share["amount"]) for share in shop_order.payments]
        return ", ".join(f"{method} {amount.replace('.', ',')}\u00a0€" for method, amount in shares)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("librisoft_bridge.change_shoporder")

    @admin.action(description=_("Renvoyer vers LIBRISOFT"), permissions=["resend"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[ShopOrder]) -> None:
        sent = sum(outbox.resend(shop_order, now=timezone.now()) for shop_order in chosen)
        said = ngettext("%d commande est renvoyée.", "%d commandes sont renvoyées.", sent) % sent
        self.message_user(request, said, messages.SUCCESS if sent else messages.WARNING)

    @admin.action(description=_("C’est réglé dans LIBRISOFT (commandes annulées ici)"), permissions=["resend"])
    def settle(self, request: HttpRequest, chosen: QuerySet[ShopOrder]) -> None:
        settled = sum(outbox.settle_withdrawn(shop_order, now=timezone.now()) for shop_order in chosen)
        said = ngettext("%d commande annulée est réglée.", "%d commandes annulées sont réglées.", settled) % settled
        self.message_user(request, said, messages.SUCCESS if settled else messages.WARNING)


@admin.register(Link)
class LinkAdmin(ReadOnly, admin.ModelAdmin):
    """Whether LIBRISOFT answers: one row, to be read."""

    list_display = ["state", "heard_at", "failures", "opened_at", "open_until"]
    list_display_links = None

    @admin.display(description=_("état"))
    def state(self, link: Link) -> str:
        return link.state_label


@admin.register(SetAsideFile)
class SetAsideFileAdmin(ReadOnly, admin.ModelAdmin):
    """What LIBRISOFT wrote and nobody can read. Deleting a line says that it was seen to; the file stays."""

    list_display = ["name", "reason", "modified_at", "set_aside_at"]
    list_display_links = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("librisoft_bridge.delete_setasidefile")


def _on_one_line(place: dict[str, str]) -> str:
    return "{name}, {street}, {postcode} {city} ({country})".format_map(place)
