"""The buyer's forms. They validate and call nothing; each refusal says how to mend it."""

import unicodedata

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

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
        "max_length": _("Ce nom est trop long : 60 caractères au plus. Abrégez-le."),
    }

    def __init__(self, *, autocomplete: str, **options: object) -> None:
        widget = forms.TextInput(attrs={"autocomplete": autocomplete})
        super().__init__(max_length=60, widget=widget, **options)

    def clean(self, value: object) -> str:
        name = " ".join(super().clean(value).split(" "))
        if any(unicodedata.category(character) in _NOT_IN_A_NAME for character in name):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        if name and not any(character.isalnum() for character in name):
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return name


class RegistrationForm(forms.Form):
    """« Merci de bien vouloir entrer ci-dessous vos coordonnées »."""

    first_name = NameField(
        label=_("Prénom"), autocomplete="given-name", error_messages={"required": _("Écrivez votre prénom.")}
    )
    last_name = NameField(
        label=_("Nom"), autocomplete="family-name", error_messages={"required": _("Écrivez votre nom.")}
    )
    email = forms.EmailField(
        # Without a context, Django's own catalogue would say « Courriel ».
        label=pgettext_lazy("sub-order", "Email"),
        max_length=254,
        help_text=_("La confirmation et le lien vers votre commande y sont envoyés."),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email", "spellcheck": "false"}),
        error_messages={
            "required": _("Écrivez votre adresse e-mail : votre confirmation y est envoyée."),
            "invalid": _("Cette adresse e-mail n’est pas complète : vérifiez-la, par exemple prenom.nom@exemple.be."),
            "max_length": _("Cette adresse e-mail est trop longue : 254 caractères au plus."),
        },
    )
    quantity = forms.IntegerField(
        label=_("Quantité"),
        min_value=1,
        max_value=MAX_QUANTITY,
        initial=1,
        # Not type="number": a browser drops what is no number there, and what was typed must be kept.
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={
            "required": _("Écrivez le nombre d’exemplaires, par exemple 1."),
            "invalid": _("Écrivez un nombre entier d’exemplaires, par exemple 2."),
            "min_value": _("Commandez au moins 1 exemplaire."),
            "max_value": _("Commandez au plus 999 exemplaires ; pour davantage, écrivez à la librairie."),
        },
    )
    # Offered only when this address has ordered here already.
    again = forms.BooleanField(required=False, widget=forms.HiddenInput)


class PaymentForm(forms.Form):
    """« Sélection du mode de paiement », and the conditions of sale, which start unticked."""

    method = forms.ChoiceField(
        label=_("Sélection du mode de paiement"),
        help_text=_("Paiement en ligne : carte bancaire ou Bancontact."),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choisissez un mode de paiement."),
            "invalid_choice": _("Ce mode de paiement n’est plus proposé : choisissez-en un autre."),
        },
    )
    terms = forms.BooleanField(
        error_messages={
            "required": _("Pour commander, cochez la case : les Conditions générales de vente s’appliquent.")
        }
    )

    # The specification writes « Paypal » here; it is the payer's word for it.
    LABELS = {PaymentMethod.PAYPAL: _("Paypal"), PaymentMethod.CARD: _("Paiement en ligne")}

    def __init__(self, *args: object, methods: list[PaymentMethod], **options: object) -> None:
        super().__init__(*args, **options)
        self.fields["method"].choices = [(method, self.LABELS[method]) for method in methods]
        if len(methods) == 1:
            self.fields["method"].initial = methods[0]
        self.fields["terms"].label = format_html(
            '{} <a href="{}" target="_blank">{}<span class="only-read"> {}</span></a>',
            _("J’accepte les"),
            reverse("terms"),
            _("Conditions générales de vente"),
            _("(nouvel onglet)"),
        )
