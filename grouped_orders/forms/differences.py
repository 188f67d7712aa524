"""What the bookseller is asked about a difference with a provider."""

from django import forms
from django.utils.translation import gettext_lazy as _

from grouped_orders.models import LedgerDifference


class SettleDifferenceForm(forms.Form):
    note = forms.CharField(
        label=_("Ce qui a été constaté ou fait"),
        max_length=LedgerDifference._meta.get_field("note").max_length,
        help_text=_("Gardé avec l’écart, et dans le journal de la commande."),
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
    )
