"""A new account has no password: its owner chooses one through a personal link."""

from urllib.parse import urljoin

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from collectivities.models import Bookshop, User


def invite(user: User) -> None:
    """Mail the owner of an account the link to choose a password, good once and for PASSWORD_RESET_TIMEOUT seconds.

    Each invitation is a mail of its own. What becomes of it is seen where all mails are: the outbox takes it.
    """
    context: dict[str, object] = {
        "user": user,
        "link": password_link(user),
        "days": settings.PASSWORD_RESET_TIMEOUT // 86400,
        "bookshop": Bookshop.current(),
    }
    context["subject"] = subject = render_to_string("mails/member_invited/subject.txt", context).strip()
    mail = EmailMultiAlternatives(
        subject=subject, body=render_to_string("mails/member_invited/body.txt", context), to=[user.email]
    )
    mail.attach_alternative(render_to_string("mails/member_invited/body.html", context), "text/html")
    mail.send()


def password_link(user: User) -> str:
    """The absolute link at which the owner of the account chooses a password."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    return urljoin(settings.SITE_URL, reverse("password_reset_confirm", args=[uid, token]))
