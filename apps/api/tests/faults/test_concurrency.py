"""Money is conserved when many post to few accounts, and nobody hears of the others (LED-3, LED-5, LED-6)."""

import asyncio
from collections import Counter
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from faults.books import PATIENCE_SECONDS, Books, Opened, Place, assert_books_hold, locked, read_kept, waiting_backends
from faults.load import draw_journal
from faults.posters import Order, posters
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.infra.database.connect import SessionFactory
from topcoin.infra.database.unit_of_work import run_in_transaction, transaction
from topcoin.kernel.errors import IdempotencyConflict
from topcoin.kernel.ids import new_id
from topcoin.ledger.events.adjustments import balance_adjusted
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.group_commit.service import GroupCommit
from topcoin.ledger.posting.domain import Journal, PostingResult, PostingStatus
from topcoin.ledger.posting.service import post

POSTERS = 5
JOURNALS = 120
SAME_JOURNAL_ID = {"uq_ledger_entries_user_id_journal_id_line_no"}


def adjusted(account: AccountKey, event_id: UUID, amount: int = 1) -> Journal:
    """A journal that nothing refuses; the id of its event alone decides its own id, whatever the account."""
    return balance_adjusted(account, event_id, Decimal(amount), kind="bonus", reason="Test")


async def post_in_session(sessions: SessionFactory, *journals: Journal) -> list[PostingResult]:
    """The first door, as a command uses it."""

    async def work(session: AsyncSession) -> list[PostingResult]:
        return await post(session, journals)

    return await run_in_transaction(sessions, work, retry_on_unique=SAME_JOURNAL_ID)


def count_deadlocks(books: Books) -> int:
    """How many deadlocks the server has noticed in this database."""
    with psycopg.connect(books.read_url) as connection:
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("several_calls", [0, 0.3])
async def test_processes_post_each_journal_once(opened: Opened, several_calls: float) -> None:
    """Five processes post the same journals, each in its own order, by both doors, over each other's locks.

    Where each transaction posts by one call there are no deadlocks, since all lock in one order. Where some lock as
    they go there are many, and no caller hears of one.
    """
    books, journals = opened
    orders = [
        Order(
            books,
            "shared",
            range(JOURNALS),
            lanes=1 + n % 2,
            workers=6,
            chance=f"poster {n}",
            shuffled=True,
            several_calls=several_calls,
        )
        for n in range(POSTERS)
    ]
    with posters(*orders) as processes:
        answers = [await asyncio.to_thread(process.finish) for process in processes]

    for acknowledged in answers:
        assert sorted(answer.number for answer in acknowledged) == list(range(JOURNALS)), "answered once each"
    posted: dict[int, list[Place]] = {}
    for answer in (a for acknowledged in answers for a in acknowledged if a.status == PostingStatus.POSTED):
        assert answer.number not in posted, "two were told that they posted it"
        posted[answer.number] = answer.places
    for answer in (a for acknowledged in answers for a in acknowledged if a.status == PostingStatus.DUPLICATE):
        assert answer.places == posted[answer.number], "the second is told what the first was"

    statuses = Counter(answer.status for acknowledged in answers for answer in acknowledged)
    assert min(statuses[status] for status in PostingStatus) > JOURNALS // 10, "the load tries all three outcomes"
    drawn = {number: draw_journal(books, "shared", number) for number in posted}
    assert_books_hold(books, [*journals, *drawn.values()])
    kept = read_kept(books)
    assert {number: kept[journal.journal_id] for number, journal in drawn.items()} == posted
    assert (count_deadlocks(books) > 0) is (several_calls > 0)


async def test_one_journal_at_the_same_moment_is_posted_once(opened: Opened, sessions: SessionFactory) -> None:
    """Two sessions and three lanes get the same journals at once: one posts, and all are told the same entries."""
    books, journals = opened
    async with GroupCommit(books.app_url, lanes=2) as group, GroupCommit(books.app_url) as other:
        for _ in range(12):
            journal = adjusted(books.accounts[0], new_id())
            journals.append(journal)
            answers = await asyncio.gather(
                group.post_grouped([journal]),
                post_in_session(sessions, journal),
                other.post_grouped([journal]),
                post_in_session(sessions, journal),
                group.post_grouped([journal]),
            )
            results = [result for (result,) in answers]
            assert Counter(result.status for result in results) == {
                PostingStatus.POSTED: 1,
                PostingStatus.DUPLICATE: 4,
            }
            assert len({result.entries for result in results}) == 1
    assert_books_hold(books, journals)


