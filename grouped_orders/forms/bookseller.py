"""What the bookseller is asked before he decides. These forms validate and call nothing."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from grouped_orders.models import Payment, Refund, SubOrder
from grouped_orders.statuses import HandMethod, SubOrderStatus
from librisoft_bridge.models import ShopOrder


class HandPaymentForm(forms.Form):
    """« Valider » : how the bookseller was paid, and what proves it."""

    method = forms.ChoiceField(label=_("Réglé par"), choices=HandMethod.choices, widget=forms.RadioSelect)
    reference = forms.CharField(
        label=_("Référence"),
        max_length=Payment._meta.get_field("hand_reference").max_length,
        help_text=_("Numéro du ticket, du chèque ou du virement : elle est gardée avec le paiement."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class ReasonForm(forms.Form):
    # As long as the shortest place that keeps it.
    reason = forms.CharField(
        label=_("Motif"),
        max_length=Refund._meta.get_field("reason").max_length,
        help_text=_("Gardé dans le journal."),
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )


class CancelSubOrderForm(ReasonForm):
    """« Annuler » : when money was received, whether it goes back is said, never guessed."""

    refund = forms.TypedChoiceField(
        label=_("Remboursement"),
        choices=[("yes", _("Rembourser l’acheteur")), ("no", _("Ne pas rembourser"))],
        coerce=lambda choice: choice == "yes",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, sub_order: SubOrder, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if sub_order.status != SubOrderStatus.PAID:
            del self.fields["refund"]


class LibrisoftByHandForm(ReasonForm):
    """LIBRISOFT's number and status, typed in where it cannot be reached or refuses. What is left empty stays."""

    number = forms.CharField(
        label=_("N° LIBRISOFT"),
        max_length=ShopOrder._meta.get_field("librisoft_number").max_length,
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    status_label = forms.CharField(
        label=_("Statut LIBRISOFT"),
        max_length=ShopOrder._meta.get_field("remote_label").max_length,
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    field_order = ["number", "status_label", "reason"]

    def __init__(self, *args: Any, shop_order: ShopOrder, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, known in (("number", shop_order.librisoft_number), ("status_label", shop_order.status_label)):
            self.fields[name].help_text = _("Actuellement : %(known)s. Vide : ne change pas.") % {"known": known or "—"}

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if cleaned and not (cleaned.get("number") or cleaned.get("status_label")):
            raise forms.ValidationError(_("Saisissez le numéro, le statut ou les deux."))
        return cleaned


class RefundedByHandForm(forms.Form):
    note = forms.CharField(
        label=_("Comment"),
        max_length=200,
        help_text=_("Par exemple : en espèces, remis le 12/09 ; virement n° 4471. Gardé dans le journal."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
