"""The application as it is served, on this worker's database, and a client that calls it in process."""

from collections.abc import AsyncGenerator

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from topcoin.entrypoints.http.app import create_app
from topcoin.infra.settings import Settings


@pytest.fixture
async def app(worker_database: Settings) -> AsyncGenerator[FastAPI]:
    """The application, while it runs."""
    application = create_app(worker_database)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """Calls the application."""
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://topcoin.test") as calling:
        yield calling
