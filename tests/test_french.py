"""French to the last plural: nothing is singular."""

import re
from pathlib import Path

from django.utils.translation import ngettext

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "locale/fr/LC_MESSAGES/django.po"
SOURCES = ("catalog", "collectivities", "grouped_orders", "librisoft_bridge", "libriweb", "templates")


def test_nothing_is_singular() -> None:
    forms = [ngettext("Il reste %(days)d jour", "Il reste %(days)d jours", n) % {"days": n} for n in (0, 1, 2)]
    assert forms == ["Il reste 0 jour", "Il reste 1 jour", "Il reste 2 jours"]


def test_every_plural_of_the_code_is_in_the_catalogue() -> None:
    plurals = 0
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".html", ".txt"):
                plurals += len(re.findall(r"\bngettext\(|{% plural %}", path.read_text()))
    assert CATALOGUE.read_text().count("\nmsgid_plural ") == plurals


def test_the_english_plural_filter_is_not_used() -> None:
    assert [path for path in (ROOT / "templates").rglob("*.html") if "|pluralize" in path.read_text()] == []
