"""The application: every router of every package, the frame around them, and the resources they are lent.

    app = create_app(settings)

While it runs it holds two pools of connections, one for each role that routes act as, and the ledger's second door.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg import OperationalError as PsycopgOperationalError
from sqlalchemy import event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from topcoin.entrypoints.http import health
from topcoin.entrypoints.http.metrics import Metrics
from topcoin.entrypoints.http.metrics import router as metrics_router
from topcoin.entrypoints.http.openapi import describe
from topcoin.entrypoints.http.root import EnvironmentMark
from topcoin.entrypoints.http.root import router as root_router
from topcoin.http.authentication import Authenticator
from topcoin.http.middleware import (
    ANSWER_SECONDS_MAX,
    BODY_BYTES_MAX,
    BodyLimit,
    Observing,
    RequestIds,
    SecurityHeaders,
    TimeLimit,
    UnexpectedErrors,
    log_exchange,
)
from topcoin.http.problems import (
    answer_error,
    answer_http_exception,
    answer_invalid_request,
    answer_unavailable_database,
)
from topcoin.http.resources import Resources
from topcoin.http.routing import API_PREFIX, Router
from topcoin.identity.authentication.service import TokenAuthenticator
from topcoin.identity.customer_routes import router as identity_router
from topcoin.infra.database.connect import Role, create_engine_for, database_url
from topcoin.infra.settings import Settings
from topcoin.kernel.clock import Clock, SystemClock
from topcoin.kernel.errors import TopCoinError
from topcoin.ledger.customer_routes import router as accounts_router
from topcoin.ledger.group_commit.service import GroupCommit
from topcoin.ledger.staff_routes import router as staff_accounts_router
from topcoin.market.customer_routes import router as market_router

ROUTERS: Final[tuple[Router, ...]] = (identity_router, accounts_router, market_router, staff_accounts_router)
"""The routers of all packages, in the order in which the API's description shows them."""

_POOL_WAIT_SECONDS: Final = 5
_STATEMENT_LIMIT: Final = "15s"
_LOCK_LIMIT: Final = "10s"
"""Below the time in which an answer must begin, so that whoever waits too long is told why."""

_DOCS: Final = f"{API_PREFIX}/docs"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Application(FastAPI):
    """FastAPI with our description of the API."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if not self.openapi_schema:
            self.openapi_schema = describe(self)
        return self.openapi_schema


def create_app(
    settings: Settings,
    *,
    routers: Sequence[Router] = ROUTERS,
    authenticator: Authenticator | None = None,
    clock: Clock | None = None,
    answer_seconds_max: float = ANSWER_SECONDS_MAX,
) -> FastAPI:
    """The application for these settings; the database must be running while its lifespan does.

    Args:
        settings: Which database, how strict.
        routers: The routes besides the root document, health and metrics.
        authenticator: Tells whose a credential is; identity's by default.
        clock: The time that commands see; the machine's by default.
        answer_seconds_max: How long a request may take until its answer begins.

    """
    metrics = Metrics()
    app = Application(
        title="TopCoin",
        version="1",
        summary="Simulated trading on real deposits. Real money is in USD, simulated money in VUSD; they never mix.",
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None if settings.is_production else _DOCS,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(settings, authenticator or TokenAuthenticator(), clock or SystemClock(), metrics),
        middleware=[
            *([] if settings.is_production else [Middleware(EnvironmentMark)]),
            Middleware(RequestIds),
            Middleware(Observing, begin=metrics.begin, observers=(log_exchange, metrics.observe)),
            Middleware(SecurityHeaders, is_https=settings.is_production, pages=frozenset({_DOCS})),
            Middleware(UnexpectedErrors),
            Middleware(TimeLimit, seconds=answer_seconds_max),
            Middleware(BodyLimit, bytes_max=BODY_BYTES_MAX),
        ],
        exception_handlers={
            TopCoinError: answer_error,
            RequestValidationError: answer_invalid_request,
            HTTPException: answer_http_exception,
            **dict.fromkeys(
                (OperationalError, InterfaceError, PoolTimeout, PsycopgOperationalError), answer_unavailable_database
            ),
        },
    )
    for router in (*routers, root_router, health.router, metrics_router):
        app.include_router(router.api)
    return app


def _lifespan(settings: Settings, authenticator: Authenticator, clock: Clock, metrics: Metrics) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        engine, read_engine = (_open_pool(settings, role) for role in (Role.APP, Role.READ))
        try:
            app.state.resources = Resources.on(
                engine, read_engine, settings=settings, clock=clock, authenticator=authenticator
            )
            app.state.metrics = metrics
            async with GroupCommit(database_url(settings, Role.APP)) as poster:
                app.state.poster = poster
                yield
        finally:
            await engine.dispose()
            await read_engine.dispose()

    return lifespan


def _open_pool(settings: Settings, role: Role) -> AsyncEngine:
    engine = create_engine_for(
        settings,
        role,
        pool_size=settings.http_pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        # The most recently used first, so that idle ones can be closed by whoever watches the server.
        pool_use_lifo=True,
        # What customers send would otherwise stand in the log beside an error.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _limit_statements)
    return engine


def _limit_statements(connection: Any, record: Any) -> None:  # noqa: ANN401, ARG001 - SQLAlchemy's signature
    """Bound how long a statement of a request may run, and wait for others' locks."""
    cursor = connection.cursor()
    cursor.execute(f"SET statement_timeout = '{_STATEMENT_LIMIT}'; SET lock_timeout = '{_LOCK_LIMIT}'")
    cursor.close()
    connection.commit()
