"""The database of the tests: one embedded PostgreSQL for the whole run, one migrated template, cheap clones of it.

- `session`: an `AsyncSession` as the application's role, on a database of this worker's; all is rolled back.
- `owner_connection`: a psycopg connection as the owner, on the same database; rolled back too, so do not commit.
- `database`: `Settings` for a fresh database of the test's own, where anything may be committed.
- `sessions`: a session factory on `database`, as the application's role.

The server starts when the first test asks for it. Workers share it by its own locks, as commands do, so that a worker
that dies leaves nothing behind; the controller stops it at the end, whatever happened.
"""

import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.infra.database.connect import (
    Role,
    SessionFactory,
    create_engine_for,
    database_url,
    session_factory,
)
from topcoin.infra.database.embedded import EmbeddedServer
from topcoin.infra.database.embedded.locks import exclusive
from topcoin.infra.database.embedded.provision import database_statements, schema_statements
from topcoin.infra.database.roles import embedded_role_name
from topcoin.infra.settings import Environment, Settings, load_settings

# What tests share lies in `support`, which pytest's importlib mode would not find.
sys.path.append(str(Path(__file__).parent))

TEMPLATE = "topcoin_template"

QUICK = {
    # These data need not survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "128MB",
    "max_connections": "200",
}

_data_dir = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the folder of the run's server: the controller makes it, the workers are told."""
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker_input is not None:
        config.stash[_data_dir] = Path(worker_input["data_dir"])
        return
    folder = Path(tempfile.mkdtemp(prefix="topcoin-tests-"))
    # Run by root, the server is another user's, who has to pass through; what it keeps is in a folder of its own.
    folder.chmod(0o711)
    config.stash[_data_dir] = folder


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist's worker controller has no public type
    """Tell a worker where the server's folder is."""
    node.workerinput["data_dir"] = str(node.config.stash[_data_dir])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server, which a killed worker may have left running, and remove its data."""
    if hasattr(config, "workerinput") or _data_dir not in config.stash:
        return
    folder = config.stash[_data_dir]
    EmbeddedServer(folder).destroy()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def shared_server(pytestconfig: pytest.Config) -> Generator[EmbeddedServer]:
    """The run's server, with the template made."""
    embedded = EmbeddedServer(pytestconfig.stash[_data_dir], QUICK)
    with embedded.in_use():
        with exclusive(embedded.data_dir / "template.lock"):
            _ensure_template(embedded)
        yield embedded


@pytest.fixture
def database(shared_server: EmbeddedServer, tmp_path: Path) -> Generator[Settings]:
    """Settings for a fresh, migrated database, where a test may commit; it is dropped afterwards."""
    name = f"test_{uuid4().hex}"
    _create_database(shared_server, name, TEMPLATE)
    yield _settings_for(shared_server, name, tmp_path)
    _as_superuser(shared_server, "postgres", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def sessions(database: Settings) -> AsyncGenerator[SessionFactory]:
    """Sessions on the test's own database as the application's role; several may be open at once."""
    engine = create_engine_for(database, Role.APP)
    yield session_factory(engine)
    await engine.dispose()


@pytest.fixture(scope="session")
def worker_database(shared_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings for this worker's database, in which nothing is ever committed."""
    name = f"worker_{uuid4().hex}"
    _create_database(shared_server, name, TEMPLATE)
    return _settings_for(shared_server, name, tmp_path_factory.mktemp("worker"))


@pytest.fixture
async def session(worker_database: Settings) -> AsyncGenerator[AsyncSession]:
    """A session as the application's role. Its commits are savepoints; everything is rolled back afterwards."""
    engine = create_engine_for(worker_database, Role.APP, poolclass=NullPool)
    async with engine.connect() as connection:
        outer = await connection.begin()
        async with AsyncSession(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        ) as rolled_back:
            yield rolled_back
        await outer.rollback()
    await engine.dispose()


@pytest.fixture
def owner_connection(worker_database: Settings) -> Generator[psycopg.Connection]:
    """A synchronous connection as the owner of the tables, rolled back afterwards."""
    with psycopg.connect(database_url(worker_database, Role.OWNER)) as connection:
        yield connection
        connection.rollback()


def _ensure_template(server: EmbeddedServer) -> None:
    """Migrate a database under another name, and rename it when it is whole."""
    from topcoin.infra.database.migrations import upgrade  # noqa: PLC0415 - Alembic is for runs that need it

    if _as_superuser(server, "postgres", f"SELECT FROM pg_database WHERE datname = '{TEMPLATE}'"):
        return
    unfinished = f"{TEMPLATE}_unfinished"
    _as_superuser(server, "postgres", f"DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")
    _create_database(server, unfinished, "template1")
    _as_superuser(server, unfinished, *schema_statements())
    upgrade(_settings_for(server, unfinished, server.data_dir))
    _as_superuser(server, "postgres", f"ALTER DATABASE {unfinished} RENAME TO {TEMPLATE}")


def _create_database(server: EmbeddedServer, name: str, template: str) -> None:
    _as_superuser(server, "postgres", *database_statements(name, template))


def _settings_for(server: EmbeddedServer, name: str, data_dir: Path) -> Settings:
    return load_settings(
        env=Environment.TEST,
        data_dir=data_dir,
        database_url=server.url(embedded_role_name(Role.APP), name),
        migration_database_url=server.url(embedded_role_name(Role.OWNER), name),
        read_database_url=server.url(embedded_role_name(Role.READ), name),
    )


def _as_superuser(server: EmbeddedServer, database: str, *statements: str) -> int:
    """Run statements outside of transactions; the result is how many rows the last one found or changed."""
    with psycopg.connect(server.url("postgres", database), autocommit=True) as connection:
        return [connection.execute(statement.encode()).rowcount for statement in statements][-1]
