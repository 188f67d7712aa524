from grouped_orders.models.difference import LedgerDifference
from grouped_orders.models.journal import JournalEntry
from grouped_orders.models.mail import Mail, MailAttachment
from grouped_orders.models.order import GroupedOrder
from grouped_orders.models.payment import Capture, Payment, ProviderEvent, Refund, UnfinishedRefund
from grouped_orders.models.sub_order import SubOrder

__all__ = [
    "Capture",
    "GroupedOrder",
    "JournalEntry",
    "LedgerDifference",
    "Mail",
    "MailAttachment",
    "Payment",
    "ProviderEvent",
    "Refund",
    "SubOrder",
    "UnfinishedRefund",
]
