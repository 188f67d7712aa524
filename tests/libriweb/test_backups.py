"""`manage.py backup` and `manage.py restore`: what was there is there again, to the last row."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from dev.cluster import BIN
from grouped_orders import checkout, lifecycle
from grouped_orders.models import GroupedOrder
from grouped_orders.statuses import HandMethod
from libriweb import backups
from tests.databases import Row, address, contents
from tests.factories import BookshopFactory, GroupedOrderFactory, SubOrderFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def at_hand(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    """The programs of the very server that runs here."""
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def story() -> GroupedOrder:
    """Something of everything: an order validated and handed over, paid by hand, its mails and its journal."""
    BookshopFactory()
    bookseller = UserFactory(is_staff=True)
    order = GroupedOrderFactory(book__title="L’été où — « tout » a changé : 100 %")
    order.book.cover.save("c.png", ContentFile(b"\x89PNG cover"))
    sub_orders = [SubOrderFactory(grouped_order=order, quantity=nth) for nth in (1, 2, 3)]
    for paid in sub_orders[:2]:
        checkout.record_by_hand(paid, method=HandMethod.SHOP, reference="7", by=bookseller, now=timezone.now())
    checkout.cancel_sub_order(sub_orders[2], by=bookseller, reason="Essai", refund=None, now=timezone.now())
    later = timezone.now().replace(year=order.deadline.year + 1)
    lifecycle.validate(order, by=bookseller, now=later)
    return order


def ours() -> dict[str, list[Row]]:
    return contents(address(connection.settings_dict["NAME"]))


def restore(file: Path, url: str, *options: str, media: Path) -> subprocess.CompletedProcess[str]:
    """The command as it is typed, with another shop's settings."""
    environment = os.environ | {"DATABASE_URL": url, "MEDIA_ROOT": str(media)}
    command = [sys.executable, str(django_settings.BASE_DIR / "manage.py"), "restore", str(file), *options]
    return subprocess.run(
        command,
        env=environment | {"DJANGO_SETTINGS_MODULE": "libriweb.settings"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_restored_shop_has_every_row_and_every_cover(story: GroupedOrder, other_database: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.tar"
    call_command("backup", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    done = restore(file, other_database, media=tmp_path / "restored")
    assert (done.returncode, done.stderr) == (0, "")
    expected = ours()
    assert contents(other_database) == expected
    filled = ("groupedorder", "suborder", "payment", "mail", "journalentry")
    assert [name for name in filled if not expected[f"grouped_orders_{name}"]] == []
    assert expected["librisoft_bridge_shoporder"] != []
    assert (tmp_path / "restored" / story.book.cover.name).read_bytes() == b"\x89PNG cover"

    again = restore(file, other_database, media=tmp_path / "restored")
    assert (again.returncode, "La base n’est pas vide" in again.stderr) == (1, True)
    with psycopg.connect(other_database) as writer:
        # The number of an order given since: it stands in LIBRISOFT, and no other may have it.
        asked = "SELECT nextval(pg_get_serial_sequence('librisoft_bridge_shoporder', 'id'))"
        (number,) = writer.execute(asked).fetchone() or (0,)
        assert number > max(order["id"] for order in expected["librisoft_bridge_shoporder"]) + 999
        writer.execute("UPDATE grouped_orders_mail SET subject = 'Changé'")
    replaced = restore(file, other_database, "--replace", media=tmp_path / "restored")
    assert (replaced.returncode, replaced.stderr) == (0, "")
    assert contents(other_database) == expected


def test_backup_overwrites_nothing_and_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "shop.tar"
    file.write_bytes(b"yesterday's")
    with pytest.raises(CommandError, match="existe déjà"):
        call_command("backup", str(file))
    assert file.read_bytes() == b"yesterday's"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="pg_dump manque"):
        call_command("backup", str(tmp_path / "other.tar"))
    assert [path.name for path in tmp_path.iterdir()] == ["shop.tar"]


@pytest.mark.parametrize("broken", ["noise", "cut", "without", "empty dump"])
def test_file_that_is_no_backup_throws_nothing_away(story: GroupedOrder, tmp_path: Path, broken: str) -> None:
    whole = io.BytesIO()
    backups.write(whole)
    content = {"noise": b"hello" * 1000, "cut": whole.getvalue()[:2000]}.get(broken) or archive(
        {"media/x": b"1"} if broken == "without" else {"database.dump": b""}
    )
    before = ours()
    with pytest.raises(backups.BackupError):
        backups.read(io.BytesIO(content), replace=True)
    assert ours() == before


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def test_name_that_climbs_out_is_left_where_it_is(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    made = archive({"media/../../out": b"1", "media/in": b"2", "/tmp/root": b"3", "else": b"4"})
    with tarfile.open(fileobj=io.BytesIO(made), mode="r|") as tar:
        backups._unpack(tar, inside)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()) == [
        Path("inside/media/in")
    ]
