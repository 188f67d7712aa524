"""Which addresses are asked about, and which are somebody's own."""

import pytest

from grouped_orders.forms.spelling import suggest_email


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("GMAIL.CO", "gmail.com"),
        ("gmal.com", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("gnail.com", "gmail.com"),
        ("gmail.fr", "gmail.com"),
        ("hotmial.be", "hotmail.be"),
        ("outlok.fr", "outlook.fr"),
        ("skynet.b", "skynet.be"),
        ("wanadooo.fr", "wanadoo.fr"),
        ("laposte.fr", "laposte.net"),
    ],
)
def test_slip_is_asked_about(written: str, meant: str) -> None:
    assert suggest_email(f"Louise.G@{written}") == f"Louise.G@{meant}"


@pytest.mark.parametrize(
    "domain",
    [
        *("gmail.com", "GMail.com", "mail.com", "email.com", "ymail.com", "yahoo.de", "orange.be", "gmx.net"),  # real
        *("tree.fr", "sft.fr", "voo.bz"),  # too short to tell
        *("hotmail.br", "hotmail.fe"),  # of two that may be meant, neither is guessed
        *("gmial.co", "victorprouve.example", "free.example", "lycee-gmail.com"),
    ],
)
def test_domain_of_ones_own_is_left_alone(domain: str) -> None:
    assert suggest_email(f"louise@{domain}") == ""
