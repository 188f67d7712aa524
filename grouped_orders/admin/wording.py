"""Where an order stands, in words and a colour: never by the colour alone."""

from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from grouped_orders.models import GroupedOrder
from grouped_orders.statuses import OrderStatus
from librisoft_bridge.models import ShopOrder


class Badge(NamedTuple):
    words: str
    tone: str  # a class of bookseller.css: open, wait, alert, done, off


TONES = {OrderStatus.CLOSED: "done", OrderStatus.CANCELLED: "off"}


def badges(order: GroupedOrder, now: datetime) -> list[Badge]:
    """The order's status as the bookseller reads it, and what asks for his attention."""
    tone = "open" if order.takes_sub_orders(now) else TONES.get(OrderStatus(order.status), "wait")
    found = [Badge(order.status_label(now), tone)]
    if order.deadline_is_near(now):
        found.append(Badge(_("La date limite approche !"), "alert"))
    if order.shop_order is not None and order.status == OrderStatus.AWAITING_PROCESSING:
        if order.shop_order.is_ready:
            found.append(Badge(_("Prête à mettre à disposition"), "done"))
        if order.shop_order.needs_attention:
            found.append(Badge(_trouble(order.shop_order), "alert"))
    return found


def _trouble(shop_order: ShopOrder) -> str:
    """What LIBRISOFT says that the bookseller must look at, in few words."""
    if shop_order.is_stopped:
        return _("LIBRISOFT : %(word)s") % {"word": shop_order.get_transmission_display()}
    if shop_order.is_overdue:
        return _("LIBRISOFT : pas encore prise")
    if shop_order.second_number:
        return _("LIBRISOFT : un second numéro (%(number)s)") % {"number": shop_order.second_number}
    return _("LIBRISOFT : %(word)s") % {"word": shop_order.status_label}


def days_left(order: GroupedOrder, now: datetime) -> str:
    """« Il reste N jours » as the detail page says it."""
    days = order.days_left(now)
    if days < 0:
        return _("La date de clôture des commandes est passée")
    if days == 0:
        return _("C’est le dernier jour")
    return ngettext("Il reste %(days)d jour", "Il reste %(days)d jours", days) % {"days": days}
