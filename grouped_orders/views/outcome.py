"""Which truth about the money one's own page tells: never a failure while the money may have moved."""

from datetime import datetime
from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from grouped_orders.models import Payment, SubOrder
from grouped_orders.statuses import OPEN_STATES, PaymentState, SubOrderStatus


class Outcome(StrEnum):
    PAID = "paid"
    CANCELLED = "cancelled"
    CHECKING = "checking"  # the provider has not told us yet
    HELD = "held"  # the provider is looking at it, for days perhaps
    GIVEN_BACK = "given back"  # received, and cannot count
    UNEXPECTED = "unexpected"  # received, and not as it was asked: the bookseller looks at it
    UNDERWAY = "underway"  # the payer may still be at the provider's page
    REFUSED = "refused"
    UNREACHED = "unreached"  # the provider's page never came
    ABANDONED = "abandoned"
    EXPIRED = "expired"
    NOT_TAKEN = "not taken"  # approved by the payer, and left alone by us
    UNPAID = "unpaid"


# Money moved or may have moved: nobody is asked to pay again.
WAITING = (Outcome.CHECKING, Outcome.HELD, Outcome.UNEXPECTED)

# The providers' words for a refusal, where a payer can do something about it.
_REFUSALS = {
    "expired_card": _("La carte est expirée."),
    "incorrect_cvc": _("Le code de sécurité de la carte est faux."),
    "incorrect_number": _("Le numéro de la carte est faux."),
    "insufficient_funds": _("Le compte n’est pas assez approvisionné."),
    "authentication_required": _("Votre banque demande que vous confirmiez le paiement."),
    "payment_intent_authentication_failure": _("Votre banque n’a pas pu vérifier que c’est bien vous."),
    "card_declined": _("Votre banque a refusé la carte."),
    "INSTRUMENT_DECLINED": _("PayPal ou votre banque a refusé la carte ou le compte choisi."),
    "PAYER_ACTION_REQUIRED": _("PayPal demande que vous confirmiez le paiement sur sa page."),
    "PAYER_CANNOT_PAY": _("PayPal ne permet pas à votre compte de faire ce paiement."),
    "PAYER_ACCOUNT_RESTRICTED": _("PayPal ne permet pas à votre compte de faire ce paiement."),
    "TRANSACTION_REFUSED": _("PayPal a refusé ce paiement."),
}


def outcome_of(sub_order: SubOrder, *, is_back: bool) -> tuple[Outcome, Payment | None]:
    """What to say, and the attempt it is about. `is_back`: the payer has just come back from the provider's page.

    Money that moved or may have moved comes before the latest attempt, however old it is.
    """
    attempts = list(sub_order.payments.all())
    latest = attempts[0] if attempts else None
    if sub_order.status == SubOrderStatus.PAID:
        return Outcome.PAID, next((a for a in attempts if a.state == PaymentState.CAPTURED and not a.set_aside), latest)
    if sub_order.status == SubOrderStatus.CANCELLED:
        return Outcome.CANCELLED, latest
    for attempt in attempts:
        match attempt.state:
            case PaymentState.CAPTURING:
                return Outcome.CHECKING, attempt
            case PaymentState.PENDING:
                return Outcome.HELD, attempt
            case PaymentState.CAPTURED if any(capture.refundable > 0 for capture in attempt.captures.all()):
                return Outcome.UNEXPECTED, attempt
            case PaymentState.SUPERSEDED if attempt.next_check_at and latest.state not in OPEN_STATES:
                # Until the provider confirms that its page is shut, it may have been paid.
                return Outcome.CHECKING, attempt
    return (_outcome_of_attempt(latest, is_back=is_back) if latest else Outcome.UNPAID), latest


def _outcome_of_attempt(attempt: Payment, *, is_back: bool) -> Outcome:
    match attempt.state:
        case state if state in OPEN_STATES and attempt.reason:
            return Outcome.REFUSED
        case state if state in OPEN_STATES:
            return Outcome.CHECKING if is_back else Outcome.UNDERWAY
        case PaymentState.FAILED:
            return Outcome.REFUSED if attempt.provider_ref else Outcome.UNREACHED
        case PaymentState.ABANDONED:
            return Outcome.ABANDONED
        case PaymentState.CAPTURED:
            return Outcome.GIVEN_BACK
        case PaymentState.SUPERSEDED:
            return Outcome.NOT_TAKEN
        case _expired:
            return Outcome.EXPIRED


def is_in_doubt(sub_order: SubOrder) -> bool:
    """A payment was begun, and nobody knows what became of it: when the order is given up, what comes goes back."""
    unknown = (*OPEN_STATES, PaymentState.CAPTURING, PaymentState.PENDING)
    return any(
        attempt.state in unknown or (attempt.state == PaymentState.SUPERSEDED and attempt.next_check_at is not None)
        for attempt in sub_order.payments.all()
    )


def refusal_of(attempt: Payment) -> str:
    """Why the provider said no, for the payer to read; empty when it says nothing he could use."""
    return str(_REFUSALS.get(attempt.reason, ""))


def may_pay(sub_order: SubOrder, outcome: Outcome, now: datetime) -> bool:
    """Whether the page offers to pay. `checkout.start` judges again, under its locks."""
    return (
        sub_order.status == SubOrderStatus.PENDING
        and outcome not in WAITING
        and sub_order.grouped_order.takes_sub_orders(now)
    )
