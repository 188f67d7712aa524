from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from grouped_orders import checkout, lifecycle
from grouped_orders.lifecycle import NotAllowed
from grouped_orders.models import GroupedOrder, JournalEntry, Mail, Payment, SubOrder
from grouped_orders.models.order import deadline_end
from grouped_orders.statuses import (
    ORDER_MOVES,
    SUB_ORDER_MOVES,
    HandMethod,
    MoneyBack,
    OrderMove,
    OrderStatus,
    SubOrderMove,
    SubOrderStatus,
)
from librisoft_bridge.models import ShopOrder
from tests.factories import (
    AddressFactory,
    BookFactory,
    BookshopFactory,
    CollectivityFactory,
    GroupedOrderFactory,
    SubOrderFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
TODAY = date(2026, 11, 24)


def paid(order: GroupedOrder, quantity: int = 2, **fields: object) -> SubOrder:
    """A sub-order the bookseller was paid for himself, while the order still took some."""
    sub_order = SubOrderFactory(grouped_order=order, quantity=quantity, **fields)
    checkout.record_by_hand(
        sub_order, method=HandMethod.CHEQUE, reference="12", by=UserFactory(is_staff=True), now=NOON
    )
    sub_order.refresh_from_db()
    return sub_order


def order_in(status: OrderStatus) -> GroupedOrder:
    """An order that came to this status by the verbs, its deadline past."""
    bookseller = UserFactory(is_staff=True)
    order = GroupedOrderFactory(deadline=TODAY - timedelta(days=1))
    paid(order)
    if status == OrderStatus.CANCELLED:
        lifecycle.cancel(order, by=bookseller, reason="Essai", now=NOON)
    if status in (OrderStatus.AWAITING_PROCESSING, OrderStatus.CLOSED):
        lifecycle.validate(order, by=bookseller, now=NOON)
    if status == OrderStatus.CLOSED:
        lifecycle.close(order, by=bookseller, now=NOON)
    order.refresh_from_db()
    assert order.status == status
    return order


def sub_order_in(status: SubOrderStatus) -> SubOrder:
    sub_order = SubOrderFactory(grouped_order=GroupedOrderFactory(deadline=TODAY))
    if status == SubOrderStatus.PAID:
        checkout.record_by_hand(
            sub_order, method=HandMethod.SHOP, reference="7", by=UserFactory(is_staff=True), now=NOON
        )
    if status == SubOrderStatus.CANCELLED:
        checkout.cancel_sub_order(sub_order, by=None, reason="Essai", refund=None, now=NOON)
    sub_order.refresh_from_db()
    assert sub_order.status == status
    return sub_order


ORDER_VERBS: dict[OrderMove, Callable[[GroupedOrder], object]] = {
    OrderMove.VALIDATE: lambda order: lifecycle.validate(order, by=UserFactory(is_staff=True), now=NOON),
    OrderMove.CLOSE: lambda order: lifecycle.close(order, by=UserFactory(is_staff=True), now=NOON),
    OrderMove.REOPEN: lambda order: lifecycle.reopen(order, by=UserFactory(is_staff=True), reason="Erreur", now=NOON),
    OrderMove.CANCEL: lambda order: lifecycle.cancel(order, by=UserFactory(is_staff=True), reason="Non", now=NOON),
}
SUB_ORDER_VERBS: dict[SubOrderMove, Callable[[SubOrder], object]] = {
    SubOrderMove.PAY: lambda sub_order: checkout.record_by_hand(
        sub_order, method=HandMethod.SHOP, reference="7", by=UserFactory(is_staff=True), now=NOON
    ),
    SubOrderMove.CANCEL: lambda sub_order: checkout.cancel_sub_order(
        sub_order, by=None, reason="Non", refund=MoneyBack.NOTHING, now=NOON
    ),
}


@pytest.mark.parametrize("move", OrderMove)
@pytest.mark.parametrize("status", OrderStatus)
def test_every_order_move_from_every_status_does_what_the_table_says(status: OrderStatus, move: OrderMove) -> None:
    order = order_in(status)
    before = JournalEntry.objects.count(), Mail.objects.count(), ShopOrder.objects.count()
    target = ORDER_MOVES[move].get(status)
    if target is None:
        with pytest.raises(NotAllowed):
            ORDER_VERBS[move](order)
        assert GroupedOrder.objects.get(pk=order.pk).status == status
        assert (JournalEntry.objects.count(), Mail.objects.count(), ShopOrder.objects.count()) == before
    else:
        ORDER_VERBS[move](order)
        assert GroupedOrder.objects.get(pk=order.pk).status == target
        entry = order.journal.filter(sub_order=None, to_status=target).last()
        assert entry is not None
        assert (entry.from_status, entry.to_status, entry.at) == (status, target, NOON)


@pytest.mark.parametrize("move", SubOrderMove)
@pytest.mark.parametrize("status", SubOrderStatus)
def test_every_sub_order_move_from_every_status_does_what_the_table_says(
    status: SubOrderStatus, move: SubOrderMove
) -> None:
    sub_order = sub_order_in(status)
    payments = Payment.objects.count()
    target = SUB_ORDER_MOVES[move].get(status)
    if target is None:
        with pytest.raises(NotAllowed):
            SUB_ORDER_VERBS[move](sub_order)
        assert (SubOrder.objects.get(pk=sub_order.pk).status, Payment.objects.count()) == (status, payments)
    else:
        SUB_ORDER_VERBS[move](sub_order)
        assert SubOrder.objects.get(pk=sub_order.pk).status == target


# The deadline, to the second ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deadline", "end"),
    [
        pytest.param(date(2026, 11, 24), datetime(2026, 11, 24, 23, 0, tzinfo=UTC), id="winter"),
        pytest.param(date(2026, 7, 14), datetime(2026, 7, 14, 22, 0, tzinfo=UTC), id="summer"),
        pytest.param(date(2026, 10, 24), datetime(2026, 10, 24, 22, 0, tzinfo=UTC), id="eve of the autumn night"),
        pytest.param(date(2026, 10, 25), datetime(2026, 10, 25, 23, 0, tzinfo=UTC), id="the 25-hour day"),
        pytest.param(date(2027, 3, 27), datetime(2027, 3, 27, 23, 0, tzinfo=UTC), id="eve of the spring night"),
        pytest.param(date(2027, 3, 28), datetime(2027, 3, 28, 22, 0, tzinfo=UTC), id="the 23-hour day"),
    ],
)
def test_deadline_is_inclusive_to_the_second_in_the_shops_time_zone(deadline: date, end: datetime) -> None:
    order = GroupedOrderFactory(deadline=deadline)
    last, first = end - timedelta(seconds=1), end
    assert deadline_end(deadline) == end
    assert [order.takes_sub_orders(now) for now in (last, first)] == [True, False]
    taking = GroupedOrder.objects.taking_sub_orders
    assert [list(taking(now)) for now in (last, first)] == [[order], []]
    past = GroupedOrder.objects.past_deadline
    assert [list(past(now)) for now in (last, first)] == [[], [order]]
    assert [order.days_left(now) for now in (last, first)] == [0, -1]
    assert [order.status_label(now) for now in (last, first)] == ["Commande ouverte", "En attente de validation"]

    who = {"first_name": "Noé", "last_name": "Guidoni", "email": "noe@example.org", "quantity": 1}
    lifecycle.register(order, **who, now=last)
    with pytest.raises(NotAllowed) as refusal:
        lifecycle.register(order, **who, now=first)
    day = f"{deadline:%d/%m/%Y}"
    assert str(refusal.value) == f"La date limite ({day}) est passée : il n’est plus possible de commander."
    assert order.sub_orders.count() == 1


