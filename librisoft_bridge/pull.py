"""By pull: LIBRISOFT calls us, as librisoft-pull-v1.yaml has it. It fetches what waits, and says what it made of it.

Every call may be repeated without harm, so a lost answer costs nothing.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Least
from django.http import Http404, HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from librisoft_bridge import answers, breaker, payload
from librisoft_bridge.models import ShopOrder, Transmission

MOST_ORDERS = 100
MOST_CHANGES = 500
# What the column holds comfortably: LIBRISOFT may fetch an order again for ever.
MOST_ATTEMPTS = 1000

View = Callable[..., JsonResponse]


def for_librisoft(method: str) -> Callable[[View], View]:
    """A door that opens by pull only, to whoever has the token. Each call is a sign that LIBRISOFT lives."""

    def door(view: View) -> View:
        @csrf_exempt
        @never_cache
        @wraps(view)
        def guarded(request: HttpRequest, **kwargs: str) -> JsonResponse:
            if settings.LIBRISOFT_TRANSPORT != "pull" or not settings.LIBRISOFT_TOKEN:
                raise Http404
            if not constant_time_compare(
                request.headers.get("Authorization", ""), f"Bearer {settings.LIBRISOFT_TOKEN}"
            ):
                answer = _refuse(401, "unauthorized", _("Jeton refusé."))
                answer["WWW-Authenticate"] = "Bearer"
                return answer
            if request.method != method:
                answer = _refuse(405, "method", _("Méthode refusée."))
                answer["Allow"] = method
                return answer
            breaker.note_answer(timezone.now())
            try:
                return view(request, _body(request), **kwargs)
            except answers.NotOurs as why:
                return _refuse(404, "unknown_order", _said(why))
            except answers.Contradiction as why:
                return _refuse(409, "contradiction", _said(why))
            except answers.Odd as why:
                return _refuse(422, "invalid", _said(why))

        return guarded

    return door


@for_librisoft("POST")
def fetch(request: HttpRequest, asked: dict[str, Any]) -> JsonResponse:
    """The orders that wait, oldest first, fetched before or not. From here on LIBRISOFT may have them.

    `after` goes on behind an order's number, so that one that is never acknowledged holds up no other.
    """
    after, limit = asked.get("after", "0"), asked.get("limit", MOST_ORDERS)
    if not isinstance(after, str) or not after.isascii() or not after.isdigit() or len(after) > 18:
        raise answers.Odd(_("« after » est le numéro d’une commande."))
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_ORDERS:
        raise answers.Odd(_("« limit » va de 1 à %(most)d.") % {"most": MOST_ORDERS})
    with transaction.atomic():
        waiting = ShopOrder.objects.filter(transmission=Transmission.WAITING, pk__gt=int(after)).order_by("pk")
        orders = list(waiting.select_for_update().prefetch_related("lines")[: limit + 1])
        given = orders[:limit]
        ShopOrder.objects.filter(pk__in=[order.pk for order in given]).update(
            in_doubt=True,
            offered_at=Coalesce("offered_at", Value(timezone.now())),
            attempts=Least(F("attempts") + 1, MOST_ATTEMPTS),
            error="",
        )
    return JsonResponse({"orders": [payload.write(order) for order in given], "has_more": len(orders) > limit})


@for_librisoft("PUT")
def acknowledge(request: HttpRequest, said: dict[str, Any], *, web_order_number: str) -> JsonResponse:
    """LIBRISOFT has the order, under this number of its own."""
    answers.acknowledge(web_order_number, said.get("librisoft_order_id"), now=timezone.now())
    return JsonResponse(
        {"web_order_number": web_order_number, "librisoft_order_id": said["librisoft_order_id"].strip()}
    )


@for_librisoft("PUT")
def refuse(request: HttpRequest, said: dict[str, Any], *, web_order_number: str) -> JsonResponse:
    """LIBRISOFT will not take the order, and says why."""
    answers.refuse(web_order_number, said.get("message"), now=timezone.now())
    return JsonResponse({"web_order_number": web_order_number})


@for_librisoft("POST")
def report(request: HttpRequest, said: dict[str, Any]) -> JsonResponse:
    """Statuses that changed. One that is odd is named and holds up no other."""
    changes = said.get("changes")
    if not isinstance(changes, list) or len(changes) > MOST_CHANGES:
        raise answers.Odd(_("« changes » est une liste de %(most)d statuts au plus.") % {"most": MOST_CHANGES})
    left_out = []
    for index, change in enumerate(changes):
        try:
            answers.follow(change, now=timezone.now())
        except answers.Odd as why:
            left_out.append({"index": index, "message": _said(why)})
    return JsonResponse({"taken": len(changes) - len(left_out), "left_out": left_out})


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        said = json.loads(request.body or b"{}")
    except (ValueError, RecursionError, RequestDataTooBig) as error:
        raise answers.Odd(_("le corps de la demande est illisible.")) from error
    if not isinstance(said, dict):
        raise answers.Odd(_("le corps de la demande est illisible."))
    return said


def _said(why: Exception) -> str:
    text = str(why)
    return text[:1].upper() + text[1:]


def _refuse(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"code": code, "message": message}, status=status)
