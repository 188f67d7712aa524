"""The buyer's receipt: what was paid, to whom, the VAT inside, and what went back."""

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import pikepdf
import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from grouped_orders import checkout
from grouped_orders.documents import receipt, vat_share
from grouped_orders.models import SubOrder
from grouped_orders.statuses import HandMethod
from tests.factories import BookshopFactory, GroupedOrderFactory, SubOrderFactory, UserFactory

NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)


@pytest.fixture
def sub_order(db: None) -> SubOrder:
    """Two copies at 6,40 €, paid at the shop at noon."""
    BookshopFactory(
        name="DLIVRE", legal_name="D Livre SRL", legal_number="BE 0123.456.789", email="contact@dlivre.example"
    )
    order = GroupedOrderFactory(
        pk=65,
        unit_price=Decimal("6.40"),
        vat_rate=Decimal("6.00"),
        collectivity__name="COLLEGE VICTOR PROUVE",
        book__title="LE LIVRE QU'IL NE FAUT PAS LIRE !",
        book__ean13="9782362210419",
    )
    sub_order = SubOrderFactory(
        pk=129,
        grouped_order=order,
        quantity=2,
        first_name="Louise",
        last_name="Grandville",
        email="louise@free.example",
        created_at=NOON,
    )
    checkout.record_by_hand(sub_order, method=HandMethod.SHOP, reference="1", by=UserFactory(is_staff=True), now=NOON)
    sub_order.refresh_from_db()
    return sub_order


def printed(sub_order: SubOrder) -> str:
    (page,) = PdfReader(BytesIO(receipt(sub_order))).pages
    return " ".join(page.extract_text().split())


def test_receipt_says_what_was_paid_and_the_vat_inside(sub_order: SubOrder) -> None:
    assert printed(sub_order) == (
        "D Livre SRL DLIVRE BE 0123.456.789 contact@dlivre.example Client Louise Grandville louise@free.example "
        "Reçu de la commande n° 129 Passée le 24/11/2026 (à 12:00:00), dans la commande groupée n° 65 de COLLEGE "
        "VICTOR PROUVE. Détail de la commande Désignation Quantité Prix unitaire (TTC) Prix total (TTC) "
        "LE LIVRE QU’IL NE FAUT PAS LIRE ! (EAN 9782362210419) 2 6,40 € 12,80 € Frais de port 0,00 € "
        "Total TTC 12,80 € TVA comprise Taux Montant HT TVA 6 % 12,08 € 0,72 € Paiement Date Mode de paiement Montant "
        "24/11/2026 (à 12:00:00) Réglé à la librairie 12,80 € Page 1 / 1"
    )


def test_receipt_says_what_went_back(sub_order: SubOrder) -> None:
    by = UserFactory(is_staff=True)
    capture = sub_order.payments.get().captures.get()
    refund = checkout.request_refund(capture, amount=Decimal("5.00"), by=by, reason="Livre abîmé", now=NOON)
    checkout.note_refunded_by_hand(refund, by=by, note="En espèces", now=NOON)

    assert "24/11/2026 (à 12:00:00) Remboursement −5,00 €" in printed(sub_order)


def test_receipt_can_be_read_aloud(sub_order: SubOrder) -> None:
    with pikepdf.open(BytesIO(receipt(sub_order))) as pdf, pdf.open_metadata() as metadata:
        assert (metadata["pdfuaid:part"], metadata["dc:title"]) == ("1", "Reçu de la commande n° 129")


def test_receipt_is_had_from_one_s_own_page(client: Client, sub_order: SubOrder) -> None:
    with time_machine.travel(NOON, tick=False):
        page = client.get(reverse("buyer:sub_order", args=[sub_order.secret])).content.decode()
        address = reverse("buyer:receipt", args=[sub_order.secret])
        assert f'href="{address}"' in page
        answer = client.get(address)

    assert (answer.headers["Content-Type"], answer.content[:5]) == ("application/pdf", b"%PDF-")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="recu-commande-129.pdf"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_no_receipt_for_what_is_not_paid(client: Client, sub_order: SubOrder) -> None:
    unpaid = SubOrderFactory(grouped_order=sub_order.grouped_order)

    assert client.get(reverse("buyer:receipt", args=[unpaid.secret])).status_code == 404


@pytest.mark.parametrize(
    ("amount", "rate", "before_tax", "tax"),
    [
        ("12.80", "6.00", "12.08", "0.72"),
        ("6.40", "6.00", "6.04", "0.36"),
        ("10.55", "5.50", "10.00", "0.55"),
        ("0.01", "6.00", "0.01", "0.00"),
        ("9.99", "0.00", "9.99", "0.00"),
    ],
)
def test_vat_is_what_is_left_of_the_amount(amount: str, rate: str, before_tax: str, tax: str) -> None:
    assert vat_share(Decimal(amount), Decimal(rate))[1:] == (Decimal(before_tax), Decimal(tax))


@given(st.decimals("0.01", "99999", places=2), st.decimals("0", "99", places=2))
def test_vat_and_the_rest_are_the_amount_to_the_cent(amount: Decimal, rate: Decimal) -> None:
    share = vat_share(amount, rate)
    assert share.before_tax + share.tax == amount
    assert abs(share.before_tax * rate / 100 - share.tax) <= Decimal("0.01") * (1 + rate / 100)
