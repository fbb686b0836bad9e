"""Reading: pages, statements, balances in the past, and what a balance is made of (P1, P2)."""

import random
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from support.books import Books, adjusting, adjustment_line

from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.settings import Settings
from topcoin.kernel.ids import new_id
from topcoin.kernel.money import Unit
from topcoin.kernel.pages import PAGE_SIZE_MAX, InvalidCursor, encode_cursor
from topcoin.ledger.accounts.domain import AccountFigures, TradingFigures
from topcoin.ledger.accounts.service import find_owners, get_figures, list_figures, lock_figures, record_trading_figures
from topcoin.ledger.chain.domain import Entry
from topcoin.ledger.chart.domain import Book
from topcoin.ledger.errors import AccountChanged, AccountNotFound
from topcoin.ledger.events import adjustments, deposits, plans, trading, withdrawals
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.events.withdrawals import WithdrawalHold
from topcoin.ledger.statements import repository
from topcoin.ledger.statements.domain import Source
from topcoin.ledger.statements.service import (
    InvalidPeriod,
    JournalNotFound,
    get_balances_at,
    get_breakdown,
    get_journal,
    get_statement,
    list_entries,
)

D = Decimal
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def reader(books: Books) -> AsyncGenerator[AsyncSession]:
    """A session that reads what has been committed."""
    async with books.sessions() as session:
        yield session


@pytest.fixture
async def history(books: Books) -> AccountKey:
    """A customer's days: one event an hour, of every source."""
    account, wallet = await books.account(), await books.wallet(1_000)
    deposit, investment, withdrawal = new_id(), new_id(), new_id()

    async def at(hour: int) -> AccountFigures:
        books.now = START + hour * HOUR
        return await books.figures(account)

    await books.post(deposits.deposit_credited(await at(0), new_id(), D(500), wallet))
    await at(1)
    await books.adjust(account, 9_500)
    await books.post(deposits.deposit_under_review(account, deposit, D(70), wallet))
    await books.post(deposits.deposit_released(await at(2), deposit, D(70)))
    closed = trading.trade_closed(
        await at(3), new_id(), 1, D("120.5"), commission=D(2), financing=D("-0.5"), is_last=True
    )
    await books.post(closed)
    await at(4)
    await books.post(adjustments.profit_approved(account, new_id(), D(100), D("0.8")))
    hold = WithdrawalHold.of(await at(5), D(200))
    await books.post(withdrawals.withdrawal_requested(account, withdrawal, hold))
    await at(6)
    completed = withdrawals.withdrawal_completed(
        account, withdrawal, hold, network_fee=D(2), processing_fee=D(1), wallet_id=wallet
    )
    await books.post(withdrawals.payout_sent(withdrawal, 1, D(197), wallet), completed)
    await at(7)
    await books.post(plans.plan_invested(account, investment, 1, D(1_000)))
    await at(8)
    await books.post(
        plans.plan_redeemed(account, investment, 1, D(400), D(-10)),
        plans.plan_fee_charged(account, investment, "2026-01", D(3)),
    )
    books.now = None
    return account


async def everything(session: AsyncSession, account: AccountKey) -> list[Entry]:
    """All entries, oldest first, in one page."""
    page = await list_entries(session, account.user_id, account.account_id, limit=PAGE_SIZE_MAX)
    assert page.next_cursor is None
    return list(reversed(page.items))


def replayed(entries: Sequence[Entry], until: datetime) -> dict[Book, Decimal]:
    """The balances at a moment by adding up every leg before it."""
    balances = dict.fromkeys(Book, D(0))
    for entry in entries:
        if entry.created_at <= until:
            for book, amount in ((entry.book, entry.amount), (entry.contra, -entry.amount)):
                if book in set(Book):
                    balances[Book(book)] += amount
    return balances


async def test_entries_are_numbered_without_gaps_and_listed_newest_first(
    reader: AsyncSession, history: AccountKey
) -> None:
    page = await list_entries(reader, history.user_id, history.account_id)
    assert [entry.sequence for entry in page.items] == list(range(len(page.items), 0, -1))
    assert len(page.items) == 22


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("book", [None, *Book])
async def test_pages_cover_a_book_once_while_posting_goes_on(
    books: Books, history: AccountKey, size: int, book: Book | None
) -> None:
    """Keyset pages: what is posted after the first page moves nothing between the later ones."""
    async with books.sessions() as session:
        before = [e for e in await everything(session, history) if book is None or book in (e.book, e.contra)]
    found: list[Entry] = []
    cursor = None
    while True:
        async with books.sessions() as session:
            page = await list_entries(
                session, history.user_id, history.account_id, book=book, cursor=cursor, limit=size
            )
        found += page.items
        assert len(page.items) <= size
        cursor = page.next_cursor
        if cursor is None:
            break
        await books.adjust(history, 1)
    assert found == list(reversed(before))


