"""The public site's addresses. Those of the specification (/order/grouped/…) are never changed: links are out there."""

from django.urls import include, path, re_path

from grouped_orders.views import site

urlpatterns = [
    path("", site.home, name="home"),
    path("cgv/", site.terms, name="terms"),
    # A version is free text, but PostgreSQL refuses to look for a NUL.
    re_path(r"^cgv/(?P<version>[^/\x00]+)/$", site.terms, name="terms_version"),
    path("order/grouped/", include("grouped_orders.urls.initiator")),
    path("order/grouped/suborder/", include("grouped_orders.urls.buyer")),
    path("", include("grouped_orders.urls.payments")),
]
