"""By file: each order leaves once, whatever breaks between the disk and the database."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from librisoft_bridge import clock, folder, outbox, payload, refreshing, transmission
from librisoft_bridge.models import Link, SetAsideFile, ShopOrder, Transmission
from tests.factories import BookshopFactory, UserFactory
from tests.librisoft_bridge.story import NOW, hand_over, read
from tests.pages import Page, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place(settings: Settings, tmp_path: Path) -> Path:
    settings.LIBRISOFT_TRANSPORT, settings.LIBRISOFT_FOLDER = "file", str(tmp_path)
    return tmp_path


def files(place: Path) -> dict[str, str]:
    """Everything in the folder, by its path."""
    return {
        str(path.relative_to(place)): path.read_bytes().decode() for path in sorted(place.rglob("*")) if path.is_file()
    }


def laid_out(order: ShopOrder) -> list[str]:
    return [f"commandes/csv/{order.pk}.csv", f"commandes/json/{order.pk}.json"]


def answer(place: Path, name: str, content: Any, *, age: int = 0) -> None:
    inbox = place / "accuses"
    inbox.mkdir(exist_ok=True)
    path = inbox / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    then = (timezone.now() - timedelta(seconds=age)).timestamp()
    os.utime(path, (then, then))


def read_back() -> None:
    folder.read_back(now=timezone.now())


# Going -----------------------------------------------------------------------------------------


def test_an_order_is_laid_out_as_json_and_as_csv(place: Path) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    found = files(place)
    assert list(found) == laid_out(order)
    assert json.loads(found[f"commandes/json/{order.pk}.json"]) == payload.write(order)
    assert found[f"commandes/csv/{order.pk}.csv"] == "ean;qty\r\n9791097284657;5\r\n"
    assert (order.transmission, order.in_doubt, order.offered_at, order.lease_token) == (
        Transmission.WAITING,
        True,
        NOW,
        None,
    )
    assert not outbox.withdraw(order, now=NOW)


def test_an_order_that_was_taken_is_not_laid_out_again(place: Path) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    for name in laid_out(order):
        (place / name).unlink()
    order = transmission.transmit(order, now=NOW + timedelta(days=1))
    assert (files(place), order.attempts) == ({}, 1)


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("moved", [0, 1, 2])
def test_killed_at_any_step_it_is_laid_out_exactly_once(moved: int, taken: bool, place: Path) -> None:
    """`moved` of its two files were moved when the worker died, and LIBRISOFT took those away at once, or not."""
    order = transmission.transmit(hand_over(), now=NOW)
    finals = [place / name for name in reversed(laid_out(order))]
    for final in finals[moved:]:
        final.rename(place / "en-cours" / final.name)
    if taken:
        for final in finals[:moved]:
            final.unlink()
    # The row as it was then: staged, claimed, nothing noted of the move.
    claim = {"lease_token": order.message_id, "lease_until": NOW + timedelta(seconds=60)}
    ShopOrder.objects.update(offered_at=None, **claim)
    order = transmission.transmit(order, now=NOW + timedelta(seconds=61))
    assert order.offered_at == NOW + timedelta(seconds=61)
    assert list(files(place)) == sorted(str(f.relative_to(place)) for f in (finals[moved:] if taken else finals))


def test_killed_while_it_was_written_it_is_written_anew(place: Path) -> None:
    order = hand_over()
    (place / "en-cours").mkdir()
    (place / "en-cours" / f"{order.pk}.json").write_text("{half")
    order = transmission.transmit(order, now=NOW)
    assert json.loads(files(place)[f"commandes/json/{order.pk}.json"]) == payload.write(order)


def test_withdrawn_while_it_was_written_it_never_appears(place: Path) -> None:
    order = hand_over()
    claim = ShopOrder.objects.claimed(order, order.message_id)

    def mark(**facts: object) -> None:
        outbox.withdraw(order, now=NOW)
        if not claim.update(**facts):
            raise transmission.Lost

    with pytest.raises(transmission.Lost):
        folder.carry(order, mark, now=NOW)
    assert not (place / "commandes" / "json" / f"{order.pk}.json").exists()


def test_a_folder_that_cannot_be_written_is_tried_again_and_said(place: Path) -> None:
    (place / "en-cours").write_text("a file where a folder should be")
    order = transmission.transmit(hand_over(), now=NOW)
    assert (order.transmission, order.error, order.in_doubt) == (
        Transmission.WAITING,
        "Le dossier d’échange avec LIBRISOFT n’est pas accessible.",
        False,
    )
    (place / "en-cours").unlink()
    order = transmission.transmit(order, now=order.next_try_at)
    assert (list(files(place)), order.error) == (laid_out(order), "")


def test_a_disk_that_fails_at_the_move_is_tried_again(place: Path) -> None:
    order = hand_over()
    blocked = place / "commandes" / "csv" / f"{order.pk}.csv"
    blocked.mkdir(parents=True)
    order = transmission.transmit(order, now=NOW)
    assert (order.in_doubt, order.offered_at) == (True, None)
    blocked.rmdir()
    order = transmission.transmit(order, now=order.next_try_at)
    assert (list(files(place)), order.attempts) == (laid_out(order), 2)


# Clearing away ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [
        lambda order: outbox.withdraw(order, now=NOW),
        lambda order: outbox.note_by_hand(order, librisoft_number="6767", status_label="", now=NOW),
    ],
    ids=["withdrawn", "typed in by hand"],
)
def test_an_order_that_waits_no_more_is_not_left_lying(end: Callable[[ShopOrder], object], place: Path) -> None:
    order, other = (transmission.transmit(hand_over(group_order_number=nth), now=NOW) for nth in (62, 63))
    end(order)
    clock.transmit_waiting()
    assert list(files(place)) == laid_out(other)


def test_withdrawn_at_the_moment_of_the_move_it_is_taken_back_all_the_same(place: Path) -> None:
    order = hand_over()

    def mark(**facts: object) -> None:
        ShopOrder.objects.filter(pk=order.pk).update(**facts)
        outbox.withdraw(order, now=NOW)
        folder.take_back()

    folder.carry(order, mark, now=NOW)
    folder.take_back()
    assert files(place) == {}


# Coming back -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", lambda n: {"web_order_number": n, "librisoft_order_id": "6767"}),
        ("a.json", lambda n: [{"web_order_number": n, "librisoft_order_id": "6767"}]),
        (
            "a.JSON",
            lambda n: b"\xef\xbb\xbf" + json.dumps({"web_order_number": n, "librisoft_order_id": "6767"}).encode(),
        ),
        ("a.csv", lambda n: f"web_order_number;librisoft_order_id\r\n{n};6767\r\n".encode()),
        ("a.csv", lambda n: f" {n} ; 6767 ;\n\n".encode()),
    ],
)
def test_an_acknowledgement_is_read_and_moved(name: str, content: Callable[[str], Any], place: Path) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    answer(place, name, content(str(order.pk)))
    clock.transmit_waiting()
    assert (read(order).transmission, read(order).librisoft_number) == (Transmission.SENT, "6767")
    (kept,) = files(place)
    assert (Path(kept).parent.as_posix(), kept.endswith(f"-{name}")) == ("accuses/lus", True)
    assert Link.present().heard_at is not None


def test_a_file_that_is_read_twice_changes_nothing(place: Path) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    for _twice in range(2):
        answer(place, "a.json", {"web_order_number": str(order.pk), "librisoft_order_id": "6767"})
        read_back()
    assert (read(order).librisoft_number, read(order).second_number) == ("6767", "")
    assert len(list((place / "accuses" / "lus").iterdir())) == 2


ODD = [
    ("a.json", b"{half", "Le fichier est illisible."),
    ("a.json", b"[" * 100_000, "Le fichier est illisible."),
    ("a.json", b"[]", "Le fichier est vide."),
    ("a.csv", b"\r\n", "Le fichier est vide."),
    ("a.json", b"[637]", "Entrée 1 : le numéro de la commande manque."),
    ("a.json", {"librisoft_order_id": "6767"}, "Entrée 1 : le numéro de la commande manque."),
    ("a.json", {"web_order_number": "0", "refused": "Non"}, "Entrée 1 : la commande n° 0 n’existe pas ici."),
    (
        "a.json",
        {"web_order_number": "0", "librisoft_order_id": "6767"},
        "Entrée 1 : la commande n° 0 n’existe pas ici.",
    ),
    (
        "a.csv",
        b"637",
        "Entrée 1 : le numéro LIBRISOFT manque, ou dépasse 10 caractères.",
    ),
    ("a.json", {"web_order_number": "637", "refused": ""}, "Entrée 1 : la raison du refus manque."),
    (
        "a.json",
        {"web_order_number": "637", "librisoft_order_id": "6767", "status": {}},
        "Entrée 1 : l’état de la commande est illisible.",
    ),
]


@pytest.mark.parametrize(("name", "content", "reason"), ODD)
def test_a_file_that_nobody_can_read_is_set_aside_with_the_reason(
    name: str, content: Any, reason: str, place: Path, client: Client
) -> None:
    answer(place, name, content, age=61)
    for _twice in range(2):
        read_back()
    (kept,) = files(place)
    aside = SetAsideFile.objects.get()
    assert (aside.reason.replace("\u00a0", " "), f"accuses/mis-de-cote/{aside.name}") == (reason, kept)
    BookshopFactory()
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_setasidefile", "delete_setasidefile"]))
    client.force_login(user)
    page = Page(client.get(reverse("admin:librisoft_bridge_setasidefile_changelist")))
    assert [words(cell) for cell in page.tree.find_class("field-reason")] == [reason]


def test_a_file_that_is_still_being_written_is_left_alone(place: Path) -> None:
    answer(place, "a.json", b"{half", age=30)
    read_back()
    assert (list(files(place)), SetAsideFile.objects.count()) == (["accuses/a.json"], 0)


def test_one_odd_entry_holds_up_no_other(place: Path) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    entries = [{"web_order_number": "0", "librisoft_order_id": "1"}]
    answer(place, "a.json", [*entries, {"web_order_number": str(order.pk), "librisoft_order_id": "6767"}], age=61)
    read_back()
    assert (read(order).transmission, SetAsideFile.objects.count()) == (Transmission.SENT, 1)


def test_a_second_number_is_set_aside_too(place: Path) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    for number in ("6767", "6999"):
        answer(place, "a.json", {"web_order_number": str(order.pk), "librisoft_order_id": number}, age=61)
        read_back()
    assert (read(order).librisoft_number, read(order).second_number) == ("6767", "6999")
    assert SetAsideFile.objects.get().reason.replace("\u00a0", " ") == (
        f"Entrée 1 : la commande n° {order.pk} porte déjà le n° LIBRISOFT 6767 : 6999 en est un second."
    )


def test_a_refusal_of_any_letters_is_shown(place: Path) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    answer(place, "a.json", {"web_order_number": str(order.pk), "refused": "EAN\x00 \ud800inconnu"})
    read_back()
    assert (read(order).transmission, read(order).error) == (Transmission.REFUSED, "EAN ?inconnu")


def test_a_file_of_a_french_windows_program_is_read(place: Path) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    said = f'{{"web_order_number": "{order.pk}", "refused": "Épuisé chez l’éditeur"}}'
    answer(place, "a.json", said.encode("cp1252"))
    read_back()
    assert read(order).error == "Épuisé chez l’éditeur"


@pytest.mark.parametrize("name", ["a.part", "a.json.part", "a.txt", "notes"])
def test_other_files_are_none_of_ours(name: str, place: Path) -> None:
    answer(place, name, b"{}", age=61)
    read_back()
    assert list(files(place)) == [f"accuses/{name}"]


def test_a_folder_out_of_reach_is_said_in_the_log(
    place: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (place / "here").write_text("")
    settings.LIBRISOFT_FOLDER = str(place / "here" / "nowhere")
    clock.transmit_waiting()
    assert "out of reach" in caplog.text
    said = refreshing.refresh(hand_over(), now=NOW)
    assert said == (False, "Le dossier d’échange avec LIBRISOFT n’est pas accessible.")


# What the bookseller reads ---------------------------------------------------------------------


def test_reactualiser_reads_the_folder_at_once(place: Path) -> None:
    order = transmission.transmit(hand_over(), now=NOW)
    assert order.transmission_label.startswith("Remise à LIBRISOFT")
    said = refreshing.refresh(order, now=NOW)
    assert said.said.replace("\u00a0", " ") == "LIBRISOFT n’a rien de nouveau : le statut reste inconnu."
    status = {"code": "RECEIVED", "label": "Réceptionnée", "sequence": 2, "updated_at": "2026-11-24T09:00:00Z"}
    answer(place, "a.json", {"web_order_number": str(order.pk), "librisoft_order_id": "6767", "status": status})
    said = refreshing.refresh(order, now=NOW + refreshing.REFRESH_EVERY)
    assert said.said.replace("\u00a0", " ") == "Statut LIBRISOFT réactualisé : Réceptionnée."