def test_days_left_is_one_on_the_eve() -> None:
    assert GroupedOrderFactory(deadline=TODAY + timedelta(days=1)).days_left(NOON) == 1


def test_move_deadline_reopens_an_order_and_writes_the_journal() -> None:
    order = GroupedOrderFactory(deadline=TODAY - timedelta(days=3))
    assert not order.takes_sub_orders(NOON)
    moved = lifecycle.move_deadline(order, to=TODAY, by=order.initiator, now=NOON)
    assert moved.takes_sub_orders(NOON)
    entry = order.journal.get()
    assert (entry.what, entry.actor) == ("Date limite déplacée du 21/11/2026 au 24/11/2026", order.initiator)


def test_move_deadline_refuses_yesterday_and_a_validated_order() -> None:
    order = GroupedOrderFactory(deadline=TODAY)
    with pytest.raises(NotAllowed, match="La date limite ne peut pas être passée"):
        lifecycle.move_deadline(order, to=TODAY - timedelta(days=1), by=order.initiator, now=NOON)
    validated = order_in(OrderStatus.AWAITING_PROCESSING)
    with pytest.raises(NotAllowed, match="sa date limite ne change plus"):
        lifecycle.move_deadline(validated, to=TODAY, by=validated.initiator, now=NOON)
    assert GroupedOrder.objects.get(pk=order.pk).deadline == TODAY


