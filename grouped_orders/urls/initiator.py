from django.urls import path

from grouped_orders.views import initiator

app_name = "initiator"

urlpatterns = [
    path("", initiator.orders, name="orders"),
    path("new/", initiator.search, name="search"),
    path("new/<slug:ean13>/", initiator.book, name="book"),
    path("new/<slug:ean13>/validate/", initiator.create, name="create"),
    path("<int:number>/", initiator.order, name="order"),
    path("<int:number>/created/", initiator.created, name="created"),
    path("<int:number>/deadline/", initiator.deadline, name="deadline"),
    path("<int:number>/pdf/", initiator.pdf, name="pdf"),
]
