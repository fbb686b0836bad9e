"""Streams of rows for the exports, all from the one snapshot of the caller's transaction.

They come by COPY, which sends rows as fast as they are read and keeps none of them; every value arrives as text in its
canonical form (see `ledger/chain/domain.py`), but for metadata, whose canonical form only Python can make.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final, LiteralString, NamedTuple, cast

from psycopg import AsyncConnection

from topcoin.infra.database.unit_of_work import ReadSession


class EntryRow(NamedTuple):
    """Every column of `ledger_entries` as text, in the order of the exports."""

    user_id: str
    account_id: str
    sequence: str
    journal_id: str
    line_no: str
    created_at: str
    entry_type: str
    unit: str
    book: str
    contra: str
    amount: str
    balance_after: str | None
    contra_balance_after: str | None
    wallet_id: str | None
    description: str
    reference_type: str
    reference_id: str
    metadata: str
    """As PostgreSQL prints it, until it has been made canonical."""
    reverses: str | None
    content_hash: str | None
    entry_hash: str


class AccountRow(NamedTuple):
    """A customer's account: the day from which it is open, and the balances that it caches, in the order of `Book`."""

    user_id: str
    account_id: str
    opened_on: str
    deposited: str
    profit: str
    review: str
    hold: str
    virtual: str
    virtual_hold: str
    allocated: str


class WalletRow(NamedTuple):
    """A custody wallet and what its row says that it holds (USD)."""

    wallet_id: str
    name: str
    currency: str
    balance: str


@dataclass(frozen=True, slots=True)
class Closing:
    """What the books come to beyond customers' accounts and wallets."""

    first_day: str
    """No account and no entry is older (ISO 8601, UTC)."""
    day_after: str
    """No account and no entry is as young."""
    house_books: dict[str, str]
    """The sum of each house book's legs; a book without legs is missing."""
    house_funds: str
    """What the row of free operator money says (USD)."""


_ENTRIES: Final[LiteralString] = """
SELECT user_id, account_id, sequence, journal_id, line_no,
       to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       entry_type, unit, book, contra, amount, balance_after, contra_balance_after, wallet_id,
       description, reference_type, reference_id, metadata, reverses,
       encode(content_hash, 'hex'), encode(entry_hash, 'hex')
  FROM ledger_entries
 ORDER BY user_id, account_id, sequence
"""

# An account may have been opened by a clock that ran ahead of its first entry's: it is open from that entry on.
_ACCOUNTS: Final[LiteralString] = """
SELECT a.user_id, a.id, (least(a.created_at, e.created_at) AT TIME ZONE 'UTC')::date,
       a.deposited_amount, a.approved_profit, a.deposit_review, a.withdrawal_hold,
       a.virtual_balance, a.virtual_hold, a.allocated
  FROM accounts AS a
  LEFT JOIN ledger_entries AS e ON e.user_id = a.user_id AND e.account_id = a.id AND e.sequence = 1
 WHERE a.id <> '00000000-0000-7000-8000-000000000001'
 ORDER BY a.user_id, a.id
"""

_WALLETS: Final[LiteralString] = "SELECT id, name, currency, balance FROM wallets ORDER BY id"

_HOUSE_BOOKS: Final[LiteralString] = """
SELECT book, sum(amount)::text FROM ledger_postings WHERE NOT ledger_is_own_book(book) GROUP BY book
"""

_DAYS: Final[LiteralString] = """
SELECT (min(day) AT TIME ZONE 'UTC')::date::text, ((max(day) AT TIME ZONE 'UTC')::date + 1)::text
  FROM (SELECT unnest(ARRAY[min(created_at), max(created_at)]) FROM ledger_entries
        UNION ALL
        SELECT unnest(ARRAY[min(created_at), max(created_at)]) FROM accounts) AS bounds (day)
"""

_HOUSE_FUNDS: Final[LiteralString] = "SELECT balance::text FROM house_funds"


async def stream_entries(session: ReadSession) -> AsyncGenerator[EntryRow]:
    """Every entry, account by account, in the order of their chains."""
    async for row in _copy(session, _ENTRIES):
        yield EntryRow._make(row)


async def stream_accounts(session: ReadSession) -> AsyncGenerator[AccountRow]:
    """Every customer's account."""
    async for row in _copy(session, _ACCOUNTS):
        yield AccountRow._make(row)


async def stream_wallets(session: ReadSession) -> AsyncGenerator[WalletRow]:
    """Every custody wallet."""
    async for row in _copy(session, _WALLETS):
        yield WalletRow._make(row)


async def read_closing(session: ReadSession) -> Closing:
    """The days that the books span, and the house's figures."""
    connection = await _connection(session)
    days = await (await connection.execute(_DAYS)).fetchone()
    books = await (await connection.execute(_HOUSE_BOOKS)).fetchall()
    funds = await (await connection.execute(_HOUSE_FUNDS)).fetchone()
    # The house has an account and a row of funds from the first migration on.
    assert days is not None  # noqa: S101 - see above
    assert funds is not None  # noqa: S101 - see above
    return Closing(first_day=days[0], day_after=days[1], house_books=dict(books), house_funds=funds[0])


async def _copy(session: ReadSession, query: LiteralString) -> AsyncGenerator[tuple[Any, ...]]:
    connection = await _connection(session)
    async with connection.cursor().copy(f"COPY ({query}) TO STDOUT") as copy:
        async for row in copy.rows():
            yield row


async def _connection(session: ReadSession) -> "AsyncConnection[tuple[Any, ...]]":
    """The connection under the session, in the session's transaction."""
    raw = await (await session.connection()).get_raw_connection()
    return cast("AsyncConnection[tuple[Any, ...]]", raw.driver_connection)
