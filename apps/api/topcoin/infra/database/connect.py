"""Reaching the database, embedded or outside, as one of its three roles.

Whoever needs the database enters `running_database` first: it has the embedded server running for that long, or makes
sure that the outside one answers and is not too old.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from topcoin.infra.database.embedded import EmbeddedServer
from topcoin.infra.database.roles import DATABASE, Role, embedded_role_name
from topcoin.infra.settings import InvalidSettings, Settings
from topcoin.kernel.errors import Unavailable

__all__ = [
    "DATABASE",
    "DatabaseTooOld",
    "DatabaseUnreachable",
    "Role",
    "SessionFactory",
    "create_engine_for",
    "database_url",
    "embedded_server",
    "role_name",
    "running_database",
    "session_factory",
    "sqlalchemy_url",
]

OLDEST_MAJOR_VERSION = 15

SessionFactory = async_sessionmaker[AsyncSession]
"""Makes sessions that all talk to one database as one role."""

_CONNECT_SECONDS = 10
_LIBPQ_SCHEME = "postgresql://"
_IDLE_IN_TRANSACTION = "idle_in_transaction_session_timeout=60s"
_VARIABLES = {
    Role.OWNER: "TOPCOIN_MIGRATION_DATABASE_URL",
    Role.APP: "TOPCOIN_DATABASE_URL",
    Role.READ: "TOPCOIN_READ_DATABASE_URL",
}


class DatabaseUnreachable(Unavailable):
    """The outside database does not answer, or does not let us in."""

    code = "database_unreachable"


class DatabaseTooOld(Unavailable):
    """The outside server is of a version that TopCoin does not support."""

    code = "database_server_too_old"


def embedded_server(settings: Settings, server_settings: Mapping[str, str] | None = None) -> EmbeddedServer:
    """The embedded server of this installation, running or not; `server_settings` go to PostgreSQL if we start it."""
    return EmbeddedServer(settings.data_dir, server_settings)


@contextmanager
def running_database(settings: Settings, server_settings: Mapping[str, str] | None = None) -> Generator[None]:
    """Have a database that answers for the length of a block.

    The embedded server is started if it is not running, and stopped when its last user has left, unless it was
    started to stay. Of an outside database only the application's role is tried: not every host may have the others.
    Raises `DatabaseUnreachable`, `DatabaseTooOld` or an error of the embedded server's.
    """
    if not settings.uses_embedded_database:
        _check_outside(database_url(settings, Role.APP))
        yield
        return
    with embedded_server(settings, server_settings).in_use():
        yield


def database_url(settings: Settings, role: Role) -> str:
    """The libpq URL by which a role signs in, password included: for psycopg, psql and pg_dump."""
    if settings.uses_embedded_database:
        return embedded_server(settings).url(embedded_role_name(role))
    urls = {
        Role.OWNER: settings.migration_database_url,
        Role.APP: settings.database_url,
        Role.READ: settings.read_database_url,
    }
    url = urls[role]
    if url is None:
        raise InvalidSettings(f"{_VARIABLES[role]} is not set, but other URLs of the database are")
    scheme, separator, rest = url.get_secret_value().partition("://")
    # SQLAlchemy's and Heroku's ways of writing the scheme are understood too.
    if separator and (scheme == "postgres" or scheme.split("+")[0] == "postgresql"):
        return _LIBPQ_SCHEME + rest
    raise InvalidSettings(f"{_VARIABLES[role]} must begin with {_LIBPQ_SCHEME}")


def role_name(settings: Settings, role: Role) -> str:
    """What PostgreSQL calls a role. Raises `InvalidSettings` where an outside URL names no user."""
    user = _parameters(settings, role).get("user")
    if not user:
        raise InvalidSettings(f"{_VARIABLES[role]} must name the user: {_LIBPQ_SCHEME}user@host/database")
    return str(user)


def sqlalchemy_url(settings: Settings, role: Role) -> URL:
    """The same address for SQLAlchemy with psycopg, which serves synchronous and asynchronous engines."""
    parameters = _parameters(settings, role)
    return URL.create(
        "postgresql+psycopg",
        username=parameters.pop("user", None),
        password=parameters.pop("password", None),
        database=parameters.pop("dbname", None),
        query=parameters,
    )


def create_engine_for(settings: Settings, role: Role, **options: Any) -> AsyncEngine:  # noqa: ANN401 - SQLAlchemy's options
    """A pool of connections as one role; `options` go to SQLAlchemy's `create_async_engine`.

    Sessions count in UTC, and one that sits idle inside a transaction for a minute, holding locks, is ended.
    """
    own = _parameters(settings, role).get("options", "")
    connect_args = {
        "application_name": f"topcoin-{role}",
        "connect_timeout": _CONNECT_SECONDS,
        "options": f"{own} -c timezone=UTC -c {_IDLE_IN_TRANSACTION}".strip(),
        **options.pop("connect_args", {}),
    }
    return create_async_engine(sqlalchemy_url(settings, role), connect_args=connect_args, **options)


def session_factory(engine: AsyncEngine) -> SessionFactory:
    """Sessions on an engine. What they loaded stays readable after the commit, which is where answers are made."""
    return async_sessionmaker(engine, expire_on_commit=False)


def _parameters(settings: Settings, role: Role) -> dict[str, str]:
    try:
        found = conninfo_to_dict(database_url(settings, role))
    except psycopg.ProgrammingError as error:
        raise InvalidSettings(f"{_VARIABLES[role]} is not a PostgreSQL URL: {str(error).strip()}") from None
    return {name: str(value) for name, value in found.items() if value is not None}


def _check_outside(url: str) -> None:
    try:
        with psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
            major = connection.info.server_version // 10_000
    except psycopg.Error as error:
        raise DatabaseUnreachable(
            f"the database of {_VARIABLES[Role.APP]} cannot be reached: {str(error).strip()}"
        ) from error
    if major < OLDEST_MAJOR_VERSION:
        raise DatabaseTooOld(
            f"the database of {_VARIABLES[Role.APP]} is PostgreSQL {major}: TopCoin needs {OLDEST_MAJOR_VERSION} or "
            "newer"
        )
