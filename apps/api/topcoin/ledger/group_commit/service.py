"""The second door: journals that bring no other rows, from many callers at once, in one commit.

While a commit is under way, whatever arrives is collected and goes with the next one. So an idle ledger answers at
once, a busy one fills its batches, and nobody waits for a timer. An answer is given only after the commit (LED-7).

A connection lost in mid-commit leaves the outcome open; the same journals are then posted again, which is harmless
(LED-5): those that had been kept come back as duplicates with their first result.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection

from topcoin.infra.database.unit_of_work import Contention, OutcomeUnknown
from topcoin.kernel.clock import Clock
from topcoin.kernel.errors import Unavailable
from topcoin.ledger.errors import PostingRefused
from topcoin.ledger.posting.domain import Journal, PostingResult
from topcoin.ledger.posting.service import LINES_PER_CALL_MAX, post_on

_ATTEMPTS = 6
_PAUSE_SECONDS = 0.05
_OPTIONS = "-c timezone=UTC -c synchronous_commit=on -c idle_in_transaction_session_timeout=60s"

_CONTENTION = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    # Another call posted the same id on another account of the customer: the next attempt finds it and says so.
    psycopg.errors.UniqueViolation,
)

_Connection = AsyncConnection[tuple[Any, ...]]


class PosterClosed(Unavailable):
    """The door was closed before the journals were taken; nothing of them was posted."""

    code = "poster_closed"


@dataclass(slots=True, eq=False)
class _Request:
    journals: Sequence[Journal]
    answer: asyncio.Future[list[PostingResult]]
    line_count: int = field(init=False)

    def __post_init__(self) -> None:
        self.line_count = sum(len(journal.lines) for journal in self.journals)


@dataclass(slots=True, eq=False)
class _Lane:
    """A connection that is replaced when it breaks."""

    connection: _Connection

    async def roll_back(self) -> None:
        """Leave the transaction; a connection that cannot even do that is given up."""
        try:
            await self.connection.rollback()
        except psycopg.OperationalError:
            await self.connection.close()


class GroupCommit:
    """An open door, for use as an async context manager; one per process is enough.

    `conninfo` is a libpq URL of the application's role. Several lanes are several connections: one prepares its batch
    while another commits, and batches on different accounts run side by side.
    """

    def __init__(self, conninfo: str, *, clock: Clock | None = None, lanes: int = 1) -> None:
        self._conninfo = conninfo
        self._clock = clock
        self._waiting: deque[_Request] = deque()
        self._arrived = asyncio.Event()
        self._closing = False
        self._lane_count = lanes
        self._lanes: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        connections = [await self._connect() for _ in range(self._lane_count)]
        self._lanes = [asyncio.create_task(self._run(_Lane(connection))) for connection in connections]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._arrived.set()
        await asyncio.gather(*self._lanes)

    async def post_grouped(self, journals: Sequence[Journal]) -> list[PostingResult]:
        """Post journals in order and durably; one result for each (LED-5, LED-7).

        Raises `OutcomeUnknown` where the database stayed away for too long, and `Contention` where others were in the
        way for too long: post the same journals again.
        """
        if not journals:
            return []
        if self._closing or not self._lanes:
            raise PosterClosed("the ledger is shutting down and took nothing; post again when it is back")
        request = _Request(journals, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._arrived.set()
        return await asyncio.shield(request.answer)

    async def _connect(self) -> _Connection:
        return await AsyncConnection.connect(self._conninfo, application_name="topcoin-ledger", options=_OPTIONS)

    def _take(self) -> list[_Request]:
        """The oldest waiting requests, as many as one call holds (and always one)."""
        taken: list[_Request] = []
        lines = 0
        while self._waiting and (not taken or lines + self._waiting[0].line_count <= LINES_PER_CALL_MAX):
            request = self._waiting.popleft()
            taken.append(request)
            lines += request.line_count
        if not self._waiting and not self._closing:
            self._arrived.clear()
        return taken

    async def _run(self, lane: _Lane) -> None:
        try:
            while True:
                await self._arrived.wait()
                requests = self._take()
                if requests:
                    await self._serve(lane, requests)
                elif self._closing:
                    return
        finally:
            await lane.connection.close()

    async def _serve(self, lane: _Lane, requests: list[_Request]) -> None:
        """Answer requests with one commit; where that fails for what one of them asks, with one commit each."""
        try:
            results = await self._post_durably(lane, [j for r in requests for j in r.journals])
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the callers hear of it and the lane lives on
            await lane.roll_back()
            if len(requests) == 1 or isinstance(error, Unavailable):
                _refuse(requests, _explained(error))
                return
            for request in requests:
                await self._serve(lane, [request])
            return
        start = 0
        for request in requests:
            if not request.answer.cancelled():
                request.answer.set_result(results[start : start + len(request.journals)])
            start += len(request.journals)

    async def _post_durably(self, lane: _Lane, journals: Sequence[Journal]) -> list[PostingResult]:
        """Post and commit; over again, on a new connection if need be, where others or the network were in the way."""
        connection_lost = False
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311 - jitter is no secret
            try:
                if lane.connection.closed:
                    lane.connection = await self._connect()
                results = await post_on(lane.connection, journals, now=self._now())
                await lane.connection.commit()
            except _CONTENTION:
                await lane.roll_back()
            except psycopg.OperationalError:
                connection_lost = True
                await lane.connection.close()
            else:
                return results
        if connection_lost:
            raise OutcomeUnknown("the database cannot be reached; the journals may or may not be kept: post them again")
        raise Contention(f"the same accounts kept changing during {_ATTEMPTS} attempts; nothing was kept: post again")

    def _now(self) -> datetime | None:
        """The time that entries carry: the database's own, unless a clock was handed in."""
        return None if self._clock is None else self._clock.now()


def _explained(error: Exception) -> Exception:
    """A constraint that stopped what the code had let through, as a refusal; anything else as it is."""
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        rule = error.diag.constraint_name or error.diag.message_primary
        return PostingRefused(f"the database does not keep this: {rule}; nothing of the request was posted")
    return error


def _refuse(requests: Sequence[_Request], error: Exception) -> None:
    for request in requests:
        if not request.answer.cancelled():
            request.answer.set_exception(error)
            # Who has hung up will not fetch it, and asyncio need not complain of that.
            request.answer.exception()
