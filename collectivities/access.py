"""Who may enter the initiator's pages."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def collectivity_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """An account of a collectivity is necessary to initiate a group order (specification, « Principe »).

    Nobody logged in: the login page. Logged in without a collectivity: a page that says whom to ask, 403.
    """

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.collectivity_id is None:
            return render(request, "collectivities/no_collectivity.html", status=403)
        return view(request, *args, **kwargs)

    return guarded
