"""The money: the only writer of payments, captures and refunds.

A row stands before anything is called, no call is made inside a transaction, and only a provider's
authenticated answer is believed. `settle` is the one door: return page, webhook, clock and the bookseller's
« Vérifier » all go through it.
"""

from grouped_orders.checkout.deciding import (
    cancel_order,
    cancel_sub_order,
    record_by_hand,
    refund_part,
    refundable_captures,
)
from grouped_orders.checkout.hearing import hear
from grouped_orders.checkout.refunding import note_refunded_by_hand, request_refund, retry_refund, send_refund
from grouped_orders.checkout.settling import settle
from grouped_orders.checkout.starting import AlreadyPaid, abandon, start
from grouped_orders.checkout.unpaid import cancel_unpaid, remind, to_cancel, to_remind
from grouped_orders.checkout.withdrawing import withdraw

__all__ = [
    "AlreadyPaid",
    "abandon",
    "cancel_order",
    "cancel_sub_order",
    "cancel_unpaid",
    "hear",
    "note_refunded_by_hand",
    "record_by_hand",
    "refund_part",
    "refundable_captures",
    "remind",
    "request_refund",
    "retry_refund",
    "send_refund",
    "settle",
    "start",
    "to_cancel",
    "to_remind",
    "withdraw",
]
