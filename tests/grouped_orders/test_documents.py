"""The printed documents: what stands on them, in which order, and that they can be read aloud."""

from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
import zxingcpp
from django.core.files.base import ContentFile
from pypdf import PdfReader
from pytest_django import Settings

from grouped_orders import checkout
from grouped_orders.documents import poster, sub_order_list
from grouped_orders.models import GroupedOrder, SubOrder
from grouped_orders.statuses import HandMethod
from tests.factories import AddressFactory, BookshopFactory, GroupedOrderFactory, SubOrderFactory, UserFactory

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
HEADER = "N° Nom Prénom Email Date d’achat Quantité Statut Total TTC Remis Signature"


@pytest.fixture
def order() -> GroupedOrder:
    """The specification's order 62: two copies and three are paid, one is cancelled."""
    order = GroupedOrderFactory(
        pk=62, created_at=NOON, unit_price=Decimal("14.90"), collectivity__name="COLLEGE VICTOR PROUVE"
    )
    bookseller = UserFactory(is_staff=True)
    leto, diaz, rourke = (
        SubOrderFactory(pk=pk, grouped_order=order, last_name=name, first_name=first, quantity=of, created_at=NOON)
        for pk, name, first, of in [
            (147, "Leto", "Jared", 2),
            (148, "Diaz", "Cameron", 1),
            (149, "Rourke", "Mickey", 3),
        ]
    )
    checkout.cancel_sub_order(diaz, by=bookseller, reason="Essai", refund=None, now=NOON)
    for paid in (leto, rourke):
        checkout.record_by_hand(paid, method=HandMethod.SHOP, reference="1", by=bookseller, now=NOON)
    return order


