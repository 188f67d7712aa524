"""How the bookshop prints amounts, dates and French, on every page, mail and document."""

import re
from datetime import date, datetime
from decimal import Decimal

from django import template
from django.template.defaultfilters import stringfilter
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

register = template.Library()

NBSP = "\u00a0"

# An address or a link: a space in it would break it.
_UNTOUCHABLE = re.compile(r"(\S*(?:://|@|www\.)\S*)")
_TYPOGRAPHY = [
    (re.compile(r"(?<=\w)'(?=[\w«])"), "’"),
    (re.compile(r"«[ \u00a0]*"), f"«{NBSP}"),
    (re.compile(r"[ \u00a0]*»"), f"{NBSP}»"),
    (re.compile(r"(?<=[\w)»’.…])(?=[:;!?]+(?:\s|[)\]»]|$))"), NBSP),
    (re.compile(r"(?<=\d)(?=[%€])"), NBSP),
    (re.compile(r"[ \u00a0]+(?=[:;!?%€])"), NBSP),
    (re.compile(r"\b([nN]°) *(?=\d)"), rf"\1{NBSP}"),
]


@register.filter
def euros(amount: Decimal | int | None) -> str:
    """Euros as the shop prints them, « 12 345,60 € », exact to the cent; nothing for nothing."""
    if amount is None or amount == "":
        return ""
    digits = f"{Decimal(amount):,.2f}".replace(",", NBSP).replace(".", ",")
    return f"{digits}{NBSP}€"


@register.filter
def percent(rate: Decimal) -> str:
    """A rate as the shop prints it: « 6 % », « 5,5 % »."""
    return f"{rate.normalize():f}".replace(".", ",") + f"{NBSP}%"


@register.filter(expects_localtime=True)
def shop_datetime(instant: datetime | None) -> str:
    """An instant at the shop's time, as the specification prints it: « 05/04/2022 (à 09:57:13) »."""
    if not instant:
        return ""
    return timezone.localtime(instant).strftime("%d/%m/%Y (à %H:%M:%S)")


@register.filter(expects_localtime=True)
def long_date(day: date | datetime | None) -> str:
    """A day with its name, « mercredi 25 novembre 2026 »; the first of a month is « 1er »."""
    if not day:
        return ""
    if isinstance(day, datetime):
        day = timezone.localdate(day)
    number = "1er" if day.day == 1 else str(day.day)
    return f"{date_format(day, 'l')} {number} {date_format(day, 'F Y')}"


@register.filter
def deadline_words(deadline: date | None) -> str:
    """The last day on which one may order, to its very end: « mercredi 6 avril 2022 à minuit »."""
    return _("%(day)s à minuit") % {"day": long_date(deadline)} if deadline else ""


@register.filter(is_safe=True)
@stringfilter
def typo(text: str) -> str:
    """French typography for words from outside (a title, a name): ’ and non-breaking spaces. Plain text only.

    Links and e-mail addresses are left as they are.
    """
    parts = _UNTOUCHABLE.split(text)
    for at in range(0, len(parts), 2):
        for pattern, mended in _TYPOGRAPHY:
            parts[at] = pattern.sub(mended, parts[at])
    return "".join(parts)
