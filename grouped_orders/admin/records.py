"""What happened, to be searched and read: sub-orders, payments, refunds, mails and the journal. Never edited here."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from grouped_orders import tasks
from grouped_orders.models import Capture, GroupedOrder, JournalEntry, Mail, Payment, Refund, SubOrder, UnfinishedRefund
from grouped_orders.models.payment import PaymentQuerySet


class RecordAdmin(admin.ModelAdmin):
    """A record is looked at: the verbs write it."""

    list_per_page = 50
    show_full_result_count = False

    @admin.display(description=_("N°"), ordering="pk")
    def number(self, record: Model) -> int:
        return record.pk

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def _link(order_pk: int | None) -> SafeString | str:
    if order_pk is None:
        return ""
    url = reverse("admin:grouped_orders_groupedorder_change", args=[order_pk])
    return format_html('<a href="{}">n° {}</a>', url, order_pk)


@admin.register(SubOrder)
class SubOrderAdmin(RecordAdmin):
    list_display = ["number", "order", "last_name", "first_name", "email", "created_at", "quantity", "total", "status"]
    list_filter = ["status"]
    search_fields = ["=pk", "last_name", "first_name", "email", "=grouped_order__pk"]
    exclude = ["grouped_order"]
    readonly_fields = ["order"]

    @admin.display(description=_("commande groupée"), ordering="grouped_order")
    def order(self, sub_order: SubOrder) -> SafeString | str:
        return _link(sub_order.grouped_order_id)


class CaptureInline(admin.TabularInline):
    model = Capture
    extra = 0
    can_delete = False


class DoubtFilter(admin.SimpleListFilter):
    """Money that may have moved, as « À traiter » counts it."""

    title = _("vérification")
    parameter_name = "doubt"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("En vérification"))]

    def queryset(self, request: HttpRequest, queryset: PaymentQuerySet) -> PaymentQuerySet:
        return queryset.in_doubt() if self.value() == "yes" else queryset


@admin.register(Payment)
class PaymentAdmin(RecordAdmin):
    list_display = ["number", "order", "sub_order", "method", "amount", "state", "created_at", "captured_at"]
    list_filter = [DoubtFilter, "state", "method", "set_aside"]
    list_select_related = ["sub_order"]
    search_fields = ["=public_id", "=provider_ref", "=captures__provider_id", "=sub_order__pk", "sub_order__email"]
    exclude = ["approve_url"]
    inlines = [CaptureInline]

    @admin.display(description=_("commande groupée"))
    def order(self, payment: Payment) -> SafeString | str:
        return _link(payment.sub_order.grouped_order_id)


@admin.register(Refund)
class RefundAdmin(RecordAdmin):
    list_display = ["number", "order", "amount", "state", "source", "reason", "requested_at", "done_at"]
    list_filter = ["state", "source"]
    list_select_related = ["capture__payment__sub_order"]
    search_fields = ["=provider_id", "=public_id", "=capture__payment__sub_order__pk"]

    @admin.display(description=_("commande groupée"))
    def order(self, refund: Refund) -> SafeString | str:
        return _link(refund.capture.payment.sub_order.grouped_order_id)


@admin.register(UnfinishedRefund)
class UnfinishedRefundAdmin(RecordAdmin):
    """« À rembourser » : each refund stays here, with what can be done about it, until the money is back."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("grouped_orders.view_refund")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        refunds = Refund.objects.unfinished().select_related(
            "capture__payment__sub_order__grouped_order", "requested_by"
        )
        return TemplateResponse(
            request,
            "admin/grouped_orders/unfinished_refunds.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("À rembourser"),
                "refunds": refunds.order_by("requested_at", "pk"),
                "total": sum(refund.amount for refund in refunds),
                "may_change": self.admin_site.get_model_admin(GroupedOrder).has_change_permission(request),
            },
        )


@admin.register(Mail)
class MailAdmin(RecordAdmin):
    list_display = ["subject", "recipient", "order", "state", "attempts", "created_at", "sent_at"]
    list_filter = ["state", "kind"]
    search_fields = ["recipient", "subject"]
    fields = [
        *("kind", "recipient", "sender", "reply_to", "subject", "words", "state", "attempts", "error"),
        *("next_try_at", "created_at", "sent_at"),
    ]
    readonly_fields = ["words"]
    actions = ["resend"]

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("grouped_orders.change_mail")

    @admin.action(description=_("Renvoyer les mails choisis"), permissions=["resend"])
    def resend(self, request: HttpRequest, mails: QuerySet[Mail]) -> None:
        """« Renvoyer » for every mail, those of no order included."""
        again = [tasks.resend(mail) for mail in mails]
        if any(again):
            self.message_user(request, _("Les mails choisis repartent."), messages.SUCCESS)
        if not all(again):
            self.message_user(request, _("Un mail était justement en train de partir."), messages.WARNING)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mail]:
        return super().get_queryset(request).select_related("sub_order").defer("html")

    @admin.display(description=_("commande groupée"))
    def order(self, mail: Mail) -> SafeString | str:
        return _link(mail.grouped_order_id or (mail.sub_order and mail.sub_order.grouped_order_id))

    @admin.display(description=_("texte"))
    def words(self, mail: Mail) -> str:
        """Not that of an account's mail: its link sets somebody's password."""
        if mail.grouped_order_id is None and mail.sub_order_id is None:
            return str(_("Masqué : ce mail contient un lien personnel."))
        return mail.text


@admin.register(JournalEntry)
class JournalAdmin(RecordAdmin):
    list_display = ["at", "order", "actor", "what", "reason"]
    list_display_links = None
    list_select_related = ["actor"]
    search_fields = ["=grouped_order__pk", "what", "reason", "actor__email"]

    @admin.display(description=_("commande groupée"), ordering="grouped_order")
    def order(self, entry: JournalEntry) -> SafeString | str:
        return _link(entry.grouped_order_id)
