"""A provider calls us. Its message is proved, kept once, and only makes us ask."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from django.db.models import Q

from grouped_orders import payments
from grouped_orders.checkout.following import tell_dispute
from grouped_orders.checkout.settling import settle
from grouped_orders.models import Payment, ProviderEvent
from grouped_orders.payments.base import Notice
from grouped_orders.statuses import PaymentMethod


def hear(method: PaymentMethod, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> ProviderEvent:
    """Take one webhook: prove its origin, keep it, settle the attempt it names.

    A message that was processed before changes nothing. Raises payments.base.BadSignature, or Unknown when the
    proof cannot be had now (the provider then calls again).
    """
    notice = payments.provider(method).parse_webhook(headers, raw)
    event, _created = ProviderEvent.objects.get_or_create(
        method=method, event_id=_event_id(notice, raw), defaults={"type": notice.type[:80], "received_at": now}
    )
    if event.processed_at is not None:
        return event
    named = Q()
    if notice.ref:
        named |= Q(provider_ref=notice.ref)
    if notice.our_id:
        named |= Q(public_id=notice.our_id)
    if notice.of:
        named |= Q(captures__provider_id=notice.of)
    payment = Payment.objects.filter(named, method=method).select_related("sub_order").first() if named else None
    if payment is not None:
        payment = settle(payment, now=now)
        if notice.dispute:
            tell_dispute(payment, notice.dispute, now=now)
    event.payment, event.processed_at = payment, now
    event.result = payment.state if payment else "unknown object"
    event.save(update_fields=["payment", "processed_at", "result"])
    return event


def _event_id(notice: Notice, raw: bytes) -> str:
    """The provider's own id; where there is none that we can keep, two messages are the same if their bytes are."""
    return notice.event_id if 0 < len(notice.event_id) <= 120 else f"sha256-{hashlib.sha256(raw).hexdigest()}"
