"""The buyer's forms. They validate and call nothing; each refusal says how to mend it."""

import unicodedata
from collections.abc import Mapping

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from collectivities.models import Terms
from grouped_orders.models.sub_order import MAX_QUANTITY
from grouped_orders.statuses import PaymentMethod

# Control characters and line ends, whatever their alphabet: a name is one line.
_NOT_IN_A_NAME = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class NameField(forms.CharField):
    """A first or last name: one line of at most 60 characters, as it is written on the list."""

    default_error_messages = {
        "invalid": _(
            "Écrivez ce nom sur une seule ligne, avec des lettres, des espaces, des tirets ou des apostrophes."
        ),
        "max_length": _("Ce nom est trop long : 60 caractères au plus. Abrégez-le."),
    }

    def __init__(self, *, autocomplete: str, **options: object) -> None:
        widget = forms.TextInput(attrs={"autocomplete": autocomplete, "autocapitalize": "words"})
        super().__init__(max_length=60, widget=widget, **options)

    def to_python(self, value: object) -> str:
        name = str(value or "")
        # Before the ends are trimmed: a line end is refused wherever it stands.
        if any(unicodedata.category(character) in _NOT_IN_A_NAME for character in name):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return " ".join(name.split())

    def validate(self, value: str) -> None:
        if not any(character.isalnum() for character in value):
            raise forms.ValidationError(self.error_messages["required"], code="required")


class OneAddressField(forms.EmailField):
    """An e-mail address. Of two faults the first is told: they are mended at once."""

    def run_validators(self, value: str) -> None:
        try:
            super().run_validators(value)
        except forms.ValidationError as refused:
            raise refused.error_list[0] from None


class BuyerForm(forms.Form):
    """Who orders: « vos coordonnées »."""

    first_name = NameField(
        label=_("Prénom"), autocomplete="given-name", error_messages={"required": _("Écrivez votre prénom.")}
    )
    last_name = NameField(
        label=_("Nom"), autocomplete="family-name", error_messages={"required": _("Écrivez votre nom.")}
    )
    email = OneAddressField(
        # Without a context, Django's own catalogue would say « Courriel ».
        label=pgettext_lazy("sub-order", "Email"),
        max_length=254,
        help_text=_("La confirmation et le lien vers votre commande y sont envoyés."),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email", "spellcheck": "false"}),
        error_messages={
            "required": _("Écrivez votre adresse e-mail : votre confirmation y est envoyée."),
            "invalid": _("Cette adresse e-mail n’est pas complète : vérifiez-la, par exemple prenom.nom@exemple.be."),
            "max_length": _("Cette adresse e-mail est trop longue : 254 caractères au plus."),
        },
    )


class RegistrationForm(BuyerForm):
    """« Merci de bien vouloir entrer ci-dessous vos coordonnées »."""

    quantity = forms.IntegerField(
        label=_("Quantité"),
        min_value=1,
        max_value=MAX_QUANTITY,
        initial=1,
        # Not type="number": it forgets what is not one, and there would be nothing left to mend.
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "class": "short"}),
        error_messages={
            "required": _("Écrivez le nombre d’exemplaires, par exemple 1."),
            "invalid": _("Écrivez un nombre entier d’exemplaires, par exemple 2."),
            "min_value": _("Commandez au moins 1 exemplaire."),
            "max_value": _("Commandez au plus 999 exemplaires ; pour davantage, écrivez à la librairie."),
        },
    )


class AcceptedTerms(forms.CheckboxInput):
    """The box beside the conditions of sale: ticked for a version that is no longer in force, it is not ticked."""

    def __init__(self, terms: Terms | None) -> None:
        super().__init__()
        self.version = terms.version if terms else ""
        self.address = reverse("terms_version", args=[terms.version]) if terms else reverse("terms")

    def value_from_datadict(self, data: Mapping[str, str], files: MultiValueDict[str, UploadedFile], name: str) -> bool:
        ticked = super().value_from_datadict(data, files, name)
        return bool(ticked) and data.get(f"{name}_version", self.version) == self.version


class PaymentForm(forms.Form):
    """« Sélection du mode de paiement », and the conditions of sale, which start unticked."""

    method = forms.ChoiceField(
        label=_("Sélection du mode de paiement"),
        help_text=_("Paiement en ligne : carte bancaire ou Bancontact."),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choisissez un mode de paiement."),
            "invalid_choice": _("Ce mode de paiement n’est plus proposé : choisissez-en un autre."),
        },
    )
    terms = forms.BooleanField(
        label=_("Conditions générales de vente"),
        template_name="forms/terms.html",
        error_messages={
            "required": _("Pour commander, cochez la case : les Conditions générales de vente s’appliquent.")
        },
    )

    # The specification writes « Paypal » here; it is the payer's word for it.
    LABELS = {PaymentMethod.PAYPAL: _("Paypal"), PaymentMethod.CARD: _("Paiement en ligne")}

    def __init__(self, *args: object, methods: list[PaymentMethod], terms: Terms | None, **options: object) -> None:
        super().__init__(*args, **options)
        self.fields["method"].choices = [(method, self.LABELS[method]) for method in methods]
        if len(methods) == 1:
            self.fields["method"].initial = methods[0]
        self.fields["terms"].widget = AcceptedTerms(terms)