async def test_one_journal_id_on_two_accounts_of_a_customer_is_posted_once(
    opened: Opened, sessions: SessionFactory
) -> None:
    """Neither account's lock keeps the other out: the unique key does, and the loser is told of the conflict."""
    books, journals = opened
    async with GroupCommit(books.app_url, lanes=2) as group:
        for _ in range(12):
            event_id = new_id()
            pair = [adjusted(account, event_id) for account in books.accounts[-2:]]
            (first,), (second,) = await asyncio.gather(group.post_grouped(pair[:1]), post_in_session(sessions, pair[1]))
            winner, loser = (0, second) if first.status is PostingStatus.POSTED else (1, first)
            assert (first, second)[winner].status is PostingStatus.POSTED
            assert isinstance(loser.error, IdempotencyConflict)
            journals.append(pair[winner])
    assert_books_hold(books, journals)


async def test_group_waits_for_a_session_that_posts_the_id_on_another_account(
    opened: Opened, sessions: SessionFactory
) -> None:
    """The session's commit decides: after it the lane meets the unique key, tries again and finds the conflict."""
    books, journals = opened
    event_id = new_id()
    mine, theirs = (adjusted(account, event_id) for account in books.accounts[-2:])
    async with asyncio.timeout(PATIENCE_SECONDS), GroupCommit(books.app_url) as group:
        async with transaction(sessions) as session:
            await post(session, [mine])
            waiting = asyncio.create_task(group.post_grouped([theirs]))
            await waiting_backends(books)
        (result,) = await waiting
    assert isinstance(result.error, IdempotencyConflict)
    assert_books_hold(books, [*journals, mine])


async def test_session_waits_for_another_that_posts_the_id_on_another_account(
    opened: Opened, sessions: SessionFactory
) -> None:
    """A command that names the unique key among what it retries is told of the conflict, not of the key."""
    books, journals = opened
    event_id = new_id()
    mine, theirs = (adjusted(account, event_id) for account in books.accounts[-2:])
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with transaction(sessions) as session:
            await post(session, [mine])
            waiting = asyncio.create_task(post_in_session(sessions, theirs))
            await waiting_backends(books)
        (result,) = await waiting
    assert isinstance(result.error, IdempotencyConflict)
    assert_books_hold(books, [*journals, mine])


async def test_deadlocked_commands_are_tried_again(opened: Opened, sessions: SessionFactory) -> None:
    """Two commands post to two accounts in opposite order, and both have the first when they ask for the second."""
    books, journals = opened
    both_have_one = asyncio.Barrier(2)
    attempts: list[AccountKey] = []

    async def command(first: AccountKey, second: AccountKey) -> list[Journal]:
        mine = [adjusted(first, new_id()), adjusted(second, new_id())]

        async def work(session: AsyncSession) -> list[PostingResult]:
            attempts.append(first)
            results = await post(session, mine[:1])
            if attempts.count(first) == 1:
                await both_have_one.wait()
            return results + await post(session, mine[1:])

        results = await run_in_transaction(sessions, work)
        assert [result.status for result in results] == [PostingStatus.POSTED] * 2
        return mine

    one, other = books.accounts[:2]
    async with asyncio.timeout(PATIENCE_SECONDS):
        posted = await asyncio.gather(command(one, other), command(other, one))
    assert len(attempts) > 2, "there was no deadlock"
    assert_books_hold(books, [*journals, *posted[0], *posted[1]])


async def test_deadlocked_group_is_tried_again(opened: Opened, sessions: SessionFactory) -> None:
    """Against a command that locks accounts out of order the group may lose; its callers do not hear of it."""
    books, journals = opened
    low, high = sorted(books.accounts[:2], key=lambda account: account.user_id)
    grouped = [adjusted(low, new_id()), adjusted(high, new_id())]
    mine = [adjusted(high, new_id()), adjusted(low, new_id())]
    async with asyncio.timeout(PATIENCE_SECONDS), GroupCommit(books.app_url) as group:

        async def work(session: AsyncSession) -> None:
            await post(session, mine[:1])
            if not waiting:
                # The group has the low account, and waits for the high one, which we hold.
                waiting.append(asyncio.create_task(group.post_grouped(grouped)))
                await waiting_backends(books)
            await post(session, mine[1:])

        waiting: list[asyncio.Task[list[PostingResult]]] = []
        await run_in_transaction(sessions, work)
        results = await waiting[0]
    assert [result.status for result in results] == [PostingStatus.POSTED] * 2
    assert_books_hold(books, [*journals, *grouped, *mine])


async def test_waiting_for_an_account_holds_up_only_those_who_need_it(opened: Opened) -> None:
    """One lane waits for a locked account; the other serves the rest meanwhile."""
    books, journals = opened
    held, free = adjusted(books.accounts[0], new_id()), adjusted(books.accounts[1], new_id())
    async with asyncio.timeout(PATIENCE_SECONDS), GroupCommit(books.app_url, lanes=2) as group:
        async with locked(books, books.accounts[0]):
            waiting = asyncio.create_task(group.post_grouped([held]))
            await waiting_backends(books)
            (result,) = await group.post_grouped([free])
            assert result.status is PostingStatus.POSTED
            assert not waiting.done()
        (result,) = await waiting
        assert result.status is PostingStatus.POSTED
    assert_books_hold(books, [*journals, held, free])
