"""The pages of an account: Django's own views with our forms. A form that is refused answers 422."""

from django.contrib.auth import views as auth
from django.forms import BaseForm
from django.http import HttpResponse

from collectivities.forms import LoginForm, PasswordResetForm


class Refusing:
    def form_invalid(self, form: BaseForm) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = 422
        return response


class Login(Refusing, auth.LoginView):
    form_class = LoginForm
    redirect_authenticated_user = True


class PasswordReset(Refusing, auth.PasswordResetView):
    form_class = PasswordResetForm
    email_template_name = "registration/password_reset_email.txt"
    html_email_template_name = "registration/password_reset_email.html"


class PasswordResetConfirm(Refusing, auth.PasswordResetConfirmView):
    """Choose a password: after « Mot de passe oublié », or for the first time by the invitation."""


class PasswordChange(Refusing, auth.PasswordChangeView):
    pass
