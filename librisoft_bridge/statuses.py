"""What LIBRISOFT says of its orders: kept in full, ordered by sequence, never a move of the group order."""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from librisoft_bridge import breaker, client
from librisoft_bridge.client import Refused, Unknown
from librisoft_bridge.models import KNOWN_CODES, ChangesCursor, ShopOrder, StatusChange, Transmission, clock_label
from librisoft_bridge.order_state import OrderState

log = logging.getLogger(__name__)

# « Réactualiser le statut » asks at most this often for one order.
REFRESH_EVERY = timedelta(seconds=5)
PAGES = 50
# No call lasts so long, on either side.
UNDER_WAY = timedelta(minutes=5)


@transaction.atomic
def take_in(state: OrderState, *, now: datetime) -> ShopOrder | None:
    """Record what LIBRISOFT says of one order; None for an order that is not ours.

    That it says anything means that it has the order, whatever our tries came to.
    """
    shop_order = acknowledge(state.web_order_number, state.librisoft_number, now=now)
    if shop_order is not None and shop_order.librisoft_number == state.librisoft_number:
        _follow(shop_order, state, now)
        shop_order.save()
    return shop_order


@transaction.atomic
def acknowledge(web_order_number: str, librisoft_number: str, *, now: datetime) -> ShopOrder | None:
    """LIBRISOFT has the order under this number. Whatever is still on its way ends; a withdrawn one stays withdrawn.

    A second, different number for one order is an alarm, not an overwrite (librisoft.md, rule 4).
    """
    shop_order = _locked(web_order_number)
    if shop_order is None:
        return None
    if shop_order.librisoft_number not in ("", librisoft_number):
        if shop_order.second_number != librisoft_number:
            log.warning("LIBRISOFT has a second order %s for shop order %d", librisoft_number, shop_order.pk)
        shop_order.second_number = librisoft_number
    else:
        shop_order.librisoft_number = librisoft_number
        shop_order.sent_at = shop_order.sent_at or now
        shop_order.lease_token = shop_order.lease_until = None
        shop_order.in_doubt, shop_order.error = False, ""
        if shop_order.transmission != Transmission.WITHDRAWN:
            shop_order.transmission = Transmission.SENT
    shop_order.save()
    return shop_order


def _locked(web_order_number: str) -> ShopOrder | None:
    """The order of this number, which anybody may have written."""
    is_number = web_order_number.isascii() and web_order_number.isdigit()
    return ShopOrder.objects.select_for_update().filter(pk=int(web_order_number) if is_number else 0).first()


def _follow(shop_order: ShopOrder, state: OrderState, now: datetime) -> None:
    """Keep the status in the history, and show it unless it is older than what is shown (librisoft.md, rule 3).

    A status that the bookseller typed gives way only to one that LIBRISOFT set later.
    """
    updated_at = state.updated_at or now
    _change, is_new = StatusChange.objects.get_or_create(
        shop_order=shop_order,
        sequence=state.sequence,
        defaults={"code": state.code, "label": state.label, "updated_at": updated_at, "seen_at": now},
    )
    if is_new and state.code not in KNOWN_CODES:
        log.warning("LIBRISOFT has a status we do not know, %r, for shop order %d", state.code, shop_order.pk)
    typed_at = shop_order.status_typed_at
    if state.sequence <= shop_order.remote_sequence or (typed_at is not None and updated_at < typed_at):
        return
    shop_order.remote_sequence = state.sequence
    shop_order.remote_code = state.code
    shop_order.remote_label = state.label
    shop_order.remote_updated_at = updated_at
    shop_order.expected_date = state.expected_date
    for line_number, received in state.received.items():
        shop_order.lines.filter(line_number=line_number).update(received=received)


