"""Reading an account's ledger. All of it explains itself from entries alone (promise P2).

To read several of these figures as of one moment, call them in one REPEATABLE READ transaction
(`unit_of_work.read_transaction`).
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.kernel.money import Unit
from topcoin.kernel.pages import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Page, decode_cursor, encode_cursor
from topcoin.ledger.accounts.service import get_figures
from topcoin.ledger.chain.domain import Entry
from topcoin.ledger.chart.domain import Book, unit_of
from topcoin.ledger.errors import InvalidPeriod, JournalNotFound, StatementTooLong
from topcoin.ledger.statements import repository
from topcoin.ledger.statements.domain import (
    Balances,
    BookStatement,
    Breakdown,
    Source,
    SourceAmount,
    Statement,
    StatementLine,
    source_of,
)

ENTRIES_MAX: Final = 50_000
"""How many entries one statement shows at most."""


async def list_entries(
    session: AsyncSession,
    user_id: UUID,
    account_id: UUID,
    *,
    book: Book | None = None,
    cursor: str | None = None,
    limit: int = PAGE_SIZE_DEFAULT,
) -> Page[Entry]:
    """A page of entries, newest first; with a book, those that touch it on either side."""
    await get_figures(session, user_id, account_id)
    before = None if cursor is None else int(decode_cursor(cursor, int)[0])
    size = max(1, min(limit, PAGE_SIZE_MAX))
    entries = await repository.select_page(session, user_id, account_id, book=book, before=before, limit=size + 1)
    next_cursor = encode_cursor(entries[size - 1].sequence) if len(entries) > size else None
    return Page(entries[:size], next_cursor)


async def get_journal(session: AsyncSession, user_id: UUID, journal_id: UUID) -> list[Entry]:
    """All entries of the journal behind an entry; their reference names the source event."""
    entries = await repository.select_journal(session, user_id, journal_id)
    if not entries:
        raise JournalNotFound("there is no such journal; check its id")
    return entries


async def get_balances_at(session: AsyncSession, user_id: UUID, account_id: UUID, at: datetime) -> Balances:
    """Every book's balance as it was at a moment, entries of that very moment included."""
    await get_figures(session, user_id, account_id)
    up_to = await repository.select_sequence_at(session, user_id, account_id, at)
    return await _balances_after(session, user_id, account_id, up_to)


async def _balances_after(session: AsyncSession, user_id: UUID, account_id: UUID, up_to: int) -> Balances:
    return {
        book: await repository.select_balance_after(session, user_id, account_id, book, up_to) if up_to else Decimal(0)
        for book in Book
    }


async def get_breakdown(session: AsyncSession, user_id: UUID, account_id: UUID) -> Breakdown:
    """What each balance is made of, by source; sources that cancel out to nothing are left out."""
    figures = await get_figures(session, user_id, account_id)
    sums: dict[Book, dict[Source, Decimal]] = {book: {} for book in Book}
    rows = await repository.select_sums(session, user_id, account_id, figures.entry_count)
    for book, entry_type, amount in rows:
        by_source = sums[Book(book)]
        source = source_of(entry_type)
        by_source[source] = by_source.get(source, Decimal(0)) + amount
    return {
        book: [SourceAmount(source, by_source[source]) for source in Source if by_source.get(source)]
        for book, by_source in sums.items()
    }


async def get_statement(
    session: AsyncSession, user_id: UUID, account_id: UUID, start: datetime, end: datetime
) -> Statement:
    """The statement for `start` ≤ time < `end`; for every book, opening plus movements is closing.

    Raises AccountNotFound, InvalidPeriod, or StatementTooLong where there are more entries than ENTRIES_MAX.
    """
    if end <= start:
        raise InvalidPeriod("a statement's period must end after it starts")
    await get_figures(session, user_id, account_id)
    first = await repository.select_sequence_at(session, user_id, account_id, _just_before(start))
    last = await repository.select_sequence_at(session, user_id, account_id, _just_before(end))
    if last - first > ENTRIES_MAX:
        raise StatementTooLong(
            f"there are {last - first} entries in this period, and a statement shows {ENTRIES_MAX} at most: ask for a "
            "shorter one"
        )
    opening = await _balances_after(session, user_id, account_id, first)
    closing = await _balances_after(session, user_id, account_id, last)
    entries = await repository.select_range(session, user_id, account_id, after=first, up_to=last)
    books = [
        BookStatement(book, unit_of(book), opening[book], tuple(_movements(book, entries)), closing[book])
        for book in Book
    ]
    return Statement(
        start,
        end,
        real=tuple(book for book in books if book.unit is Unit.USD),
        simulated=tuple(book for book in books if book.unit is Unit.VUSD),
    )


def _just_before(moment: datetime) -> datetime:
    return moment - datetime.resolution


def _movements(book: Book, entries: Iterable[Entry]) -> Iterable[StatementLine]:
    for entry in entries:
        if entry.book == book and entry.balance_after is not None:
            yield StatementLine(entry, entry.amount, entry.balance_after)
        elif entry.contra == book and entry.contra_balance_after is not None:
            yield StatementLine(entry, -entry.amount, entry.contra_balance_after)
