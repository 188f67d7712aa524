from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig

from libriweb.checks import refuse_dangerous_settings


class LibriwebConfig(AppConfig):
    name = "libriweb"
    verbose_name = "Libriweb"

    def ready(self) -> None:
        refuse_dangerous_settings(settings)


class BooksellerAdminConfig(AdminConfig):
    default_site = "libriweb.bookseller.BooksellerSite"
