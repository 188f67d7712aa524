"""Records into books: new, changed, unchanged or withdrawn, by EAN. Run again, it ends in the same state."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.utils import timezone

from catalog import vocabulary
from catalog.models import Book
from catalog.onix import FACTS, Record, Reject

BATCH = 500
# When a hundredth of the catalogue is new, what steers the search is counted again.
GROWN = 100
_WRITTEN = [
    *FACTS,
    "withdrawn",
    "record_reference",
    "message_sent",
    "search_text",
    "title_key",
    "standing",
    "cover_due_at",
]
_COLUMNS = ["cover", "ean13", *_WRITTEN]


@dataclass
class Summary:
    """What an import did. `rejects` are the latest ones, for whoever reports them to take away."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def read(self) -> int:
        return self.new + self.changed + self.unchanged + self.withdrawn + self.rejected

    def reject(self, reject: Reject) -> None:
        self.rejected += 1
        self.rejects.append(reject)

    def take_rejects(self) -> list[Reject]:
        taken, self.rejects = self.rejects, []
        return taken


def take_in(records: Iterable[Record | Reject], summary: Summary) -> Iterator[Summary]:
    """Take records in, batch by batch, each committed; add to the summary and yield it after each.

    A bad record is left out with its reason, never the file. A message older than what is known of a book is left
    aside. A book that is withdrawn (notification 05) stays, for orders may hold it.
    """
    for batch in _batches(records, summary):
        _take_in_batch(batch, summary)
        yield summary
    if (summary.new + summary.changed) * GROWN > Book.objects.count():
        vocabulary.recount()


def _batches(records: Iterable[Record | Reject], summary: Summary) -> Iterator[dict[str, Record]]:
    """By EAN, one record of each: a second one of the same book begins the next batch, so that both count."""
    batch: dict[str, Record] = {}
    broken = None
    try:
        for record in records:
            if isinstance(record, Reject):
                summary.reject(record)
                continue
            if record.ean13 in batch or len(batch) == BATCH:
                yield batch
                batch = {}
            batch[record.ean13] = record
    except Exception as error:
        broken = error
    yield batch
    if broken:  # only now: what it said before it broke off is taken in
        raise broken


@transaction.atomic
def _take_in_batch(records: dict[str, Record], summary: Summary) -> None:
    # In one order everywhere, so that two imports at once wait for each other and never in a circle.
    kept = Book.objects.select_for_update(no_key=True).defer("search_vector").order_by("ean13")
    known = {book.ean13: book for book in kept.filter(ean13__in=records)}
    written, dated = [], []
    for ean13, record in sorted(records.items()):
        book = known.get(ean13)
        if book and record.sent and book.message_sent and record.sent < book.message_sent:
            summary.unchanged += 1
        elif record.gone:
            if book is None or book.withdrawn:
                summary.unchanged += 1
            else:
                book.withdrawn, book.message_sent = True, record.sent or book.message_sent
                book.describe_for_search()
                written.append(book)
                summary.withdrawn += 1
        elif book is None:
            if "title" not in _told(record):
                reason = "Mise à jour partielle d’un ouvrage qui n’est pas au catalogue."
                summary.reject(Reject(record.line, record.reference, reason))
            else:
                written.append(_write(Book(ean13=ean13), record))
                summary.new += 1
        elif book.withdrawn or any(getattr(book, name) != getattr(record, name) for name in _told(record)):
            written.append(_write(book, record))
            summary.changed += 1
        else:
            summary.unchanged += 1
            if record.sent and record.sent != book.message_sent:
                book.message_sent = record.sent
                dated.append(book)
    _store(written)
    # Nothing new but the date: what comes later and was sent before is older than this.
    for sent in {book.message_sent for book in dated}:
        same = [book.pk for book in dated if book.message_sent == sent]
        Book.objects.filter(pk__in=same).update(message_sent=sent)


def _store(books: list[Book]) -> None:
    """Write these books, new or known, and their words: by COPY, the cheapest way in."""
    if not books:
        return
    columns = ", ".join(_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS catalog_taken ON COMMIT DELETE ROWS AS "
            f"SELECT {columns} FROM catalog_book WITH NO DATA; TRUNCATE catalog_taken"
        )
        with cursor.copy(f"COPY catalog_taken ({columns}) FROM STDIN") as copy:
            for book in books:
                copy.write_row([str(book.cover), *(getattr(book, name) for name in _COLUMNS[1:])])
        cursor.execute(
            f"INSERT INTO catalog_book ({columns}) SELECT {columns} FROM catalog_taken "
            "ON CONFLICT (ean13) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _WRITTEN)
        )
    vocabulary.learn([book.search_text for book in books])


def _told(record: Record) -> tuple[str, ...]:
    return FACTS if record.only is None else record.only


def _write(book: Book, record: Record) -> Book:
    if "cover_source" in _told(record) and record.cover_source != book.cover_source:
        book.cover_due_at = timezone.now() if record.cover_source else None
    for name in _told(record):
        setattr(book, name, getattr(record, name))
    book.withdrawn = False
    book.record_reference, book.message_sent = record.reference, record.sent or book.message_sent
    book.describe_for_search()
    return book
