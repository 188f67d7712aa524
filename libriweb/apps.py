from django.contrib.admin.apps import AdminConfig


class BooksellerAdminConfig(AdminConfig):
    default_site = "libriweb.bookseller.BooksellerSite"
