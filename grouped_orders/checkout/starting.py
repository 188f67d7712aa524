"""The payer leaves for the provider's page, and comes back without having paid."""

import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from collectivities.models import Terms
from grouped_orders import lifecycle, payments
from grouped_orders.checkout.locking import hold, hold_payment
from grouped_orders.checkout.settling import settle, shut_card_pages, supersede
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import Payment, SubOrder
from grouped_orders.payments.base import Attempt, Money, Redirect, Refused, Unknown
from grouped_orders.statuses import OPEN_STATES, PaymentMethod, PaymentState, SubOrderStatus

# A page begun less than this long ago is used again instead of a second one.
REUSE = timedelta(minutes=20)
# What Stripe accepts as the shortest life of a page, and so the longest a payment outlives the deadline.
PAGE_LIFE = timedelta(minutes=30)
# A page is being made by another click for this long at most: then whoever made it is dead.
PREPARATION = timedelta(seconds=60)
# Seconds a second click waits for the page that the first one is making.
PATIENCE = 8.0
# A provider that took longer than this (seconds) to fail is not asked again while the payer waits.
QUICK = 4.0


class AlreadyPaid(NotAllowed):
    """There is nothing left to pay, or a payment is being verified: the buyer's own page says which."""


def start(sub_order: SubOrder, *, method: PaymentMethod, terms: Terms | None, now: datetime) -> str:
    """Begin to pay; return the provider's page to send the payer to.

    The amount comes from the database, the terms accepted and when are kept. An open page of the same provider
    is used again. Raises NotAllowed with a sentence for the payer, AlreadyPaid when there is nothing to pay.
    """
    payment, is_new = _begin(sub_order, method=method, terms=terms, now=now)
    if not is_new:
        return _page_of(payment)
    # Only those begun before: two clicks at once must not put each other aside, the last one wins.
    older = payment.sub_order.payments.filter(pk__lt=payment.pk)
    for old in older.open():
        supersede(old, reason=_("Remplacé par un autre paiement"), now=now)
    shut_card_pages(older, now=now)
    payment.sub_order.refresh_from_db(fields=["status"])
    if payment.sub_order.status != SubOrderStatus.PENDING or older.in_doubt().exists():
        supersede(payment, reason=_("Déjà payé"), now=now)
        raise AlreadyPaid(_("Cette sous-commande est déjà payée, ou son paiement est en cours de vérification."))
    payment = _record_redirect(payment, _create(payment), now)
    if payment.state != PaymentState.REDIRECTED:
        raise AlreadyPaid(_("Un autre paiement de cette sous-commande vient d’être commencé."))
    return payment.approve_url


def abandon(payment: Payment, *, now: datetime) -> Payment:
    """The payer came back by « Annuler ». The provider has the last word: what was paid all the same is paid.

    While the provider does not answer nothing is abandoned: the payment stays as it was, and is asked about again.
    """
    if payment.state not in OPEN_STATES or not payment.provider_ref:
        return settle(payment, now=now)
    try:
        snapshot = payments.provider(payment.method).fetch(payment.provider_ref)
    except Unknown:
        return payment
    except Refused:
        return settle(payment, now=now)
    if snapshot.phase != "open":
        return settle(payment, now=now)
    with transaction.atomic():
        payment = hold_payment(payment)
        if payment.state in OPEN_STATES:
            payment.state = PaymentState.ABANDONED
            payment.save(update_fields=["state"])
    return payment


