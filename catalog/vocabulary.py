"""The words of the catalogue: in how many books each stands, and which ones a misspelt word may have meant."""

from collections import defaultdict
from dataclasses import dataclass, replace
from math import prod
from string import ascii_lowercase

from django.db import connection
from django.db.backends.utils import CursorWrapper

# Shorter, everything resembles everything; longer is no word.
SHORTEST, LONGEST = 4, 25
MOST_MEANT = 12
# Two mistakes in one word: what trigrams must share at least.
ALIKE = 0.45
MOST_ALIKE = 4


@dataclass(frozen=True)
class Meant:
    """What one word of a question may stand for: itself, the words it begins (`unfinished`), or a `near` one.

    `share` is the part of the catalogue's books that say so, as they were last counted; `known`: the word itself, or
    one near it, stands in the catalogue.
    """

    word: str
    unfinished: bool = False
    near: tuple[str, ...] = ()
    share: float = 0.0
    known: bool = False

    def says(self, word: str) -> bool:
        return word == self.word or word in self.near or (self.unfinished and word.startswith(self.word))

    @property
    def as_tsquery(self) -> str:
        # Only [0-9a-z] is left in a word, so it needs no quotes.
        return f"({' | '.join((self.word + ':*' * self.unfinished, *self.near))})"

    @property
    def patterns(self) -> list[str]:
        """For LIKE, on a text with a space before and after."""
        return [f"% {self.word}%" if self.unfinished else f"% {self.word} %", *(f"% {word} %" for word in self.near)]


@dataclass(frozen=True)
class Question:
    """Words that a book must all have, and how many of the catalogue's books that makes, were they independent."""

    meant: tuple[Meant, ...]
    catalogue: int

    @property
    def expected(self) -> float:
        return self.catalogue * prod(meant.share for meant in self.meant)


def ask(cursor: CursorWrapper, words: list[str], *, unfinished: list[str]) -> Question:
    """The words as they are typed; those `unfinished` may go on."""
    return _counted(cursor, [Meant(word, word in unfinished) for word in words])


def mend(cursor: CursorWrapper, asked: Question) -> Question | None:
    """The same question with the words that each may be a mistake for; None when there is no other.

    One letter more, less or other, or two neighbours in the wrong order: all such words of the catalogue. A word that
    has none of these and stands nowhere: those that resemble it most, and if there are none it is left out.
    """
    near = _one_mistake_away(cursor, [meant.word for meant in asked.meant])
    mended: list[Meant] = []
    for meant in asked.meant:
        others = near[meant.word]
        if not others and not meant.share:
            others = _most_alike(cursor, meant.word)
        if others or meant.share:
            mended.append(Meant(meant.word, meant.unfinished, tuple(others)))
    if not mended or [(m.word, m.near) for m in mended] == [(m.word, m.near) for m in asked.meant]:
        return None
    return _counted(cursor, mended)


def recount() -> None:
    """Count again how many books there are, and how many have each word. It steers the search and no more."""
    with connection.cursor() as cursor:
        # The front of the catalogue is read without its books where nothing has changed since a VACUUM.
        cursor.execute("ANALYZE catalog_book" if connection.in_atomic_block else "VACUUM (ANALYZE) catalog_book")
        cursor.execute(
            "INSERT INTO catalog_word (word, books) SELECT word, ndoc "
            "FROM ts_stat('SELECT search_vector FROM catalog_book') WHERE length(word) <= %s "
            # Sorted, as in `learn`: two imports at once wait for each other and never in a circle.
            'ORDER BY word COLLATE "C" '
            "ON CONFLICT (word) DO UPDATE SET books = excluded.books WHERE catalog_word.books <> excluded.books",
            [LONGEST],
        )


def learn(texts: list[str]) -> None:
    """Know the words of these books from now on, so that mistakes find them; how many have them is counted later."""
    words = sorted({word for text in texts for word in text.split() if len(word) <= LONGEST})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalog_word (word, books) SELECT unnest(%s::text[]), 1 ON CONFLICT DO NOTHING", [words]
        )


def _counted(cursor: CursorWrapper, meant: list[Meant]) -> Question:
    # « ~ » sorts behind every letter: whatever goes on from a word stands between it and it with this behind.
    bounds = [(place, m.word, m.word + "~" * m.unfinished) for place, m in enumerate(meant)]
    bounds += [(place, word, word) for place, m in enumerate(meant) for word in m.near]
    cursor.execute(
        "SELECT place, sum(books), bool_or(word = first), "
        "(SELECT reltuples FROM pg_class WHERE oid = 'catalog_book'::regclass) "
        "FROM unnest(%s::int[], %s::text[], %s::text[]) AS asked (place, first, beyond) "
        "JOIN catalog_word ON word ~>=~ first AND word ~<=~ beyond GROUP BY place",
        [list(column) for column in zip(*bounds, strict=True)],
    )
    counted = {place: row for place, *row in cursor.fetchall()}
    catalogue = max([1.0, *(float(size) for _, _, size in counted.values())])

    def with_count(place: int, asked: Meant) -> Meant:
        books, known, _ = counted.get(place, (0, False, 0))
        return replace(asked, share=min(1.0, int(books) / catalogue), known=known)

    return Question(tuple(with_count(place, asked) for place, asked in enumerate(meant)), int(catalogue))


def _one_mistake_away(cursor: CursorWrapper, words: list[str]) -> dict[str, list[str]]:
    """Of each word, the catalogue's words that are one mistake away, the most frequent first."""
    typed: dict[str, set[str]] = defaultdict(set)
    for word in words:
        if SHORTEST <= len(word) <= LONGEST and not word.isdecimal():
            for other in _mistakes(word):
                typed[other].add(word)
    cursor.execute("SELECT word FROM catalog_word WHERE word = ANY(%s) ORDER BY books DESC", [list(typed)])
    near: dict[str, list[str]] = defaultdict(list)
    for (known,) in cursor.fetchall():
        for word in typed[known] - {known}:
            if len(near[word]) < MOST_MEANT:
                near[word].append(known)
    return near


def _mistakes(word: str) -> set[str]:
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    return (
        {before + after[1:] for before, after in cuts if after}
        | {before + after[1] + after[0] + after[2:] for before, after in cuts if len(after) > 1}
        | {before + letter + after[1:] for before, after in cuts if after for letter in ascii_lowercase}
        | {before + letter + after for before, after in cuts for letter in ascii_lowercase}
    )


def _most_alike(cursor: CursorWrapper, word: str) -> list[str]:
    cursor.execute("SET LOCAL pg_trgm.similarity_threshold = %s", [ALIKE])
    cursor.execute(
        "SELECT word FROM catalog_word WHERE word %% %s ORDER BY similarity(word, %s) DESC, books DESC LIMIT %s",
        [word, word, MOST_ALIKE],
    )
    return [known for (known,) in cursor.fetchall()]
