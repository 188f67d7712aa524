"""The code lists of EDItEUR and of the French trade, as far as this shop uses them."""

from django.utils.translation import gettext_lazy as _

# List 65, ProductAvailability. What is not here is not sold (librarians' own lists change; a new code waits).
ON_SALE = {"20", "21", "22", "23"}
TO_APPEAR = {"10", "11", "12"}
WAITING = {"30", "31", "32", "33", "34"}
GONE = {
    "01": _("Cet ouvrage n’est plus publié."),
    "40": _("Cet ouvrage n’est plus disponible chez l’éditeur."),
    "41": _("Cet ouvrage est remplacé par une autre édition."),
    "43": _("Cet ouvrage n’est plus fourni par notre fournisseur."),
    "46": _("Cet ouvrage est retiré de la vente."),
    "49": _("Cet ouvrage est rappelé par l’éditeur."),
    "51": _("Cet ouvrage est épuisé."),
    "52": _("Cet ouvrage est en arrêt de commercialisation."),
}
NOT_SOLD = _("Cet ouvrage ne peut pas être commandé pour le moment.")

# List 150, ProductForm, and List 175, ProductFormDetail.
FORMS = {
    "BA": "Livre",
    "BB": "Relié",
    "BC": "Broché",
    "BD": "Feuillets mobiles",
    "BE": "Spirale",
    "BF": "Livret",
    "BG": "Cuir",
    "BH": "Tout carton",
    "BP": "Livre bain",
    "BZ": "Livre",
    "SA": "Coffret",
    "WX": "Lot",
}
POCKET_DETAILS = {"B101", "B104", "B113"}

# Scheme 29, CLIL: the themes of the trade that schools order from. The feed often carries the words itself.
CLIL = {
    "3443": "LITTÉRATURE GÉNÉRALE",
    "3444": "ROMANS",
    "3479": "POLICIERS",
    "3732": "LITTÉRATURE JEUNESSE",
    "3733": "ÉVEIL, PETITE ENFANCE",
    "3736": "ALBUMS",
    "3743": "FICTIONS ENFANTS",
    "3749": "PREMIÈRES LECTURES",
    "3750": "FICTIONS ADOLESCENTS",
    "3752": "DOCUMENTAIRES JEUNESSE",
    "3771": "BANDES DESSINÉES",
    "3435": "THÉÂTRE",
    "3451": "POÉSIE",
    "3611": "SCOLAIRE",
}

# Measurements in, millimetres and grams out.
TO_MM = {"mm": 1, "cm": 10, "m": 1000, "in": 25.4}
TO_GRAMS = {"gr": 1, "g": 1, "kg": 1000, "lb": 453.592, "oz": 28.3495}

# Standard VAT on printed books, in per cent, where a record does not say (law.md).
BOOK_VAT = {"BE": "6.00", "FR": "5.50", "LU": "3.00", "DE": "7.00", "NL": "9.00", "CH": "2.60"}
