from django.contrib.admin import AdminSite


class BooksellerSite(AdminSite):
    """The bookseller's side of the shop: Django's admin under our name."""

    site_header = "Libriweb — librairie"
    site_title = "Libriweb — librairie"
    index_title = "Administration du site"
