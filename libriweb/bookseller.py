"""The bookseller's side of the shop: Django's admin under our name."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone

from grouped_orders.to_do import to_do

# The day's work first, then what it rests on.
APPS = ["grouped_orders", "collectivities", "catalog", "librisoft_bridge"]


class BooksellerSite(AdminSite):
    site_header = "Libriweb — librairie"
    site_title = "Libriweb — librairie"
    index_title = "Administration du site"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """« À traiter » first."""
        return super().index(request, {**(extra_context or {}), "tasks": to_do(request, now=timezone.now())})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The apps in the order in which a bookseller needs them, those that are not ours last."""
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: APPS.index(app["app_label"]) if app["app_label"] in APPS else len(APPS))
