"""The deadline as calendars read it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from icalendar import Calendar, Event
from pytest_django import Settings

from grouped_orders.calendar import deadline_event
from grouped_orders.models import GroupedOrder
from tests.factories import BookshopFactory, GroupedOrderFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 11, 30, 15, tzinfo=UTC)


@pytest.fixture
def order(settings: Settings) -> GroupedOrder:
    settings.SITE_URL = "https://commandes.dlivre.example"
    BookshopFactory(name="DLIVRE; livres, jeux")
    return GroupedOrderFactory(
        pk=53, public_id="01HZWAX30MTN9B3Y4E0NX2PHM5", book__title="L'ART\\; LA, VIE", deadline=date(2026, 12, 31)
    )


def read(written: bytes) -> Event:
    [event] = Calendar.from_ical(written).events
    return event


def test_deadline_is_a_whole_day_that_no_time_zone_moves(order: GroupedOrder) -> None:
    written = deadline_event(order, now=NOW)
    event = read(written)
    assert (event.start, event.end) == (date(2026, 12, 31), date(2027, 1, 1))
    assert event["DTSTAMP"].dt == NOW
    assert event["UID"] == "commande-groupee-01HZWAX30MTN9B3Y4E0NX2PHM5@commandes.dlivre.example"
    assert event["SUMMARY"] == "Commande groupée n°\u00a053\u00a0: dernier jour"
    assert event["DESCRIPTION"] == (
        "«\u00a0L’ART\\; LA, VIE\u00a0»\nLes souscriptions se terminent à minuit.\n"
        f"Lien des acheteurs\u00a0: {order.subscription_url}"
    )
    assert event["CONTACT"] == "DLIVRE; livres, jeux, contact@dlivre.example"
    assert event["TRANSP"] == "TRANSPARENT"
    [alarm] = event.walk("VALARM")
    assert (alarm["ACTION"], alarm["TRIGGER"].dt) == ("DISPLAY", -timedelta(hours=39))
    assert Calendar.from_ical(written)["METHOD"] == "PUBLISH"
    assert event.errors == []


def test_later_deadline_is_the_same_event(order: GroupedOrder) -> None:
    first = read(deadline_event(order, now=NOW))
    order.deadline = date(2027, 1, 15)
    second = read(deadline_event(order, now=NOW + timedelta(days=1)))
    assert first["UID"] == second["UID"]
    assert second.start == date(2027, 1, 15)
    assert second["DTSTAMP"].dt > first["DTSTAMP"].dt


def test_lines_are_short_and_end_as_they_must(order: GroupedOrder) -> None:
    order.book.title = "É" * 400 + "\r\nBEGIN:VEVENT\x00"
    written = deadline_event(order, now=NOW)
    lines = written.split(b"\r\n")
    assert lines.pop() == b""
    assert max(len(line) for line in lines) <= 75
    assert b"\n" not in b"".join(lines)
    assert "«\u00a0" + "É" * 400 + " BEGIN:VEVENT\u00a0»" in read(written)["DESCRIPTION"].replace("\n", " ")
