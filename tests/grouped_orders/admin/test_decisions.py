import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from collectivities.models import User
from grouped_orders.models import GroupedOrder, JournalEntry, Mail, Refund
from grouped_orders.statuses import MailState, OrderStatus, SubOrderStatus
from librisoft_bridge import transmission
from librisoft_bridge.models import ShopOrder, Transmission
from tests.factories import GroupedOrderFactory, SubOrderFactory
from tests.grouped_orders.admin.story import in_days, order_in, paid
from tests.pages import Page, words
from tests.simulation_librisoft import LibrisoftSimulator

pytestmark = pytest.mark.django_db


def url(order: GroupedOrder, action: str) -> str:
    return f"/admin/grouped_orders/groupedorder/{order.pk}/{action}/"


def post(client: Client, order: GroupedOrder, action: str, **typed: str) -> list[str]:
    """Press the button; what the order's page, to which one comes back, says above all else."""
    answer = client.post(url(order, action), typed, follow=True)
    assert answer.redirect_chain == [(url(order, "change"), 302)]
    return [words(line) for line in Page(answer).tree.xpath("//ul[@class='messagelist']/li")]


def status(order: GroupedOrder) -> str:
    return GroupedOrder.objects.values_list("status", flat=True).get(pk=order.pk)


def last_entry(order: GroupedOrder) -> tuple[str, str, User | None]:
    entry = JournalEntry.objects.filter(grouped_order=order).latest("pk")
    return entry.what, entry.reason, entry.actor


# « Valider la commande groupée et envoyer vers LIBRISOFT » -------------------------------------


def test_validate_hands_the_order_over_once(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)

    said = [post(client, order, "validate") for _twice in range(2)]

    shop_order = ShopOrder.objects.get()
    assert said == [
        ["Cette commande groupée a été validée et envoyée vers LIBRISOFT."],
        ["Cette commande groupée a déjà été validée ou annulée."],
    ]
    assert (status(order), shop_order.group_order_number) == (OrderStatus.AWAITING_PROCESSING, order.pk)
    assert last_entry(order) == (
        f"Commande validée et envoyée vers LIBRISOFT (commande classique n° {shop_order.pk})",
        "",
        bookseller,
    )
    assert LogEntry.objects.filter(user=bookseller, object_id=order.pk).count() == 1


def test_validate_is_refused_before_the_deadline(client: Client, bookseller: User) -> None:
    order = GroupedOrderFactory(deadline=in_days(0))
    paid(order)

    (said,) = post(client, order, "validate")

    assert said.endswith("n’est pas encore passée. Vous pourrez valider cette commande groupée dans 1 jour.")
    assert (status(order), ShopOrder.objects.count()) == (OrderStatus.OPEN, 0)


def test_validate_is_refused_while_a_payment_is_awaited(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)
    SubOrderFactory(grouped_order=order)

    assert post(client, order, "validate") == [
        "Des paiements sont en attente de traitement. Veuillez les valider ou les annuler dans la liste ci-dessous."
    ]
    assert (status(order), ShopOrder.objects.count()) == (OrderStatus.OPEN, 0)


# « Mettre à disposition » ----------------------------------------------------------------------


def test_close_asks_in_the_words_of_the_specification(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)

    page = Page(client.get(url(order, "close")))

    assert words(page.tree.find(".//h1")) == f"Clôture de la commande numéro {order.shop_order_id}"
    assert (
        "Confirmez l’envoi du mail de mise à disposition en cliquant sur le bouton de confirmation ci-dessous"
        in page.main
    )
    assert words(page.tree.xpath("//main//button")[0]) == "Envoyer le mail et clôturer la commande"
    assert page.links()["Retourner à la liste des commandes en attente de traitement"] == (
        "/admin/grouped_orders/groupedorder/?status=AWAITING_PROCESSING"
    )
    assert status(order) == OrderStatus.AWAITING_PROCESSING


def test_close_sends_the_mail_once(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)

    said = [post(client, order, "close") for _twice in range(2)]

    assert said[0] == [f"Commande clôturée : le mail de mise à disposition part à {order.initiator.email}."]
    assert said[1] == ["Cette commande groupée est « Clôturée » : mise à disposition impossible."]
    assert status(order) == OrderStatus.CLOSED
    assert Mail.objects.filter(kind="order_available", recipient=order.initiator.email).count() == 1


def test_close_is_not_asked_of_an_open_order(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)

    answer = client.get(url(order, "close"), follow=True)

    assert answer.redirect_chain == [(url(order, "change"), 302)]
    assert "Cette commande groupée n’est pas en attente de traitement." in Page(answer).main
    assert post(client, order, "close") == [
        "Cette commande groupée est « En attente de validation » : mise à disposition impossible."
    ]
    assert status(order) == OrderStatus.OPEN


def test_reopen_takes_a_closing_back_with_its_reason(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.CLOSED)

    said = post(client, order, "reopen", reason="Clôturée par erreur")

    assert said == ["Clôture reprise : la commande est de nouveau en attente de traitement."]
    assert status(order) == OrderStatus.AWAITING_PROCESSING
    assert last_entry(order) == ("Clôture reprise", "Clôturée par erreur", bookseller)