# Creating -------------------------------------------------------------------------------------


def test_open_order_freezes_price_and_addresses_and_tells_the_initiator() -> None:
    collectivity = CollectivityFactory(name="COLLEGE VICTOR PROUVE")
    AddressFactory(collectivity=collectivity, name="ADRESSE PRINCIPALE", street="25, rue de Bruges", is_billing=True)
    annexe = AddressFactory(collectivity=collectivity, name="ANNEXE", street="2, rue des jonquilles")
    initiator = UserFactory(collectivity=collectivity)
    book = BookFactory(price=Decimal("6.40"))

    order = lifecycle.open_order(book=book, initiator=initiator, deadline=TODAY, pickup=annexe, now=NOON)

    book.price = Decimal("7.00")
    book.save()
    annexe.street = "ailleurs"
    annexe.save()
    order.refresh_from_db()
    assert (order.unit_price, order.pickup_street, order.pickup_mode) == (
        Decimal("6.40"),
        "2, rue des jonquilles",
        "COLLECTIVITY",
    )
    assert (order.billing_name, order.billing_street) == ("COLLEGE VICTOR PROUVE", "25, rue de Bruges")
    assert [(mail.kind, mail.recipient) for mail in order.mails.all()] == [("order_created", initiator.email)]


def test_open_order_refuses_a_place_of_another_collectivity() -> None:
    initiator = UserFactory(collectivity=CollectivityFactory())
    AddressFactory(collectivity=initiator.collectivity, is_billing=True)
    elsewhere = AddressFactory(collectivity=CollectivityFactory())
    with pytest.raises(NotAllowed, match="Cette adresse de mise à disposition n’est pas proposée"):
        lifecycle.open_order(book=BookFactory(), initiator=initiator, deadline=TODAY, pickup=elsewhere, now=NOON)
    assert GroupedOrder.objects.count() == 0


def test_open_order_takes_the_place_and_the_fee_of_the_bookshop() -> None:
    initiator = UserFactory(collectivity=CollectivityFactory())
    AddressFactory(collectivity=initiator.collectivity, is_billing=True)
    shop = AddressFactory(collectivity=None, bookshop=BookshopFactory(), shipping_fee=Decimal("3.00"))
    book = BookFactory(price=Decimal("10.00"))
    order = lifecycle.open_order(book=book, initiator=initiator, deadline=TODAY, pickup=shop, now=NOON)
    sub_order = lifecycle.register(
        order, first_name="Léa", last_name="Bo", email="lea@example.org", quantity=2, now=NOON
    )
    assert (order.pickup_mode, sub_order.total, sub_order.goods_total) == (
        "BOOKSHOP",
        Decimal("23.00"),
        Decimal("20.00"),
    )


