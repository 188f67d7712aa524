"""The words for where things stand, and the moves that are allowed, as tables."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class OrderStatus(TextChoices):
    """Where a group order stands. The labels are those of the bookseller's tabs.

    « Commande ouverte » and « En attente de validation » are both OPEN: the clock tells them apart.
    """

    OPEN = "OPEN", _("En attente de validation")
    AWAITING_PROCESSING = "AWAITING_PROCESSING", _("En attente de traitement")
    CLOSED = "CLOSED", _("Clôturée")
    CANCELLED = "CANCELLED", _("Annulée")


class OrderMove(TextChoices):
    VALIDATE = "VALIDATE", _("validation")
    CLOSE = "CLOSE", _("mise à disposition")
    REOPEN = "REOPEN", _("réouverture")
    CANCEL = "CANCEL", _("annulation")


ORDER_MOVES: dict[OrderMove, dict[OrderStatus, OrderStatus]] = {
    OrderMove.VALIDATE: {OrderStatus.OPEN: OrderStatus.AWAITING_PROCESSING},
    OrderMove.CLOSE: {OrderStatus.AWAITING_PROCESSING: OrderStatus.CLOSED},
    OrderMove.REOPEN: {OrderStatus.CLOSED: OrderStatus.AWAITING_PROCESSING},
    OrderMove.CANCEL: {
        OrderStatus.OPEN: OrderStatus.CANCELLED,
        OrderStatus.AWAITING_PROCESSING: OrderStatus.CANCELLED,
    },
}


class SubOrderStatus(TextChoices):
    PENDING = "PENDING", _("En attente de paiement")
    PAID = "PAID", _("Payée")
    CANCELLED = "CANCELLED", _("Annulée")


class SubOrderMove(TextChoices):
    PAY = "PAY", _("paiement")
    CANCEL = "CANCEL", _("annulation")


SUB_ORDER_MOVES: dict[SubOrderMove, dict[SubOrderStatus, SubOrderStatus]] = {
    SubOrderMove.PAY: {SubOrderStatus.PENDING: SubOrderStatus.PAID},
    SubOrderMove.CANCEL: {
        SubOrderStatus.PENDING: SubOrderStatus.CANCELLED,
        SubOrderStatus.PAID: SubOrderStatus.CANCELLED,
    },
}


class PickupMode(TextChoices):
    """Where the books are made available. The values are those of the LIBRISOFT contract."""

    BOOKSHOP = "BOOKSHOP", _("En librairie")
    COLLECTIVITY = "COLLECTIVITY", _("Dans les locaux de la collectivité")


class PaymentMethod(TextChoices):
    """How a payment was made. The values are those of the LIBRISOFT contract."""

    PAYPAL = "PAYPAL", _("PayPal")
    CARD = "CARD", _("Paiement en ligne")
    BY_HAND = "BY_HAND", _("Réglé à la librairie")


class HandMethod(TextChoices):
    """How the bookseller was paid when he validates a sub-order himself."""

    SHOP = "SHOP", _("Réglé en librairie (ticket)")
    CHEQUE = "CHEQUE", _("Chèque")
    TRANSFER = "TRANSFER", _("Virement")
    ONLINE = "ONLINE", _("Paiement en ligne constaté")
    OTHER = "OTHER", _("Autre")


class PaymentState(TextChoices):
    """Where one attempt to pay stands. Money wins: any state may become CAPTURED when the provider shows a capture."""

    CREATED = "CREATED", _("En préparation")
    REDIRECTED = "REDIRECTED", _("Chez le prestataire")
    CAPTURING = "CAPTURING", _("Vérification en cours")
    PENDING = "PENDING", _("En attente chez le prestataire")
    CAPTURED = "CAPTURED", _("Encaissé")
    FAILED = "FAILED", _("Refusé")
    ABANDONED = "ABANDONED", _("Abandonné par le payeur")
    EXPIRED = "EXPIRED", _("Expiré")
    SUPERSEDED = "SUPERSEDED", _("Remplacé, non débité")


# Money moved, is moving, or may have moved: one at most for a sub-order.
HOLDING_STATES = (PaymentState.CAPTURING, PaymentState.PENDING, PaymentState.CAPTURED)
# The payer may still be at the provider's page.
OPEN_STATES = (PaymentState.CREATED, PaymentState.REDIRECTED)


class CaptureStatus(TextChoices):
    """The provider's own words for one movement of money."""

    COMPLETED = "COMPLETED", _("Encaissé")
    PENDING = "PENDING", _("En attente")
    DECLINED = "DECLINED", _("Refusé")
    FAILED = "FAILED", _("Échoué")


class RefundState(TextChoices):
    REQUESTED = "REQUESTED", _("Demandé")
    PENDING = "PENDING", _("En cours chez le prestataire")
    DONE = "DONE", _("Remboursé")
    FAILED = "FAILED", _("Échoué")


class RefundSource(TextChoices):
    """By which way money goes back. Only what went by a provider is in that provider's own ledger."""

    ONLINE = "ONLINE", _("En ligne")
    BY_HAND = "BY_HAND", _("À la main")
    EXTERNAL = "EXTERNAL", _("Chez le prestataire")


class MoneyBack(TextChoices):
    """What becomes of the money received for a sub-order that is cancelled: chosen, never guessed."""

    ONLINE = "ONLINE", _("Rembourser en ligne")
    BY_HAND = "BY_HAND", _("Remboursé à la main")
    NOTHING = "NOTHING", _("Ne rien rembourser")


class MailState(TextChoices):
    WAITING = "WAITING", _("À envoyer")
    SENDING = "SENDING", _("Envoi en cours")
    SENT = "SENT", _("Envoyé")
    FAILED = "FAILED", _("Échec")
