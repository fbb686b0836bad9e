"""What an installation says of itself: the document at `/`, and outside production a mark on every answer (T3).

Nobody who meets an installation that is not production may take it for one and send it money.
"""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from topcoin.http.dependencies import SettingsDep
from topcoin.http.routing import API_PREFIX, Router
from topcoin.http.schemas import Schema
from topcoin.infra.settings import Environment
from topcoin.kernel.access import public

ENVIRONMENT_HEADER: Final = "X-TopCoin-Environment"
TEST_NOTICE: Final = "TEST — SEND NO MONEY"
"""What every page says outside production."""

_MARK: Final = "test"

router: Final = Router(base="", tags=["operating"])


class About(Schema):
    """What answers here."""

    name: str = "TopCoin"
    summary: str = "Simulated trading on real deposits. Real and simulated money never mix."
    notice: str | None
    """Outside production, that nobody should send money."""
    environment: Environment
    api: str = API_PREFIX
    description: str = f"{API_PREFIX}/openapi.json"
    documentation: str | None
    """A page to read and try the API; none in production."""


@router.get("/", access=public(), errors=[], summary="What answers here")
async def read_about(settings: SettingsDep) -> About:
    """What this is, and where its description is."""
    is_production = settings.is_production
    return About(
        notice=None if is_production else TEST_NOTICE,
        environment=settings.env,
        documentation=None if is_production else f"{API_PREFIX}/docs",
    )


class EnvironmentMark:
    """Marks every answer of an installation that is not production."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and mark its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[ENVIRONMENT_HEADER] = _MARK
            await send(message)

        await self.app(scope, receive, send_marked)
