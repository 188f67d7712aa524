"""Records into books: new, changed, unchanged or withdrawn, by EAN. Run again, it ends in the same state."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice

from django.db import transaction

from catalog.models import Book
from catalog.onix import Record, Reject

BATCH = 500
# What a record says of itself and not of the book.
_NOT_COLUMNS = ("ean13", "gone", "reference", "sent")
_DERIVED = ("search_text", "title_key")


@dataclass
class Summary:
    """What an import did."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def taken(self) -> int:
        return self.new + self.changed + self.unchanged + self.withdrawn


def take_in(records: Iterable[Record | Reject]) -> Iterator[Summary]:
    """Take records in, batch by batch, each committed; yield the summary so far after each.

    A bad record is left out with its reason, never the file. A message older than what is known of a book is left
    aside. A book that is withdrawn (notification 05) stays, for orders may hold it.
    """
    summary = Summary()
    source = iter(records)
    while batch := list(islice(source, BATCH)):
        summary.rejects += [record for record in batch if isinstance(record, Reject)]
        # The last word of a message on a book is the one that counts.
        usable = [record for record in batch if isinstance(record, Record)]
        last = {record.ean13: record for record in usable}
        summary.unchanged += len(usable) - len(last)
        _take_in_batch(last, summary)
        yield summary


@transaction.atomic
def _take_in_batch(records: dict[str, Record], summary: Summary) -> None:
    known = {book.ean13: book for book in Book.objects.select_for_update().filter(ean13__in=records)}
    new, changed = [], []
    for ean13, record in records.items():
        book = known.get(ean13)
        if record.gone:
            if book is None or book.withdrawn:
                summary.unchanged += 1
            else:
                book.withdrawn, book.message_sent = True, record.sent or book.message_sent
                changed.append(book)
                summary.withdrawn += 1
        elif book is None:
            new.append(_write(Book(ean13=ean13), record))
        elif record.sent and record.sent < book.message_sent:
            summary.unchanged += 1
        elif _differs(book, record):
            changed.append(_write(book, record))
            summary.changed += 1
        else:
            summary.unchanged += 1
    summary.new += len(new)
    Book.objects.bulk_create(new)
    if changed:
        columns = [*_columns(), "withdrawn", "record_reference", "message_sent", *_DERIVED]
        Book.objects.bulk_update(changed, columns)


def _columns() -> list[str]:
    return [name for name in Record.__dataclass_fields__ if name not in _NOT_COLUMNS]


def _differs(book: Book, record: Record) -> bool:
    return book.withdrawn or any(getattr(book, name) != getattr(record, name) for name in _columns())


def _write(book: Book, record: Record) -> Book:
    facts = asdict(record)
    for name in _columns():
        setattr(book, name, facts[name])
    book.withdrawn = False
    book.record_reference, book.message_sent = record.reference, record.sent
    book.describe_for_search()
    return book
