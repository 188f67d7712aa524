"""The life of a group order and of its sub-orders: the only writer of a status.

Every verb takes the order's lock first, looks again, then acts, so two clicks or two people cannot both win.
Instants are aware datetimes; `now` is passed in, the shop's time zone is the current one.
"""

from grouped_orders.lifecycle.moving import NotAllowed, write_down
from grouped_orders.lifecycle.order import (
    cancel,
    close,
    move_deadline,
    note_librisoft_by_hand,
    open_order,
    reopen,
    validate,
    validation_blockers,
)
from grouped_orders.lifecycle.sub_order import (
    cancel_sub_order,
    correct_buyer,
    mark_paid,
    may_correct,
    may_withdraw,
    register,
    subscription_refusal,
    withdraw,
)

__all__ = [
    "NotAllowed",
    "cancel",
    "cancel_sub_order",
    "close",
    "correct_buyer",
    "mark_paid",
    "may_correct",
    "may_withdraw",
    "move_deadline",
    "note_librisoft_by_hand",
    "open_order",
    "register",
    "reopen",
    "subscription_refusal",
    "validate",
    "validation_blockers",
    "withdraw",
    "write_down",
]
