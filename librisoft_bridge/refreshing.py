"""« Réactualiser le statut »."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from librisoft_bridge import breaker, client, folder, statuses
from librisoft_bridge.client import Refused, Unknown
from librisoft_bridge.models import Link, ShopOrder, clock_label
from librisoft_bridge.order_state import OrderState

# It asks at most this often for one order.
REFRESH_EVERY = timedelta(seconds=5)


class Refreshed(NamedTuple):
    """Whether LIBRISOFT answered for the order, and what happened, for the bookseller."""

    answered: bool
    said: str


def refresh(shop_order: ShopOrder, *, now: datetime) -> Refreshed:
    """« Réactualiser le statut »: ask for this one order now, not too often, and say what came of it."""
    if settings.LIBRISOFT_TRANSPORT == "push" and not settings.LIBRISOFT_URL:
        return Refreshed(False, _("LIBRISOFT n’est pas configuré."))
    recent = now - REFRESH_EVERY
    waiting = ShopOrder.objects.filter(pk=shop_order.pk).exclude(refreshed_at__gt=recent)
    if not waiting.update(refreshed_at=now):
        return Refreshed(False, _("LIBRISOFT vient d’être interrogé\u00a0: réessayez dans quelques secondes."))
    match settings.LIBRISOFT_TRANSPORT:
        case "pull":
            said = _("LIBRISOFT vient donner ses statuts de lui-même. %(visit)s")
            return Refreshed(False, said % {"visit": Link.present().state_label})
        case "file":
            try:
                folder.read_back(now=now)
            except OSError:
                return Refreshed(False, folder.out_of_reach())
            return _what_changed(shop_order, ShopOrder.objects.get(pk=shop_order.pk))
    return _ask(shop_order, now)


def _ask(shop_order: ShopOrder, now: datetime) -> Refreshed:
    number = shop_order.librisoft_number
    try:
        with breaker.watched(now, may_probe=False):
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
    after = statuses.take_in(state, now=now)
    if after is None:
        return Refreshed(False, _("Statut inchangé\u00a0: la réponse de LIBRISOFT concerne une autre commande."))
    if after.status_typed_at is not None and state.sequence > after.remote_sequence:
        said = _("LIBRISOFT a répondu. Le statut saisi à la main est plus récent et reste affiché\u00a0: %(status)s.")
        return Refreshed(True, said % {"status": after.full_status_label})
    return _what_changed(before, after)


def _what_changed(before: ShopOrder, after: ShopOrder) -> Refreshed:
    if after.second_number:
        said = _(
            "Attention\u00a0: LIBRISOFT répond sous un autre numéro, %(second)s au lieu de %(first)s. "
            "Vérifiez dans LIBRISOFT que la commande n’y est pas deux fois."
        )
        return Refreshed(False, said % {"first": after.librisoft_number, "second": after.second_number})
    status = {"status": after.full_status_label or _("inconnu")}
    if (after.remote_sequence, after.librisoft_number) != (before.remote_sequence, before.librisoft_number):
        return Refreshed(True, _("Statut LIBRISOFT réactualisé\u00a0: %(status)s.") % status)
    return Refreshed(True, _("LIBRISOFT n’a rien de nouveau\u00a0: le statut reste %(status)s.") % status)
