"""A statement as CSV (RFC 4180), for spreadsheets: real books first, then simulated ones, each line labelled as which.

Every book has a line `opening`, one for each entry, and a line `closing`. There is no line that adds up books.
"""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from topcoin.ledger.statements.domain import BookStatement, Statement, StatementLine

COLUMNS: Final = (
    *("money", "currency", "book", "line", "time", "sequence", "entry_type", "description", "adjustment_type"),
    *("reason", "reference_type", "reference_id", "journal_id", "amount", "balance"),
)

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for a formula, in ASCII and in full width."""


def statement_csv(statement: Statement) -> str:
    """The statement as a table with a head."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for money, books in (("real", statement.real), ("simulated", statement.simulated)):
        for book in books:
            writer.writerows(_rows(statement, money, book))
    return written.getvalue()


def _rows(statement: Statement, money: str, book: BookStatement) -> Iterator[tuple[str, ...]]:
    key = (money, str(book.unit), str(book.book))
    blank = ("",) * 8
    yield (*key, "opening", _iso(statement.start), *blank, "", f"{book.opening:f}")
    for line in book.lines:
        yield (*key, "entry", *_cells(line))
    yield (*key, "closing", _iso(statement.end), *blank, "", f"{book.closing:f}")


def _cells(line: StatementLine) -> tuple[str, ...]:
    entry = line.entry
    metadata: dict[str, Any] = json.loads(entry.metadata)
    return (
        _iso(entry.created_at),
        str(entry.sequence),
        entry.entry_type,
        as_text(entry.description),
        as_text(str(metadata.get("adjustment_type", ""))),
        as_text(str(metadata.get("reason", ""))),
        entry.reference_type,
        as_text(entry.reference_id),
        str(entry.journal_id),
        f"{line.amount:f}",
        f"{line.balance_after:f}",
    )


def as_text(cell: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe goes before what might be one."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
