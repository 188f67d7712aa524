"""What the bookseller decides about a whole order. Each view: form, one verb, back to the order."""

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from grouped_orders import checkout, lifecycle, tasks
from grouped_orders.admin.asking import ask, bound, decide
from grouped_orders.forms.bookseller import LibrisoftByHandForm, ReasonForm
from grouped_orders.forms.buyer import BuyerForm
from grouped_orders.models import GroupedOrder, Mail, Payment
from grouped_orders.statuses import OrderStatus, PaymentMethod
from grouped_orders.templatetags.shop import euros
from librisoft_bridge import outbox, refreshing


@require_POST
def validate(request: HttpRequest, order: GroupedOrder) -> HttpResponse:
    """« Valider la commande groupée et envoyer vers LIBRISOFT »."""
    return decide(
        request,
        order,
        lambda now: lifecycle.validate(order, by=request.user, now=now),
        done=_("Cette commande groupée a été validée et envoyée vers LIBRISOFT."),
    )


def close(request: HttpRequest, order: GroupedOrder) -> HttpResponse:
    """« Mettre à disposition » : asked once more, because a mail leaves at once."""
    if request.method == "POST":
        return decide(
            request,
            order,
            lambda now: lifecycle.close(order, by=request.user, now=now),
            done=_("Commande clôturée : le mail de mise à disposition part à %(email)s.")
            % {"email": order.initiator.email},
        )
    if order.status != OrderStatus.AWAITING_PROCESSING:
        messages.error(request, _("Cette commande groupée n’est pas en attente de traitement."))
        return redirect("admin:grouped_orders_groupedorder_change", order.pk)
    return ask(
        request,
        order,
        "close.html",
        title=_("Clôture de la commande numéro %(number)s") % {"number": order.shop_order_id},
    )


def cancel(request: HttpRequest, order: GroupedOrder) -> HttpResponse:
    """Cancel the whole order: the page says how many buyers will be paid back, the verb does it."""
    form = bound(ReasonForm, request)
    if form.is_valid():
        return decide(
            request,
            order,
            lambda now: checkout.cancel_order(order, by=request.user, reason=form.cleaned_data["reason"], now=now),
            done=_("Commande groupée annulée."),
        )
    return ask(
        request,
        order,
        "decision.html",
        title=_("Annuler la commande groupée n° %(number)s") % {"number": order.pk},
        form=form,
        warnings=_what_cancelling_does(order),
        button=_("Annuler la commande groupée"),
        grave=True,
    )


def reopen(request: HttpRequest, order: GroupedOrder) -> HttpResponse:
    form = bound(ReasonForm, request)
    if form.is_valid():
        return decide(
            request,
            order,
            lambda now: lifecycle.reopen(order, by=request.user, reason=form.cleaned_data["reason"], now=now),
            done=_("Clôture reprise : la commande est de nouveau en attente de traitement."),
        )
    return ask(
        request,
        order,
        "decision.html",
        title=_("Reprendre la clôture de la commande groupée n° %(number)s") % {"number": order.pk},
        form=form,
        warnings=[_("Aucun mail n’est envoyé. L’initiateur a déjà reçu celui de mise à disposition : prévenez-le.")],
        button=_("Reprendre la clôture"),
    )


def note_librisoft(request: HttpRequest, order: GroupedOrder) -> HttpResponse:
    """LIBRISOFT's number and status by hand, where it cannot be reached or refuses."""
    if order.shop_order is None:
        messages.error(request, _("Cette commande groupée n’est pas encore validée."))
        return redirect("admin:grouped_orders_groupedorder_change", order.pk)
    form = bound(LibrisoftByHandForm, request, shop_order=order.shop_order)
    if form.is_valid():
        return decide(
            request,
            order,
            lambda now: lifecycle.note_librisoft_by_hand(order, by=request.user, now=now, **form.cleaned_data),
            done=_("Numéro et statut LIBRISOFT enregistrés."),
        )
    return ask(
        request,
        order,
        "decision.html",
        title=_("Numéro et statut LIBRISOFT de la commande groupée n° %(number)s") % {"number": order.pk},
        form=form,
        button=_("Enregistrer"),
    )


