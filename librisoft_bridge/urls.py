"""The doors for a LIBRISOFT that calls us. They open by pull only."""

from django.urls import path

from librisoft_bridge import pull

urlpatterns = [
    path("v1/orders/fetch", pull.fetch, name="librisoft_fetch"),
    path("v1/orders/<str:web_order_number>/acknowledgement", pull.acknowledge, name="librisoft_acknowledge"),
    path("v1/orders/<str:web_order_number>/refusal", pull.refuse, name="librisoft_refuse"),
    path("v1/statuses", pull.report, name="librisoft_report"),
]
