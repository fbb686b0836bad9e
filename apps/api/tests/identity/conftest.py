"""The application with identity's own routes and authenticator, on a database of the test's own, and people to sign in.

- `clock`: the application's; it stands still until a test moves it.
- `ada`, `ben`: two customers with passwords.
- `browser`, `other_browser`: clients that keep cookies, nobody signed in.
"""

from collections.abc import AsyncGenerator, Generator

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from identity.people import QUICK_PASSWORDS, Person, make_person
from pwdlib import PasswordHash
from support.factories import NOW

from topcoin.entrypoints.http.app import create_app
from topcoin.identity.authentication.service import TokenAuthenticator
from topcoin.identity.customer_routes import router
from topcoin.identity.passwords import service as passwords
from topcoin.infra.database.connect import SessionFactory
from topcoin.infra.settings import Settings
from topcoin.kernel.clock import ManualClock


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> Generator[PasswordHash]:
    """Argon2id as the hash of the day, with parameters that take no time."""
    monkeypatch.setattr(passwords, "_passwords", QUICK_PASSWORDS)
    passwords._decoy.cache_clear()
    yield QUICK_PASSWORDS
    passwords._decoy.cache_clear()


@pytest.fixture
def clock() -> ManualClock:
    """The application's clock."""
    return ManualClock(NOW)


@pytest.fixture
async def ada(sessions: SessionFactory) -> Person:
    """A customer."""
    return await make_person(sessions, "ada")


@pytest.fixture
async def ben(sessions: SessionFactory) -> Person:
    """Another customer."""
    return await make_person(sessions, "ben")


@pytest.fixture
async def app(database: Settings, clock: ManualClock, quick_passwords: PasswordHash) -> AsyncGenerator[FastAPI]:
    """The application, while it runs."""
    assert quick_passwords
    application = create_app(
        database, routers=[router], authenticator=TokenAuthenticator(), clock=clock, answer_seconds_max=20
    )
    async with application.router.lifespan_context(application):
        yield application


def open_browser(app: FastAPI) -> AsyncClient:
    """A client with an empty jar of cookies, over what it takes for TLS."""
    return AsyncClient(
        transport=ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.7", 4711)),
        base_url="https://topcoin.test/api/v1/",
        headers={"User-Agent": "Firefox"},
    )


@pytest.fixture
async def browser(app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A browser."""
    async with open_browser(app) as client:
        yield client


@pytest.fixture
async def other_browser(app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A second browser."""
    async with open_browser(app) as client:
        yield client