@require_POST
def refresh(request: HttpRequest, order: GroupedOrder) -> HttpResponse:
    """« Réactualiser le statut » : ask LIBRISOFT now instead of waiting for the clock."""
    if order.shop_order is None:
        messages.error(request, _("Cette commande groupée n’est pas encore validée."))
    else:
        answered, said = refreshing.refresh(order.shop_order, now=timezone.now())
        messages.add_message(request, messages.SUCCESS if answered else messages.WARNING, said)
    return redirect("admin:grouped_orders_groupedorder_change", order.pk)


@require_POST
def resend(request: HttpRequest, order: GroupedOrder) -> HttpResponse:
    """« Renvoyer » a hand-over that failed; the same classic order, so never a second one in LIBRISOFT."""
    if order.shop_order is not None and outbox.resend(order.shop_order, now=timezone.now()):
        messages.success(request, _("La commande repart vers LIBRISOFT."))
    else:
        messages.error(request, _("Cette commande n’est pas à renvoyer vers LIBRISOFT."))
    return redirect("admin:grouped_orders_groupedorder_change", order.pk)


@require_POST
def resend_mail(request: HttpRequest, order: GroupedOrder, mail_pk: int) -> HttpResponse:
    mails = Mail.objects.filter(Q(grouped_order=order) | Q(sub_order__grouped_order=order))
    mail = get_object_or_404(mails, pk=mail_pk)
    if tasks.resend(mail):
        messages.success(request, _("Le mail « %(subject)s » repart à %(to)s.") % _told(mail))
    else:
        messages.warning(request, _("Le mail « %(subject)s » est justement en train de partir à %(to)s.") % _told(mail))
    return redirect("admin:grouped_orders_groupedorder_change", order.pk)


def _told(mail: Mail) -> dict[str, str]:
    return {"subject": mail.subject, "to": mail.recipient}


def _what_cancelling_does(order: GroupedOrder) -> list[str]:
    """What the bookseller must know before: who is paid back, how, and what LIBRISOFT already has."""
    paid = order.sub_orders.recapitulation().paid
    found = [
        ngettext(
            "%(count)d sous-commande payée sera remboursée (%(amount)s).",
            "%(count)d sous-commandes payées seront remboursées (%(amount)s).",
            paid.sub_orders,
        )
        % {"count": paid.sub_orders, "amount": euros(paid.amount)}
        if paid.sub_orders
        else _("Aucune sous-commande n’est payée : il n’y a rien à rembourser.")
    ]
    by_hand = Payment.objects.received().filter(sub_order__grouped_order=order, method=PaymentMethod.BY_HAND).count()
    if by_hand:
        found.append(
            ngettext(
                "Dont %(count)d réglée à la librairie : vous la rembourserez vous-même.",
                "Dont %(count)d réglées à la librairie : vous les rembourserez vous-même.",
                by_hand,
            )
            % {"count": by_hand}
        )
    if order.shop_order is not None:
        found.append(_("Si LIBRISOFT a déjà cette commande, il faudra l’annuler aussi dans LIBRISOFT."))
    found.append(_("Les personnes concernées en sont prévenues par mail. Une annulation ne se reprend pas."))
    return found


def correct_buyer(request: HttpRequest, order: GroupedOrder, sub_order_pk: int) -> HttpResponse:
    """« Corriger » a buyer's name or e-mail address; a new address gets the link to the order."""
    sub_order = get_object_or_404(order.sub_orders, pk=sub_order_pk)
    form = bound(BuyerForm, request, initial={name: getattr(sub_order, name) for name in BuyerForm.base_fields})
    if form.is_valid():
        return decide(
            request,
            order,
            lambda now: lifecycle.correct_buyer(sub_order, **form.cleaned_data, by=request.user, now=now),
            done=_("Sous-commande n° %(number)s : coordonnées à jour.") % {"number": sub_order.pk},
        )
    return ask(
        request,
        order,
        "decision.html",
        title=_("Corriger les coordonnées de la sous-commande n° %(number)s") % {"number": sub_order.pk},
        form=form,
        button=_("Enregistrer"),
    )