def pages(order: GroupedOrder, document: Callable[[GroupedOrder], bytes] = sub_order_list) -> list[str]:
    """The text of each page on one line."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(document(order))).pages]


def subscribe(order: GroupedOrder, *names: tuple[str, str]) -> list[SubOrder]:
    return [SubOrderFactory(grouped_order=order, last_name=last, first_name=first) for last, first in names]


def test_list_prints_order_62(order: GroupedOrder) -> None:
    emails = {sub_order.pk: sub_order.email for sub_order in order.sub_orders.all()}
    assert pages(order) == [
        "Commande groupée n° 62 - Créée le 24/11/2026 (à 12:00:00) (3 sous-commandes) "
        f"LE LIVRE QU’IL NE FAUT PAS LIRE (EAN {order.book.ean13}) "
        "COLLEGE VICTOR PROUVE — Date limite de commande : 24/12/2026 "
        "Adresse de mise à disposition : ANNEXE, 2, rue des jonquilles, 5500 DINANT "
        f"{HEADER} "
        f"148 Diaz Cameron {emails[148]} 24/11/2026 (à 12:00:00) 1 Annulée 14,90 € — "
        f"147 Leto Jared {emails[147]} 24/11/2026 (à 12:00:00) 2 Payée 29,80 € "
        f"149 Rourke Mickey {emails[149]} 24/11/2026 (à 12:00:00) 3 Payée 44,70 € "
        "Récapitulatif de l’ensemble des sous-commandes "
        "Total articles Exemplaires Annulés 1 En attente de paiement 0 Payés 5 "
        "Total sous-commandes Nombre Annulées 1 En attente de paiement 0 Payées 2 "
        "Total TTC Montant Total TTC de toutes les sous-commandes « En attente de paiement » 0,00 € "
        "Total TTC de toutes les sous-commandes « Payées » 74,50 € "
        "Commande groupée n° 62 - Créée le 24/11/2026 (à 12:00:00) (3 sous-commandes) Page 1 / 1"
    ]


def test_list_can_be_read_aloud(order: GroupedOrder) -> None:
    """PDF/UA-1: tagged, in French, with its title; every row in its table, every header cell a header."""
    with pikepdf.open(BytesIO(sub_order_list(order))) as pdf, pdf.open_metadata() as metadata:
        assert (metadata["pdfuaid:part"], metadata["dc:title"]) == (
            "1",
            "Commande groupée n° 62 : liste des sous-commandes",
        )
        assert (str(pdf.Root.Lang), bool(pdf.Root.MarkInfo.Marked)) == ("fr", True)
        assert pdf.Root.ViewerPreferences.DisplayDocTitle is True
        tags = _tags(pdf.Root.StructTreeRoot.K)
    assert {tag: tags.count(tag) for tag in ("H1", "H2", "Table", "TR", "TH")} == {
        "H1": 1,
        "H2": 1,
        "Table": 4,
        "TR": 1 + 3 + 4 + 4 + 3,
        "TH": 10 + 2 + 2 + 2,
    }


def _tags(element: Any) -> list[str]:
    """The tags of a structure tree, in the order they are read."""
    if isinstance(element, pikepdf.Array):
        return [tag for child in element for tag in _tags(child)]
    if not isinstance(element, pikepdf.Dictionary) or "/S" not in element:
        return []
    return [str(element.S).removeprefix("/"), *_tags(element.get("/K", pikepdf.Array()))]


def test_list_is_in_the_order_of_a_french_reader() -> None:
    order = GroupedOrderFactory()
    sorted_names = [
        ("Đặng", "Linh"),
        ("Dupont", "Zoé"),
        ("d’Ursel", "Amaury"),
        ("D'Ursel", "Béatrice"),
        ("Élodie", "Marie"),
        ("Faure", "Élie"),
        ("Faure", "Émile"),
        ("Faure", "Eve"),
        ("Leclerc", "Luc"),
        ("Le Gall", "Ana"),
        ("Lœb", "Ida"),
        ("Loewe", "Guy"),
        ("N'Diaye", "Awa"),
        ("O’Brien", "Tom"),
        ("Zérah", "Ali"),
    ]
    shuffled = sorted(sorted_names, key=lambda name: name[1])
    made = dict(zip(shuffled, subscribe(order, *shuffled), strict=True))
    page = "".join(pages(order))
    assert [page.index(made[name].email) for name in sorted_names] == sorted(page.index(s.email) for s in made.values())


def test_list_of_120_repeats_its_header_and_numbers_its_pages() -> None:
    order = GroupedOrderFactory()
    made = subscribe(order, *[("Grandville", f"Louise{nth:03}") for nth in range(120)])
    printed = pages(order)
    rows = [page.count("Grandville") for page in printed]
    assert sum(rows) == 120
    assert [HEADER in page for page in printed] == [count > 0 for count in rows]
    assert [page.rsplit(" Page ")[1] for page in printed] == [
        f"{number} / {len(printed)}" for number in range(1, len(printed) + 1)
    ]
    assert [
        text
        for made_one in made
        if (text := f"{made_one.pk} Grandville {made_one.first_name} ") not in " ".join(printed)
    ] == []


def test_list_of_nobody_says_so() -> None:
    (page,) = pages(GroupedOrderFactory())
    assert "(0 sous-commande) " in page
    assert "Aucune sous-commande n’est encore enregistrée. Récapitulatif" in page
    assert HEADER not in page


def test_list_takes_hostile_names_for_text_and_fetches_nothing(serve: Callable[[Any], str]) -> None:
    asked: list[str] = []

    def elsewhere(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        asked.append(environ["PATH_INFO"])
        start_response("404 Not Found", [])
        return []

    url = serve(elsewhere)
    image = f"<img src={url}/a.png>"
    order = GroupedOrderFactory(
        book__title=f"</strong><link rel=stylesheet href={url}/b.css>",
        collectivity__name=f"<style>@import '{url}/c'</style>",
    )
    subscribe(order, (image, "=1+1"), ("W" * 60, "M" * 60), ("{{ order }}", "&amp;"))
    printed = "".join(pages(order)).replace(" ", "")
    wanted = [image, "=1+1", "W" * 60, "M" * 60, "{{order}}", "&amp;", f"href={url}/b.css", f"@import'{url}/c'"]
    assert [text for text in wanted if text.replace(" ", "") not in printed] == []
    assert asked == []


# The poster ------------------------------------------------------------------------------------

# A photograph of one pixel.
PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.fixture
def announced(settings: Settings, tmp_path: Path) -> GroupedOrder:
    settings.SITE_URL, settings.MEDIA_ROOT = "https://commandes.dlivre.example", tmp_path
    shop = BookshopFactory(phone="+32 82 00 00 00")
    AddressFactory(collectivity=None, bookshop=shop, street="67 A rue Grande")
    return GroupedOrderFactory(pk=65, collectivity__name="COLLEGE VICTOR PROUVE", deadline=date(2026, 12, 1))


def test_poster_says_what_a_parent_needs(announced: GroupedOrder) -> None:
    assert pages(announced, poster) == [
        "COLLEGE VICTOR PROUVE · commande groupée n° 65 Commandons ensemble LE LIVRE QU’IL NE FAUT PAS LIRE "
        "LAROCHE SOPHIE — MIC MAC EDITION 6,40 €l’exemplaire, sans frais de port "
        "À commander jusqu’au mardi 1er décembre 2026 à minuit "
        f"https://commandes.dlivre.example/order/grouped/suborder/registration/ {announced.public_id} "
        "Comment faire ? Scannez le code avec votre téléphone, ou recopiez l’adresse. "
        "Indiquez votre nom, votre adresse e-mail et le nombre d’exemplaires. "
        "Payez en ligne, sans créer de compte. "
        "Où retirer les livres ? ANNEXE, 2, rue des jonquilles, 5500 DINANT 1. 2. 3. "
        f"EAN {announced.book.ean13} — DLIVRE, 67 A rue Grande, 5500 DINANT — +32 82 00 00 00 — contact@dlivre.example"
    ]


def test_telephone_reads_the_link_off_the_poster(announced: GroupedOrder) -> None:
    with pypdfium2.PdfDocument(poster(announced)) as pdf:
        [code] = zxingcpp.read_barcodes(pdf[0].render(scale=1).to_pil())
    assert code.text == announced.subscription_url


def test_poster_can_be_read_aloud(announced: GroupedOrder) -> None:
    with pikepdf.open(BytesIO(poster(announced))) as pdf, pdf.open_metadata() as metadata:
        assert (metadata["pdfuaid:part"], metadata["dc:title"]) == ("1", "Affiche de la commande groupée n°\u00a065")
        assert str(pdf.Root.Lang) == "fr"


@pytest.mark.logs_errors  # WeasyPrint's own, of the cover that is no picture
def test_poster_shows_the_cover_and_does_without(announced: GroupedOrder, tmp_path: Path) -> None:
    def pictures() -> int:
        [page] = PdfReader(BytesIO(poster(announced))).pages
        return len(page.images)

    assert pictures() == 0
    announced.book.cover.save("c.png", ContentFile(PNG))
    assert pictures() == 1
    (tmp_path / announced.book.cover.name).write_bytes(b"not a picture")
    assert pictures() == 0
    (tmp_path / announced.book.cover.name).unlink()
    assert pictures() == 0


def test_poster_is_one_page_whatever_is_long(announced: GroupedOrder) -> None:
    announced.book.title, announced.book.authors, announced.book.publisher = "W" * 500, "M " * 250, "É" * 200
    announced.book.cover.save("c.png", ContentFile(PNG))
    announced.pickup_name, announced.pickup_street, announced.pickup_city = "W" * 80, "W" * 120, "W" * 80
    announced.shipping_fee = Decimal("3.00")
    [page] = pages(announced, poster)
    assert "plus 3,00 € de frais de port par commande" in page
    assert page.endswith("contact@dlivre.example")


def test_poster_takes_hostile_words_for_text(announced: GroupedOrder) -> None:
    announced.book.title, announced.collectivity.name = "<script>1</script>", "<style>body{display:none}</style>"
    [page] = pages(announced, poster)
    assert "<script>1</script>" in page
    assert "<style>body{display:none}</style>" in page
