"""What everybody sees: the front door, the conditions of sale, the account pages, the pages that say no."""

import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from pytest_django import DjangoAssertNumQueries

from collectivities.models import User
from grouped_orders.models import Mail
from tests.factories import BookshopFactory, CollectivityFactory, TermsFactory, UserFactory
from tests.pages import Page

pytestmark = pytest.mark.django_db

LOGIN = "/compte/connexion/"
FORGOTTEN = "/compte/mot-de-passe/oublie/"


def invitation(user: User) -> str:
    """The link that the invitation and the reset mail carry."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("password_reset_confirm", args=[uid, default_token_generator.make_token(user)])


# The front door ---------------------------------------------------------------------------------


def test_home_says_what_it_is_and_where_to_log_in(client: Client) -> None:
    BookshopFactory(name="DLIVRE")
    page = Page(client.get("/"))
    assert page.title == "Commandes groupées – DLIVRE"
    assert page.links() == {"Se connecter": LOGIN}


def test_home_costs_one_query_of_a_visitor(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        client.get("/")


@pytest.mark.parametrize(
    ("staff", "member", "goes_to"),
    [(False, True, "/order/grouped/"), (True, False, "/admin/"), (True, True, "/order/grouped/")],
)
def test_home_sends_each_to_their_work(client: Client, staff: bool, member: bool, goes_to: str) -> None:
    client.force_login(UserFactory(is_staff=staff, collectivity=CollectivityFactory() if member else None))
    assert client.get("/").url == goes_to


def test_header_offers_the_administration_to_booksellers_only(client: Client, initiator: User) -> None:
    client.force_login(initiator)
    bookseller = Client()
    bookseller.force_login(UserFactory(is_staff=True))
    links = [re.findall('href="(/admin/[^"]*)"', who.get("/cgv/").content.decode()) for who in (client, bookseller)]
    assert links == [[], ["/admin/"]]


def test_pages_need_no_inline_script_or_style(client: Client) -> None:
    response = client.get(LOGIN)
    policy = dict(rule.split(" ", 1) for rule in response["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy.get("script-src"), policy.get("style-src")) == ("'self'", None, None)
    assert re.findall(r"<style|<script(?![^>]*src=)|\sstyle=|\son\w+=", response.content.decode()) == []


# The conditions of sale ---------------------------------------------------------------------------


def test_terms_show_the_version_in_force_with_its_date(client: Client) -> None:
    TermsFactory(version="2025-01", text="L'ancien texte.", published_at=datetime(2025, 1, 2, 8, tzinfo=UTC))
    TermsFactory(version="2026-09", text="Le prix.\n\nLe retrait.", published_at=datetime(2026, 9, 1, 8, tzinfo=UTC))
    page = Page(client.get("/cgv/"))
    assert page.main == (
        "Conditions générales de vente Version 2026-09, publiée le mardi 1er septembre 2026. Le prix. Le retrait."
    )


def test_terms_keep_the_version_that_somebody_accepted(client: Client) -> None:
    TermsFactory(version="2025-01", text="L'ancien texte.", published_at=datetime(2025, 1, 2, 8, tzinfo=UTC))
    TermsFactory(version="2026-09")
    page = Page(client.get("/cgv/2025-01/"))
    assert page.main == (
        "Conditions générales de vente Version 2025-01, publiée le jeudi 2 janvier 2025. L’ancien texte."
    )
    assert client.get("/cgv/2024-01/").status_code == 404


def test_terms_say_so_when_there_are_none(client: Client) -> None:
    assert Page(client.get("/cgv/")).main == (
        "Conditions générales de vente La librairie n’a pas encore publié ses conditions générales de vente."
    )


# Logging in and out -------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["approbateur@victorprouve.example", " Approbateur@VictorProuve.EXAMPLE "])
def test_login_takes_the_email_whatever_its_capitals(client: Client, initiator: User, typed: str) -> None:
    response = client.post(LOGIN, {"username": typed, "password": "demo"}, follow=True)
    assert response.redirect_chain == [("/", 302), ("/order/grouped/", 302)]
    assert int(client.session["_auth_user_id"]) == initiator.pk


def test_login_goes_back_to_the_page_that_asked_for_it(client: Client, initiator: User) -> None:
    asked = client.get("/order/grouped/")
    assert asked.url == f"{LOGIN}?next=/order/grouped/"
    sent = Page(client.get(asked.url)).fields() | {"username": initiator.email, "password": "demo"}
    assert client.post(LOGIN, sent).url == "/order/grouped/"


def test_login_never_leaves_for_another_site(client: Client, initiator: User) -> None:
    sent = {"username": initiator.email, "password": "demo", "next": "https://ailleurs.example/"}
    assert client.post(LOGIN, sent).url == "/"


@pytest.mark.parametrize(
    ("typed", "errors", "summary"),
    [
        (
            {"username": "", "password": ""},
            {"username": ["Indiquez l’adresse e-mail de votre compte."], "password": ["Indiquez votre mot de passe."]},
            ["E-mail : Indiquez l’adresse e-mail de votre compte.", "Mot de passe : Indiquez votre mot de passe."],
        ),
        (
            {"username": "camille", "password": "demo"},
            {"username": ["Cette adresse e-mail n’est pas complète : elle ressemble à « nom@exemple.be »."]},
            ["E-mail : Cette adresse e-mail n’est pas complète : elle ressemble à « nom@exemple.be »."],
        ),
        (
            {"username": "approbateur@victorprouve.example", "password": "Demo"},
            {},
            ["L’adresse e-mail et le mot de passe ne vont pas ensemble. Attention aux majuscules du mot de passe."],
        ),
    ],
)
def test_login_refused_says_how_to_mend_it(
    client: Client, initiator: User, typed: dict[str, str], errors: dict[str, list[str]], summary: list[str]
) -> None:
    page = Page(client.post(LOGIN, typed))
    assert (page.status, page.errors(), page.summary()) == (422, errors, summary)
    assert page.title.startswith("Erreur : Se connecter")
    assert page.fields()["username"] == typed["username"]


def test_login_of_a_closed_account_is_refused(client: Client) -> None:
    UserFactory(email="partie@ecole.example", is_active=False)
    assert client.post(LOGIN, {"username": "partie@ecole.example", "password": "demo"}).status_code == 422


def test_logout_takes_a_post_and_ends_the_session(client: Client, initiator: User) -> None:
    client.force_login(initiator)
    assert client.get("/compte/deconnexion/").status_code == 405
    assert client.post("/compte/deconnexion/").url == "/"
    assert "_auth_user_id" not in client.session


# Passwords ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["demo", None])
def test_reset_writes_a_mail_whose_link_sets_the_password(client: Client, password: str | None) -> None:
    """Also for somebody invited, who has no password yet."""
    user = BookshopFactory()
    user = UserFactory(email="camille@ecole.example", password=password)
    response = client.post(FORGOTTEN, {"email": "Camille@Ecole.EXAMPLE"})
    assert response.url == "/compte/mot-de-passe/oublie/envoye/"
    mail = Mail.objects.get()
    assert mail.recipient == "camille@ecole.example"
    link = re.search(r"https?://\S+(/compte/mot-de-passe/\S+/)", mail.text)
    assert link is not None

    form = client.get(link[1]).url
    secret = "trois petits moutons"
    assert client.post(form, {"new_password1": secret, "new_password2": secret}).status_code == 302
    user.refresh_from_db()
    assert user.check_password(secret)


def test_reset_tells_a_stranger_nothing(client: Client) -> None:
    """The same answer, and no mail: nobody learns who has an account."""
    response = client.post(FORGOTTEN, {"email": "inconnue@ecole.example"})
    assert response.url == "/compte/mot-de-passe/oublie/envoye/"
    assert Mail.objects.count() == 0


def test_invitation_sets_the_first_password_once(client: Client) -> None:
    user = UserFactory(email="nouvelle@ecole.example", password=None, collectivity=CollectivityFactory())
    link = invitation(user)
    form = client.get(link).url
    secret = "trois petits moutons"
    done = Page(client.post(form, {"new_password1": secret, "new_password2": secret}, follow=True))
    assert done.links() == {"Se connecter": LOGIN}
    again = Page(Client().get(link, follow=True))
    assert again.links() == {"Demander un nouveau lien": FORGOTTEN}


def test_invitation_refuses_a_weak_password_and_says_why(client: Client) -> None:
    form = client.get(invitation(UserFactory(password=None))).url
    page = Page(client.post(form, {"new_password1": "12345", "new_password2": "12345"}))
    assert page.status == 422
    assert page.errors()["new_password2"] == [
        "Ce mot de passe est trop court. Il doit contenir au minimum 8 caractères.",
        "Ce mot de passe est trop courant.",
        "Ce mot de passe est entièrement numérique.",
    ]


@pytest.mark.parametrize("address", [LOGIN, FORGOTTEN, "/compte/mot-de-passe/"])
def test_account_pages_speak_of_email_and_never_of_a_user_name(client: Client, initiator: User, address: str) -> None:
    if address == "/compte/mot-de-passe/":
        client.force_login(initiator)
    page = Page(client.get(address))
    assert page.status == 200
    assert re.findall(r"(?i)utilisateur|courriel|username", page.main) == []


# The pages that say no ----------------------------------------------------------------------------


def test_account_without_collectivity_is_told_whom_to_ask(client: Client) -> None:
    BookshopFactory(email="contact@dlivre.example")
    client.force_login(UserFactory())
    page = Page(client.get("/order/grouped/"))
    assert page.status == 403
    assert page.main == (
        "Votre compte n’est pas encore associé à une collectivité "
        "Un compte associé à une collectivité est nécessaire pour initier une commande groupée. "
        "Écrivez à la librairie, qui vous y associera : contact@dlivre.example."
    )


def test_unknown_address_is_a_page_with_a_way_out(client: Client) -> None:
    BookshopFactory(name="DLIVRE")
    page = Page(client.get("/nulle-part/"))
    assert (page.status, page.title) == (404, "Page introuvable – DLIVRE")
    assert page.links()["Retour à l’accueil"] == "/"


def test_expired_form_says_that_nothing_was_saved() -> None:
    page = Page(Client(enforce_csrf_checks=True).post(LOGIN, {"username": "a@b.example", "password": "x"}))
    assert page.status == 403
    assert "Rien n’a été enregistré." in page.main


@pytest.mark.logs_errors
def test_failure_page_asks_nothing_of_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the database is away")

    monkeypatch.setattr("django.db.models.query.QuerySet.first", fail)
    client.raise_request_exception = False
    page = Page(client.get("/cgv/"))
    assert (page.status, page.title) == (500, "Une erreur est survenue")
