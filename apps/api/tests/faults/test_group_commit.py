"""Callers who share a commit do not suffer for each other: not for poison, not for a hang-up, not for the closing."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import psycopg
import pytest
from faults.books import PATIENCE_SECONDS, Books, Opened, assert_books_hold, locked, waiting_backends

from topcoin.infra.database.unit_of_work import Contention
from topcoin.kernel.ids import new_id
from topcoin.ledger.chart.domain import EntryType
from topcoin.ledger.errors import InsufficientFunds, PostingRefused
from topcoin.ledger.events.adjustments import balance_adjusted
from topcoin.ledger.group_commit import service as group_commit
from topcoin.ledger.group_commit.service import GroupCommit, PosterClosed
from topcoin.ledger.posting.domain import Journal, Line, PostingResult, PostingStatus


def adjusted(books: Books, account: int = 0, amount: int = 5) -> Journal:
    """A journal that nothing refuses, unless it asks for more than there is."""
    return balance_adjusted(books.accounts[account], new_id(), Decimal(amount), kind="bonus", reason="Test")


def spoiled(journal: Journal, attribute: str, value: object) -> Journal:
    """A journal as none can be made, for what no check has foreseen."""
    object.__setattr__(journal, attribute, value)
    return journal


def misfit(journal: Journal) -> Journal:
    """A journal whose line the chart of accounts does not know."""
    (line,) = journal.lines
    other = Line(line.entry_type, line.book, line.contra, line.amount)
    object.__setattr__(other, "entry_type", EntryType.DEPOSIT)
    return spoiled(journal, "lines", (other,))


class Crowd:
    """Callers who wait behind one whose journal is held up, so that the next commit is for all of them."""

    def __init__(self, group: GroupCommit) -> None:
        self._group = group
        self._callers: list[asyncio.Task[list[PostingResult]]] = []

    async def add(self, *journals: Journal) -> "asyncio.Task[list[PostingResult]]":
        """Another caller, whose request is in the queue when this returns."""
        caller = asyncio.create_task(self._group.post_grouped(journals))
        self._callers.append(caller)
        # The task begins before we go on, and does not pause before its request is in the queue.
        await asyncio.sleep(0)
        assert len(self._group._waiting) == len(self._callers)
        return caller

    async def answers(self) -> list[list[PostingResult] | BaseException]:
        """What each of them was told, in the order in which they came."""
        return await asyncio.gather(*self._callers, return_exceptions=True)


@asynccontextmanager
async def held_up(books: Books, group: GroupCommit, journal: Journal) -> AsyncGenerator[Crowd]:
    """A crowd behind this journal, whose account stays locked until the end of the block."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        crowd = Crowd(group)
        async with locked(books, books.accounts[0]):
            first = asyncio.create_task(group.post_grouped([journal]))
            await waiting_backends(books)
            yield crowd
        assert statuses(await first) == [PostingStatus.POSTED]


def statuses(results: Sequence[PostingResult]) -> list[PostingStatus]:
    """What became of each journal."""
    return [result.status for result in results]


async def test_poison_harms_nobody_else(opened: Opened) -> None:
    """What the database, or our own code, fails on is told to who sent it; the others of its group are posted."""
    books, journals = opened
    first, good, last = (adjusted(books) for _ in range(3))
    async with GroupCommit(books.app_url) as group:
        async with held_up(books, group, first) as crowd:
            await crowd.add(good)
            await crowd.add(spoiled(adjusted(books), "canonical_metadata", "no JSON"))
            await crowd.add(adjusted(books, amount=-100_000))
            await crowd.add(misfit(adjusted(books)))
            await crowd.add(spoiled(adjusted(books), "lines", (None,)))
            await crowd.add(last)
        posted, no_json, too_much, no_entry, no_line, posted_too = await crowd.answers()
    assert isinstance(posted, list)
    assert statuses(posted) == [PostingStatus.POSTED]
    assert isinstance(no_json, PostingRefused)
    assert isinstance(too_much, list)
    assert isinstance(too_much[0].error, InsufficientFunds)
    assert isinstance(no_entry, PostingRefused)
    assert "ck_ledger_entries_in_chart" in no_entry.detail
    assert isinstance(no_line, AttributeError)
    assert isinstance(posted_too, list)
    assert statuses(posted_too) == [PostingStatus.POSTED]
    assert_books_hold(books, [*journals, first, good, last])


