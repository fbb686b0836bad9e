"""Books on a database of the test's own, where deadlocks are noticed at once."""

import psycopg
import pytest
from faults.books import Books, Opened, open_books

from topcoin.infra.database.connect import Role, SessionFactory, database_url
from topcoin.infra.database.embedded import EmbeddedServer
from topcoin.infra.settings import Settings


@pytest.fixture
async def opened(shared_server: EmbeddedServer, database: Settings, sessions: SessionFactory) -> Opened:
    """Books as they are opened."""
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        name = connection.info.dbname
    with psycopg.connect(shared_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '50ms'".encode())
    return await open_books(database, sessions)


@pytest.fixture
def books(opened: Opened) -> Books:
    """The books alone."""
    return opened.books
