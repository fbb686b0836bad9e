"""The ledger as a test uses it: accounts, wallets, and events posted through one door or the other, durably."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import insert, user_row

from topcoin.infra.database.connect import Role, SessionFactory, create_engine_for, database_url, session_factory
from topcoin.infra.settings import Settings
from topcoin.kernel.clock import SystemClock
from topcoin.kernel.errors import TopCoinError
from topcoin.kernel.ids import new_id
from topcoin.ledger.accounts import service as accounts
from topcoin.ledger.accounts.domain import AccountFigures, TradingFigures
from topcoin.ledger.chain.domain import Entry
from topcoin.ledger.chart.domain import HOUSE_ID, Book, EntryType, HouseBook, ReferenceType
from topcoin.ledger.events import adjustments, deposits, house, withdrawals
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.events.withdrawals import WithdrawalHold
from topcoin.ledger.group_commit.service import GroupCommit
from topcoin.ledger.posting.domain import Journal, Line, PostedEntry, PostingResult, PostingStatus, Reference
from topcoin.ledger.posting.service import post
from topcoin.ledger.statements.service import get_journal

PostAll = Callable[[Sequence[Journal]], Coroutine[Any, Any, list[PostingResult]]]
State = dict[str, list[tuple[Any, ...]]]

_STATE = {
    "accounts": "SELECT * FROM accounts ORDER BY user_id, id",
    "entries": "SELECT count(*), max(created_at) FROM ledger_entries",
    "house_funds": "SELECT balance FROM house_funds",
    "wallets": "SELECT * FROM wallets ORDER BY id",
}


async def new_wallet(session: AsyncSession, name: str = "") -> UUID:
    """A custody wallet that holds nothing."""
    wallet_id = new_id()
    row = {"id": wallet_id, "wallet_type": "business_deposit", "name": name or f"wallet {wallet_id}", "currency": "btc"}
    await insert(session, "wallets", row)
    return wallet_id


async def new_account(session: AsyncSession, user_id: UUID | None = None) -> AccountKey:
    """An empty account, opened by the service, of a new customer or of the one named."""
    if user_id is None:
        row = user_row()
        await insert(session, "users", row)
        user_id = row["id"]
    assert user_id is not None
    return AccountKey(user_id, await accounts.open_account(session, SystemClock(), user_id))


def adjusting(account: AccountKey, amount: Decimal | str | int, **changes: Any) -> Journal:  # noqa: ANN401 - Journal's fields
    """The simplest journal: one line, of an operator's adjustment; fields can be changed by name."""
    fields: dict[str, Any] = {
        "journal_id": new_id(),
        "user_id": account.user_id,
        "account_id": account.account_id,
        "description": "Operator adjustment",
        "reference": Reference(ReferenceType.ADMIN_ADJUSTMENT, "adjustment-1"),
        "lines": (adjustment_line(amount),),
    }
    return Journal(**{**fields, **changes})


def adjustment_line(amount: Decimal | str | int) -> Line:
    """A line that moves the virtual balance by a signed amount."""
    return Line(EntryType.ADMIN_ADJUSTMENT, Book.VIRTUAL, HouseBook.OPERATOR_ADJUSTMENT, Decimal(amount))


