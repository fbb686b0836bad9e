"""The unit of work: one command, one transaction, committed at the edge and nowhere else.

A commit whose answer is lost may have happened or not. That is said (`OutcomeUnknown`), never guessed: the caller
repeats the command with the same idempotency key.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import NewType, TypeVar, cast

from psycopg import errors as postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.infra.database.connect import SessionFactory
from topcoin.kernel.errors import Unavailable

Result = TypeVar("Result")

ReadSession = NewType("ReadSession", AsyncSession)
"""A session whose transaction PostgreSQL itself keeps from writing, over one snapshot of the data."""

ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 1.0

_CONNECTION_LOST = ("08", "57P01", "57P02", "57P03")
_UNSURE_AT_COMMIT = "XX000"
"""What an extension that spreads data over several servers reports when it loses one of them."""
_CONTENTION = (postgresql.SerializationFailure, postgresql.DeadlockDetected)


class ConnectionLost(Unavailable):
    """The database went away in mid-transaction: nothing of it was kept."""

    code = "database_connection_lost"


class OutcomeUnknown(Unavailable):
    """The database went away at the commit: the work was either kept as a whole, or not at all."""

    code = "outcome_unknown"


class Contention(Unavailable):
    """Others kept changing the same rows until all attempts were used up: nothing was kept."""

    code = "contention"


@asynccontextmanager
async def transaction(sessions: SessionFactory) -> AsyncGenerator[AsyncSession]:
    """A session whose work is committed at the end of the block, or rolled back if the block fails.

    Raises `ConnectionLost` if the database goes away within the block, `OutcomeUnknown` if it does at the commit.
    """
    async with sessions() as session:
        try:
            yield session
            await session.flush()
        except DBAPIError as error:
            if _is_connection_lost(error):
                raise ConnectionLost("the database went away and nothing was changed: try again") from error
            raise
        try:
            await session.commit()
        except DBAPIError as error:
            if _is_connection_lost(error) or getattr(error.orig, "sqlstate", None) == _UNSURE_AT_COMMIT:
                raise OutcomeUnknown(
                    "the database went away before it confirmed the change, which may or may not have been made: try "
                    "again with the same idempotency key"
                ) from error
            raise


@asynccontextmanager
async def read_transaction(sessions: SessionFactory) -> AsyncGenerator[ReadSession]:
    """A session that reads one consistent snapshot and cannot write; nothing is committed."""
    async with sessions() as session:
        try:
            await session.connection(
                execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            )
            yield cast("ReadSession", session)
        except DBAPIError as error:
            if _is_connection_lost(error):
                raise ConnectionLost("the database went away: try again") from error
            raise


async def run_in_transaction(
    sessions: SessionFactory,
    work: Callable[[AsyncSession], Awaitable[Result]],
    *,
    attempts: int = ATTEMPTS,
    retry_on_unique: Collection[str] = (),
) -> Result:
    """Do some work in a transaction, anew from its beginning if others got in its way.

    That is: at a serialisation failure, at a deadlock, and at a violation of one of the unique constraints named in
    `retry_on_unique`, where finding the other's row the next time is what the work expects. The work must have no
    effects outside the database. Raises `Contention` after the last attempt, and what `transaction` raises.
    """
    for attempt in range(1, attempts + 1):
        try:
            async with transaction(sessions) as session:
                return await work(session)
        except DBAPIError as error:
            if not _is_worth_retrying(error, retry_on_unique):
                raise
            if attempt == attempts:
                raise Contention(f"the same rows kept changing during {attempts} attempts: try again later") from error
        await asyncio.sleep(_pause_seconds(attempt))
    msg = f"attempts must be at least 1, not {attempts}"
    raise ValueError(msg)


def _is_worth_retrying(error: DBAPIError, retry_on_unique: Collection[str]) -> bool:
    if isinstance(error.orig, postgresql.UniqueViolation):
        return error.orig.diag.constraint_name in retry_on_unique
    return isinstance(error.orig, _CONTENTION)


def _is_connection_lost(error: DBAPIError) -> bool:
    """Whether the server went away; an operational error without an SQLSTATE is one that no server reported."""
    if error.connection_invalidated:
        return True
    cause = error.orig
    if not isinstance(cause, postgresql.Error):
        return False
    if cause.sqlstate is None:
        return isinstance(cause, postgresql.OperationalError)
    return cause.sqlstate.startswith(_CONNECTION_LOST)


def _pause_seconds(attempt: int) -> float:
    """A random part of a span that doubles, so that those who collided once do not collide again."""
    return random.uniform(0, min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt))  # noqa: S311 - jitter is no secret