# Validating -----------------------------------------------------------------------------------


def test_validate_hands_over_quantities_and_amounts_without_any_buyer() -> None:
    order = GroupedOrderFactory(deadline=TODAY - timedelta(days=1), unit_price=Decimal("14.90"))
    paid(order, 2)
    paid(order, 3)
    gone = SubOrderFactory(grouped_order=order, quantity=1)
    checkout.cancel_sub_order(gone, by=None, reason="Non", refund=None, now=NOON)

    order = lifecycle.validate(order, by=UserFactory(is_staff=True), now=NOON)

    shop_order = ShopOrder.objects.get()
    assert order.shop_order == shop_order
    line = shop_order.lines.get()
    assert (shop_order.group_order_number, line.ean13, line.quantity, line.unit_price) == (
        order.pk,
        order.book.ean13,
        5,
        Decimal("14.90"),
    )
    assert order.validated_at == NOON


def test_validate_says_how_many_days_remain_and_what_is_unpaid() -> None:
    order = GroupedOrderFactory(deadline=TODAY + timedelta(days=1))
    SubOrderFactory(grouped_order=order)
    assert lifecycle.validation_blockers(order, NOON) == [
        "Des paiements sont en attente de traitement. Veuillez les valider ou les annuler dans la liste ci-dessous.",
        "La date de clôture des commandes (25/11/2026) n’est pas encore passée. "
        "Vous pourrez valider cette commande groupée dans 2 jours.",
    ]
    with pytest.raises(NotAllowed, match="Des paiements sont en attente de traitement"):
        lifecycle.validate(order, by=UserFactory(is_staff=True), now=NOON)
    assert ShopOrder.objects.count() == 0


def test_validate_refuses_an_order_nobody_paid() -> None:
    order = GroupedOrderFactory(deadline=TODAY - timedelta(days=1))
    with pytest.raises(NotAllowed, match="Aucun exemplaire n’est payé"):
        lifecycle.validate(order, by=UserFactory(is_staff=True), now=NOON)


# Closing and cancelling -----------------------------------------------------------------------


def test_close_tells_the_initiator_once() -> None:
    order = order_in(OrderStatus.CLOSED)
    assert [(mail.kind, mail.recipient) for mail in order.mails.filter(kind="order_available")] == [
        ("order_available", order.initiator.email)
    ]


def test_reopen_asks_a_reason() -> None:
    order = order_in(OrderStatus.CLOSED)
    with pytest.raises(NotAllowed, match="Dites pourquoi"):
        lifecycle.reopen(order, by=UserFactory(is_staff=True), reason=" ", now=NOON)
    assert GroupedOrder.objects.get(pk=order.pk).status == OrderStatus.CLOSED


def test_cancel_cancels_every_sub_order_and_returns_the_paid_ones() -> None:
    order = GroupedOrderFactory(deadline=TODAY)
    bought, pending = paid(order), SubOrderFactory(grouped_order=order)
    assert lifecycle.cancel(order, by=UserFactory(is_staff=True), reason="Épuisé", now=NOON) == [bought]
    statuses = {
        sub_order.status for sub_order in (SubOrder.objects.get(pk=bought.pk), SubOrder.objects.get(pk=pending.pk))
    }
    assert statuses == {SubOrderStatus.CANCELLED}
    assert (order.journal.filter(sub_order=None).get().reason) == "Épuisé"


def test_cancel_sub_order_is_refused_once_validated() -> None:
    order = order_in(OrderStatus.AWAITING_PROCESSING)
    with pytest.raises(NotAllowed, match="ses sous-commandes ne changent plus"):
        checkout.cancel_sub_order(
            order.sub_orders.get(), by=None, reason="Trop tard", refund=MoneyBack.NOTHING, now=timezone.now()
        )
    assert order.sub_orders.get().status == SubOrderStatus.PAID
