"""A database per worker in which the ledger's tests may commit, and the two doors into the ledger on it."""

from collections.abc import AsyncGenerator, Generator
from uuid import uuid4

import psycopg
import pytest
from support.books import Books, Customer

from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.database.embedded import EmbeddedServer
from topcoin.infra.database.embedded.provision import database_statements
from topcoin.infra.database.roles import embedded_role_name
from topcoin.infra.settings import Environment, Settings, load_settings
from topcoin.ledger.checking.service import verify


@pytest.fixture(scope="session")
def ledger_database(
    shared_server: EmbeddedServer, worker_database: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Settings]:
    """Settings for a database where tests post and commit, each to accounts of its own. At the end it verifies."""
    del worker_database  # Made first, so that the template exists.
    name = f"ledger_{uuid4().hex}"
    with psycopg.connect(shared_server.url("postgres", "postgres"), autocommit=True) as connection:
        for statement in database_statements(name, "topcoin_template"):
            connection.execute(statement.encode())
    settings = load_settings(
        env=Environment.TEST,
        data_dir=tmp_path_factory.mktemp("ledger"),
        database_url=shared_server.url(embedded_role_name(Role.APP), name),
        migration_database_url=shared_server.url(embedded_role_name(Role.OWNER), name),
        read_database_url=shared_server.url(embedded_role_name(Role.READ), name),
    )
    yield settings
    report = verify(database_url(settings, Role.READ))
    assert report.ok, report.problems


@pytest.fixture
async def books(ledger_database: Settings) -> AsyncGenerator[Books]:
    """The ledger through its first door, committing."""
    async with Books.open(ledger_database) as opened:
        yield opened


@pytest.fixture(params=["post", "post_grouped"])
async def either_door(request: pytest.FixtureRequest, ledger_database: Settings) -> AsyncGenerator[Books]:
    """The ledger through each of its two doors in turn."""
    async with Books.open(ledger_database, grouped=request.param == "post_grouped") as opened:
        yield opened


@pytest.fixture
async def customer(either_door: Books) -> Customer:
    """A customer who has deposited 500 in a wallet with 1,000 of the operator's own money, and trades 10,000."""
    made = Customer(either_door, await either_door.account(), await either_door.wallet(1_000))
    await either_door.deposit(made.account, made.wallet, 500)
    await either_door.adjust(made.account, 9_500)
    return made
