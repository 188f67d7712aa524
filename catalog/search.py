"""Finding the book that somebody means, among a million and a half, in some milliseconds.

Three short lists are drawn from the database, then ranked here: titles that are the question, titles that begin with
it, and books that have all its words. The last one is drawn in one of two ways, by how many books are expected: few
are looked up in the index of words and sorted; for many, reading the catalogue from its front, best standing first,
meets enough of them soon. bench/ has what was measured.
"""

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from django.db import OperationalError, connection, models, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from catalog import vocabulary
from catalog.ean import to_ean13, typed_number
from catalog.vocabulary import Meant, Question
from catalog.wording import FUNCTION_WORDS, title_key, tokens

if TYPE_CHECKING:
    from catalog.models import Book

MOST = 100
LONGEST = 200
# Fewer digits are a title: « 1984 ».
SHORTEST_NUMBER = 7
# With fewer books than this, unfinished words are looked for, then spelling mistakes are forgiven.
FEW = 3
# From so many books on, the front of the catalogue is read instead of the index of words.
MANY = 4_000
FRONT = 30_000
CANDIDATES = 200
# A few more than are shown: reading on for others would cost as much again.
CANDIDATES_IN_FRONT = 120
# Looking at a book itself takes as long as reading so many entries of an unfinished word in the index.
DEARER = 16
TITLES_READ = 3_000
# One question may not cost everybody else: so long for each query, one core, and no plan that reads every book.
_HURRY = """
SET LOCAL statement_timeout = '400ms'; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL work_mem = '16MB';
SET LOCAL enable_seqscan = off
"""
_BY_WORD = "search_vector @@ to_tsquery('simple', %s)"


class Found(NamedTuple):
    """What a search found, best first; `approximate` when spelling was forgiven: « Résultats approchants »."""

    books: list["Book"]
    approximate: bool

    @property
    def is_cut(self) -> bool:
        """There may be more than are shown."""
        return len(self.books) == MOST


class Stored(NamedTuple):
    """Of a book that may be meant, what decides its place."""

    title_key: str
    standing: int


class BookQuerySet(models.QuerySet["Book"]):
    def search(self, text: str) -> Found:
        """What somebody may mean by these words: at most 100 books, none for fewer than two characters.

        A valid EAN-13, ISBN-13 or ISBN-10, with or without dashes, goes straight to its book; so does the beginning
        of an EAN, from seven digits. Otherwise accents, capitals, punctuation, word order and unfinished words do
        not matter, in title, subtitle, authors, publisher and collection; the exact title comes first, then what
        begins with it, then what resembles most, what can be ordered, what is recent. When nothing is found, or little
        by a word that no book has, spelling mistakes are forgiven.
        """
        text = text[:LONGEST]
        if (number := typed_number(text)) and len(number) >= SHORTEST_NUMBER:
            ean13 = to_ean13(number)
            books = list(self.filter(ean13=ean13)) if ean13 else []
            return Found(books or list(self.filter(ean13__startswith=number).order_by("ean13")[:MOST]), False)
        words = tokens(text)
        if len("".join(words)) < 2:
            return Found([], approximate=False)
        drawn, key = Drawn(), title_key(text)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_HURRY)
                drawn.draw(cursor, words, key)
        except OperationalError:  # out of time: what was found before is the answer
            pass
        exact = self._ranked(drawn.exact, key, drawn.asked)
        near = self._ranked({pk: drawn.near[pk] for pk in drawn.near.keys() - drawn.exact.keys()}, key, drawn.asked)
        return Found((exact + near)[:MOST], approximate=bool(near))

    def _ranked(self, drawn: dict[int, Stored], key: str, asked: tuple[Meant, ...]) -> list["Book"]:
        """The best hundred of these, in order."""
        today = timezone.localdate()

        def rank(title: str) -> tuple[int, int]:
            return 0 if title == key else 1 if title.startswith(key) else 2, -likeness(title, asked)

        # First by what is stored, which the day changes little; then the few that are shown, by what they are today.
        best = sorted(drawn, key=lambda pk: (rank(drawn[pk].title_key), -drawn[pk].standing, pk))[:MOST]
        books = self.defer("summary", "search_text", "search_vector").in_bulk(best)
        return sorted(
            (books[pk] for pk in best if pk in books),
            key=lambda book: (rank(book.title_key), bool(book.unavailable_reason(today))),
        )