@dataclass(slots=True)
class Books:
    """A ledger with one door."""

    sessions: SessionFactory
    post_all: PostAll
    now: datetime | None = None
    """What the first door takes for the time; None is the server's clock."""

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, grouped: bool = False, pooled: bool = False) -> AsyncGenerator["Books"]:
        """Open a door; what goes through it is committed. Pooled connections are for many calls in one event loop."""
        async with AsyncExitStack() as stack:
            engine = create_engine_for(settings, Role.APP, **({} if pooled else {"poolclass": NullPool}))
            stack.push_async_callback(engine.dispose)
            sessions = session_factory(engine)
            if grouped:
                group = await stack.enter_async_context(GroupCommit(database_url(settings, Role.APP)))
                yield cls(sessions, group.post_grouped)
                return

            async def post_and_commit(journals: Sequence[Journal]) -> list[PostingResult]:
                async with sessions.begin() as session:
                    return await post(session, journals, now=books.now)

            books = cls(sessions, post_and_commit)
            yield books

    async def post(self, *journals: Journal | None) -> list[PostedEntry]:
        """Post, and expect that every journal is accepted; all entries in order."""
        results = await self.post_all([journal for journal in journals if journal is not None])
        for result in results:
            result.unwrap()
        assert {result.status for result in results} == {PostingStatus.POSTED}
        return [entry for result in results for entry in result.entries]

    async def refused(self, journal: Journal) -> TopCoinError:
        """Post, and expect that the journal is refused and that nothing whatever changed; why."""
        before = await self.state()
        (result,) = await self.post_all([journal])
        assert await self.state() == before
        assert result.status is PostingStatus.REFUSED
        assert result.journal_id == journal.journal_id
        assert not result.entries
        assert result.error is not None
        return result.error

    async def state(self) -> State:
        """Every figure that a posting can change."""
        async with self.sessions() as session:
            return {
                name: [tuple(row) for row in (await session.execute(text(query))).all()]
                for name, query in _STATE.items()
            }

    async def account(self, user_id: UUID | None = None) -> AccountKey:
        """An empty account."""
        async with self.sessions.begin() as session:
            return await new_account(session, user_id)

    async def wallet(self, funds: Decimal | str | int = 0) -> UUID:
        """A wallet, into which the operator has put some money."""
        async with self.sessions.begin() as session:
            wallet_id = await new_wallet(session)
        if Decimal(funds):
            await self.post(house.operator_funds_moved(wallet_id, f"receipt-{wallet_id}", Decimal(funds)))
        return wallet_id

    async def figures(self, account: AccountKey) -> AccountFigures:
        """The figures of an account."""
        async with self.sessions() as session:
            return await accounts.get_figures(session, account.user_id, account.account_id)

    async def deposit(self, account: AccountKey, wallet_id: UUID, amount: Decimal | str | int) -> UUID:
        """Credit a deposit and return its id."""
        deposit_id = new_id()
        figures = await self.figures(account)
        await self.post(deposits.deposit_credited(figures, deposit_id, Decimal(amount), wallet_id))
        return deposit_id

    async def adjust(self, account: AccountKey, amount: Decimal | str | int) -> Journal:
        """Adjust the virtual balance and return the journal."""
        journal = adjustments.balance_adjusted(
            account, new_id(), Decimal(amount), kind="equity_adjustment", reason="Initial allocation"
        )
        await self.post(journal)
        return journal

    async def bind_margin(self, account: AccountKey, used: Decimal | str | int) -> None:
        """Let trading report that open positions bind some of what was free."""
        figures = await self.figures(account)
        equity = figures.virtual + figures.virtual_hold
        trading = TradingFigures(
            figures.entry_count, equity, Decimal(used), equity - Decimal(used), Decimal(0), 0, 0, 0
        )
        async with self.sessions.begin() as session:
            await accounts.record_trading_figures(session, account.user_id, account.account_id, trading)

    async def set_account(self, account: AccountKey, **columns: object) -> None:
        """Set columns that belong to the application, such as `is_frozen`."""
        names = ", ".join(f"{name} = :{name}" for name in columns)
        async with self.sessions.begin() as session:
            await session.execute(
                text(f"UPDATE accounts SET {names} WHERE id = :account_id"),  # noqa: S608 - names are the tests' own
                {**columns, "account_id": account.account_id},
            )

    async def entries(self, journal: Journal) -> list[Entry]:
        """The rows of a journal."""
        async with self.sessions() as session:
            return await get_journal(session, journal.user_id, journal.journal_id)

    async def shown(self, journal: Journal) -> list[tuple[Any, ...]]:
        """A journal's rows: type, book, contra, amount and both balances."""
        return [
            (e.entry_type, e.book, e.contra, e.amount, e.balance_after, e.contra_balance_after)
            for e in await self.entries(journal)
        ]

    async def house_funds(self) -> Decimal:
        """The free operator money."""
        async with self.sessions() as session:
            return (await session.execute(text("SELECT balance FROM house_funds"))).scalar_one()

    async def wallet_balance(self, wallet_id: UUID) -> Decimal:
        """What a wallet holds by the books."""
        async with self.sessions() as session:
            query = text("SELECT balance FROM wallets WHERE id = :id")
            return (await session.execute(query, {"id": wallet_id})).scalar_one()


def balances(figures: AccountFigures) -> dict[str, Decimal]:
    """The books of an account that are not empty, by name, and the credit due."""
    names = ("deposited", "profit", "review", "hold", "virtual", "virtual_hold", "allocated", "credit_due")
    return {name: getattr(figures, name) for name in names if getattr(figures, name)}


HOUSE_ACCOUNT = AccountKey(HOUSE_ID, HOUSE_ID)


@dataclass(slots=True)
class Customer:
    """An account in some books, and the wallet that its money goes through."""

    books: Books
    account: AccountKey
    wallet: UUID

    async def holds(self, **expected: Decimal | str | int) -> None:
        """Compare the balances that are not zero."""
        found = balances(await self.books.figures(self.account))
        assert found == {name: Decimal(value) for name, value in expected.items()}

    async def ask(self, amount: Decimal | str | int) -> tuple[UUID, WithdrawalHold]:
        """Ask for a withdrawal."""
        withdrawal = new_id()
        hold = WithdrawalHold.of(await self.books.figures(self.account), Decimal(amount))
        await self.books.post(withdrawals.withdrawal_requested(self.account, withdrawal, hold))
        return withdrawal, hold
