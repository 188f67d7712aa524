"""The providers' doors: the payer sent back to us, and their webhooks. Nothing they say is believed: we ask."""

import time

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from grouped_orders import checkout, payments
from grouped_orders.models import Payment
from grouped_orders.payments.base import BadSignature, Unknown
from grouped_orders.statuses import PaymentMethod, PaymentState
from grouped_orders.views.buyer import back_to, secret_page, times_back

# Bytes. No message of either provider comes near it.
LONGEST_MESSAGE = 1_000_000


@require_safe
@secret_page
def returned(request: HttpRequest, secret: str, payment_id: str) -> HttpResponse:
    """The payer is back. Whatever the address says, the provider is asked; its page then tells the truth."""
    payment = _payment_or_404(secret, payment_id)
    if _is_about(request, payment):
        payment = checkout.settle(payment, now=timezone.now())
        _wait_for_the_other(payment)
    return redirect(back_to("buyer:sub_order", secret, times=times_back(request) or 0))


@require_safe
@secret_page
def abandoned(request: HttpRequest, secret: str, payment_id: str) -> HttpResponse:
    """The payer pressed « Annuler ». What he paid all the same is paid, and while nobody knows, his page says so."""
    payment = _payment_or_404(secret, payment_id)
    if _is_about(request, payment):
        checkout.abandon(payment, now=timezone.now())
    return redirect(back_to("buyer:sub_order", secret, times=0))


@csrf_exempt
@require_POST
def paypal_webhook(request: HttpRequest) -> HttpResponse:
    return _hear(request, PaymentMethod.PAYPAL)


@csrf_exempt
@require_POST
def card_webhook(request: HttpRequest) -> HttpResponse:
    return _hear(request, PaymentMethod.CARD)


def _hear(request: HttpRequest, method: PaymentMethod) -> HttpResponse:
    """200: taken, whether it concerns us or not. 400: not theirs. 503: come back, the proof cannot be had now."""
    if method not in payments.enabled_methods():  # no secret is shared, so nothing could prove where it comes from
        raise Http404
    raw = request.read(LONGEST_MESSAGE + 1)  # no more is held in memory, whatever length is announced
    if len(raw) > LONGEST_MESSAGE:
        return HttpResponse(status=413)
    try:
        checkout.hear(method, request.headers, raw, now=timezone.now())
    except BadSignature:
        return HttpResponse(status=400)
    except Unknown:
        return HttpResponse(status=503)
    return HttpResponse(status=200)


def _wait_for_the_other(payment: Payment) -> None:
    """The webhook often comes first and is taking the money at this moment: its answer is worth a short wait."""
    for _ in range(10):
        if payment.state != PaymentState.CAPTURING:
            return
        time.sleep(0.2)
        payment.refresh_from_db(fields=["state"])


def _is_about(request: HttpRequest, payment: Payment) -> bool:
    """PayPal adds its own reference to the address: another one than ours is somebody else's return."""
    token = request.GET.get("token")
    return token is None or token == payment.provider_ref


def _payment_or_404(secret: str, payment_id: str) -> Payment:
    wanted = Payment.objects.select_related("sub_order")
    return get_object_or_404(wanted, public_id=payment_id, sub_order__secret=secret)
