from django.urls import path

from grouped_orders.views import buyer

app_name = "buyer"

urlpatterns = [
    path("registration/<str:public_id>", buyer.register, name="register"),
    path("<slug:secret>/", buyer.sub_order, name="sub_order"),
    path("<slug:secret>/payment/", buyer.payment, name="payment"),
    path("<slug:secret>/receipt.pdf", buyer.receipt, name="receipt"),
    path("<slug:secret>/correct/", buyer.correct, name="correct"),
    path("<slug:secret>/withdraw/", buyer.withdraw, name="withdraw"),
    path("<slug:secret>/verify/", buyer.verify, name="verify"),
]
