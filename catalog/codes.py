"""The code lists of EDItEUR and of the French trade, as far as this shop uses them."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

# List 65, ProductAvailability, in a bookseller's words.
AVAILABILITY = [
    ("01", _("Annulé")),
    ("09", _("Reporté sans date")),
    ("10", _("À paraître")),
    ("11", _("À paraître, stock attendu")),
    ("12", _("À paraître, à la demande")),
    ("20", _("Disponible")),
    ("21", _("En stock")),
    ("22", _("Sur commande")),
    ("23", _("Imprimé à la demande")),
    ("30", _("Momentanément indisponible")),
    ("31", _("En rupture de stock")),
    ("32", _("En réimpression")),
    ("33", _("En attente de réédition")),
    ("34", _("Momentanément retiré de la vente")),
    ("40", _("Indisponible")),
    ("41", _("Remplacé par une autre édition")),
    ("42", _("Disponible sous une autre forme")),
    ("43", _("N’est plus fourni")),
    ("44", _("À commander chez l’éditeur")),
    ("45", _("Non vendu séparément")),
    ("46", _("Retiré de la vente")),
    ("47", _("Soldé")),
    ("48", _("Remplacé par l’impression à la demande")),
    ("49", _("Rappelé par l’éditeur")),
    ("50", _("Non vendu en lot")),
    ("51", _("Épuisé")),
    ("52", _("En arrêt de commercialisation")),
    ("97", _("Sans nouvelle récente")),
    ("98", _("Notice qui n’est plus tenue à jour")),
    ("99", _("À demander au fournisseur")),
]
# What can be ordered: it is there, or it comes back. What is in no set below is not sold: a new code waits.
ON_SALE = {"20", "21", "22", "23", "30", "31", "32", "33"}
TO_APPEAR = {"10", "11", "12"}
GONE = {
    "01": _("Cet ouvrage ne paraîtra pas."),
    "34": _("Cet ouvrage est momentanément retiré de la vente."),
    "40": _("Cet ouvrage n’est plus disponible chez l’éditeur."),
    "41": _("Cet ouvrage est remplacé par une autre édition."),
    "43": _("Cet ouvrage n’est plus fourni par notre fournisseur."),
    "46": _("Cet ouvrage est retiré de la vente."),
    "49": _("Cet ouvrage est rappelé par l’éditeur."),
    "51": _("Cet ouvrage est épuisé."),
    "52": _("Cet ouvrage est en arrêt de commercialisation."),
}
NOT_SOLD = _("Cet ouvrage ne peut pas être commandé pour le moment.")

# List 59, PriceQualifier: members, libraries, schools and companies have prices of their own.
FOR_ANYBODY = {"", "00", "02", "05", "08", "17"}

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
    "BI": "Livre tissu",
    "BJ": "Livre bain",
    "BN": "Fascicule",
    "BO": "Dépliant",
    "BP": "Livre mousse",
    "BZ": "Livre",
    "SA": "Lot",
    "SB": "Coffret",
    "SC": "Coffret",
}
# Nothing to hand over: files, licences, downloaded sound.
DIGITAL_FORMS = ("E", "L", "AJ", "AN", "AO")
POCKET_DETAILS = {"B101", "B104", "B113"}

# Scheme 29, CLIL: the few themes that real records prove; a feed often carries the words itself.
CLIL = {
    "3442": "ROMANS",
    "3443": "ROMANS FRANCOPHONES",
    "3444": "ROMANS ÉTRANGERS",
    "3622": "THÉÂTRE",
    "3633": "POÉSIE",
    "3750": "FICTIONS ADOLESCENTS",
    "3772": "BANDES DESSINÉES",
}
# Scheme 93, Thema: its great classes, and what a school looks for within them.
THEMA = {
    "A": "ARTS",
    "C": "LANGUES ET LINGUISTIQUE",
    "D": "BIOGRAPHIES ET LITTÉRATURE",
    "DC": "POÉSIE",
    "DD": "THÉÂTRE",
    "F": "FICTION",
    "FF": "POLICIERS",
    "G": "OUVRAGES DE RÉFÉRENCE",
    "J": "SOCIÉTÉ ET SCIENCES SOCIALES",
    "K": "ÉCONOMIE ET GESTION",
    "L": "DROIT",
    "M": "MÉDECINE",
    "N": "HISTOIRE",
    "P": "MATHÉMATIQUES ET SCIENCES",
    "Q": "PHILOSOPHIE ET RELIGION",
    "R": "SCIENCES DE LA TERRE, GÉOGRAPHIE",
    "S": "SPORTS",
    "T": "TECHNIQUES",
    "U": "INFORMATIQUE",
    "V": "SANTÉ ET DÉVELOPPEMENT PERSONNEL",
    "W": "VIE PRATIQUE ET LOISIRS",
    "X": "BANDES DESSINÉES",
    "Y": "JEUNESSE",
    "YF": "FICTIONS JEUNESSE",
    "YP": "SCOLAIRE",
}

# List 50: millimetres and grams out.
TO_MM = {"mm": Decimal(1), "cm": Decimal(10), "m": Decimal(1000), "in": Decimal("25.4")}
TO_GRAMS = {"gr": Decimal(1), "kg": Decimal(1000), "lb": Decimal("453.592"), "oz": Decimal("28.3495")}

# VAT on printed books, in per cent, where a record does not say (law.md).
BOOK_VAT = {"BE": "6.00", "FR": "5.50", "LU": "3.00", "DE": "7.00", "NL": "9.00", "CH": "2.60"}
# List 49, region ECZ.
EURO_ZONE = "AT BE BG CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK"