# Cancelling ------------------------------------------------------------------------------------


def test_cancel_says_first_what_it_does(client: Client, bookseller: User) -> None:
    order = GroupedOrderFactory(deadline=in_days(1))
    paid(order)
    paid(order, quantity=2)

    page = Page(client.get(url(order, "cancel")))

    assert [words(line) for line in page.tree.xpath("//ul[contains(@class,'notice')]/li")] == [
        "2 sous-commandes payées seront remboursées (19,20 €).",
        "Dont 2 réglées à la librairie : vous les rembourserez vous-même.",
        "Les personnes concernées en sont prévenues par mail. Une annulation ne se reprend pas.",
    ]
    assert (status(order), Refund.objects.count()) == (OrderStatus.OPEN, 0)


@pytest.mark.parametrize("was", [OrderStatus.OPEN, OrderStatus.AWAITING_PROCESSING])
def test_cancel_cancels_everything_and_asks_the_money_back(client: Client, bookseller: User, was: OrderStatus) -> None:
    order = order_in(was)

    said = [post(client, order, "cancel", reason="Un autre titre") for _twice in range(2)]

    assert said[0] == ["Commande groupée annulée."]
    assert said[1] == ["Cette commande groupée est « Annulée » : annulation impossible."]
    assert status(order) == OrderStatus.CANCELLED
    assert list(order.sub_orders.values_list("status", flat=True)) == [SubOrderStatus.CANCELLED]
    assert [(str(refund.amount), refund.reason) for refund in Refund.objects.all()] == [("6.40", "Un autre titre")]


def test_cancel_is_refused_once_closed(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.CLOSED)

    assert post(client, order, "cancel", reason="Trop tard") == [
        "Cette commande groupée est « Clôturée » : annulation impossible."
    ]
    assert (status(order), Refund.objects.count()) == (OrderStatus.CLOSED, 0)


@pytest.mark.parametrize(
    ("action", "was"),
    [
        ("cancel", OrderStatus.OPEN),
        ("reopen", OrderStatus.CLOSED),
        ("librisoft/by-hand", OrderStatus.AWAITING_PROCESSING),
    ],
)
def test_decision_without_its_reason_is_asked_again(
    client: Client, bookseller: User, action: str, was: OrderStatus
) -> None:
    order = order_in(was)
    journal = JournalEntry.objects.count()

    page = Page(client.post(url(order, action), {"reason": "   ", "number": "6767"}))

    assert (page.status, page.title[:8]) == (422, "Erreur :")
    assert [words(error) for error in page.tree.xpath("//ul[@id='id_reason_error']/li")] == [
        "Ce champ est obligatoire."
    ]
    (reason,) = page.tree.xpath("//textarea[@name='reason']")
    assert (reason.get("aria-invalid"), reason.get("aria-describedby")) == (
        "true",
        "id_reason_helptext id_reason_error",
    )
    assert (status(order), JournalEntry.objects.count()) == (was, journal)


# LIBRISOFT -------------------------------------------------------------------------------------


def test_number_and_status_are_noted_by_hand(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)

    said = post(
        client, order, "librisoft/by-hand", number="6767", status_label="Préparation commande", reason="Saisie au poste"
    )

    shop_order = ShopOrder.objects.get()
    assert said == ["Numéro et statut LIBRISOFT enregistrés."]
    assert (shop_order.librisoft_number, shop_order.status_label) == ("6767", "Préparation commande")
    assert last_entry(order) == (
        "Saisi à la main : LIBRISOFT n° 6767, statut « Préparation commande »",
        "Saisie au poste",
        bookseller,
    )


def test_noting_by_hand_wants_the_number_or_the_status(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)

    page = Page(client.post(url(order, "librisoft/by-hand"), {"reason": "Rien"}))

    assert (page.status, "Saisissez le numéro, le statut ou les deux." in page.main) == (422, True)
    assert ShopOrder.objects.get().set_by_hand_at is None


def test_noting_by_hand_leaves_what_is_left_empty(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)
    ShopOrder.objects.update(remote_code="RECEIVED", remote_label="Réceptionnée")

    asked = Page(client.get(url(order, "librisoft/by-hand")))
    post(client, order, "librisoft/by-hand", number="6767", reason="Reçu par téléphone")

    assert {name: typed.strip() for name, typed in asked.fields().items()} == {
        "number": "",
        "status_label": "",
        "reason": "",
    }
    assert "Actuellement : Réceptionnée. Vide : ne change pas." in asked.main
    assert ShopOrder.objects.values_list("librisoft_number", "remote_code", "remote_label").get() == (
        "6767",
        "RECEIVED",
        "Réceptionnée",
    )


def test_noting_by_hand_is_refused_before_validation(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)

    assert post(client, order, "librisoft/by-hand", number="6767", reason="Trop tôt") == [
        "Cette commande groupée n’est pas encore validée."
    ]


