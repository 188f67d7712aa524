"""The books, looked at from outside: whether ours agree with themselves, and with the providers'.

Nothing is ever repaired here.
"""

from grouped_orders.ledger.checking import differences
from grouped_orders.ledger.comparing import compare, settle_difference

__all__ = ["compare", "differences", "settle_difference"]
