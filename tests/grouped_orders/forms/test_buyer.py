"""What a buyer types, and what is said of it: how to mend it, in French."""

import pytest
from django.http import QueryDict

from collectivities.models import Terms
from grouped_orders.forms.buyer import PaymentForm, RegistrationForm
from grouped_orders.statuses import PaymentMethod

RIGHT = {"first_name": "Louise", "last_name": "Grandville", "email": "louise@free.example", "quantity": "2"}
BOTH = [PaymentMethod.PAYPAL, PaymentMethod.CARD]

ONE_LINE = "Écrivez ce nom sur une seule ligne, avec des lettres, des espaces, des tirets ou des apostrophes."
TOO_LONG = "Ce nom est trop long\u00a0: 60 caractères au plus. Abrégez-le."
INCOMPLETE = "Cette adresse e-mail n’est pas complète\u00a0: vérifiez-la, par exemple prenom.nom@exemple.be."
LONG_EMAIL = "Cette adresse e-mail est trop longue\u00a0: 254 caractères au plus."
WHOLE = "Écrivez un nombre entier d’exemplaires, par exemple 2."
TICK = "Pour commander, cochez la case\u00a0: les Conditions générales de vente s’appliquent."
AT_LEAST = "Commandez au moins 1 exemplaire."
AT_MOST = "Commandez au plus 999 exemplaires\u00a0; pour davantage, écrivez à la librairie."


def register(**typed: str) -> RegistrationForm:
    return RegistrationForm(RIGHT | typed)


def pay(typed: str, terms: Terms | None = None, methods: list[PaymentMethod] = BOTH) -> PaymentForm:
    return PaymentForm(QueryDict(typed), methods=methods, terms=terms)


def test_registration_takes_what_is_right() -> None:
    form = register()
    assert form.errors == {}
    assert form.cleaned_data == RIGHT | {"quantity": 2}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("  Jean   Luc ", "Jean Luc"),
        ("Zoé-Ève d’Œuf", "Zoé-Ève d’Œuf"),
        ("O'Neil\u00a0Šťastný", "O'Neil Šťastný"),
        ("李小龍", "李小龍"),
        ("X" * 60, "X" * 60),
        ("<b>Bobby</b>", "<b>Bobby</b>"),
    ],
)
def test_name_is_kept_as_people_write_it(name: str, written: str) -> None:
    form = register(first_name=name)
    assert form.errors == {}
    assert form.cleaned_data["first_name"] == written


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Écrivez votre prénom."),
        ("   ", "Écrivez votre prénom."),
        ("\u2003\u00a0", "Écrivez votre prénom."),
        ("-", "Écrivez votre prénom."),
        ("X" * 61, TOO_LONG),
        ("X" * 300, TOO_LONG),
        ("Louise\nBcc: x@y.example", ONE_LINE),
        ("Louise\r\n", ONE_LINE),
        ("Lou\u2028ise", ONE_LINE),
        ("Lou\u2029ise", ONE_LINE),
        ("Lou\tise", ONE_LINE),
        ("Lou\u200bise", ONE_LINE),
        ("Lou\u202eise", ONE_LINE),
        ("Lou\x00ise", ONE_LINE),
        ("Lou\x85ise", ONE_LINE),
        ("Lou\ud800ise", ONE_LINE),
    ],
)
def test_name_refused_says_how_to_mend_it(name: str, says: str) -> None:
    assert register(first_name=name).errors == {"first_name": [says]}


def test_each_name_is_asked_for_by_its_own_word() -> None:
    assert register(first_name="", last_name="").errors == {
        "first_name": ["Écrivez votre prénom."],
        "last_name": ["Écrivez votre nom."],
    }


@pytest.mark.parametrize(
    ("email", "says"),
    [
        ("", ["Écrivez votre adresse e-mail\u00a0: votre confirmation y est envoyée."]),
        ("louise", [INCOMPLETE]),
        ("louise@", [INCOMPLETE]),
        ("@free.example", [INCOMPLETE]),
        ("louise@free", [INCOMPLETE]),
        ("lou ise@free.example", [INCOMPLETE]),
        ("louise@free.example, noe@free.example", [INCOMPLETE]),
        ("louise@free.example\nBcc: x@y.example", [INCOMPLETE]),
        ("louise\x00@free.example", [INCOMPLETE]),
        ("a" * 300, [INCOMPLETE]),
        ("a" * 243 + "@free.example", [LONG_EMAIL]),
    ],
)
def test_email_refused_says_how_to_mend_it(email: str, says: list[str]) -> None:
    assert register(email=email).errors == {"email": says}


@pytest.mark.parametrize(("typed", "quantity"), [("1", 1), (" 3 ", 3), ("999", 999), ("2.0", 2)])
def test_quantity_is_a_whole_number(typed: str, quantity: int) -> None:
    assert register(quantity=typed).is_valid()
    assert register(quantity=typed).fields["quantity"].clean(typed) == quantity


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Écrivez le nombre d’exemplaires, par exemple 1."),
        ("0", AT_LEAST),
        ("-1", AT_LEAST),
        ("1.5", WHOLE),
        ("1,5", WHOLE),
        ("deux", WHOLE),
        ("1e3", WHOLE),
        ("²", WHOLE),
        ("\x00", WHOLE),
        ("9" * 5000, WHOLE),
        ("1000", AT_MOST),
        ("10000", AT_MOST),
        ("10 000", WHOLE),
    ],
)
def test_quantity_refused_says_how_to_mend_it(typed: str, says: str) -> None:
    assert register(quantity=typed).errors == {"quantity": [says]}


def test_payment_asks_for_a_method_and_for_the_terms() -> None:
    assert pay("").errors == {"method": ["Choisissez un mode de paiement."], "terms": [TICK]}


def test_payment_refuses_a_method_that_is_not_offered() -> None:
    assert pay("method=CARD&terms=on", methods=[PaymentMethod.PAYPAL]).errors == {
        "method": ["Ce mode de paiement n’est plus proposé\u00a0: choisissez-en un autre."]
    }


def test_payment_takes_the_terms_in_force_only() -> None:
    """Whoever read an older version has not read this one: the box comes back unticked."""
    terms = Terms(version="2026-09")
    assert pay("method=CARD&terms=on&terms_version=2026-09", terms).errors == {}
    older = pay("method=CARD&terms=on&terms_version=2025-01", terms)
    assert (older.errors, older["terms"].value()) == ({"terms": [TICK]}, False)


def test_payment_chooses_for_nobody_unless_there_is_no_choice() -> None:
    chosen = [PaymentForm(methods=methods, terms=None)["method"].value() for methods in (BOTH, [PaymentMethod.CARD])]
    assert chosen == [None, PaymentMethod.CARD]
