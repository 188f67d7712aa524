"""The forms of an account. Django's own, in our words: an account is known by its e-mail, there is no user name."""

from collections.abc import Iterator

from django import forms
from django.contrib.auth import forms as auth
from django.utils.translation import gettext_lazy as _

from collectivities.models import User

BAD_EMAIL = _("Cette adresse e-mail n’est pas complète : elle ressemble à « nom@exemple.be ».")


class LoginForm(auth.AuthenticationForm):
    username = forms.EmailField(
        label=_("E-mail"),
        widget=forms.EmailInput(attrs={"autocomplete": "username", "maxlength": None}),
        error_messages={"required": _("Indiquez l’adresse e-mail de votre compte."), "invalid": BAD_EMAIL},
    )
    password = forms.CharField(
        label=_("Mot de passe"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": _("Indiquez votre mot de passe.")},
    )
    error_messages = {
        "invalid_login": _(
            "L’adresse e-mail et le mot de passe ne vont pas ensemble. Attention aux majuscules du mot de passe."
        ),
        "inactive": _("Ce compte n’est plus actif : contactez la librairie."),
    }


class PasswordResetForm(auth.PasswordResetForm):
    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"required": _("Indiquez l’adresse e-mail de votre compte."), "invalid": BAD_EMAIL},
    )

    def get_users(self, email: str) -> Iterator[User]:
        """Every active account, also one that was invited and has not chosen its first password yet."""
        return User.objects.filter(email__iexact=email, is_active=True).iterator()
