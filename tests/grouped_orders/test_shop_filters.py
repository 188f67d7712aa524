from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.template import Context, Template

from grouped_orders.templatetags.shop import deadline_words, euros, long_date, percent, shop_datetime, typo


@pytest.mark.parametrize(
    ("amount", "printed"),
    [
        (Decimal("6.40"), "6,40\u00a0€"),
        (Decimal("0.00"), "0,00\u00a0€"),
        (Decimal("0.5"), "0,50\u00a0€"),
        (Decimal("12345.60"), "12\u00a0345,60\u00a0€"),
        (Decimal("-74.50"), "-74,50\u00a0€"),
        (3, "3,00\u00a0€"),
        (None, ""),
    ],
)
def test_euros_are_printed_as_the_shop_does(amount, printed):
    assert euros(amount) == printed


@pytest.mark.parametrize(
    ("rate", "printed"), [("6.00", "6\u00a0%"), ("5.50", "5,5\u00a0%"), ("0.00", "0\u00a0%"), ("20.00", "20\u00a0%")]
)
def test_percent_is_printed_as_the_shop_does(rate, printed):
    assert percent(Decimal(rate)) == printed


def test_shop_datetime_is_at_the_shops_time():
    assert shop_datetime(datetime(2022, 4, 5, 7, 57, 13, tzinfo=UTC)) == "05/04/2022 (à 09:57:13)"
    assert shop_datetime(datetime(2022, 1, 5, 23, 30, 0, tzinfo=UTC)) == "06/01/2022 (à 00:30:00)"
    assert shop_datetime(None) == ""


def test_long_date_names_the_day():
    assert long_date(date(2026, 11, 25)) == "mercredi 25 novembre 2026"
    assert long_date(date(2026, 4, 1)) == "mercredi 1er avril 2026"
    assert long_date(datetime(2026, 11, 24, 23, 30, tzinfo=UTC)) == "mercredi 25 novembre 2026"
    assert long_date(None) == ""


def test_deadline_is_said_to_its_very_end():
    assert deadline_words(date(2022, 4, 6)) == "mercredi 6 avril 2022 à minuit"


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("Le livre qu'il ne faut pas lire !", "Le livre qu’il ne faut pas lire\u00a0!"),
        ("Quoi?! Oui: non; peut-être", "Quoi\u00a0?! Oui\u00a0: non\u00a0; peut-être"),
        ("(POCHE ! )", "(POCHE\u00a0! )"),
        ("« mot » «mot»", "«\u00a0mot\u00a0» «\u00a0mot\u00a0»"),
        ("50% de 6 €", "50\u00a0% de 6\u00a0€"),
        ("commande n° 65", "commande n°\u00a065"),
        ("à 09:57:13", "à 09:57:13"),
        ("voir https://x.example/?a=1;b=2! ou : rien", "voir https://x.example/?a=1;b=2! ou\u00a0: rien"),
        ("d'o'hara@l'x.example, l'été", "d'o'hara@l'x.example, l’été"),
    ],
)
def test_typo_mends_words_and_leaves_links_alone(typed, printed):
    assert typo(typed) == printed
    assert typo(printed) == printed


def test_typo_leaves_escaping_to_the_template():
    page = Template("{% load shop %}{{ title|typo }}").render(Context({"title": "L'île <b> ?"}))
    assert page == "L’île &lt;b&gt;\u00a0?"
