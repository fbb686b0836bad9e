"""How a command does its work: in one transaction, as the application's role, with the database running."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

Result = TypeVar("Result")


def perform(work: "Callable[[AsyncSession], Awaitable[Result]]") -> Result:
    """Run some work and commit it; where it fails, nothing of it is kept."""
    # SQLAlchemy is slow to import, and `topcoin --help` does without it.
    from topcoin.infra.database.connect import (  # noqa: PLC0415 - see above
        Role,
        create_engine_for,
        running_database,
        session_factory,
    )
    from topcoin.infra.database.unit_of_work import run_in_transaction  # noqa: PLC0415 - see above
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - see above

    settings = current_settings()

    async def connected() -> Result:
        engine = create_engine_for(settings, Role.APP)
        try:
            return await run_in_transaction(session_factory(engine), work)
        finally:
            await engine.dispose()

    with running_database(settings):
        return asyncio.run(connected())
