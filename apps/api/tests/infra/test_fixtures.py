import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.infra.database.connect import Role, SessionFactory, database_url, running_database
from topcoin.infra.settings import Settings


async def test_session_is_the_application_role(session: AsyncSession) -> None:
    assert await session.scalar(text("SELECT current_user")) == "topcoin_app"


async def test_own_database_takes_commits_from_several_sessions(sessions: SessionFactory) -> None:
    async with sessions() as first, sessions() as second:
        name = await first.scalar(text("SELECT current_database()"))
        assert name == await second.scalar(text("SELECT current_database()"))
        assert name.startswith("test_")


def test_own_database_is_migrated(database: Settings) -> None:
    with running_database(database), psycopg.connect(database_url(database, Role.OWNER)) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_owner_connection_may_create(owner_connection: psycopg.Connection) -> None:
    owner_connection.execute("CREATE TABLE of_the_owner (n int)")
    assert owner_connection.execute("SELECT count(*) FROM of_the_owner").fetchone() == (0,)


@pytest.mark.parametrize("attempt", [1, 2])
def test_owner_connection_is_rolled_back(owner_connection: psycopg.Connection, attempt: int) -> None:
    owner_connection.execute("CREATE TABLE left_behind AS SELECT %s", [attempt])
    assert owner_connection.execute("SELECT count(*) FROM left_behind").fetchone() == (1,)
