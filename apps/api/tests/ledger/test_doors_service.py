"""The two doors by themselves: time, transactions, lost connections, and what is acknowledged (LED-3, LED-5, LED-7)."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from support.books import HOUSE_ACCOUNT, Books, adjusting

from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.database.unit_of_work import (
    ConnectionLost,
    Contention,
    OutcomeUnknown,
    run_in_transaction,
    transaction,
)
from topcoin.infra.settings import Settings
from topcoin.kernel.clock import ManualClock
from topcoin.kernel.errors import IdempotencyConflict, TopCoinError
from topcoin.kernel.ids import new_id
from topcoin.ledger.accounts.service import lock_figures
from topcoin.ledger.chart.domain import EntryType, HouseBook, ReferenceType
from topcoin.ledger.errors import PostingRefused
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.group_commit.service import GroupCommit, PosterClosed
from topcoin.ledger.posting import service
from topcoin.ledger.posting.domain import Journal, Line, PostingStatus, Reference
from topcoin.ledger.posting.service import post

D = Decimal
POSTED, DUPLICATE, REFUSED = PostingStatus.POSTED, PostingStatus.DUPLICATE, PostingStatus.REFUSED


async def test_time_never_runs_backwards_within_an_account(books: Books) -> None:
    """LED-3: with a clock set back, entries carry the last entry's time; another account's are not touched by it."""
    account, other = await books.account(), await books.account()
    noon = datetime(2021, 5, 4, 12, tzinfo=UTC)
    journals = [adjusting(account, 1) for _ in range(3)]
    for journal, moment in zip(journals, (noon, noon - timedelta(days=400), noon + timedelta(seconds=1)), strict=True):
        books.now = moment
        await books.post(journal)
    times = [(await books.entries(journal))[0].created_at for journal in journals]
    assert times == [noon, noon, noon + timedelta(seconds=1)]
    books.now = noon - timedelta(days=1)
    elsewhere = adjusting(other, 1)
    await books.post(elsewhere)
    assert (await books.entries(elsewhere))[0].created_at == noon - timedelta(days=1)


async def test_post_rolls_back_with_its_callers_transaction(books: Books) -> None:
    account = await books.account()
    journal, before = adjusting(account, 1), await books.state()
    async with books.sessions() as session:
        (result,) = await post(session, [journal])
        assert result.status is POSTED
        await session.execute(
            text("INSERT INTO wallets (id, wallet_type, name, currency) VALUES (gen_random_uuid(), 'x', 'y', 'z')")
        )
        await session.rollback()
    assert await books.state() == before
    await books.post(journal)


async def test_post_sees_what_the_session_has_not_flushed_and_commits_with_it(books: Books) -> None:
    account = await books.account()
    async with books.sessions.begin() as session:
        figures = await lock_figures(session, account.user_id, account.account_id)
        assert figures.virtual == 0
        (result,) = await post(session, [adjusting(account, 3)])
        result.unwrap()
        assert (await lock_figures(session, account.user_id, account.account_id)).virtual == 3
    assert (await books.figures(account)).virtual == 3


async def test_a_clash_of_ids_is_retried_by_the_unit_of_work(books: Books) -> None:
    """What `post` raises is what `run_in_transaction` knows: the second try finds the other's journal."""
    account = await books.account()
    other = await books.account(account.user_id)
    shared, tries = new_id(), 0
    holding = asyncio.Event()

    async def first() -> None:
        async with books.sessions.begin() as session:
            await post(session, [adjusting(account, 1, journal_id=shared)])
            holding.set()
            while not (await session.execute(text(WAITING))).scalar_one():
                continue

    async def second(session: Any) -> TopCoinError | None:  # noqa: ANN401 - an AsyncSession, as run_in_transaction gives it
        nonlocal tries
        tries += 1
        (result,) = await post(session, [adjusting(other, 1, journal_id=shared)])
        return result.error

    async def after() -> TopCoinError | None:
        await holding.wait()
        unique = "uq_ledger_entries_user_id_journal_id_line_no"
        return await run_in_transaction(books.sessions, second, retry_on_unique=[unique])

    _, error = await asyncio.gather(first(), after())
    assert tries == 2
    assert isinstance(error, IdempotencyConflict)


# Of this connection: others wait on the same server for each other.
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"


