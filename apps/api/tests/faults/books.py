"""Books for the tests of faults: few accounts and wallets that everybody posts to, and what must hold of them.

What a journal moves is added up here from the journal itself, in Python, and compared with what the database keeps:
neither `ledger_post` nor `verify` has a part in that.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Self
from uuid import UUID

import psycopg
from support.factories import insert, make_account, make_user

from topcoin.infra.database.connect import Role, SessionFactory, database_url
from topcoin.infra.database.unit_of_work import transaction
from topcoin.infra.settings import Settings
from topcoin.kernel.ids import new_id
from topcoin.ledger.accounts.service import lock_figures
from topcoin.ledger.chart.domain import HOUSE_FUNDS_BOOKS, HOUSE_ID, Book
from topcoin.ledger.checking.service import verify
from topcoin.ledger.events.adjustments import balance_adjusted
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.events.deposits import deposit_credited
from topcoin.ledger.events.house import operator_funds_moved
from topcoin.ledger.events.withdrawals import WithdrawalHold, withdrawal_requested
from topcoin.ledger.posting.domain import Journal, PostedEntry, PostingStatus
from topcoin.ledger.posting.service import post

Figures = dict[tuple[UUID, str], Decimal]
"""Balances that are not zero, by the id of what they are on (account, house, wallet) and by book."""

PATIENCE_SECONDS = 60
"""How long a test waits for what must come; on an idle machine all of it comes within a second or two."""

_ON_HOLD = WithdrawalHold(profit=Decimal(0), deposit=Decimal(1_000_000), virtual=Decimal(1_000_000))

_KEPT = """
SELECT journal_id, array_agg(sequence ORDER BY line_no), array_agg(entry_hash ORDER BY line_no)
  FROM ledger_entries
 GROUP BY user_id, journal_id
"""
_FIGURES = """
SELECT account.id, book, balance
  FROM accounts AS account
 CROSS JOIN LATERAL (VALUES
    ('deposited', deposited_amount), ('profit', approved_profit), ('review', deposit_review),
    ('hold', withdrawal_hold), ('virtual', virtual_balance), ('virtual_hold', virtual_hold), ('allocated', allocated)
 ) AS own (book, balance)
UNION ALL SELECT %(house)s, book, sum(amount) FROM ledger_postings WHERE book <> ALL (%(own)s) GROUP BY book
UNION ALL SELECT %(house)s, 'house_funds', balance FROM house_funds
UNION ALL SELECT id, 'wallet', balance FROM wallets
"""
_WAITING = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> ALL (%s)
"""


@dataclass(frozen=True, slots=True)
class Books:
    """Where the books are kept, and what there is to post to."""

    app_url: str
    read_url: str
    accounts: tuple[AccountKey, ...]
    """The last two are one customer's."""
    withdrawals: tuple[UUID, ...]
    """For each account a large one, on hold since the books were opened."""
    wallets: tuple[UUID, ...]


class Place(NamedTuple):
    """Where an entry stands: what two answers for one journal have to agree on."""

    sequence: int
    entry_hash: str

    @classmethod
    def of(cls, entry: PostedEntry) -> Self:
        """The place of an entry that was answered."""
        return cls(entry.sequence, entry.entry_hash.hex())


class Opened(NamedTuple):
    """Books with something in them, and the journals that brought it."""

    books: Books
    journals: list[Journal]


