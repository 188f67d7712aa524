"""The specification's own story, told through the same verbs and the same payer's pages as anybody uses."""

from datetime import date, datetime, time, timedelta
from typing import Any

import requests
from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import connection
from django.db.models import Model
from django.utils import timezone
from lxml import html

from catalog.models import Book
from collectivities.models import Address, Bookshop, Collectivity, Terms, User
from grouped_orders import checkout, lifecycle
from grouped_orders.models import GroupedOrder, SubOrder
from grouped_orders.statuses import HandMethod, PaymentMethod
from librisoft_bridge import transmission
from librisoft_bridge.models import ShopOrder

PASSWORD = "demo"
CATALOGUE = settings.BASE_DIR / "catalog/demo/catalogue.xml"
TERMS = settings.BASE_DIR / "grouped_orders/demo/cgv.txt"
NOT_TO_READ = "9782362210419"
WESTERN = "9791097284657"


class Command(BaseCommand):
    help = "Charge l’histoire de démonstration dans une base vide (les simulateurs doivent répondre)."

    def handle(self, *args: Any, **options: Any) -> None:
        if Bookshop.objects.exists():
            self.stdout.write("L’histoire de démonstration est déjà chargée.")
            return
        call_command("import_books", str(CATALOGUE), stdout=self.stdout)
        self.now = timezone.now()
        self._people()
        self._closed_order()
        self._cancelled_order()
        self._order_at_librisoft()
        self._order_with_a_payment_awaited()
        self._order_62()
        self._order_of_the_other_collectivity()
        self._order_65()
        _number_from(ShopOrder, 637)
        self.stdout.write(self.style.SUCCESS("L’histoire de démonstration est chargée."))

    # The people -------------------------------------------------------------------------------

    def _people(self) -> None:
        shop = Bookshop.objects.create(
            name="DLIVRE",
            legal_name="Librairie DLIVRE SRL",
            legal_number="BE 0000.000.097",
            email="contact@dlivre.example",
            phone="00 00 00 00 00",
            opening_hours="du mardi au samedi, de 9 h 30 à 18 h 30",
        )
        self.shop_place = _place(shop, "DLIVRE", "67 A rue Grande")
        Terms.objects.create(version="2026-09", text=TERMS.read_text(), published_at=self._at(-80, 9))
        self.bookseller = User.objects.create_user(
            "libraire@dlivre.example",
            PASSWORD,
            first_name="Odile",
            last_name="Hotton",
            is_staff=True,
            is_superuser=True,
        )

        prouve = Collectivity.objects.create(
            name="COLLEGE VICTOR PROUVE",
            service="Cdi",
            customer_code="PROUVE",
            phone="03 88 69 69 69",
            email="approbateur@victorprouve.example",
        )
        _place(prouve, "ADRESSE PRINCIPALE", "25, rue de Bruges", is_billing=True)
        self.annexe = _place(prouve, "ANNEXE", "2, rue des jonquilles")
        _place(prouve, "ADRESSE SECONDAIRE", "2, rue des érables")
        self.initiator = User.objects.create_user(
            "approbateur@victorprouve.example",
            PASSWORD,
            first_name="Camille",
            last_name="Dumont",
            phone="03 88 69 69 69",
            collectivity=prouve,
        )

        fournier = Collectivity.objects.create(
            name="LYCEE ALAIN FOURNIER", service="Cdi", customer_code="FOURNIER", email="cdi@alainfournier.example"
        )
        self.lycee = _place(
            fournier, "LYCEE", "13 RUE EMILE BOILVIN", postcode="57000", city="METZ", country="FR", is_billing=True
        )
        self.other_initiator = User.objects.create_user(
            "cdi@alainfournier.example", PASSWORD, first_name="Rachid", last_name="Lemoine", collectivity=fournier
        )

    # The orders, oldest first -----------------------------------------------------------------

    def _closed_order(self) -> None:
        order = self._open(57, WESTERN, created=self._at(-45, 10, 12), deadline=self._day(-30), pickup=self.shop_place)
        self._subscribe(order, 128, "Agnès", "Varda", "agnes.varda@free.example", 1, self._at(-44, 18, 3), pay=True)
        self._subscribe(
            order, 129, "Armand", "Duplantis", "armand.duplantis@gmail.example", 2, self._at(-43, 11, 15), pay=True
        )
        order = self._validate(order, 635, self._at(-29, 9, 5))
        lifecycle.close(order, by=self.bookseller, now=self._at(-20, 11, 51))

    def _cancelled_order(self) -> None:
        order = self._open(
            58, self._another_book(0), created=self._at(-40, 14), deadline=self._day(-25), pickup=self.annexe
        )
        reason = "Le professeur a choisi un autre titre"
        checkout.cancel_order(order, by=self.bookseller, reason=reason, now=self._at(-38, 9, 20))

    def _order_at_librisoft(self) -> None:
        order = self._open(
            60, self._another_book(1), created=self._at(-25, 8, 47), deadline=self._day(-10), pickup=self.annexe
        )
        self._subscribe(
            order, 140, "Léa", "Sanchez-Delacroix", "lea.sanchez@laposte.example", 1, self._at(-24, 19), pay=True
        )
        self._subscribe(
            order, 141, "Mehdi", "Bensaïd", "mehdi.bensaid@gmail.example", 2, self._at(-20, 20, 31), pay=True
        )
        self._validate(order, 636, self._at(-9, 9, 2))

    def _order_with_a_payment_awaited(self) -> None:
        order = self._open(
            61, self._another_book(2), created=self._at(-15, 16, 5), deadline=self._day(-2), pickup=self.annexe
        )
        self._subscribe(order, 144, "Inès", "Marchal", "ines.marchal@free.example", 1, self._at(-12, 7, 58), pay=True)
        self._subscribe(order, 145, "Paul", "Verhoeven", "paul.verhoeven@gmail.example", 1, self._at(-3, 21, 40))

    def _order_62(self) -> None:
        order = self._open(62, WESTERN, created=self._at(-8, 9, 26, 59), deadline=self._day(-1), pickup=self.shop_place)
        self._subscribe(order, 147, "Jared", "Leto", "jared.letto@free.example", 2, self._at(-8, 9, 46, 47), pay=True)
        diaz = self._subscribe(order, 148, "Cameron", "Diaz", "cameron@gmail.example", 1, self._at(-8, 9, 48, 21))
        checkout.cancel_sub_order(
            diaz, by=self.bookseller, reason="À la demande de l’acheteuse", refund=None, now=self._at(-7, 10)
        )
        self._subscribe(order, 149, "Mickey", "Rourke", "mickey@free.example", 3, self._at(-8, 9, 49, 33), by_hand=True)

    def _order_of_the_other_collectivity(self) -> None:
        order = self._open(
            64,
            self._another_book(3),
            created=self._at(-4, 13, 30),
            deadline=self._day(12),
            pickup=self.lycee,
            initiator=self.other_initiator,
        )
        self._subscribe(order, 151, "Chloé", "Noël", "chloe.noel@free.example", 1, self._at(-3, 12, 4), pay=True)

    def _order_65(self) -> None:
        order = self._open(65, NOT_TO_READ, created=self._at(-1, 9, 44, 23), deadline=self._day(1), pickup=self.annexe)
        self._subscribe(
            order, 153, "Louise", "Grandville", "louise.grandville@free.example", 1, self._at(-1, 9, 57, 13), pay=True
        )
        self._subscribe(
            order, 154, "Oscar", "Benhattia", "oscar.benhattia@laposte.example", 1, self._at(-1, 9, 59, 2), pay=True
        )
        self._subscribe(order, 155, "Noé", "Guidoni", "noe.guidoni@gmail.example", 2, self._at(-1, 10, 0, 44))

    # How it is told ---------------------------------------------------------------------------

    def _open(
        self,
        number: int,
        ean13: str,
        *,
        created: datetime,
        deadline: date,
        pickup: Address,
        initiator: User | None = None,
    ) -> GroupedOrder:
        _number_from(GroupedOrder, number)
        return lifecycle.open_order(
            book=Book.objects.get(ean13=ean13),
            initiator=initiator or self.initiator,
            deadline=deadline,
            pickup=pickup,
            now=created,
        )

    def _subscribe(
        self,
        order: GroupedOrder,
        number: int,
        first_name: str,
        last_name: str,
        email: str,
        quantity: int,
        at: datetime,
        *,
        pay: bool = False,
        by_hand: bool = False,
    ) -> SubOrder:
        _number_from(SubOrder, number)
        sub_order = lifecycle.register(
            order, first_name=first_name, last_name=last_name, email=email, quantity=quantity, now=at
        )
        if pay:
            page = checkout.start(sub_order, method=PaymentMethod.PAYPAL, terms=Terms.objects.latest(), now=at)
            _press(page, "Payer")
            checkout.settle(sub_order.payments.get(), now=at)
            sub_order.refresh_from_db()
        if by_hand:
            checkout.record_by_hand(
                sub_order, method=HandMethod.CHEQUE, reference="n° 0419", by=self.bookseller, now=at + timedelta(days=2)
            )
        return sub_order

    def _validate(self, order: GroupedOrder, classic_number: int, at: datetime) -> GroupedOrder:
        _number_from(ShopOrder, classic_number)
        order = lifecycle.validate(order, by=self.bookseller, now=at)
        transmission.transmit(order.shop_order, now=self.now)
        return order

    def _another_book(self, nth: int) -> str:
        today = timezone.localdate(self.now)
        others = Book.objects.exclude(ean13__in=[NOT_TO_READ, WESTERN]).order_by("ean13")
        return [book.ean13 for book in others if not book.unavailable_reason(today)][nth]

    def _day(self, days: int) -> date:
        return timezone.localdate(self.now) + timedelta(days=days)

    def _at(self, days: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
        return timezone.make_aware(datetime.combine(self._day(days), time(hour, minute, second)))


def _place(owner: Bookshop | Collectivity, name: str, street: str, **fields: Any) -> Address:
    key = "bookshop" if isinstance(owner, Bookshop) else "collectivity"
    return Address.objects.create(
        **{"name": name, "street": street, "postcode": "5500", "city": "DINANT", "country": "BE", key: owner, **fields}
    )


def _number_from(model: type[Model], number: int) -> None:
    """The next row gets this number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, false)", [model._meta.db_table, number])


def _press(page: str, label: str) -> None:
    """Play the payer: press a button of the provider's page, and stop where it sends the browser back."""
    shown = requests.get(page, timeout=10)
    for button in html.fromstring(shown.text).iter("button"):
        if button.text_content().strip() == label:
            fields = {button.get("name", ""): button.get("value", "")}
            requests.post(page, data=fields, allow_redirects=False, timeout=10).raise_for_status()
            return
    raise CommandError(f"La page de paiement {page} n’a pas de bouton « {label} ».")
