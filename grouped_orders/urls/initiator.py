from django.urls import path

from grouped_orders.views import initiator

app_name = "initiator"

urlpatterns = [
    path("", initiator.orders, name="orders"),
]
