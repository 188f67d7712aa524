"""The deadline for somebody's calendar (RFC 5545)."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from collectivities.models import Bookshop
from grouped_orders.models import GroupedOrder
from grouped_orders.templatetags.shop import typo

# Octets of a line, its CRLF left out; a longer one is folded.
LONGEST_LINE = 75
# Nine in the morning, two days before: counted from the midnight that begins the day.
REMINDER = "-PT39H"


def deadline_event(order: GroupedOrder, *, now: datetime) -> bytes:
    """The last day on which one may order, as a VEVENT of a whole day, so that no time zone can move it.

    Its UID is the order's for ever: a later one replaces it in the calendar. It marks nobody as busy.
    """
    title, shop = typo(order.book.title), Bookshop.current()
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Libriweb//Commandes groupees//FR",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:commande-groupee-{order.public_id}@{urlsplit(settings.SITE_URL).hostname}",
        f"DTSTAMP:{_utc(now)}",
        f"LAST-MODIFIED:{_utc(now)}",
        f"DTSTART;VALUE=DATE:{order.deadline:%Y%m%d}",
        f"DTEND;VALUE=DATE:{order.deadline + timedelta(days=1):%Y%m%d}",
        "SUMMARY:" + _text(_("Commande groupée n° %(number)s : dernier jour") % {"number": order.pk}),
        "DESCRIPTION:"
        + _text(
            _("« %(title)s »\nLes souscriptions se terminent à minuit.\nLien des acheteurs : %(link)s")
            % {"title": title, "link": order.subscription_url}
        ),
        f"URL:{order.subscription_url}",
        *([f"CONTACT:{_text(shop.name)}\\, {shop.email}"] if shop.email else []),
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "DESCRIPTION:" + _text(_("Commande groupée n° %(number)s : encore deux jours") % {"number": order.pk}),
        f"TRIGGER:{REMINDER}",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join(_folded(line) for line in lines)


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    """A TEXT value: what would end it or begin another is escaped, control characters are left out."""
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\\n"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return "".join(char for char in text if char.isprintable() or char in "\u00a0\u202f")


def _folded(line: str) -> bytes:
    """The line with its CRLF, folded between characters, never inside one."""
    folded, length = b"", 0
    for char in line:
        octets = char.encode()
        if length + len(octets) > LONGEST_LINE:
            folded, length = folded + b"\r\n ", 1
        folded, length = folded + octets, length + len(octets)
    return folded + b"\r\n"
