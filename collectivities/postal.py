"""A postal address as a value: what is copied onto an order, printed and sent."""

from typing import NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _


class Country(models.TextChoices):
    """ISO 3166-1 alpha-2, with the name as the bookshop prints it."""

    BE = "BE", _("Belgique")
    FR = "FR", _("France")
    LU = "LU", _("Luxembourg")
    CH = "CH", _("Suisse")
    DE = "DE", _("Allemagne")
    NL = "NL", _("Pays-Bas")


class PostalAddress(NamedTuple):
    name: str
    street: str
    postcode: str
    city: str
    country: str

    @property
    def country_name(self) -> str:
        return str(Country(self.country).label) if self.country in Country.values else self.country

    @property
    def lines(self) -> tuple[str, ...]:
        """The address as it is printed, one line each, the country last."""
        return (self.name, self.street, f"{self.postcode} {self.city}", self.country_name.upper())

    def __str__(self) -> str:
        return ", ".join(part for part in (self.name, self.street, f"{self.postcode} {self.city}") if part.strip())
