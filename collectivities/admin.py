"""Who the shop works for, who may log in, and the shop itself."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import ManyToManyField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from collectivities.invitation import invite
from collectivities.models import Address, Bookshop, Collectivity, Terms, User


class AddressInline(admin.StackedInline):
    model = Address
    extra = 0
    fields = [("name", "street"), ("postcode", "city", "country"), ("is_pickup", "is_billing", "shipping_fee")]


class ShopAddressInline(AddressInline):
    fields = [("name", "street"), ("postcode", "city", "country"), ("is_pickup", "shipping_fee")]


class MemberForm(forms.ModelForm):
    """A member: no password is typed here, an invitation asks its owner for one."""

    class Meta:
        model = User
        fields = ["email", "first_name", "last_name", "phone", "is_active"]

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class MemberInline(admin.StackedInline):
    model = User
    form = MemberForm
    extra = 0
    can_delete = False  # an account that has ordered stays; untick « actif »
    verbose_name = gettext_lazy("membre")
    verbose_name_plural = gettext_lazy("membres")
    show_change_link = True
    fields = [("email", "phone"), ("first_name", "last_name"), "is_active"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        members = super().get_queryset(request)
        return members if request.user.is_superuser else members.filter(is_staff=False)


@admin.register(Collectivity)
class CollectivityAdmin(admin.ModelAdmin):
    list_display = ["name", "service", "customer_code", "phone", "email"]
    search_fields = ["name", "service", "customer_code", "email", "members__email", "members__last_name"]
    inlines = [AddressInline, MemberInline]

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """A member that is added here gets an account without a password, and the invitation to choose one."""
        super().save_formset(request, form, formset, change)
        for added in formset.new_objects:
            if isinstance(added, User):
                welcome(request, added)


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["email", "first_name", "last_name", "collectivity", "is_staff", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active"]
    list_select_related = ["collectivity"]
    search_fields = ["email", "first_name", "last_name", "collectivity__name"]
    form = MemberForm
    formfield_overrides = {ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}
    change_form_template = "admin/collectivities/user_change_form.html"
    readonly_fields = ["last_login", "date_joined"]

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only a superuser gives rights; nobody gives himself any."""
        who = [("email", "phone"), ("first_name", "last_name"), "collectivity", "is_active"]
        sets: list[Any] = [(None, {"fields": who})]
        if request.user.is_superuser:
            sets.append((_("Droits"), {"fields": ["is_staff", "is_superuser", "groups"]}))
        if obj is not None:
            sets.append((_("Dates"), {"fields": ["last_login", "date_joined"]}))
        return sets

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """A colleague's account is a superuser's business: who changes its e-mail address gets its next password."""
        if obj is not None and obj.is_staff and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """An account is shut (« actif » unticked): what it did keeps its name."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            welcome(request, obj)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.invite_view))
        return [path("<int:pk>/invite/", view, name="collectivities_user_invite"), *super().get_urls()]

    def invite_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """« Inviter » once more: the first link ran out, or the mail was lost."""
        user = get_object_or_404(User, pk=pk)
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        if user.is_active:
            invite(user)
            messages.success(request, _invited(user))
        else:
            messages.error(request, _("Ce compte n’est pas actif : il ne peut pas être invité."))
        return redirect("admin:collectivities_user_change", user.pk)


@admin.register(Bookshop)
class BookshopAdmin(admin.ModelAdmin):
    inlines = [ShopAddressInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Bookshop.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Bookshop | None = None) -> bool:
        return False


@admin.register(Terms)
class TermsAdmin(admin.ModelAdmin):
    """A version is published by saving it. Buyers accept that very text, so it is never edited nor deleted."""

    list_display = ["version", "published_at"]
    fields = ["version", "text"]

    def has_change_permission(self, request: HttpRequest, obj: Terms | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Terms | None = None) -> bool:
        return False


def welcome(request: HttpRequest, user: User) -> None:
    """Shut the password of an account just made, and invite its owner to choose one."""
    user.set_unusable_password()
    user.save(update_fields=["password"])
    invite(user)
    messages.success(request, _invited(user))


def _invited(user: User) -> str:
    return _("Une invitation à choisir un mot de passe part à %(email)s.") % {"email": user.email}