async def test_limits_and_cursors_are_kept_within_reason(reader: AsyncSession, history: AccountKey) -> None:
    page = await list_entries(reader, history.user_id, history.account_id, limit=0)
    assert len(page.items) == 1
    assert await list_entries(reader, history.user_id, history.account_id, limit=10**9)
    for cursor in ("nonsense", encode_cursor("1"), encode_cursor(1, 2), encode_cursor(10**19)):
        with pytest.raises(InvalidCursor):
            await list_entries(reader, history.user_id, history.account_id, cursor=cursor)


@pytest.mark.parametrize("account_of_another", [True, False])
async def test_another_users_account_is_not_found(
    reader: AsyncSession,
    books: Books,
    history: AccountKey,
    account_of_another: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The same calls that succeed for the owner."""
    stranger = await books.account()
    asked = history.account_id if account_of_another else new_id()
    end = START + HOUR
    for user_id, account_id in ((stranger.user_id, asked), (history.user_id, stranger.account_id)):
        for call in (
            lambda u=user_id, a=account_id: list_entries(reader, u, a),
            lambda u=user_id, a=account_id: get_balances_at(reader, u, a, START),
            lambda u=user_id, a=account_id: get_breakdown(reader, u, a),
            lambda u=user_id, a=account_id: get_statement(reader, u, a, START, end),
            lambda u=user_id, a=account_id: get_figures(reader, u, a),
            lambda u=user_id, a=account_id: lock_figures(reader, u, a),
        ):
            with pytest.raises(AccountNotFound) as refused:
                await call()
            assert refused.value.code == "account_not_found"
    assert (await list_entries(reader, history.user_id, history.account_id)).items
    assert await find_owners(reader, [history.account_id, new_id()]) == {history.account_id: history.user_id}


async def test_trading_figures_that_a_posting_overtook_are_not_taken_over(books: Books) -> None:
    account = await books.account()
    valued = TradingFigures(0, D(7), D(3), D(4), D(0), 0, 0, 0)
    await books.adjust(account, 7)
    async with books.sessions() as session:
        with pytest.raises(AccountChanged, match="value the account again"):
            await record_trading_figures(session, account.user_id, account.account_id, valued)
    figures = await books.figures(account)
    assert (figures.equity, figures.margin_used, figures.margin_available) == (7, 0, 7)


async def test_accounts_of_a_user_are_listed_by_pages(books: Books) -> None:
    account = await books.account()
    others = [await books.account(account.user_id) for _ in range(2)]
    await books.account()
    found: list[AccountFigures] = []
    cursor, pages = None, 0
    async with books.sessions() as session:
        while cursor is not None or not pages:
            page = await list_figures(session, account.user_id, cursor=cursor, limit=2)
            found, cursor, pages = [*found, *page.items], page.next_cursor, pages + 1
        for forged in (encode_cursor("nobody"), encode_cursor(1), "x"):
            with pytest.raises(InvalidCursor):
                await list_figures(session, account.user_id, cursor=forged)
    assert [figures.account_id for figures in found] == [key.account_id for key in (account, *others)]
    assert pages == 2


async def test_trading_figures_of_no_account_are_refused(reader: AsyncSession) -> None:
    with pytest.raises(AccountNotFound):
        await record_trading_figures(reader, new_id(), new_id(), TradingFigures(0, D(0), D(0), D(0), D(0), 0, 0, 0))


async def test_the_journal_behind_an_entry(reader: AsyncSession, books: Books, history: AccountKey) -> None:
    entries = await everything(reader, history)
    journal = await get_journal(reader, history.user_id, entries[5].journal_id)
    assert entries[5] in journal
    assert [entry.line_no for entry in journal] == list(range(1, len(journal) + 1))
    assert journal == [entry for entry in entries if entry.journal_id == entries[5].journal_id]
    stranger = await books.account()
    for user_id, journal_id in ((stranger.user_id, entries[5].journal_id), (history.user_id, new_id())):
        with pytest.raises(JournalNotFound, match="check its id"):
            await get_journal(reader, user_id, journal_id)


async def test_balances_at_any_moment_are_those_of_a_replay(reader: AsyncSession, history: AccountKey) -> None:
    entries = await everything(reader, history)
    moments = {
        entry.created_at + delta for entry in entries for delta in (-datetime.resolution, timedelta(0), HOUR / 2)
    }
    for moment in sorted(moments):
        found = await get_balances_at(reader, history.user_id, history.account_id, moment)
        assert found == replayed(entries, moment), moment
    before = await get_balances_at(reader, history.user_id, history.account_id, START - HOUR)
    assert set(before.values()) == {D(0)}


async def test_balances_of_an_account_without_entries_are_zero(reader: AsyncSession, books: Books) -> None:
    account = await books.account()
    assert set((await get_balances_at(reader, account.user_id, account.account_id, START)).values()) == {D(0)}
    assert all(not sources for sources in (await get_breakdown(reader, account.user_id, account.account_id)).values())


async def test_the_breakdown_adds_up_to_every_balance(reader: AsyncSession, books: Books, history: AccountKey) -> None:
    """P2, with an adjustment always told as one (P3)."""
    breakdown = await get_breakdown(reader, history.user_id, history.account_id)
    figures = await books.figures(history)
    for book in Book:
        assert sum((part.amount for part in breakdown[book]), D(0)) == getattr(figures, book.value), book
        assert all(part.amount for part in breakdown[book])
    assert {part.source: part.amount for part in breakdown[Book.VIRTUAL]} == {
        Source.DEPOSITS: D(570),
        Source.WITHDRAWALS: D(-120),
        Source.OPERATOR_ADJUSTMENTS: D(9_500),
        Source.APPROVED_PROFIT: D(-100),
        Source.SIMULATED_TRADING: D("120.5"),
        Source.SIMULATED_FEES: D(-2),
        Source.SIMULATED_FINANCING: D("-0.5"),
        Source.PLANS: D(-613),
    }
    assert {part.source: part.amount for part in breakdown[Book.DEPOSITED]} == {
        Source.DEPOSITS: D(570),
        Source.WITHDRAWALS: D(-120),
    }
    assert {part.source: part.amount for part in breakdown[Book.HOLD]} == {Source.WITHDRAWALS: D(3), Source.FEES: D(-3)}


@pytest.mark.parametrize(("first", "last"), [(0, 9), (-5, 0), (0, 1), (3, 6), (6, 7), (20, 30), (-5, 30)])
async def test_a_statement_ties_out(reader: AsyncSession, history: AccountKey, first: int, last: int) -> None:
    """Opening and movements are closing, for every book; `start` is in the period, `end` is not."""
    start, end = START + first * HOUR, START + last * HOUR
    entries = await everything(reader, history)
    statement = await get_statement(reader, history.user_id, history.account_id, start, end)
    assert {book.unit for book in statement.real} == {Unit.USD}
    assert {book.unit for book in statement.simulated} == {Unit.VUSD}
    assert {book.book for book in (*statement.real, *statement.simulated)} == set(Book)
    for book in (*statement.real, *statement.simulated):
        assert book.opening == replayed(entries, start - datetime.resolution)[book.book]
        assert book.closing == replayed(entries, end - datetime.resolution)[book.book]
        running = book.opening
        for line in book.lines:
            running += line.amount
            assert line.balance_after == running
            assert start <= line.entry.created_at < end
        assert running == book.closing
        touched = [e for e in entries if book.book in (e.book, e.contra) and start <= e.created_at < end]
        assert [line.entry for line in book.lines] == touched


async def test_a_statement_needs_a_period(reader: AsyncSession, history: AccountKey) -> None:
    with pytest.raises(InvalidPeriod, match="must end after it starts"):
        await get_statement(reader, history.user_id, history.account_id, START, START)


# -- What a page costs ------------------------------------------------------------------------------------------------


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes, flat."""
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


async def explained(session: AsyncSession, book: Book | None, account: AccountKey, before: int) -> list[dict[str, Any]]:
    """The plan by which a page was read, with what it really read."""
    connection = await session.connection()
    sent: list[tuple[str, Any]] = []

    def keep(*arguments: Any) -> None:  # noqa: ANN401 - an event of SQLAlchemy's
        sent.append((arguments[2], arguments[3]))

    event.listen(connection.sync_connection, "before_cursor_execute", keep)
    page = await repository.select_page(session, *_key(account), book=book, before=before, limit=20)
    event.remove(connection.sync_connection, "before_cursor_execute", keep)
    assert len(page) == 20
    ((statement, parameters),) = sent
    plan = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
    return nodes(plan.scalar_one()[0]["Plan"])


def _key(account: AccountKey) -> tuple[Any, Any]:
    return account.user_id, account.account_id


async def test_a_page_reads_its_rows_and_no_others(database: Settings) -> None:
    """With 60 pages of other books between, a page of one book reads some twenty rows from either index."""
    async with Books.open(database) as books:
        account, other, wallet = await books.account(), await books.account(), await books.wallet()
        shuffle = random.Random(1)  # noqa: S311 - no secret
        await books.deposit(account, wallet, 5_000)
        batch = [
            plans.plan_invested(account, new_id(), 1, D(1))
            if shuffle.random() < 0.1
            else adjusting(shuffle.choice([account, other]), 1, lines=(adjustment_line(1),) * 3)
            for _ in range(2_000)
        ]
        await books.post(*batch)
        with psycopg.connect(database_url(database, Role.OWNER), autocommit=True) as owner:
            owner.execute("ANALYZE ledger_entries")
        async with books.sessions() as session:
            for book in (None, Book.ALLOCATED, Book.VIRTUAL):
                for before in (2_000, 900):
                    for node in await explained(session, book, account, before):
                        assert node["Node Type"] != "Seq Scan", node
                        # Nearly every entry is of `virtual`: there, filtering the key's own order is as good.
                        discarded = node.get("Rows Removed by Filter", 0)
                        assert discarded <= (5 if book is Book.VIRTUAL else 0), node
                        assert node["Actual Rows"] * node["Actual Loops"] + discarded <= 60, node