class Drawn:
    """The books that may be meant, by primary key, as they are found: a query too slow loses no other."""

    def __init__(self) -> None:
        self.exact: dict[int, Stored] = {}
        self.near: dict[int, Stored] = {}
        self.asked: tuple[Meant, ...] = ()

    def draw(self, cursor: CursorWrapper, words: list[str], key: str) -> None:
        self.exact |= _titles(cursor, key)
        question = vocabulary.ask(cursor, words, unfinished=words[-1:])
        self.asked = question.meant
        self.exact |= _with_words(cursor, question)
        if len(self.exact) >= FEW:
            return
        if len(words) > 1:
            question = vocabulary.ask(cursor, words, unfinished=words)
            self.asked = question.meant
            self.exact |= _with_words(cursor, question)
        doubtful = not self.exact or not all(meant.known for meant in question.meant)
        if len(self.exact) < FEW and doubtful and (mended := vocabulary.mend(cursor, question)):
            self.asked = mended.meant
            self.near = _with_words(cursor, mended)


def likeness(key: str, asked: tuple[Meant, ...]) -> int:
    """How much of a title was asked for, in quarters: what resembles about as much is told apart by other things."""
    words = [word for word in key.split() if word not in FUNCTION_WORDS] or key.split()
    said = sum(any(meant.says(word) for meant in asked) for word in words)
    return 4 * said // max(len(words), 1)


def _titles(cursor: CursorWrapper, key: str) -> dict[int, Stored]:
    """Titles that are this one, and titles that begin with it; of too many that begin alike, the first by alphabet."""
    # Both are read from the index alone. `+ 0`: never by walking the whole catalogue in order of standing.
    exact = "SELECT id, title_key, standing FROM catalog_book WHERE title_key = %s ORDER BY standing + 0 DESC LIMIT %s"
    longer = (
        "SELECT * FROM (SELECT id, title_key, standing FROM catalog_book WHERE title_key ~>=~ %s AND title_key ~<~ %s "
        "ORDER BY title_key USING ~<~ LIMIT %s) AS longer ORDER BY standing DESC LIMIT %s"
    )
    values: list[str | int] = [key, MOST, f"{key} ", f"{key}~", TITLES_READ, MOST]
    return _drawn(cursor, f"({exact}) UNION ALL ({longer})", values) if key else {}


def _with_words(cursor: CursorWrapper, question: Question) -> dict[int, Stored]:
    """Books that have every one of these words, in whatever field: of many, those of best standing."""
    if question.expected >= MANY:
        books = _read_front(cursor, question)
        if len(books) >= FEW:
            return books
    return _look_up(cursor, question)


def _read_front(cursor: CursorWrapper, question: Question) -> dict[int, Stored]:
    conditions, patterns = _in_text(question.meant)
    return _drawn(
        cursor,
        # The inner limit keeps PostgreSQL from choosing another way; the index holds all that is read.
        "SELECT id, title_key, book.standing FROM catalog_book AS book JOIN (SELECT id FROM ("
        "SELECT id, search_text FROM catalog_book ORDER BY standing DESC, id DESC LIMIT %s) AS front "
        f"WHERE {' AND '.join(conditions)} LIMIT %s) AS met USING (id)",
        [FRONT, *patterns, CANDIDATES_IN_FRONT],
    )


def _look_up(cursor: CursorWrapper, question: Question) -> dict[int, Stored]:
    """By the index of words; a beginning that too many books have is checked on the books that the others leave."""
    indexed, loose = list(question.meant), []
    for meant in question.meant:
        others = prod(other.share for other in indexed if other is not meant)
        if meant.unfinished and meant.share > DEARER * others:
            indexed.remove(meant)
            loose.append(meant)
    conditions, patterns = _in_text(loose)
    return _drawn(
        cursor,
        f"SELECT id, title_key, standing FROM catalog_book WHERE {' AND '.join([_BY_WORD, *conditions])} "
        "ORDER BY standing + 0 DESC LIMIT %s",
        [" & ".join(meant.as_tsquery for meant in indexed), *patterns, CANDIDATES],
    )


def _in_text(asked: list[Meant] | tuple[Meant, ...]) -> tuple[list[str], list[str]]:
    """Conditions on the text itself, for each of these words, and their values."""
    says = "(' ' || search_text || ' ') LIKE %s"
    conditions = [f"({' OR '.join([says] * len(meant.patterns))})" for meant in asked]
    return conditions, [pattern for meant in asked for pattern in meant.patterns]


def _drawn(cursor: CursorWrapper, sql: str, values: list[str | int]) -> dict[int, Stored]:
    cursor.execute(sql, values)
    return {pk: Stored(title, standing) for pk, title, standing in cursor.fetchall()}
