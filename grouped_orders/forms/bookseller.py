"""What the bookseller is asked before he decides. These forms validate and call nothing."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from grouped_orders.models import Capture, Payment, Refund
from grouped_orders.statuses import HandMethod, MoneyBack, PaymentMethod
from grouped_orders.templatetags.shop import euros
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


class MoneyBackForm(ReasonForm):
    """By which way money received goes back: said, never guessed, and never a way that cannot be."""

    refund = forms.TypedChoiceField(
        label=_("Remboursement"), choices=MoneyBack.choices, coerce=MoneyBack, widget=forms.RadioSelect
    )
    note = forms.CharField(
        label=_("Comment l’argent a été rendu"),
        required=False,
        max_length=Refund._meta.get_field("note").max_length,
        help_text=_("Seulement si c’est remboursé à la main : en espèces, remis le 12/09 ; virement n° 4471…"),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def offer(self, *, online: bool, nothing: bool) -> None:
        withheld = {MoneyBack.ONLINE: not online, MoneyBack.NOTHING: not nothing}
        self.fields["refund"].choices = [(way, label) for way, label in MoneyBack.choices if not withheld.get(way)]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if cleaned and cleaned.get("refund") == MoneyBack.BY_HAND and not cleaned.get("note"):
            self.add_error("note", _("Dites comment l’argent a été rendu : c’est gardé avec le remboursement."))
        return cleaned


class CancelSubOrderForm(MoneyBackForm):
    """« Annuler » : what was received and not given back yet needs a decision; where there is none, nobody is asked."""

    field_order = ["refund", "note", "reason"]

    def __init__(self, *args: Any, kept: list[Capture], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kept:
            self.offer(online=all(capture.method != PaymentMethod.BY_HAND for capture in kept), nothing=True)
        else:
            del self.fields["refund"], self.fields["note"]


class RefundForm(MoneyBackForm):
    """« Rembourser » : how much of what is left, by which way and why."""

    amount = forms.CharField(
        label=_("Montant à rembourser"),
        max_length=20,
        error_messages={"required": _("Saisissez le montant à rembourser.")},
        widget=forms.TextInput(attrs={"class": "vTextField", "inputmode": "decimal", "autocomplete": "off"}),
    )
    # What was left when the page was shown: a second click finds another sum.
    left = forms.DecimalField(widget=forms.HiddenInput)

    field_order = ["amount", "refund", "note", "reason", "left"]

    def __init__(self, *args: Any, capture: Capture, **kwargs: Any) -> None:
        self.most = capture.refundable
        super().__init__(*args, initial={"left": self.most}, **kwargs)
        self.fields["amount"].help_text = _("En euros, %(left)s au plus.") % {"left": euros(self.most)}
        self.offer(online=capture.method != PaymentMethod.BY_HAND, nothing=False)

    def clean_amount(self) -> Decimal:
        """Exact to the cent, from « 5,00 € » or 5.00."""
        typed = "".join(self.cleaned_data["amount"].split()).removesuffix("€").replace(",", ".")
        if re.fullmatch(r"-\d+(\.\d*)?", typed):
            raise forms.ValidationError(_("Un montant négatif ne se rembourse pas : saisissez un montant en euros."))
        if not re.fullmatch(r"\d{1,8}(\.\d{0,2})?", typed):
            raise forms.ValidationError(_("Saisissez un montant en euros, au centime près : par exemple 5,00 €."))
        amount = Decimal(typed)
        if amount == 0:
            raise forms.ValidationError(_("Le montant doit être supérieur à zéro."))
        if amount > self.most:
            raise forms.ValidationError(
                _("C’est plus que ce qui reste à rembourser : %(left)s.") % {"left": euros(self.most)}
            )
        return amount


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
