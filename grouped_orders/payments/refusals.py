"""Why a provider would not give money back, for the bookseller: what it means, and what to do next.

The codes are PayPal's (OpenAPI of Payments v2, refund of a capture) and Stripe's (errors, and a refund's
`failure_reason`). In all of these nothing moved.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_BY_HAND = _(
    "Le prestataire ne peut plus rembourser ce paiement : "
    "rendez l’argent vous-même, puis notez-le « Remboursé à la main »."
)
_FUNDS = _("Le compte du prestataire n’a pas assez d’argent : approvisionnez-le, puis réessayez.")
_ALREADY = _(
    "Ce paiement est déjà entièrement remboursé chez le prestataire : vérifiez dans son espace avant toute chose."
)
_TOO_MUCH = _(
    "Le montant dépasse ce qui reste chez le prestataire : "
    "une partie y a déjà été remboursée. Vérifiez dans son espace."
)
_DISPUTED = _(
    "L’acheteur a contesté ce paiement : répondez au litige dans l’espace du prestataire, sans rembourser ici."
)
_CARD = _(
    "La carte de l’acheteur n’accepte pas le remboursement : "
    "rendez l’argent vous-même, puis notez-le « Remboursé à la main »."
)
_ACCOUNT = _("Le compte du prestataire ne permet pas ce remboursement : appelez le prestataire, puis réessayez.")
_UNKNOWN = _("Le prestataire a refusé : réessayez, ou rendez l’argent vous-même et notez-le « Remboursé à la main ».")

REFUSALS: dict[str, str | Promise] = {
    # PayPal
    "PENDING_CAPTURE": _(
        "Le paiement n’est pas encore définitif chez PayPal : attendez qu’il le soit, puis réessayez."
    ),
    "CAPTURE_FULLY_REFUNDED": _ALREADY,
    "REFUND_AMOUNT_EXCEEDED": _TOO_MUCH,
    "MAX_NUMBER_OF_REFUNDS_EXCEEDED": _BY_HAND,
    "REFUND_TIME_LIMIT_EXCEEDED": _(
        "Le délai de remboursement de PayPal (180 jours) est passé : rendez l’argent vous-même, puis notez-le "
        "« Remboursé à la main »."
    ),
    "REFUND_FAILED_INSUFFICIENT_FUNDS": _FUNDS,
    "REFUND_NOT_ALLOWED": _BY_HAND,
    "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK": _DISPUTED,
    "CAPTURE_DISPUTED_PARTIAL_REFUND_NOT_ALLOWED": _DISPUTED,
    "REFUND_FAILED_DUE_TO_REFUND_LIMIT": _ACCOUNT,
    "PERMISSION_DENIED": _ACCOUNT,
    "PAYER_ACCOUNT_RESTRICTED": _BY_HAND,
    "PAYEE_ACCOUNT_RESTRICTED": _ACCOUNT,
    "INVALID_RESOURCE_ID": _("PayPal ne connaît pas ce paiement : vérifiez dans son espace avant de rembourser."),
    # Stripe: the call was refused
    "charge_already_refunded": _ALREADY,
    "amount_too_large": _TOO_MUCH,
    "balance_insufficient": _FUNDS,
    "charge_disputed": _DISPUTED,
    "resource_missing": _("Le prestataire ne connaît pas ce paiement : vérifiez dans son espace avant de rembourser."),
    # Stripe: the refund was accepted, and failed later
    "insufficient_funds": _FUNDS,
    "lost_or_stolen_card": _CARD,
    "expired_or_canceled_card": _CARD,
    "declined": _CARD,
    "charge_for_pending_refund_disputed": _DISPUTED,
    "merchant_request": _(
        "Ce remboursement a été annulé dans l’espace du prestataire : réessayez s’il est encore à faire."
    ),
}


def refusal(code: str) -> str:
    """The sentence for a provider's code; a code of which nothing is known still says what can be done."""
    return str(REFUSALS.get(code, _UNKNOWN))