async def test_grouped_answers_only_after_the_commit(ledger_database: Settings, books: Books) -> None:
    """LED-7: at the moment of the answer, another connection sees the entries."""
    account = await books.account()
    async with GroupCommit(database_url(ledger_database, Role.APP), lanes=2) as group:
        journals = [adjusting(account, 1) for _ in range(30)]

        async def post_and_look(journal: Journal) -> None:
            (result,) = await group.post_grouped([journal])
            assert result.status is POSTED
            with psycopg.connect(database_url(ledger_database, Role.READ)) as connection:
                query = "SELECT entry_hash FROM ledger_entries WHERE journal_id = %s"
                assert connection.execute(query, [journal.journal_id]).fetchall() == [(result.entries[0].entry_hash,)]

        await asyncio.gather(*(post_and_look(journal) for journal in journals))
    assert (await books.figures(account)).virtual == 30


async def test_grouped_takes_its_time_from_a_clock(ledger_database: Settings, books: Books) -> None:
    clock, account = ManualClock(datetime(2021, 1, 1, tzinfo=UTC)), await books.account()
    journal = adjusting(account, 1)
    async with GroupCommit(database_url(ledger_database, Role.APP), clock=clock) as group:
        await group.post_grouped([journal])
    assert (await books.entries(journal))[0].created_at == clock.now()


async def test_a_closed_door_takes_nothing_and_finishes_what_it_took(ledger_database: Settings, books: Books) -> None:
    account = await books.account()
    group = GroupCommit(database_url(ledger_database, Role.APP))
    with pytest.raises(PosterClosed):
        await group.post_grouped([adjusting(account, 1)])
    async with group:
        taken = [asyncio.create_task(group.post_grouped([adjusting(account, 1)])) for _ in range(5)]
        await asyncio.sleep(0)
    assert [(await task)[0].status for task in taken] == [POSTED] * 5
    with pytest.raises(PosterClosed, match="took nothing"):
        await group.post_grouped([adjusting(account, 1)])
    assert (await books.figures(account)).virtual == 5


async def test_a_caller_who_gives_up_spoils_nothing(ledger_database: Settings, books: Books) -> None:
    account = await books.account()
    journal = adjusting(account, 1)
    async with GroupCommit(database_url(ledger_database, Role.APP)) as group:
        given_up = asyncio.create_task(group.post_grouped([journal]))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        (again,) = await group.post_grouped([journal])
        assert again.status in {POSTED, DUPLICATE}
    assert (await books.figures(account)).virtual == 1


KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE application_name = 'topcoin-ledger' AND datname = current_database()
"""


async def test_a_lost_connection_is_replaced(ledger_database: Settings, books: Books) -> None:
    account = await books.account()
    async with GroupCommit(database_url(ledger_database, Role.APP)) as group:
        for _ in range(3):
            with psycopg.connect(database_url(ledger_database, Role.APP), autocommit=True) as connection:
                assert connection.execute(KILL).fetchall() == [(True,)]
            (result,) = await group.post_grouped([adjusting(account, 1)])
            assert result.status is POSTED
    assert (await books.figures(account)).virtual == 3


async def test_an_error_of_one_request_is_its_own_even_after_a_lost_connection(
    ledger_database: Settings, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane lives on, and requests that came together with the broken one are posted."""
    account = await books.account()
    poisoned, fine = adjusting(account, 1), adjusting(account, 2)
    core = service.post_on

    async def post_on(connection: Any, journals: Any, **options: Any) -> Any:  # noqa: ANN401 - of the core's
        if poisoned in journals:
            await connection.execute("SELECT FROM nowhere")
        return await core(connection, journals, **options)

    monkeypatch.setattr("topcoin.ledger.group_commit.service.post_on", post_on)
    async with GroupCommit(database_url(ledger_database, Role.APP)) as group:
        with psycopg.connect(database_url(ledger_database, Role.APP), autocommit=True) as connection:
            connection.execute(KILL)
        bad, good = await asyncio.gather(
            group.post_grouped([poisoned]), group.post_grouped([fine]), return_exceptions=True
        )
        assert isinstance(bad, psycopg.errors.UndefinedTable)
        assert not isinstance(good, BaseException)
        assert good[0].status is POSTED
        (later,) = await group.post_grouped([adjusting(account, 3)])
        assert later.status is POSTED
    assert (await books.figures(account)).virtual == 5


