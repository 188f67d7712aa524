"""A shop in use is upgraded: nothing is lost, and the old code goes on working beside the new until it is stopped.

« Before » is the last release (a tag v…). While nothing is released, 0001 may be rewritten, and then there is nothing
to migrate from: « before » is the schema before this one when it was not, otherwise the first commit that had this one.
"""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import psycopg
import pytest

from tests.databases import Row, contents

ROOT = Path(__file__).parent.parent.parent
POPULATE = Path(__file__).with_name("populate.py")
MIGRATIONS = ":(glob)*/migrations/*.py"
# Django's own book-keeping: it grows with every model.
BOOKS = ("django_migrations", "django_content_type", "auth_permission")


class Before:
    """The code of an earlier commit, in a folder of its own."""

    def __init__(self, commit: str, folder: Path) -> None:
        self.folder = folder
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                tar.extract(member, folder)

    def rewritten(self) -> list[str]:
        """Its migrations that are others now, or gone: a database that has them can not be migrated."""
        found = []
        for migration in sorted(self.folder.glob("*/migrations/*.py")):
            name = migration.relative_to(self.folder)
            now = ROOT / name
            if not now.exists() or now.read_bytes() != migration.read_bytes():
                found.append(str(name))
        return found


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    if tag := git("describe", "--tags", "--match", "v*", "--abbrev=0"):
        return Before(tag, tmp_path_factory.mktemp("before"))
    for commit in reversed(git("log", "-2", "--format=%H", "--", MIGRATIONS).split()):
        earlier = Before(commit, tmp_path_factory.mktemp("before"))
        if not earlier.rewritten():
            return earlier
    pytest.skip("nothing is released, and the migrations are being rewritten: there is no earlier schema")


def populate(code: Path, url: str, *arguments: str) -> None:
    """With this commit's code; its shop's own settings are ours."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "libriweb.settings",
        "PYTHONPATH": str(code),
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, str(POPULATE), *arguments]
    done = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def lost(had: dict[str, list[Row]], has: dict[str, list[Row]]) -> list[str]:
    """What stood in a table and does not any more: rows and columns; new ones are no loss."""
    found = []
    for table, rows in had.items():
        if table in BOOKS or not rows:
            continue
        kept = has.get(table, [])
        columns = rows[0].keys()
        if missing := columns - (kept[0].keys() if kept else set()):
            found.append(f"{table}: {', '.join(sorted(missing))}")
            continue
        now = [{name: row[name] for name in columns} for row in kept]
        found += [f"{table}: {row}" for row in rows if row not in now]
    return found


def test_shop_in_use_is_migrated_and_loses_nothing(before: Before, other_database: str) -> None:
    assert before.rewritten() == [], "a released migration is never changed"
    populate(before.folder, other_database, "1", "migrate")
    had = contents(other_database)
    assert len(had["grouped_orders_groupedorder"]) == 2
    populate(ROOT, other_database, "2", "migrate")
    assert lost(had, contents(other_database)) == []
    # Expand first, contract a release later: the old webs and workers are still at work on the new schema.
    populate(before.folder, other_database, "3")
    assert len(contents(other_database)["grouped_orders_groupedorder"]) == 6
    assert lost(had, contents(other_database)) == []


def test_loss_is_seen(other_database: str) -> None:
    with psycopg.connect(other_database, autocommit=True) as writer:
        writer.execute("CREATE TABLE a AS SELECT 1 AS id, 'x' AS word, 2 AS more UNION SELECT 2, 'y', 3")
        writer.execute("CREATE TABLE b AS SELECT 1 AS id")
        had = contents(other_database)
        writer.execute("ALTER TABLE a DROP COLUMN more, ADD COLUMN extra int")
        writer.execute("DROP TABLE b")
    assert lost(had, contents(other_database)) == ["a: more", "b: id"]
    with psycopg.connect(other_database, autocommit=True) as writer:
        writer.execute("ALTER TABLE a ADD COLUMN more int")
        writer.execute("UPDATE a SET more = id + 1, word = 'z' WHERE id = 2")
        writer.execute("UPDATE a SET more = id + 1 WHERE id = 1")
    assert lost({"a": had["a"]}, contents(other_database)) == ["a: {'id': 2, 'word': 'y', 'more': 3}"]