def read_changes(*, now: datetime) -> int:
    """Read what changed since the last time, page after page; return how many changes were ours.

    The cursor moves only after a page is recorded, so a page may be read twice, and none is missed.
    """
    taken = 0
    for _page in range(PAGES):
        position, _made = ChangesCursor.objects.get_or_create(only_one=True)
        with breaker.watched(now):
            page = client.list_changes(position.cursor)
        with transaction.atomic():
            taken += sum(take_in(state, now=now) is not None for state in page.states)
            ChangesCursor.objects.filter(only_one=True).update(cursor=page.next_cursor)
        if not page.has_more:
            break
    return taken


def settle_doubts(*, now: datetime) -> None:
    """Find out about the orders that were cancelled here while they were being sent: does LIBRISOFT have them?

    Asked once whatever was under way then is over for certain.
    """
    for shop_order in ShopOrder.objects.doubtful().filter(withdrawn_at__lte=now - UNDER_WAY):
        with breaker.watched(now):
            state = client.find_order(str(shop_order.pk))
        if state is None:
            ShopOrder.objects.doubtful().filter(pk=shop_order.pk).update(in_doubt=False)
        else:
            take_in(state, now=now)


class Refreshed(NamedTuple):
    """Whether LIBRISOFT answered for the order, and what happened, for the bookseller."""

    answered: bool
    said: str


def refresh(shop_order: ShopOrder, *, now: datetime) -> Refreshed:
    """« Réactualiser le statut »: ask for this one order now, not too often, and say what came of it."""
    if not settings.LIBRISOFT_URL:
        return Refreshed(False, _("LIBRISOFT n’est pas configuré."))
    recent = now - REFRESH_EVERY
    waiting = ShopOrder.objects.filter(pk=shop_order.pk).exclude(refreshed_at__gt=recent)
    if not waiting.update(refreshed_at=now):
        return Refreshed(False, _("LIBRISOFT vient d’être interrogé\u00a0: réessayez dans quelques secondes."))
    number = shop_order.librisoft_number
    try:
        with breaker.watched(now):
            state = client.get_order(number) if number else client.find_order(str(shop_order.pk))
    except breaker.Open as pause:
        until = clock_label(pause.until)
        said = _("Statut inchangé\u00a0: %(reason)s Prochain essai à %(until)s.")
        return Refreshed(False, said % {"reason": pause, "until": until})
    except Unknown as doubt:
        return Refreshed(False, _("Statut inchangé\u00a0: %(reason)s") % {"reason": doubt})
    except Refused as no:
        said = _("LIBRISOFT a refusé de répondre pour cette commande\u00a0: %(reason)s")
        return Refreshed(False, said % {"reason": no.message})
    if state is None:
        return Refreshed(False, _("LIBRISOFT n’a pas encore cette commande."))
    if state.web_order_number != str(shop_order.pk):
        return Refreshed(False, _("Statut inchangé\u00a0: la réponse de LIBRISOFT concerne une autre commande."))
    return _what_came(shop_order, state, now)


def _what_came(before: ShopOrder, state: OrderState, now: datetime) -> Refreshed:
    after = take_in(state, now=now)
    if after is None:
        return Refreshed(False, _("Statut inchangé\u00a0: la réponse de LIBRISOFT concerne une autre commande."))
    status = {"status": after.full_status_label}
    if after.librisoft_number != state.librisoft_number:
        said = _(
            "Attention\u00a0: LIBRISOFT répond sous un autre numéro, %(second)s au lieu de %(first)s. "
            "Vérifiez dans LIBRISOFT que la commande n’y est pas deux fois."
        )
        return Refreshed(False, said % {"first": after.librisoft_number, "second": state.librisoft_number})
    if after.remote_sequence != before.remote_sequence or not before.librisoft_number:
        return Refreshed(True, _("Statut LIBRISOFT réactualisé\u00a0: %(status)s.") % status)
    if after.status_typed_at is not None and state.sequence > after.remote_sequence:
        said = _("LIBRISOFT a répondu. Le statut saisi à la main est plus récent et reste affiché\u00a0: %(status)s.")
        return Refreshed(True, said % status)
    return Refreshed(True, _("LIBRISOFT a répondu\u00a0: rien de nouveau, le statut reste %(status)s.") % status)