async def test_what_a_constraint_stops_is_explained(
    ledger_database: Settings, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the code let through what the database does not keep, the caller reads which rule it was."""
    account = await books.account()
    core = service.post_on

    async def post_on(connection: Any, journals: Any, **options: Any) -> Any:  # noqa: ANN401 - of the core's
        await connection.execute("UPDATE accounts SET margin_used = -1 WHERE id = %s", [account.account_id])
        return await core(connection, journals, **options)

    async with GroupCommit(database_url(ledger_database, Role.APP)) as group:
        with monkeypatch.context() as patched:
            patched.setattr("topcoin.ledger.group_commit.service.post_on", post_on)
            with pytest.raises(PostingRefused, match="ck_accounts_margin_used_not_negative"):
                await group.post_grouped([adjusting(account, 1)])
        assert (await group.post_grouped([adjusting(account, 1)]))[0].status is POSTED


async def test_a_time_in_the_future_is_refused(books: Books) -> None:
    """LED-3: since time never runs backwards, one entry dated ahead would date all later ones."""
    account = await books.account()
    books.now = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(DBAPIError):
        await books.post_all([adjusting(account, 1)])
    books.now = None
    assert (await books.post(adjusting(account, 1)))[0].sequence == 1


async def test_a_database_that_stays_away_leaves_the_outcome_open(
    ledger_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("topcoin.ledger.group_commit.service._PAUSE_SECONDS", 0)
    async with GroupCommit(database_url(ledger_database, Role.APP)) as group:

        async def post_on(*_: object, **__: object) -> None:
            raise psycopg.OperationalError("gone")

        with monkeypatch.context() as patched:
            patched.setattr("topcoin.ledger.group_commit.service.post_on", post_on)
            with pytest.raises(OutcomeUnknown, match="post them again"):
                await group.post_grouped([adjusting(HOUSE_ACCOUNT, 1, **HOUSE_LINE)])
        (result,) = await group.post_grouped([adjusting(AccountKey(new_id(), new_id()), 1)])
        assert result.error is not None
        assert result.error.code == "account_not_found"


HOUSE_LINE: dict[str, Any] = {
    "lines": (Line(EntryType.VALUATION, HouseBook.VALUATION, HouseBook.CUSTODY, D(1), UUID(int=1)),),
    "reference": Reference(ReferenceType.WALLET, "w"),
}


@pytest.mark.parametrize("failures", [2, 1_000])
async def test_contention_is_tried_again_and_then_said(
    ledger_database: Settings, books: Books, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """Nothing was kept, and the caller is told so: unlike a lost connection, that is certain."""
    monkeypatch.setattr("topcoin.ledger.group_commit.service._PAUSE_SECONDS", 0)
    account, tries, core = await books.account(), 0, service.post_on

    async def post_on(connection: Any, journals: Any, **options: Any) -> Any:  # noqa: ANN401 - of the core's
        nonlocal tries
        tries += 1
        results = await core(connection, journals, **options)
        if tries <= failures:
            raise psycopg.errors.DeadlockDetected("somebody was in the way")
        return results

    monkeypatch.setattr("topcoin.ledger.group_commit.service.post_on", post_on)
    async with GroupCommit(database_url(ledger_database, Role.APP)) as group:
        if failures == 2:
            assert (await group.post_grouped([adjusting(account, 1)]))[0].status is POSTED
        else:
            with pytest.raises(Contention, match="nothing was kept"):
                await group.post_grouped([adjusting(account, 1)])
    assert (await books.figures(account)).virtual == (failures == 2)


async def test_a_lost_connection_is_told_as_such_by_the_unit_of_work(books: Books) -> None:
    """The first door, in mid-transaction: nothing was kept, and the session can still be closed."""
    account = await books.account()

    async def post_on_a_lost_connection() -> None:
        async with transaction(books.sessions) as session:
            pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with books.sessions() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            await post(session, [adjusting(account, 1)])

    with pytest.raises(ConnectionLost):
        await post_on_a_lost_connection()
    assert (await books.figures(account)).virtual == 0


async def test_what_the_driver_raises_comes_as_sqlalchemys_error(books: Books) -> None:
    account = await books.account()
    async with books.sessions() as session:
        await session.execute(text("SET LOCAL statement_timeout = 1"))
        await session.execute(text("SET LOCAL lock_timeout = 1"))
        async with books.sessions() as holder:
            await lock_figures(holder, account.user_id, account.account_id)
            with pytest.raises(DBAPIError) as failed:
                await post(session, [adjusting(account, 1)])
    assert isinstance(failed.value.orig, psycopg.Error)
