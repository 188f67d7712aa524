"""The public site's addresses. Those of the specification (/order/grouped/…) are never changed: links are out there."""

from django.urls import include, path

from grouped_orders.views import site

urlpatterns = [
    path("", site.home, name="home"),
    path("cgv/", site.terms, name="terms"),
    path("cgv/<str:version>/", site.terms, name="terms_version"),
    path("order/grouped/", include("grouped_orders.urls.initiator")),
    path("order/grouped/suborder/", include("grouped_orders.urls.buyer")),
    path("", include("grouped_orders.urls.payments")),
]