@transaction.atomic
def _begin(sub_order: SubOrder, *, method: PaymentMethod, terms: Terms | None, now: datetime) -> tuple[Payment, bool]:
    """Write the attempt down, or find the one that is open already; say which."""
    order, sub_order = hold(sub_order)
    if sub_order.status == SubOrderStatus.PAID or sub_order.payments.in_doubt().exists():
        raise AlreadyPaid(_("Cette sous-commande est déjà payée, ou son paiement est en cours de vérification."))
    if sub_order.status == SubOrderStatus.CANCELLED:
        raise NotAllowed(_("Cette sous-commande est annulée : elle ne peut plus être payée."))
    if reason := lifecycle.subscription_refusal(order, now):
        raise NotAllowed(reason)
    sub_order.terms, sub_order.terms_accepted_at = terms, now
    sub_order.save(update_fields=["terms", "terms_accepted_at"])
    usable = Q(state=PaymentState.REDIRECTED, redirected_at__gt=now - REUSE)
    being_made = Q(state=PaymentState.CREATED, created_at__gt=now - PREPARATION)
    again = sub_order.payments.filter(usable | being_made, method=method, amount=sub_order.total).first()
    if again is not None:
        return again, False
    payment = Payment.objects.create(
        sub_order=sub_order, method=method, amount=sub_order.total, created_at=now, next_check_at=now + PAGE_LIFE
    )
    return payment, True


def _page_of(payment: Payment) -> str:
    """The page of an attempt that another click began; the payer sees the last click's answer only."""
    end = time.monotonic() + PATIENCE
    while payment.state == PaymentState.CREATED and time.monotonic() < end:
        time.sleep(0.1)
        payment.refresh_from_db(fields=["state", "approve_url"])
    match payment.state:
        case PaymentState.REDIRECTED:
            return payment.approve_url
        case PaymentState.CREATED:
            raise NotAllowed(_("Votre paiement est en préparation : réessayez dans quelques secondes."))
        case PaymentState.FAILED:
            raise NotAllowed(_no_answer())
    raise AlreadyPaid(_("Un autre paiement de cette sous-commande vient d’être commencé."))


def _create(payment: Payment) -> Redirect:
    sub_order = payment.sub_order
    back = {
        name: f"{settings.SITE_URL}{reverse(f'payments:{name}', args=[sub_order.secret, payment.public_id])}"
        for name in ("returned", "abandoned")
    }
    attempt = Attempt(
        our_id=payment.public_id,
        money=Money(payment.amount, payment.currency),
        description=_("Commande n° %(number)s : %(quantity)d × %(title)s")
        % {
            "number": sub_order.pk,
            "quantity": sub_order.quantity,
            "title": sub_order.grouped_order.book.title,
        },
        email=sub_order.email,
        return_url=back["returned"],
        cancel_url=back["abandoned"],
        # From the row, not the clock: a key sent twice must come with the same request.
        expires_at=payment.created_at + PAGE_LIFE,
    )
    begun = time.monotonic()
    key = f"cre-{payment.public_id}"
    try:
        provider = payments.provider(payment.method)
        try:
            return provider.create(attempt, key=key)
        except Unknown:
            if time.monotonic() - begun > QUICK:
                raise
            return provider.create(attempt, key=key)  # the same key: the same page if it exists already
    except (Unknown, Refused) as failure:
        _record_failed(payment, str(failure))
        raise NotAllowed(_no_answer()) from failure


def _no_answer() -> str:
    return _(
        "Le service de paiement ne répond pas. Rien n’a été débité : "
        "réessayez dans quelques minutes, ou choisissez l’autre mode de paiement."
    )


@transaction.atomic
def _record_redirect(payment: Payment, redirect: Redirect, now: datetime) -> Payment:
    payment = hold_payment(payment)
    payment.provider_ref, payment.approve_url = redirect.ref, redirect.url
    payment.redirected_at = now
    if payment.state == PaymentState.CREATED:
        payment.state, payment.next_check_at = PaymentState.REDIRECTED, now + timedelta(minutes=1)
    else:  # superseded while the provider was answering: the clock shuts the page
        payment.next_check_at = now
    payment.save(update_fields=["state", "provider_ref", "approve_url", "redirected_at", "next_check_at"])
    return payment


@transaction.atomic
def _record_failed(payment: Payment, reason: str) -> None:
    payment = hold_payment(payment)
    if payment.state == PaymentState.CREATED:
        payment.state, payment.reason, payment.next_check_at = PaymentState.FAILED, reason[:300], None
        payment.save(update_fields=["state", "reason", "next_check_at"])
