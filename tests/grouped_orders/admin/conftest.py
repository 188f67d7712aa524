import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from collectivities.models import User
from tests.factories import BookshopFactory, UserFactory


@pytest.fixture
def bookseller(client: Client) -> User:
    BookshopFactory()
    user = UserFactory(email="libraire@dlivre.example", first_name="Odile", last_name="Hotton", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="grouped_orders"))
    client.force_login(user)
    return user


@pytest.fixture
def trainee(client: Client) -> User:
    """Staff who may look at orders, and no more."""
    BookshopFactory()
    user = UserFactory(email="stagiaire@dlivre.example", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_groupedorder"))
    client.force_login(user)
    return user
