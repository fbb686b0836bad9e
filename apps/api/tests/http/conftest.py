"""An application with routes of the tests' own, and a client that calls it in process.

- `app`: whatever `http_routers` names, with an authenticator that knows three people (`support.http`).
- `client`: an httpx client; nothing listens on the network.
"""

from collections.abc import AsyncGenerator

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from support.factories import NOW
from support.http import People, PeopleAuthenticator, Signed

from topcoin.entrypoints.http.app import create_app
from topcoin.http.routing import Router
from topcoin.infra.settings import Settings
from topcoin.kernel.access import StaffRole
from topcoin.kernel.clock import ManualClock
from topcoin.kernel.ids import new_id


@pytest.fixture
def clock() -> ManualClock:
    """The application's clock, which stands still."""
    return ManualClock(NOW)


@pytest.fixture
def http_settings(worker_database: Settings) -> Settings:
    """The application's settings; a module whose routes commit names a database of the test's own."""
    return worker_database


@pytest.fixture
def people() -> People:
    """Two customers and an auditor, who are known to the authenticator; a module may need their rows too."""
    return People(Signed(new_id()), Signed(new_id()), Signed(new_id(), roles=frozenset({StaffRole.AUDITOR})))


@pytest.fixture
def http_routers() -> list[Router]:
    """The routes of the application; a module names its own."""
    return []


@pytest.fixture
async def app(
    http_settings: Settings, http_routers: list[Router], people: People, clock: ManualClock
) -> AsyncGenerator[FastAPI]:
    """The application, while it runs."""
    application = create_app(
        http_settings,
        routers=http_routers,
        authenticator=PeopleAuthenticator(people),
        clock=clock,
        answer_seconds_max=20,
    )
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """Calls the application. An unforeseen error is seen as its answer, as a client would see it."""
    transport = ASGITransport(app=app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://topcoin.test") as calling:
        yield calling
