"""Reaching the database as each role, embedded and outside."""

import psycopg
import pytest
from sqlalchemy import create_engine, text

from topcoin.infra.database import connect
from topcoin.infra.database.connect import (
    DatabaseTooOld,
    DatabaseUnreachable,
    Role,
    create_engine_for,
    database_url,
    role_name,
    running_database,
    sqlalchemy_url,
)
from topcoin.infra.database.embedded import EmbeddedServer
from topcoin.infra.settings import InvalidSettings, Settings, load_settings


def outside(app: str) -> Settings:
    return load_settings(database_url=app, migration_database_url=app, read_database_url=app)


@pytest.fixture
def embedded(server: EmbeddedServer) -> Settings:
    return load_settings(
        data_dir=server.data_dir, database_url=None, migration_database_url=None, read_database_url=None
    )


@pytest.mark.parametrize("role", Role)
def test_embedded_database_is_reached_as_each_role(embedded: Settings, role: Role) -> None:
    with running_database(embedded, {"fsync": "off"}):
        with psycopg.connect(database_url(embedded, role)) as connection:
            found = connection.execute("SELECT current_user::text, current_database()::text").fetchone()
        assert found == (role_name(embedded, role), "topcoin")


def test_embedded_database_is_reached_whatever_libpq_is_told(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who works with other databases has such variables set."""
    for name, value in (("PGPORT", "1"), ("PGHOST", "/nonexistent"), ("PGUSER", "me"), ("PGDATABASE", "other")):
        monkeypatch.setenv(name, value)
    with (
        running_database(embedded, {"fsync": "off"}),
        psycopg.connect(database_url(embedded, Role.APP)) as connection,
    ):
        assert connection.execute("SELECT current_database()::text").fetchone() == ("topcoin",)


@pytest.mark.parametrize("role", Role)
async def test_engines_sign_in_as_their_role_and_count_in_utc(database: Settings, role: Role) -> None:
    engine = create_engine_for(database, role)
    async with engine.connect() as connection:
        found = await connection.execute(
            text(
                "SELECT current_user::text, current_setting('TimeZone'), current_setting('application_name'), "
                "current_setting('idle_in_transaction_session_timeout')"
            )
        )
        assert found.one() == (role_name(database, role), "UTC", f"topcoin-{role}", "1min")
    await engine.dispose()


async def test_engine_keeps_the_options_of_the_url(database: Settings) -> None:
    url = database_url(database, Role.APP) + "&options=-c%20work_mem%3D9MB"
    engine = create_engine_for(outside(url), Role.APP)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW work_mem")) == "9MB"
        assert await connection.scalar(text("SHOW timezone")) == "UTC"
    await engine.dispose()


def test_the_same_url_serves_synchronous_engines(database: Settings) -> None:
    engine = create_engine(sqlalchemy_url(database, Role.OWNER))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_user")) == "topcoin_owner"
    engine.dispose()


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://me:p%40ss@db.example:6432/books?sslmode=require",
        "postgresql+psycopg://me:p%40ss@db.example:6432/books?sslmode=require",
        "postgres://me:p%40ss@db.example:6432/books?sslmode=require",
    ],
)
def test_outside_urls_are_understood_in_each_usual_form(given: str) -> None:
    settings = outside(given)
    assert database_url(settings, Role.APP) == "postgresql://me:p%40ss@db.example:6432/books?sslmode=require"
    assert role_name(settings, Role.APP) == "me"
    url = sqlalchemy_url(settings, Role.APP)
    assert (url.drivername, url.username, url.password, url.database) == ("postgresql+psycopg", "me", "p@ss", "books")
    assert dict(url.query) == {"host": "db.example", "port": "6432", "sslmode": "require"}


def test_each_role_has_its_own_outside_url() -> None:
    settings = load_settings(
        database_url="postgresql://a@h/d",
        migration_database_url="postgresql://b@h/d",
        read_database_url="postgresql://c@h/d",
    )
    assert [role_name(settings, role) for role in (Role.APP, Role.OWNER, Role.READ)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("mysql://me@host/books", "must begin with postgresql://"),
        ("books", "must begin with postgresql://"),
        ("postgresql://host/books", "must name the user"),
        ("postgresql://me@host/books?colour=red", "is not a PostgreSQL URL"),
    ],
)
def test_wrong_outside_url_is_explained(given: str, words: str) -> None:
    with pytest.raises(InvalidSettings, match=f"TOPCOIN_READ_DATABASE_URL {words}"):
        role_name(outside(given), Role.READ)


def test_outside_database_is_checked_and_left_running(database: Settings) -> None:
    with running_database(database):
        pass
    with psycopg.connect(database_url(database, Role.APP)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_outside_database_that_does_not_answer_is_explained() -> None:
    with (
        pytest.raises(DatabaseUnreachable, match="TOPCOIN_DATABASE_URL"),
        running_database(outside("postgresql://me@/books?host=/nonexistent")),
    ):
        pytest.fail("the database answered")


def test_outside_database_of_an_old_version_is_refused(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "OLDEST_MAJOR_VERSION", 1000)
    with pytest.raises(DatabaseTooOld, match="needs 1000 or newer"), running_database(database):
        pytest.fail("the old server was accepted")
