"""The first door: `post` joins the caller's transaction, so that a row, its journal and its audit commit together.

The second door, which owns its commit, is `group_commit`; both end in `post_on`, the one core.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.ledger.errors import refusal
from topcoin.ledger.posting.domain import Journal, PostingResult, PostingStatus
from topcoin.ledger.posting.repository import Verdict, call_ledger_post, lock_accounts, read_first_results

LINES_PER_CALL_MAX = 8_192
"""More lines than this go in several calls of the same transaction, which bounds the memory of each."""


def _runs(journals: Sequence[Journal]) -> Iterator[list[Journal]]:
    """Cut into runs that one call can decide.

    A run is cut where it grows too long, and before a journal that meets an earlier one of its run again, by its id
    or by what it reverses: whether it is a duplicate or a first try depends on what becomes of the earlier one.
    """
    run: list[Journal] = []
    seen: set[tuple[UUID, UUID]] = set()
    lines = 0
    for journal in journals:
        key = (journal.user_id, journal.journal_id)
        reversed_key = key if journal.reverses is None else (journal.user_id, journal.reverses)
        if run and (lines + len(journal.lines) > LINES_PER_CALL_MAX or key in seen or reversed_key in seen):
            yield run
            run, lines = [], 0
            seen.clear()
        run.append(journal)
        seen.add(key)
        seen.add(reversed_key)
        lines += len(journal.lines)
    if run:
        yield run


async def _results(
    connection: AsyncConnection[Any], run: Sequence[Journal], verdicts: Sequence[Verdict]
) -> list[PostingResult]:
    repeated = [j for j, verdict in zip(run, verdicts, strict=True) if verdict.code == PostingStatus.DUPLICATE]
    first = await read_first_results(connection, repeated) if repeated else {}
    results: list[PostingResult] = []
    for journal, verdict in zip(run, verdicts, strict=True):
        match verdict.code:
            case PostingStatus.POSTED:
                result = PostingResult(journal.journal_id, PostingStatus.POSTED, verdict.entries)
            case PostingStatus.DUPLICATE:
                entries = first[journal.user_id, journal.journal_id]
                result = PostingResult(journal.journal_id, PostingStatus.DUPLICATE, entries)
            case code:
                error = refusal(code, verdict.detail)
                result = PostingResult(journal.journal_id, PostingStatus.REFUSED, error=error)
        results.append(result)
    return results


async def post_on(
    connection: AsyncConnection[Any], journals: Sequence[Journal], *, now: datetime | None = None
) -> list[PostingResult]:
    """Post journals in order on a connection whose transaction the caller ends; one result for each."""
    runs = list(_runs(journals))
    if len(runs) > 1:
        await lock_accounts(connection, {(j.user_id, j.account_id) for j in journals})
    results: list[PostingResult] = []
    for run in runs:
        results += await _results(connection, run, await call_ledger_post(connection, run, now))
    return results


async def post(
    session: AsyncSession, journals: Sequence[Journal], *, now: datetime | None = None
) -> list[PostingResult]:
    """Post journals in the caller's transaction, in order; one result for each (LED-5).

    A refused journal leaves the others alone; call `unwrap` on a result to raise its refusal. `now` is the time that
    the entries carry; None leaves it to the database's clock.
    """
    await session.flush()
    pooled = await session.connection()
    connection = cast("AsyncConnection[Any]", (await pooled.get_raw_connection()).driver_connection)
    try:
        return await post_on(connection, journals, now=now)
    except psycopg.Error as error:
        if connection.closed:
            # Else the session would try to roll back on it, and that error would stand in the place of this one.
            await pooled.invalidate(error)
        # As SQLAlchemy would say it, so that the unit of work recognises a lost connection, a deadlock, a clash of ids.
        raise cast("DBAPIError", DBAPIError.instance(None, None, error, psycopg.Error)) from error
