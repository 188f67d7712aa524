"""`make bench-catalogue`: a million and a half made-up books, imported and searched as a shop does it.

A PostgreSQL of its own is made in BENCH_DIR, so that nothing else is touched; the table goes to bench/. With
DATABASE_URL nothing is imported: the search is measured on the catalogue that is there, which is only read.
Each search is measured beside plain SQL on the same data, one after the other, so that a busy machine slows both.
"""

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import django

from bench.titles import onix, titles
from dev.cluster import Cluster

ROOT = Path(__file__).resolve().parent.parent
SIZE = int(os.environ.get("SIZE", 1_500_000))
QUERIES = int(os.environ.get("QUERIES", 1_000))
# An ONIX file of real products, whose records stand among the made-up ones.
REAL = os.environ.get("REAL", "")
FOLDER = Path(os.environ.get("BENCH_DIR", ROOT / ".bench")).resolve()
FIRST_TEN = 10
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ONIXMessage xmlns="http://ns.editeur.org/onix/3.0/reference" '
    'release="3.0"><Header><SentDateTime>20261101T0900Z</SentDateTime></Header>\n'
)


class Asked(NamedTuple):
    """A query as somebody types it, the book she means (0: any that answers), and the same in plain SQL."""

    text: str
    book: int
    sql: str
    values: list[Any]


class Line(NamedTuple):
    kind: str
    times: list[float]
    database: list[float]
    plain: list[float]
    found: str
    to_reach: str


def main() -> None:
    os.environ |= {"SECRET_KEY": "bench", "DJANGO_SETTINGS_MODULE": "libriweb.settings"}
    os.environ |= {"IMPORT_ROOT": str(FOLDER / "imports")}
    if "DATABASE_URL" in os.environ:
        _tell(os.getloadavg()[0], [])
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(FOLDER / f"postgresql-{SIZE}")
    cluster.start()
    os.environ["DATABASE_URL"] = cluster.url
    try:
        before = os.getloadavg()[0]
        _tell(before, [*_import(), ""])
    finally:
        cluster.stop()


def _tell(load: float, told: list[str]) -> None:
    """Measure the search; print it all, and write it to bench/."""
    django.setup()
    from catalog.models import Book  # noqa: PLC0415 - Django is set up once the database exists

    size = Book.objects.count()
    lines = [_measure(kind, asked, goal) for kind, asked, goal in _questions()]
    text = "\n".join(
        [
            f"# The catalogue: {size:,} books".replace(",", " "),
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} cores, PostgreSQL as it comes "
            f"(shared_buffers 128 MB); load {load:.1f} before, {os.getloadavg()[0]:.1f} after.",
            "",
            *told,
            *_table(lines),
            "",
            *_sizes(),
            "",
        ]
    )
    print(text)
    (ROOT / "bench" / f"catalogue-{size}.md").write_text(text)


