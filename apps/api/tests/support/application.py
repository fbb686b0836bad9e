"""Fixtures of an application with routes of a module's choice, for modules that name this as a plugin of theirs.

    pytest_plugins = ["support.application"]

- `http_routers`: the routes; a module names its own.
- `client`: an httpx client that calls the application in process; nothing listens on the network.
- `people`: who calls it, by `support.http`.
"""

from collections.abc import AsyncGenerator

import pytest
from httpx import ASGITransport, AsyncClient
from support.factories import NOW, make_user
from support.http import People, PeopleAuthenticator, Signed

from topcoin.entrypoints.http.app import create_app
from topcoin.http.routing import Router
from topcoin.infra.database.connect import SessionFactory
from topcoin.infra.settings import Settings
from topcoin.kernel.access import StaffRole
from topcoin.kernel.clock import ManualClock


@pytest.fixture
async def people(sessions: SessionFactory) -> People:
    """Two customers and an auditor."""
    async with sessions.begin() as session:
        ada, ben, auditor = [await make_user(session) for _ in range(3)]
    return People(Signed(ada), Signed(ben), Signed(auditor, roles=frozenset({StaffRole.AUDITOR})))


@pytest.fixture
def http_routers() -> list[Router]:
    """The routes of the application."""
    return []


@pytest.fixture
async def client(database: Settings, http_routers: list[Router], people: People) -> AsyncGenerator[AsyncClient]:
    """Calls the application, which runs for as long. An unforeseen error is seen as its answer."""
    app = create_app(database, routers=http_routers, authenticator=PeopleAuthenticator(people), clock=ManualClock(NOW))
    transport = ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://topcoin.test") as calling,
    ):
        yield calling
