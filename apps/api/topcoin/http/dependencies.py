"""What a route asks for in its signature: a session, the actor, the clock, the settings.

@router.get("/accounts", access=customers(Permission.ACCOUNTS_READ), errors=[])
async def list_accounts(session: ReadSessionDep, actor: ActorDep) -> PageOf[AccountSchema]: ...
"""

from collections.abc import AsyncGenerator
from typing import Annotated, cast

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from topcoin.http.resources import resources_of
from topcoin.infra.database.unit_of_work import ReadSession, read_transaction, transaction
from topcoin.infra.settings import Settings
from topcoin.kernel.access import Actor
from topcoin.kernel.clock import Clock


async def get_session(request: Request) -> AsyncGenerator[AsyncSession]:
    """The session of the command. What it did is committed before the answer is sent, or not at all (HTT-4).

    On an idempotent route that is the session in which the answer is kept, opened and committed by `idempotency`.
    """
    shared: AsyncSession | None = getattr(request.state, "session", None)
    if shared is not None:
        yield shared
        return
    async with transaction(resources_of(request).sessions) as session:
        yield session


async def get_read_session(request: Request) -> AsyncGenerator[ReadSession]:
    """A session over one snapshot, as the role that cannot write."""
    async with read_transaction(resources_of(request).read_sessions) as session:
        yield session


async def get_statement_session(request: Request) -> AsyncGenerator[ReadSession]:
    """A session as the role that cannot write, in which each statement sees what is committed when it begins."""
    async with resources_of(request).read_autocommit_sessions() as session:
        yield cast("ReadSession", session)


async def get_actor(request: Request) -> Actor:
    """Who sends the request, as the route's access admitted them."""
    return cast("Actor", request.state.actor)


async def get_clock(request: Request) -> Clock:
    """The clock of the application."""
    return resources_of(request).clock


async def get_settings(request: Request) -> Settings:
    """The settings of the application."""
    return resources_of(request).settings


# With scope="function" the block around the `yield` ends when the route does. With FastAPI's default it would end
# after the answer has been sent, and a client could read "done" of what a failing commit then undoes.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
ReadSessionDep = Annotated[ReadSession, Depends(get_read_session, scope="function")]
StatementSessionDep = Annotated[ReadSession, Depends(get_statement_session, scope="function")]
"""For what one statement answers, or several that need not agree: it saves two exchanges with the database."""
ActorDep = Annotated[Actor, Depends(get_actor)]
ClockDep = Annotated[Clock, Depends(get_clock)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