def _import() -> list[str]:
    """Write the file once, migrate, import it; what was measured."""
    file = FOLDER / f"catalogue-{SIZE}.xml"
    if not file.exists():
        print(f"Writing {file}…", flush=True)
        _write(file)
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "-v0"], check=True)
    started = time.monotonic()
    imported = subprocess.run([*manage, "import_books", str(file)], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.monotonic() - started
    # Of all processes waited for; the import is by far the largest.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory, processor = used.ru_maxrss / 1024, used.ru_utime + used.ru_stime
    print(imported.stdout, flush=True)
    return [
        f"Import of {file.stat().st_size / 1e9:.1f} GB of ONIX, end to end: **{SIZE / seconds:.0f} records/s** "
        f"({seconds:.0f} s; to reach: 1 000), "
        f"of which {processor * 1000 / SIZE:.2f} ms of processor a record in its own process; "
        f"peak memory **{memory:.0f} MB** (to reach: under 150)."
    ]


def _write(file: Path) -> None:
    real = []
    if REAL:
        text = Path(REAL).read_text()
        real = [f"<Product>{product}" for product in text[: text.rindex("</Product>") + 10].split("<Product>")[1:]]
    part = file.with_suffix(".part")
    with part.open("w") as out:
        out.write(HEAD)
        for number, title in enumerate(titles(SIZE - len(real))):
            out.write(onix(title))
            if real and number % 10_000 == 0:
                out.write(real.pop())
        out.writelines([*real, "</ONIXMessage>\n"])
    part.rename(file)


def _questions() -> list[tuple[str, list[Asked], str]]:
    from django.db import connection  # noqa: PLC0415 - Django is set up once the database exists

    from catalog.models import Word  # noqa: PLC0415 - the same
    from catalog.wording import normalise, tokens  # noqa: PLC0415 - the same

    chance = random.Random(2)
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM catalog_book")
        picked = chance.sample(range(1, cursor.fetchone()[0] + 1), QUERIES * 2)
        cursor.execute(
            "SELECT id, ean13, title, authors, title_key FROM catalog_book "
            "WHERE id = ANY(%s) AND authors <> '' AND ean13 LIKE '9782%%' ORDER BY id LIMIT %s",
            [picked, QUERIES],
        )
        books = cursor.fetchall()
    chance.shuffle(books)
    frequent = list(
        Word.objects.filter(word__regex="^[a-z]{4,}$").order_by("-books").values_list("word", flat=True)[:200]
    )
    by_words = "SELECT id FROM catalog_book WHERE search_vector @@ to_tsquery('simple', %s) "
    best = by_words + "ORDER BY standing DESC LIMIT 100"

    def by_word(text: str, book: int, words: list[str], sql: str = best) -> Asked:
        return Asked(text, book, sql, [" & ".join([*words[:-1], f"{words[-1]}:*"])])

    def surname(authors: str) -> str:
        return authors.split("/")[0].split()[0]

    kinds: dict[str, list[Asked]] = {kind: [] for kind in ("ean", "word", "title", "letters", "mistake")}
    for number, ean13, title, authors, key in books:
        one_ean = "SELECT id FROM catalog_book WHERE ean13 = %s"
        kinds["ean"].append(Asked(ean13, number, one_ean, [ean13]))
        word = chance.choice(frequent)
        kinds["word"].append(by_word(word, 0, [word]))
        words = [*tokens(title), *normalise(surname(authors)).split()]
        kinds["title"].append(by_word(f"{title} {surname(authors)}", number, words, by_words + "LIMIT 100"))
        kinds["letters"].append(by_word(key[:3], 0, [key[:3].split()[0]]))
        if long := [place for place, word in enumerate(words) if len(word) > 4]:
            place = chance.choice(long)
            typed = [*words[:place], _mistyped(words[place], chance), *words[place + 1 :]]
            kinds["mistake"].append(by_word(" ".join(typed), number, words, by_words + "LIMIT 100"))
    return [
        ("EAN", kinds["ean"], "50 ms"),
        ("one frequent word", kinds["word"], "50 ms"),
        ("title and author", kinds["title"], "50 ms; 98 %"),
        ("three letters", kinds["letters"], "50 ms"),
        ("title and author, one mistake", kinds["mistake"], "150 ms; 75 %"),
    ]


def _mistyped(word: str, chance: random.Random) -> str:
    """One letter too few, too many or wrong, or two neighbours the wrong way round; the first one is always right."""
    at, letter = chance.randrange(1, len(word)), chance.choice("abcdefghijklmnopqrstuvwxyz")
    return chance.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + letter + word[at:],
            word[:at] + letter + word[at + 1 :],
            word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
        ]
    )


def _measure(kind: str, asked: list[Asked], goal: str) -> Line:
    from django.db import connection  # noqa: PLC0415 - Django is set up once the database exists

    from catalog.models import Book  # noqa: PLC0415 - the same

    spent = [0.0]

    def clock(execute: Callable[..., Any], *args: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*args)
        finally:
            spent[0] += time.perf_counter() - started

    line, hits = Line(kind, [], [], [], "", goal), 0
    for question in asked:
        started, spent[0] = time.perf_counter(), 0.0
        with connection.execute_wrapper(clock):
            books = Book.objects.search(question.text).books
        line.times.append(time.perf_counter() - started)
        line.database.append(spent[0])
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute(question.sql, question.values)
            cursor.fetchall()
        line.plain.append(time.perf_counter() - started)
        hits += question.book in [book.pk for book in books[:FIRST_TEN]]
    meant = any(question.book for question in asked)
    print(kind, f"{_at(line.database, 0.95):.1f} ms", flush=True)
    return line._replace(found=f"{100 * hits / len(asked):.1f} %" if meant else "")


def _at(times: list[float], share: float) -> float:
    return sorted(times)[int(len(times) * share)] * 1000


def _table(lines: list[Line]) -> list[str]:
    """In milliseconds, of so many queries a kind."""
    return [
        f"{QUERIES} searches of each kind, in milliseconds: in the database, with the page's objects made, and plain "
        "SQL beside it (the words as they are right, "
        "unranked where a book is meant).",
        "",
        "| kind | database p50 | p95 | max | whole p50 | p95 | plain SQL p50 | p95 | in the first ten | to reach |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {line.kind} | {_at(line.database, 0.5):.1f} | **{_at(line.database, 0.95):.1f}** "
            f"| {max(line.database) * 1000:.0f} | {_at(line.times, 0.5):.1f} | {_at(line.times, 0.95):.1f} "
            f"| {_at(line.plain, 0.5):.1f} | {_at(line.plain, 0.95):.1f} | {line.found} | {line.to_reach} |"
            for line in lines
        ),
    ]


def _sizes() -> list[str]:
    from django.db import connection  # noqa: PLC0415 - Django is set up once the database exists

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_size_pretty(pg_relation_size(pg_class.oid)) FROM pg_class "
            "LEFT JOIN pg_index ON indexrelid = pg_class.oid "
            "WHERE relname LIKE 'catalog_book%%' AND relkind = 'r' OR indrelid IN "
            "('catalog_book'::regclass, 'catalog_word'::regclass) ORDER BY pg_relation_size(pg_class.oid) DESC"
        )
        return ["Sizes: " + ", ".join(f"{name} {size}" for name, size in cursor.fetchall()) + "."]


def _processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else "an unknown processor"


if __name__ == "__main__":
    main()