async def test_half_a_request_is_never_kept(opened: Opened) -> None:
    """The second journal of a request breaks down in a call of its own, when the first has gone through: both go."""
    books, journals = opened
    twice, after = adjusted(books), adjusted(books)
    poison = spoiled(adjusted(books), "lines", (None,))
    async with GroupCommit(books.app_url) as group:
        with pytest.raises(AttributeError):
            # The repeated journal begins another call of `ledger_post`, and so the one behind it comes too late.
            await group.post_grouped([twice, twice, poison])
        assert statuses(await group.post_grouped([after])) == [PostingStatus.POSTED]
    assert_books_hold(books, [*journals, after])


async def test_cancelled_callers_disturb_nobody(opened: Opened) -> None:
    """One hangs up in the queue, one in mid-post: their journals are posted all the same, and said to be duplicates."""
    books, journals = opened
    in_work, queued, other = (adjusted(books) for _ in range(3))
    async with asyncio.timeout(PATIENCE_SECONDS), GroupCommit(books.app_url) as group:
        async with locked(books, books.accounts[0]):
            worked_on = asyncio.create_task(group.post_grouped([in_work]))
            await waiting_backends(books)
            crowd = Crowd(group)
            hangs_up = await crowd.add(queued)
            stays = await crowd.add(other)
            for caller in (worked_on, hangs_up):
                caller.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await caller
        assert statuses(await stays) == [PostingStatus.POSTED]
        again = await group.post_grouped([in_work, queued])
        assert statuses(again) == [PostingStatus.DUPLICATE] * 2
    assert_books_hold(books, [*journals, in_work, queued, other])


async def test_caller_who_hung_up_on_poison_disturbs_nobody(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does an error that nobody fetches fill the log."""
    books, journals = opened
    first, other = adjusted(books), adjusted(books)
    async with GroupCommit(books.app_url) as group:
        async with held_up(books, group, first) as crowd:
            (await crowd.add(spoiled(adjusted(books), "canonical_metadata", "no JSON"))).cancel()
            await crowd.add(other)
        hung_up, posted = await crowd.answers()
    assert isinstance(hung_up, asyncio.CancelledError)
    del crowd
    gc.collect()
    assert not caplog.records
    assert isinstance(posted, list)
    assert statuses(posted) == [PostingStatus.POSTED]
    assert_books_hold(books, [*journals, first, other])


@pytest.mark.parametrize("lanes", [1, 2])
async def test_closing_answers_all_who_wait(opened: Opened, lanes: int) -> None:
    """Who came before the closing is answered, who comes after it is turned away, and nothing of theirs is kept."""
    books, journals = opened
    first, *waiting = (adjusted(books) for _ in range(5))
    group = await GroupCommit(books.app_url, lanes=lanes).__aenter__()
    async with held_up(books, group, first):
        callers = [asyncio.create_task(group.post_grouped([journal])) for journal in waiting]
        closing = asyncio.create_task(group.__aexit__(None, None, None))
        # Tasks begin in the order in which they were made: by now the callers have asked, and the closing has begun.
        await asyncio.sleep(0)
        with pytest.raises(PosterClosed):
            await group.post_grouped([adjusted(books)])
        assert not any(task.done() for task in (*callers, closing))
    answers = await asyncio.gather(*callers)
    await closing
    assert [statuses(results) for results in answers] == [[PostingStatus.POSTED]] * 4
    assert_books_hold(books, [*journals, first, *waiting])


async def test_endless_contention_is_told_and_nothing_is_kept(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others win every time, the caller may try again later; the lane lives on."""
    books, journals = opened
    attempts = 0
    genuine = group_commit.post_on

    async def losing(connection: psycopg.AsyncConnection[tuple[object, ...]], *_: object, **__: object) -> None:
        nonlocal attempts
        attempts += 1
        await genuine(connection, [adjusted(books)])
        await connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")

    monkeypatch.setattr(group_commit, "_PAUSE_SECONDS", 0)
    async with GroupCommit(books.app_url) as group:
        with monkeypatch.context() as patched:
            patched.setattr(group_commit, "post_on", losing)
            with pytest.raises(Contention):
                await group.post_grouped([adjusted(books)])
        assert attempts == group_commit._ATTEMPTS
        after = adjusted(books)
        assert statuses(await group.post_grouped([after])) == [PostingStatus.POSTED]
    assert_books_hold(books, [*journals, after])
