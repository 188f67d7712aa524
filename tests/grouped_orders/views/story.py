"""What the buyer's tests say over and over: Louise, her addresses, her order."""

from django.urls import reverse

from grouped_orders.models import GroupedOrder, SubOrder

LOUISE = {"first_name": "Louise", "last_name": "Grandville", "email": "louise@free.example", "quantity": "2"}


def form_url(order: GroupedOrder) -> str:
    return reverse("buyer:register", args=[order.public_id])


def payment_url(sub_order: SubOrder) -> str:
    return reverse("buyer:payment", args=[sub_order.secret])


def own_url(sub_order: SubOrder) -> str:
    return reverse("buyer:sub_order", args=[sub_order.secret])
