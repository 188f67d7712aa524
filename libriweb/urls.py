from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from collectivities import views as account

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
    path("", include("grouped_orders.urls")),
]
