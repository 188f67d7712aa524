"""How the bookseller decides: a page asks, one verb acts, and he is back at the order."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import GroupedOrder

F = TypeVar("F", bound=forms.Form)


def bound(form_class: Callable[..., F], request: HttpRequest, **kwargs: Any) -> F:
    """The form with what was posted, an empty post included; unbound when the page is only looked at."""
    return form_class(request.POST if request.method == "POST" else None, **kwargs)


def ask(request: HttpRequest, order: GroupedOrder, template: str, *, title: str, **context: Any) -> TemplateResponse:
    """The page that asks before anything happens; 422 when what was typed has to be mended."""
    form = context.get("form")
    return TemplateResponse(
        request,
        f"admin/grouped_orders/{template}",
        {
            **admin.site.each_context(request),
            "opts": GroupedOrder._meta,
            "order": order,
            "title": title,
            **context,
        },
        status=422 if form is not None and form.is_bound else 200,
    )


def decide(request: HttpRequest, order: GroupedOrder, act: Callable[[datetime], object], *, done: str) -> HttpResponse:
    """Call one verb with the present instant; say what was done, or why not, on the order's page."""
    try:
        act(timezone.now())
    except NotAllowed as no:
        messages.error(request, str(no))
    else:
        admin.site.get_model_admin(GroupedOrder).log_change(request, order, done)
        messages.success(request, done)
    return redirect("admin:grouped_orders_groupedorder_change", order.pk)
