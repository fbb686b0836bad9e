"""What is kept and what is not when a transaction ends well, fails, collides, or loses its connection."""

import psycopg
import pytest
from psycopg import errors as postgresql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.infra.database.connect import Role, SessionFactory, database_url
from topcoin.infra.database.unit_of_work import (
    ConnectionLost,
    Contention,
    OutcomeUnknown,
    read_transaction,
    run_in_transaction,
    transaction,
)
from topcoin.infra.settings import Settings

TALLY = """
CREATE TABLE tally (id int CONSTRAINT pk_tally PRIMARY KEY, n int NOT NULL);
CREATE TABLE owed (id int CONSTRAINT uq_owed UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO tally VALUES (1, 0);
GRANT SELECT, INSERT, UPDATE ON tally, owed TO topcoin_app;
"""
AT_COMMIT = """
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON tally DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION at_commit();
GRANT EXECUTE ON FUNCTION at_commit TO topcoin_app;
"""
ADD = text("INSERT INTO tally VALUES (2, 0)")
COUNT_UP = text("UPDATE tally SET n = n + 1 WHERE id = 1")
READ = text("SELECT n FROM tally WHERE id = 1")
DIE = text("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.fixture(autouse=True)
def tally(database: Settings) -> None:
    """A table that the application may write."""
    as_owner(database, TALLY)


def as_owner(database: Settings, statements: str) -> None:
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        connection.execute(statements.encode())


async def count(sessions: SessionFactory) -> int | None:
    async with sessions() as session:
        return await session.scalar(READ)


async def test_work_is_committed_at_the_end(sessions: SessionFactory) -> None:
    async with transaction(sessions) as session:
        await session.execute(COUNT_UP)
        assert await count(sessions) == 0
    assert await count(sessions) == 1


async def test_failed_work_is_rolled_back(sessions: SessionFactory) -> None:
    async def work(session: AsyncSession) -> None:
        await session.execute(COUNT_UP)
        raise LookupError

    with pytest.raises(LookupError):
        await run_in_transaction(sessions, work)
    assert await count(sessions) == 0


async def test_result_of_the_work_is_returned(sessions: SessionFactory) -> None:
    async def work(session: AsyncSession) -> str:
        await session.execute(COUNT_UP)
        return "done"

    assert await run_in_transaction(sessions, work) == "done"
    assert await count(sessions) == 1


async def test_serialisation_failure_is_tried_again_from_the_beginning(sessions: SessionFactory) -> None:
    """Another command changes the row after the first attempt has taken its snapshot."""
    seen: list[int | None] = []

    async def work(session: AsyncSession) -> None:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        seen.append(await session.scalar(READ))
        if len(seen) == 1:
            async with transaction(sessions) as other:
                await other.execute(COUNT_UP)
        await session.execute(COUNT_UP)

    await run_in_transaction(sessions, work)
    assert seen == [0, 1]
    assert await count(sessions) == 2


async def test_deadlock_is_tried_again_until_the_attempts_are_used_up(sessions: SessionFactory) -> None:
    attempts = 0

    async def work(session: AsyncSession) -> None:
        nonlocal attempts
        attempts += 1
        await session.execute(COUNT_UP)
        await session.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"))

    with pytest.raises(Contention) as caught:
        await run_in_transaction(sessions, work, attempts=3)
    assert (attempts, caught.value.code) == (3, "contention")
    assert await count(sessions) == 0


async def test_serialisation_failure_at_the_commit_is_tried_again(database: Settings, sessions: SessionFactory) -> None:
    as_owner(database, AT_COMMIT.format(body="RAISE EXCEPTION USING ERRCODE = '40001'"))
    attempts = 0

    async def work(session: AsyncSession) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await session.execute(ADD)
        await session.execute(COUNT_UP)

    await run_in_transaction(sessions, work)
    assert (attempts, await count(sessions)) == (2, 1)


async def test_named_unique_race_is_tried_again_and_others_are_not(sessions: SessionFactory) -> None:
    attempts = 0

    async def work(session: AsyncSession) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await session.execute(text("INSERT INTO tally VALUES (1, 9)"))

    await run_in_transaction(sessions, work, retry_on_unique={"pk_tally"})
    assert attempts == 2
    attempts = 0
    with pytest.raises(IntegrityError):
        await run_in_transaction(sessions, work, retry_on_unique={"uq_of_something_else"})
    assert attempts == 1


async def test_other_errors_are_not_tried_again(sessions: SessionFactory) -> None:
    attempts = 0

    async def work(session: AsyncSession) -> None:
        nonlocal attempts
        attempts += 1
        await session.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError, match="division by zero"):
        await run_in_transaction(sessions, work)
    assert attempts == 1


async def test_no_attempt_at_all_is_a_mistake(sessions: SessionFactory) -> None:
    async def work(_: AsyncSession) -> None:
        pytest.fail("attempted")

    with pytest.raises(ValueError, match="at least 1"):
        await run_in_transaction(sessions, work, attempts=0)


async def test_connection_lost_before_the_commit_means_nothing_was_kept(sessions: SessionFactory) -> None:
    async def work(session: AsyncSession) -> None:
        await session.execute(COUNT_UP)
        await session.execute(DIE)

    with pytest.raises(ConnectionLost) as caught:
        await run_in_transaction(sessions, work)
    assert caught.value.code == "database_connection_lost"
    assert await count(sessions) == 0


@pytest.mark.parametrize(
    "body",
    ["PERFORM pg_terminate_backend(pg_backend_pid())", "RAISE EXCEPTION USING ERRCODE = 'XX000'"],
    ids=["connection lost", "a distributed commit's failure"],
)
async def test_lost_answer_to_a_commit_is_an_unknown_outcome(
    database: Settings, sessions: SessionFactory, body: str
) -> None:
    as_owner(database, AT_COMMIT.format(body=body))
    attempts = 0

    async def work(session: AsyncSession) -> None:
        nonlocal attempts
        attempts += 1
        await session.execute(ADD)

    with pytest.raises(OutcomeUnknown) as caught:
        await run_in_transaction(sessions, work)
    assert (attempts, caught.value.code) == (1, "outcome_unknown")


async def test_refusal_at_the_commit_is_no_unknown_outcome(sessions: SessionFactory) -> None:
    with pytest.raises(IntegrityError) as caught:
        async with transaction(sessions) as session:
            await session.execute(text("INSERT INTO owed VALUES (1), (1)"))
    assert isinstance(caught.value.orig, postgresql.UniqueViolation)


async def test_reading_keeps_to_one_snapshot_and_cannot_write(sessions: SessionFactory) -> None:
    async with read_transaction(sessions) as reader:
        assert await reader.scalar(READ) == 0
        async with transaction(sessions) as writer:
            await writer.execute(COUNT_UP)
        assert await reader.scalar(READ) == 0
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await reader.execute(COUNT_UP)
    async with transaction(sessions) as again:
        await again.execute(COUNT_UP)
    assert await count(sessions) == 2


async def test_connection_lost_while_reading_is_said(sessions: SessionFactory) -> None:
    with pytest.raises(ConnectionLost):
        async with read_transaction(sessions) as reader:
            await reader.execute(DIE)
