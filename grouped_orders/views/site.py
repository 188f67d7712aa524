"""The pages that are for everybody: the front door and the conditions of sale."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from collectivities.models import Terms


def home(request: HttpRequest) -> HttpResponse:
    """Say what this is; whoever is logged in goes straight to the work."""
    if request.user.is_authenticated:
        if request.user.collectivity_id is None and request.user.is_staff:
            return redirect("admin:index")
        return redirect("initiator:orders")
    return render(request, "home.html")


def terms(request: HttpRequest, version: str | None = None) -> HttpResponse:
    """The conditions of sale in force, or the version that somebody accepted."""
    if version is None:
        found = Terms.objects.order_by("-published_at").first()
    else:
        found = get_object_or_404(Terms, version=version)
    return render(request, "terms.html", {"terms": found})
