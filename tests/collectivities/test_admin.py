import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from collectivities.models import Address, Bookshop, Collectivity, Terms, User
from grouped_orders.models import Mail
from tests.factories import AddressFactory, BookshopFactory, CollectivityFactory, TermsFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def bookseller(client: Client) -> User:
    BookshopFactory()
    user = UserFactory(email="libraire@dlivre.example", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def clerk(client: Client) -> User:
    """A bookseller who is not a superuser: he keeps collectivities and their members."""
    BookshopFactory()
    user = UserFactory(email="vendeur@dlivre.example", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(
            content_type__app_label="collectivities", content_type__model__in=["user", "collectivity", "address"]
        )
    )
    client.force_login(user)
    return user


def inlines(**fields: str) -> dict[str, str]:
    """What the collectivity's page posts for its inline forms when nothing is added."""
    empty = {
        f"{prefix}-{name}": "0" for prefix in ("addresses", "members") for name in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    return {**empty, **fields}


def member(email: str) -> dict[str, str]:
    return {
        "members-TOTAL_FORMS": "1",
        "members-0-email": email,
        "members-0-first_name": "Camille",
        "members-0-last_name": "Dumont",
        "members-0-phone": "",
        "members-0-is_active": "on",
    }


def test_collectivity_is_added_with_its_address_and_member(client: Client, bookseller: User) -> None:
    address = {
        "addresses-TOTAL_FORMS": "1",
        "addresses-0-name": "ANNEXE",
        "addresses-0-street": "2, rue des jonquilles",
        "addresses-0-postcode": "5500",
        "addresses-0-city": "DINANT",
        "addresses-0-country": "BE",
        "addresses-0-is_pickup": "on",
        "addresses-0-is_billing": "on",
        "addresses-0-shipping_fee": "0.00",
    }

    client.post(
        reverse("admin:collectivities_collectivity_add"),
        {
            "name": "COLLEGE VICTOR PROUVE",
            "customer_code": "PROUVE",
            **inlines(**address, **member("Approbateur@VictorProuve.example")),
        },
    )

    collectivity = Collectivity.objects.get()
    made = collectivity.members.get()
    assert str(collectivity.billing_address) == "ANNEXE, 2, rue des jonquilles, 5500 DINANT"
    assert (made.email, made.has_usable_password()) == ("approbateur@victorprouve.example", False)
    assert list(Mail.objects.values_list("recipient", "subject")) == [
        ("approbateur@victorprouve.example", "Votre compte chez DLIVRE")
    ]


def test_member_added_to_a_collectivity_chooses_a_password_by_the_invitation(client: Client, bookseller: User) -> None:
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE", customer_code="PROUVE")
    client.post(
        reverse("admin:collectivities_collectivity_change", args=[collectivity.pk]),
        {"name": collectivity.name, "customer_code": "PROUVE", **inlines(**member("camille@ecole.example"))},
    )
    link = re.search(r"http://127\.0\.0\.1:8000(/\S+)", Mail.objects.get().text)
    assert link is not None
    visitor = Client()

    form = visitor.get(link[1], follow=True)
    visitor.post(form.request["PATH_INFO"], {"new_password1": "jonquille-4471", "new_password2": "jonquille-4471"})

    assert User.objects.get(email="camille@ecole.example").check_password("jonquille-4471")


def test_member_with_a_known_address_is_refused(client: Client, bookseller: User) -> None:
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE", customer_code="PROUVE")
    UserFactory(email="camille@ecole.example")

    page = client.post(
        reverse("admin:collectivities_collectivity_change", args=[collectivity.pk]),
        {"name": collectivity.name, "customer_code": "PROUVE", **inlines(**member("CAMILLE@ecole.example"))},
    )

    assert "Un compte existe déjà avec cette adresse e-mail." in page.content.decode()
    assert (User.objects.count(), Mail.objects.count()) == (2, 0)


def test_account_is_added_without_a_password_and_invited(client: Client, bookseller: User) -> None:
    collectivity = CollectivityFactory()

    client.post(
        reverse("admin:collectivities_user_add"),
        {"email": "nouveau@ecole.example", "collectivity": collectivity.pk, "is_active": "on"},
    )

    made = User.objects.get(email="nouveau@ecole.example")
    assert (made.collectivity, made.is_staff, made.has_usable_password()) == (collectivity, False, False)
    assert list(Mail.objects.values_list("recipient", flat=True)) == ["nouveau@ecole.example"]


def test_invite_button_sends_another_mail(client: Client, bookseller: User) -> None:
    invited = UserFactory(email="camille@ecole.example")
    page = client.get(reverse("admin:collectivities_user_change", args=[invited.pk])).content.decode()
    action = reverse("admin:collectivities_user_invite", args=[invited.pk])
    assert f'action="{action}"' in page

    answers = [client.post(action, follow=True) for _twice in range(2)]

    assert "Une invitation à choisir un mot de passe part à camille@ecole.example." in answers[0].content.decode()
    assert list(Mail.objects.values_list("recipient", flat=True)) == ["camille@ecole.example"] * 2


def test_invite_button_refuses_an_account_that_is_shut(client: Client, bookseller: User) -> None:
    shut = UserFactory(is_active=False)

    page = client.post(reverse("admin:collectivities_user_invite", args=[shut.pk]), follow=True).content.decode()

    assert "Ce compte n’est pas actif" in page
    assert Mail.objects.count() == 0


def test_invite_is_never_sent_by_looking(client: Client, bookseller: User) -> None:
    answer = client.get(reverse("admin:collectivities_user_invite", args=[bookseller.pk]))

    assert (answer.status_code, Mail.objects.count()) == (405, 0)


def test_clerk_may_not_touch_a_colleague(client: Client, clerk: User) -> None:
    boss = UserFactory(email="patronne@dlivre.example", is_staff=True, is_superuser=True)

    changed = client.post(
        reverse("admin:collectivities_user_change", args=[boss.pk]), {"email": "vendeur2@dlivre.example"}
    )
    invited = client.post(reverse("admin:collectivities_user_invite", args=[boss.pk]))

    boss.refresh_from_db()
    assert (changed.status_code, invited.status_code) == (403, 403)
    assert (boss.email, Mail.objects.count()) == ("patronne@dlivre.example", 0)


def test_clerk_may_not_give_rights(client: Client, clerk: User) -> None:
    client.post(
        reverse("admin:collectivities_user_add"),
        {"email": "complice@dlivre.example", "is_active": "on", "is_staff": "on", "is_superuser": "on"},
    )

    made = User.objects.get(email="complice@dlivre.example")
    assert (made.is_staff, made.is_superuser) == (False, False)


def test_clerk_does_not_see_colleagues_among_the_members(client: Client, clerk: User) -> None:
    collectivity = CollectivityFactory()
    UserFactory(email="eleve@ecole.example", collectivity=collectivity)
    UserFactory(email="patronne@dlivre.example", collectivity=collectivity, is_staff=True, is_superuser=True)

    page = client.get(reverse("admin:collectivities_collectivity_change", args=[collectivity.pk])).content.decode()

    assert ("eleve@ecole.example" in page, "patronne@dlivre.example" in page) == (True, False)


def test_account_is_shut_rather_than_deleted(client: Client, bookseller: User) -> None:
    user = UserFactory()

    answer = client.post(reverse("admin:collectivities_user_delete", args=[user.pk]), {"post": "yes"})

    assert (answer.status_code, User.objects.filter(pk=user.pk).count()) == (403, 1)


def test_terms_once_published_are_read_only(client: Client, bookseller: User) -> None:
    terms = TermsFactory(version="2026-09", text="Prix.")
    page = reverse("admin:collectivities_terms_change", args=[terms.pk])

    changed = client.post(page, {"version": "2026-09", "text": "Tout est gratuit."})
    deleted = client.post(reverse("admin:collectivities_terms_delete", args=[terms.pk]), {"post": "yes"})

    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert list(Terms.objects.values_list("version", "text")) == [("2026-09", "Prix.")]
    assert 'name="text"' not in client.get(page).content.decode()


def test_terms_are_published_by_a_new_version(client: Client, bookseller: User) -> None:
    TermsFactory(version="2026-09")

    client.post(reverse("admin:collectivities_terms_add"), {"version": "2026-12", "text": "Prix et paiement."})

    assert Terms.objects.latest().version == "2026-12"


def test_bookshop_is_one_and_stays(client: Client, bookseller: User) -> None:
    shop = Bookshop.objects.get()

    added = client.post(reverse("admin:collectivities_bookshop_add"), {"name": "AUTRE", "email": "a@b.example"})
    deleted = client.post(reverse("admin:collectivities_bookshop_delete", args=[shop.pk]), {"post": "yes"})

    assert (added.status_code, deleted.status_code) == (403, 403)
    assert list(Bookshop.objects.values_list("name", flat=True)) == ["DLIVRE"]


def test_bookshop_identity_and_places_are_edited(client: Client, bookseller: User) -> None:
    shop = Bookshop.objects.get()
    place = AddressFactory(collectivity=None, bookshop=shop, name="DLIVRE", street="67 A rue Grande")

    client.post(
        reverse("admin:collectivities_bookshop_change", args=[shop.pk]),
        {
            "name": "DLIVRE",
            "email": "bonjour@dlivre.example",
            "cancels_unpaid_after": "0",
            "addresses-TOTAL_FORMS": "1",
            "addresses-INITIAL_FORMS": "1",
            "addresses-0-id": place.pk,
            "addresses-0-bookshop": shop.pk,
            "addresses-0-name": "DLIVRE",
            "addresses-0-street": "68 rue Grande",
            "addresses-0-postcode": "5500",
            "addresses-0-city": "DINANT",
            "addresses-0-country": "BE",
            "addresses-0-is_pickup": "on",
            "addresses-0-shipping_fee": "0.00",
        },
    )

    edited = Bookshop.objects.get()
    assert (edited.email, edited.cancels_unpaid_after) == ("bonjour@dlivre.example", 0)
    assert Address.objects.get().street == "68 rue Grande"


@pytest.mark.parametrize("model", ["collectivity", "user", "bookshop", "terms"])
def test_list_is_refused_to_staff_without_its_permission(client: Client, model: str) -> None:
    client.force_login(UserFactory(is_staff=True))

    assert client.get(reverse(f"admin:collectivities_{model}_changelist")).status_code == 403


def test_admin_sends_an_initiator_to_its_login(client: Client) -> None:
    client.force_login(UserFactory(collectivity=CollectivityFactory()))
    page = reverse("admin:collectivities_user_changelist")

    answer = client.get(page)

    assert (answer.status_code, answer.url) == (302, f"{reverse('admin:login')}?next={page}")


def test_index_names_the_apps_in_french_in_the_order_of_the_day(client: Client, bookseller: User) -> None:
    apps = client.get(reverse("admin:index")).context["app_list"]

    names = [app["name"] for app in apps]
    assert names == sorted(
        names,
        key=["Commandes groupées", "Collectivités", "Catalogue", "LIBRISOFT", "Authentification et autorisation"].index,
    )
    assert [model["name"] for app in apps if app["app_label"] == "collectivities" for model in app["models"]] == [
        "Collectivités",
        "Comptes",
        "Conditions générales de vente",
        "Librairie",
    ]