async def open_books(settings: Settings, sessions: SessionFactory) -> Opened:
    """Two funded wallets, and four accounts with a deposit, virtual money and a withdrawal under way."""
    async with transaction(sessions) as session:
        wallets = (new_id(), new_id())
        for wallet_id in wallets:
            row = {"id": wallet_id, "wallet_type": "business_deposit", "name": f"Wallet {wallet_id}", "currency": "btc"}
            await insert(session, "wallets", row)
        shared = await make_user(session)
        made = [await make_account(session, user_id=user) for user in (None, None, shared, shared)]
        accounts = tuple(AccountKey(*key) for key in made)
        journals = [operator_funds_moved(wallet_id, f"opening {wallet_id}", Decimal(500)) for wallet_id in wallets]
        withdrawals = tuple(new_id() for _ in accounts)
        for account, withdrawal_id in zip(accounts, withdrawals, strict=True):
            figures = await lock_figures(session, account.user_id, account.account_id)
            journals += [
                deposit_credited(figures, new_id(), _ON_HOLD.amount + 500, wallets[0]),
                withdrawal_requested(account, withdrawal_id, _ON_HOLD),
                balance_adjusted(account, new_id(), Decimal(500), kind="equity_adjustment", reason="Opening"),
            ]
        results = await post(session, journals)
    assert {result.status for result in results} == {PostingStatus.POSTED}
    books = Books(database_url(settings, Role.APP), database_url(settings, Role.READ), accounts, withdrawals, wallets)
    return Opened(books, journals)


def read_kept(books: Books) -> dict[UUID, list[Place]]:
    """Every journal that the ledger holds, with its entries in the order of their lines."""
    with psycopg.connect(books.read_url) as connection:
        rows = connection.execute(_KEPT).fetchall()
    kept = {
        journal_id: [Place(sequence, entry_hash.hex()) for sequence, entry_hash in zip(sequences, hashes, strict=True)]
        for journal_id, sequences, hashes in rows
    }
    assert len(kept) == len(rows), "a journal id stands on two customers"
    return kept


def figures_of(journals: Iterable[Journal]) -> Figures:
    """What journals add up to."""
    sums: defaultdict[tuple[UUID, str], Decimal] = defaultdict(Decimal)
    for journal in journals:
        for line in journal.lines:
            for book, amount in ((line.book, line.amount), (line.contra, -line.amount)):
                sums[journal.account_id if isinstance(book, Book) else HOUSE_ID, book.value] += amount
                if book in HOUSE_FUNDS_BOOKS:
                    sums[HOUSE_ID, "house_funds"] += amount
            if line.wallet_id is not None:
                sums[line.wallet_id, "wallet"] += line.amount
    return {key: balance for key, balance in sums.items() if balance}


def read_figures(books: Books) -> Figures:
    """What accounts, wallets and the house's row state, and the house's books by their legs."""
    with psycopg.connect(books.read_url) as connection:
        rows = connection.execute(_FIGURES, {"house": HOUSE_ID, "own": [book.value for book in Book]}).fetchall()
    return {(owner, book): balance for owner, book, balance in rows if balance}


def assert_verified(books: Books) -> None:
    """`verify` finds nothing."""
    report = verify(books.read_url)
    assert report.ok, report.problems


def assert_books_hold(books: Books, journals: Collection[Journal]) -> None:
    """The ledger holds these journals and no others, each once with all of its lines, and every figure is their sum."""
    kept = read_kept(books)
    lines = {journal.journal_id: len(journal.lines) for journal in journals}
    assert len(lines) == len(journals)
    assert {journal_id: len(places) for journal_id, places in kept.items()} == lines
    assert read_figures(books) == figures_of(journals)
    assert_verified(books)


@asynccontextmanager
async def locked(books: Books, account: AccountKey) -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
    """Somebody who holds an account's lock until the end of the block, or until they roll back."""
    async with await psycopg.AsyncConnection.connect(books.app_url) as connection:
        query = "SELECT FROM accounts WHERE user_id = %s AND id = %s FOR UPDATE"
        await connection.execute(query, [account.user_id, account.account_id])
        yield connection
        await connection.rollback()


async def waiting_backends(books: Books, count: int = 1, *, besides: Sequence[int] = ()) -> list[int]:
    """The backends that wait for somebody's lock, as soon as there are that many that are not known yet."""
    async with await psycopg.AsyncConnection.connect(books.app_url, autocommit=True) as connection:
        while True:
            found = await (await connection.execute(_WAITING, [list(besides)])).fetchall()
            if len(found) >= count:
                return [process_id for (process_id,) in found]
