from django.urls import path

from grouped_orders.views import buyer

app_name = "buyer"

urlpatterns = [
    path("registration/<str:public_id>", buyer.register, name="register"),
    path("<str:secret>/", buyer.sub_order, name="sub_order"),
    path("<str:secret>/payment/", buyer.payment, name="payment"),
    path("<str:secret>/verify/", buyer.verify, name="verify"),
]
