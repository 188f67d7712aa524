"""What asks for the bookseller: each kind with its words and its condition, for his first page and the lists."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from librisoft_bridge.models import ALARMING, DOUBTFUL, STOPPED, ShopOrder, ShopOrderQuerySet, overdue


class Kind(NamedTuple):
    label: str | Promise
    condition: Callable[[datetime], Q]


@dataclass(frozen=True)
class Needed:
    """So many orders need him for one reason. `kind` is also the value of the filter « à traiter » of the list."""

    kind: str
    label: str
    count: int


KINDS = {
    "failed": Kind(
        _("Envois vers LIBRISOFT refusés ou échoués"),
        lambda now: STOPPED,
    ),
    "overdue": Kind(
        _("Commandes que LIBRISOFT n’a pas encore prises"),
        overdue,
    ),
    "second_number": Kind(
        _("Commandes à deux numéros LIBRISOFT"),
        lambda now: ~Q(second_number=""),
    ),
    "cancel_there": Kind(
        _("Commandes annulées ici, à annuler dans LIBRISOFT"),
        lambda now: ~Q(librisoft_number="") & ~Q(remote_code="CANCELLED") & Q(withdrawn_at__isnull=False),
    ),
    "in_doubt": Kind(
        _("Commandes annulées ici, peut-être reçues par LIBRISOFT"),
        lambda now: DOUBTFUL,
    ),
    "alarming": Kind(
        _("Commandes annulées ou manquantes chez LIBRISOFT"),
        lambda now: Q(remote_code__in=ALARMING, withdrawn_at__isnull=True),
    ),
}


def needing_attention(now: datetime, *, among: ShopOrderQuerySet | None = None) -> list[Needed]:
    """How many orders need the bookseller, for each reason there is; one query.

    The bridge does not know which group orders are over: whoever does narrows it down with `among`.
    """
    orders = ShopOrder.objects.all() if among is None else among
    counts = orders.aggregate(
        **{name: Count("pk", filter=kind.condition(now), distinct=True) for name, kind in KINDS.items()}
    )
    return [Needed(name, str(kind.label), counts[name]) for name, kind in KINDS.items() if counts[name]]
