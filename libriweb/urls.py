from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth
from django.core.exceptions import SuspiciousFileOperation
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.views.static import serve

from collectivities import views as account


def cover(request: HttpRequest, path: str) -> FileResponse | HttpResponse:
    """The covers alone stand there. A web server before us may serve them itself; none has to."""
    try:
        return serve(request, path, document_root=settings.MEDIA_ROOT)
    except SuspiciousFileOperation as error:  # a path that climbs out is one that does not exist
        raise Http404 from error


# Django's names, which its admin knows too; the pages are templates/registration/.
account_pages = [
    path("connexion/", account.Login.as_view(), name="login"),
    path("deconnexion/", auth.LogoutView.as_view(), name="logout"),
    path("mot-de-passe/", account.PasswordChange.as_view(), name="password_change"),
    path("mot-de-passe/change/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("mot-de-passe/oublie/", account.PasswordReset.as_view(), name="password_reset"),
    path("mot-de-passe/oublie/envoye/", auth.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path("mot-de-passe/<uidb64>/<token>/", account.PasswordResetConfirm.as_view(), name="password_reset_confirm"),
    path("mot-de-passe/choisi/", auth.PasswordResetCompleteView.as_view(), name="password_reset_complete"),
]

urlpatterns = [
    path(settings.ADMIN_PATH, admin.site.urls),
    path("compte/", include(account_pages)),
    path(f"{settings.MEDIA_URL.strip('/')}/<path:path>", cover),
    path("librisoft/", include("librisoft_bridge.urls")),
    path("", include("grouped_orders.urls")),
]
