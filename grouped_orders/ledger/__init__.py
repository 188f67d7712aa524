"""The books, looked at from outside: whether ours agree with themselves. Nothing is ever repaired here."""

from grouped_orders.ledger.checking import differences

__all__ = ["differences"]
