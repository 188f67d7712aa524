"""Processes of the shop, for a test to kill (tests/processes.py).

Each line of its input, {"what": "pay" | "settle" | …, "sub_order": pk, "settings": {…}, …}, makes one process that is
the web process or the worker at work on that sub-order; its pid is the answer.
"""

from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402 - Django must be ready before its models are imported

from grouped_orders import checkout, clock  # noqa: E402
from grouped_orders.models import SubOrder  # noqa: E402
from grouped_orders.statuses import MoneyBack, PaymentMethod  # noqa: E402
from tests.processes import serve  # noqa: E402


def work(order: dict[str, Any]) -> None:
    if order["what"] == "mails":
        return clock.deliver_mails()
    sub_order = SubOrder.objects.get(pk=order["sub_order"])
    match order["what"]:
        case "pay":
            checkout.start(sub_order, method=PaymentMethod(order["method"]), terms=None, now=timezone.now())
        case "settle":
            checkout.settle(sub_order.payments.get(), now=timezone.now())
        case "clock":
            clock.settle_payments()
        case "hear":
            checkout.hear(PaymentMethod.PAYPAL, order["headers"], order["body"].encode(), now=timezone.now())
        case "cancel":
            checkout.cancel_sub_order(sub_order, by=None, reason="Épuisé", refund=MoneyBack.ONLINE, now=timezone.now())
        case "refund":
            clock.send_refunds()


serve(work)
