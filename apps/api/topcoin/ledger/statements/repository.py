"""Queries that read entries. Each is bounded by an index: a page of one book does not scan past the others."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Text, cast, func, select, type_coerce, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.infra.database.tables import EnumText
from topcoin.ledger.chain.domain import Entry, canonical_stored_metadata
from topcoin.ledger.chart.domain import Book
from topcoin.ledger.models import LedgerEntry


def _column(name: str) -> ColumnElement[Any]:
    column = LedgerEntry.__table__.c[name]
    if name == "metadata":
        return cast(column, Text)
    return type_coerce(column, Text) if isinstance(column.type, EnumText) else column


_ENTRY: Final = select(*map(_column, Entry._fields))
"""The fields of `Entry`: columns, not objects that SQLAlchemy keeps track of: many a request reads a page."""


def _entry(row: Row[*tuple[Any, ...]]) -> Entry:
    entry = Entry._make(row)
    return entry if entry.metadata == "{}" else entry._replace(metadata=canonical_stored_metadata(entry.metadata))


def _of_account(user_id: UUID, account_id: UUID) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return LedgerEntry.user_id == user_id, LedgerEntry.account_id == account_id


async def _all(session: AsyncSession, query: Select[*tuple[Any, ...]]) -> list[Entry]:
    return [_entry(row) for row in await session.execute(query)]


async def select_page(
    session: AsyncSession, user_id: UUID, account_id: UUID, *, book: Book | None, before: int | None, limit: int
) -> list[Entry]:
    """The newest entries with a sequence below `before`; with a book, those that touch it on either side."""
    where = [*_of_account(user_id, account_id)]
    if before is not None:
        where.append(LedgerEntry.sequence < before)
    newest_first = LedgerEntry.sequence.desc()
    if book is None:
        return await _all(session, _ENTRY.where(*where).order_by(newest_first).limit(limit))
    # One index for each side; of either, no more than a page is read.
    sides = [
        select(LedgerEntry.sequence).where(*where, side).order_by(newest_first).limit(limit)
        for side in (
            LedgerEntry.book == book,
            (LedgerEntry.contra == book) & LedgerEntry.contra_balance_after.is_not(None),
        )
    ]
    sequences = union_all(*(select(side.subquery().c.sequence) for side in sides)).subquery()
    query = (
        _ENTRY.where(*_of_account(user_id, account_id), LedgerEntry.sequence.in_(select(sequences.c.sequence)))
        .order_by(newest_first)
        .limit(limit)
    )
    return await _all(session, query)


async def select_range(
    session: AsyncSession, user_id: UUID, account_id: UUID, *, after: int, up_to: int
) -> list[Entry]:
    """The entries with `after` < sequence ≤ `up_to`, oldest first."""
    query = _ENTRY.where(
        *_of_account(user_id, account_id), LedgerEntry.sequence > after, LedgerEntry.sequence <= up_to
    ).order_by(LedgerEntry.sequence)
    return await _all(session, query)


async def select_journal(session: AsyncSession, user_id: UUID, journal_id: UUID) -> list[Entry]:
    """The entries of a journal, in order of their lines."""
    query = _ENTRY.where(LedgerEntry.user_id == user_id, LedgerEntry.journal_id == journal_id).order_by(
        LedgerEntry.line_no
    )
    return await _all(session, query)


async def select_sequence_at(session: AsyncSession, user_id: UUID, account_id: UUID, at: datetime) -> int:
    """The sequence of the newest entry at or before a moment, 0 where there is none."""
    return await session.scalar(select(func.ledger_sequence_at(user_id, account_id, at))) or 0


async def select_balance_after(
    session: AsyncSession, user_id: UUID, account_id: UUID, book: Book, up_to: int
) -> Decimal:
    """A book's balance after the entry with sequence `up_to`, whether or not that entry touched it."""
    where = (*_of_account(user_id, account_id), LedgerEntry.sequence <= up_to)
    sides = [
        select(LedgerEntry.sequence, balance.label("balance")).where(*where, side)
        for side, balance in (
            (LedgerEntry.book == book, LedgerEntry.balance_after),
            (
                (LedgerEntry.contra == book) & LedgerEntry.contra_balance_after.is_not(None),
                LedgerEntry.contra_balance_after,
            ),
        )
    ]
    newest = [side.order_by(LedgerEntry.sequence.desc()).limit(1).subquery() for side in sides]
    both = union_all(*(select(side.c.sequence, side.c.balance) for side in newest)).subquery()
    balance = await session.scalar(select(both.c.balance).order_by(both.c.sequence.desc()).limit(1))
    return Decimal(0) if balance is None else balance


async def select_sums(
    session: AsyncSession, user_id: UUID, account_id: UUID, up_to: int
) -> list[tuple[str, str, Decimal]]:
    """For each book and entry type, the sum of its legs up to an entry: `(book, entry_type, amount)`."""
    where = (*_of_account(user_id, account_id), LedgerEntry.sequence <= up_to)
    legs = union_all(
        select(LedgerEntry.book.label("book"), LedgerEntry.entry_type, LedgerEntry.amount.label("amount")).where(
            *where
        ),
        select(LedgerEntry.contra, LedgerEntry.entry_type, (-LedgerEntry.amount)).where(
            *where, LedgerEntry.contra_balance_after.is_not(None)
        ),
    ).subquery()
    query = (
        select(legs.c.book, legs.c.entry_type, func.sum(legs.c.amount))
        .group_by(legs.c.book, legs.c.entry_type)
        .order_by(legs.c.book, legs.c.entry_type)
    )
    return [tuple(row) for row in (await session.execute(query)).all()]
