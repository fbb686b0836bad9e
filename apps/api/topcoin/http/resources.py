"""What an application lends to its routes: settings, clock, sessions, the authenticator."""

from dataclasses import dataclass
from typing import cast

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from topcoin.http.authentication import Authenticator
from topcoin.infra.database.connect import SessionFactory, session_factory
from topcoin.infra.settings import Settings
from topcoin.kernel.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Opened with the application and closed with it; `app.state.resources` holds them in between."""

    settings: Settings
    clock: Clock
    authenticator: Authenticator
    engine: AsyncEngine
    """As the application's role."""
    read_engine: AsyncEngine
    """As the read-only role."""
    sessions: SessionFactory
    read_sessions: SessionFactory
    autocommit_sessions: SessionFactory
    """On the application's pool, each statement a transaction of its own."""
    read_autocommit_sessions: SessionFactory
    """The same on the read-only role's."""

    @classmethod
    def on(
        cls,
        engine: AsyncEngine,
        read_engine: AsyncEngine,
        *,
        settings: Settings,
        clock: Clock,
        authenticator: Authenticator,
    ) -> "Resources":
        """The resources on two pools of connections."""
        return cls(
            settings=settings,
            clock=clock,
            authenticator=authenticator,
            engine=engine,
            read_engine=read_engine,
            sessions=session_factory(engine),
            read_sessions=session_factory(read_engine),
            autocommit_sessions=session_factory(engine.execution_options(isolation_level="AUTOCOMMIT")),
            read_autocommit_sessions=session_factory(read_engine.execution_options(isolation_level="AUTOCOMMIT")),
        )


def resources_of(connection: HTTPConnection) -> Resources:
    """The resources of the application that serves a request."""
    return cast("Resources", connection.app.state.resources)
