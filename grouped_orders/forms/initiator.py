"""The initiator's forms. They validate and call nothing; each refusal says how to mend it."""

from datetime import date, timedelta

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from collectivities.models import Address, Collectivity
from grouped_orders.statuses import PickupMode

# A deadline further away is a year typed wrong.
FURTHEST = timedelta(days=731)


class DeadlineField(forms.DateField):
    """A day from today on. A browser's own date picker sends 2026-12-24; without one people type 24/12/2026."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    default_error_messages = {
        "required": _("Indiquez une date, par exemple 24/12/2026."),
        "invalid": _("Cette date n’existe pas : écrivez-la sous la forme JJ/MM/AAAA, par exemple 24/12/2026."),
        "past": _("Cette date est passée : choisissez aujourd’hui ou un jour suivant."),
        "far": _("Cette date est dans plus de deux ans : vérifiez l’année."),
    }

    def __init__(self, **options: object) -> None:
        super().__init__(input_formats=["%Y-%m-%d", "%d/%m/%Y"], **options)

    def starting(self, today: date) -> None:
        self.today = today
        self.widget.attrs["min"] = today.isoformat()

    def validate(self, value: date | None) -> None:
        super().validate(value)
        if value is not None and value < self.today:
            raise forms.ValidationError(self.error_messages["past"], code="past")
        if value is not None and value - self.today > FURTHEST:
            raise forms.ValidationError(self.error_messages["far"], code="far")


class PlaceRadios(forms.RadioSelect):
    """Places to choose one from, in named groups."""

    template_name = "forms/places.html"


class DeadlineForm(forms.Form):
    deadline = DeadlineField(label=_("Date de clôture"))

    def __init__(self, *args: object, today: date, **options: object) -> None:
        super().__init__(*args, **options)
        self.fields["deadline"].starting(today)


class GroupedOrderForm(forms.Form):
    """« Valider la commande groupée » : until when, and where the books are made available."""

    deadline = DeadlineField(
        label=_("Date limite de commande"), help_text=_("Les acheteurs peuvent commander jusqu’à minuit ce jour-là.")
    )
    pickup = forms.ModelChoiceField(
        label=_("Adresse de mise à disposition"),
        queryset=Address.objects.none(),
        widget=PlaceRadios,
        empty_label=None,
        error_messages={
            "required": _("Choisissez une adresse : en librairie ou dans vos locaux."),
            "invalid_choice": _("Cette adresse n’est plus proposée : choisissez-en une autre."),
        },
    )
    customer_reference = forms.CharField(
        label=_("Référence collectivité"),
        required=False,
        max_length=60,
        help_text=_("Votre propre numéro de commande, s’il vous en faut un."),
        error_messages={"max_length": _("Cette référence est trop longue : 60 caractères au plus.")},
    )
    comment = forms.CharField(
        label=_("Commentaire"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Pour la librairie."),
        error_messages={"max_length": _("Ce commentaire est trop long : 1 000 caractères au plus.")},
    )
    # Drawn when the page is made: the same page sent twice is the same order.
    once = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: object, collectivity: Collectivity, today: date, **options: object) -> None:
        super().__init__(*args, **options)
        self.fields["deadline"].starting(today)
        offered = Address.objects.filter(Q(bookshop__isnull=False) | Q(collectivity=collectivity), is_pickup=True)
        pickup = self.fields["pickup"]
        pickup.queryset = offered
        groups = {PickupMode.BOOKSHOP: [], PickupMode.COLLECTIVITY: []}
        for place in offered:
            mode = PickupMode.BOOKSHOP if place.collectivity_id is None else PickupMode.COLLECTIVITY
            groups[mode].append((place.pk, str(place)))
        pickup.choices = [(mode.label, places) for mode, places in groups.items() if places]

    def clean_customer_reference(self) -> str:
        """One line, whatever was pasted."""
        return " ".join(self.cleaned_data["customer_reference"].split())
