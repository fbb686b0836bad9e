"""`/healthz`: the process answers. `/readyz`: it can do its work, or says what is missing.

For whoever runs the installation; a proxy in front of it keeps these paths to itself.
"""

from functools import lru_cache
from typing import Final, Literal

from sqlalchemy import text
from starlette.requests import Request

from topcoin.http.resources import resources_of
from topcoin.http.routing import Router
from topcoin.http.schemas import Schema
from topcoin.infra.database import migrations
from topcoin.infra.settings import Environment, Settings
from topcoin.kernel.access import Access, ActorKind
from topcoin.kernel.errors import Unavailable

router: Final = Router(base="", tags=["operating"])

_OPERATOR: Final = Access(actors=frozenset({ActorKind.OPERATOR}))
_STATE: Final = text(
    "SELECT (SELECT version_num FROM alembic_version) AS revision,"
    " current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit"
)


class NotReady(Unavailable):
    """The service cannot do its work yet, or not safely."""

    code = "not_ready"


class Health(Schema):
    """That the process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Schema):
    """That the service can do its work."""

    status: Literal["ready"] = "ready"
    revision: str


@lru_cache(maxsize=1)
def _newest_revision() -> str | None:
    return migrations.head()


@router.get("/healthz", access=_OPERATOR, errors=[])
async def read_health() -> Health:
    """Tell that the process answers; nothing else is looked at."""
    return Health()


@router.get("/readyz", access=_OPERATOR, errors=[NotReady])
async def read_readiness(request: Request) -> Readiness:
    """Tell whether the database answers, is at this version's revision, and keeps what it has confirmed (LED-7)."""
    resources = resources_of(request)
    async with resources.autocommit_sessions() as session:
        state = (await session.execute(_STATE)).one()
    if state.revision != _newest_revision():
        raise NotReady(
            f"the database is at revision {state.revision}, and this version needs {_newest_revision()}: run "
            "`topcoin migrate`"
        )
    if _must_be_durable(resources.settings) and (state.fsync != "on" or state.synchronous_commit == "off"):
        raise NotReady("the database may lose what it has confirmed: set fsync and synchronous_commit to on")
    return Readiness(revision=state.revision)


def _must_be_durable(settings: Settings) -> bool:
    """Everywhere but in tests, whose books need not survive a power cut."""
    return settings.env is not Environment.TEST
