"""Where the providers send the payer back, and their messages."""

from django.urls import path

from grouped_orders.views import providers

app_name = "payments"

urlpatterns = [
    path("order/grouped/suborder/<slug:secret>/payment/<slug:payment_id>/return/", providers.returned, name="returned"),
    path(
        "order/grouped/suborder/<slug:secret>/payment/<slug:payment_id>/cancelled/",
        providers.abandoned,
        name="abandoned",
    ),
    path("payments/paypal/webhook", providers.paypal_webhook, name="paypal_webhook"),
    path("payments/card/webhook", providers.card_webhook, name="card_webhook"),
]
