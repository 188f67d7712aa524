from grouped_orders.admin.differences import LedgerDifferenceAdmin
from grouped_orders.admin.orders import GroupedOrderAdmin
from grouped_orders.admin.records import JournalAdmin, MailAdmin, PaymentAdmin, RefundAdmin, SubOrderAdmin

__all__ = [
    "GroupedOrderAdmin",
    "JournalAdmin",
    "LedgerDifferenceAdmin",
    "MailAdmin",
    "PaymentAdmin",
    "RefundAdmin",
    "SubOrderAdmin",
]