def test_refresh_reads_the_status(client: Client, bookseller: User, librisoft_simulator: LibrisoftSimulator) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)
    assert order.shop_order is not None
    sent = transmission.transmit(order.shop_order, now=timezone.now())
    librisoft_simulator.set_status(sent.librisoft_number, "RECEIVED")

    said = post(client, order, "librisoft/refresh")

    assert said == ["Statut LIBRISOFT réactualisé : Réceptionnée."]
    assert ShopOrder.objects.get().remote_code == "RECEIVED"


def test_refresh_says_when_librisoft_does_not_answer(
    client: Client, bookseller: User, librisoft_simulator: LibrisoftSimulator
) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)
    librisoft_simulator.fault("status", status=503, times=9)

    assert post(client, order, "librisoft/refresh") == ["Statut inchangé : LIBRISOFT n’est pas disponible (HTTP 503)."]


def test_resend_sends_a_refused_order_once_more(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)
    ShopOrder.objects.update(transmission=Transmission.REFUSED, error="EAN inconnu", attempts=3)

    said = [post(client, order, "librisoft/resend") for _twice in range(2)]

    assert said == [
        ["La commande repart vers LIBRISOFT."],
        ["Cette commande n’est pas à renvoyer vers LIBRISOFT."],
    ]
    assert ShopOrder.objects.values_list("transmission", "attempts", "error").get() == (Transmission.WAITING, 0, "")


def test_resend_is_refused_before_validation(client: Client, bookseller: User) -> None:
    assert post(client, order_in(OrderStatus.OPEN), "librisoft/resend") == [
        "Cette commande n’est pas à renvoyer vers LIBRISOFT."
    ]


# Mails -----------------------------------------------------------------------------------------


def test_mail_is_sent_again(client: Client, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)
    mail = Mail.objects.get(sub_order__grouped_order=order)
    Mail.objects.update(state=MailState.FAILED, error="Boîte pleine", attempts=5)

    said = post(client, order, f"mails/{mail.pk}/resend")

    subject = mail.subject.replace("\u00a0", " ")
    assert said == [f"Le mail « {subject} » repart à {mail.recipient}."]
    assert Mail.objects.values_list("state", "attempts", "error").get() == (MailState.WAITING, 0, "")


def test_mail_of_another_order_is_not_found(client: Client, bookseller: User) -> None:
    order, other = order_in(OrderStatus.OPEN), order_in(OrderStatus.OPEN)
    mail = Mail.objects.get(sub_order__grouped_order=other)

    assert client.post(url(order, f"mails/{mail.pk}/resend")).status_code == 404


# Who may ---------------------------------------------------------------------------------------

ACTIONS = [
    *("validate", "cancel", "close", "reopen", "librisoft/by-hand", "librisoft/refresh", "librisoft/resend"),
    *("sub-orders/1/pay", "sub-orders/1/cancel", "sub-orders/1/check", "refunds/1/done", "mails/1/resend"),
]


@pytest.mark.parametrize("action", ACTIONS)
def test_decision_is_refused_to_whoever_may_only_look(client: Client, trainee: User, action: str) -> None:
    order = order_in(OrderStatus.OPEN)

    assert client.post(url(order, action), {"reason": "Essai"}).status_code == 403
    assert client.get(url(order, action)).status_code == 403
    assert status(order) == OrderStatus.OPEN


@pytest.mark.parametrize("action", [*ACTIONS, "change", "list.pdf"])
def test_page_sends_an_initiator_to_the_login(client: Client, action: str) -> None:
    order = order_in(OrderStatus.OPEN)
    client.force_login(order.initiator)

    answer = client.post(url(order, action), {"reason": "Essai"})

    assert (answer.status_code, answer.url) == (302, f"/admin/login/?next={url(order, action)}")
    assert status(order) == OrderStatus.OPEN


@pytest.mark.parametrize("action", ["change", "list.pdf", ""])
def test_page_is_refused_to_staff_without_the_right(client: Client, action: str, bookseller: User) -> None:
    order = order_in(OrderStatus.OPEN)
    bookseller.user_permissions.clear()
    page = url(order, action) if action else "/admin/grouped_orders/groupedorder/?status=OPEN"

    assert client.get(page).status_code == 403


@pytest.mark.parametrize(
    "action",
    ["validate", "librisoft/refresh", "librisoft/resend", "sub-orders/1/check", "mails/1/resend"],
)
def test_looking_changes_nothing(client: Client, bookseller: User, action: str) -> None:
    assert client.get(url(order_in(OrderStatus.OPEN), action)).status_code == 405


@pytest.mark.parametrize("action", ["validate", "cancel"])
def test_decision_wants_its_csrf_token(bookseller: User, action: str) -> None:
    order = order_in(OrderStatus.OPEN)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(bookseller)

    assert strict.post(url(order, action), {"reason": "Essai"}).status_code == 403
    assert status(order) == OrderStatus.OPEN
