"""What can be traded, and what its price did. For everybody who is signed in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

from fastapi import Path, Query, Response

from topcoin.http.dependencies import StatementSessionDep
from topcoin.http.routing import Router
from topcoin.http.schemas import CursorQuery, Instant, PageOf
from topcoin.kernel.access import Permission, signed_in
from topcoin.kernel.pages import InvalidCursor, decode_cursor, encode_cursor
from topcoin.market import service
from topcoin.market.domain import Candle, Timeframe
from topcoin.market.errors import UnknownInstrument
from topcoin.market.schemas import CandlesSchema, InstrumentSchema, candles_json

router = Router(prefix="/instruments", tags=["market"])

CANDLES_DEFAULT: Final = 500
CANDLES_MAX: Final = 5_000

_FORWARD: Final = "from"
_BACKWARD: Final = "before"

Symbol = Annotated[str, Path(max_length=64, description="Such as `BTC/USD`, whose slash may stand as it is.")]


@router.get("", access=signed_in(Permission.MARKET_READ), errors=[], summary="List instruments")
async def list_instruments(session: StatementSessionDep) -> PageOf[InstrumentSchema]:
    """Every instrument that is kept up, by symbol, on one page."""
    found = [each for each in await service.list_instruments(session) if each.is_active]
    return PageOf[InstrumentSchema](items=[InstrumentSchema.of(each) for each in found], next_cursor=None)


# A symbol may hold a slash, so this route comes before the one that would take all of the path for a symbol.
@router.get(
    "/{symbol:path}/candles",
    access=signed_in(Permission.MARKET_READ),
    errors=[UnknownInstrument, InvalidCursor],
    response_model=CandlesSchema,
    summary="Read candles",
)
async def read_candles(
    symbol: Symbol,
    session: StatementSessionDep,
    timeframe: Timeframe = Timeframe.H1,
    start: Annotated[Instant | None, Query(description="From this time on.")] = None,
    end: Annotated[Instant | None, Query(description="Before this time.")] = None,
    limit: Annotated[int, Query(ge=1, le=CANDLES_MAX)] = CANDLES_DEFAULT,
    cursor: CursorQuery = None,
) -> Response:
    """Candles, the oldest first: the first ones from `start` on, or without it the last ones before `end`."""
    backward = start is None
    if cursor is not None:
        start, end = _continued(cursor, start, end)
    instrument = await service.find_instrument(session, symbol)
    found = await service.read_candles(
        session, instrument.id, timeframe, start=start, end=end, limit=limit + 1, newest_first=backward
    )
    next_cursor = _cursor_behind(found[:limit], timeframe, backward=backward) if len(found) > limit else None
    shown = found[:limit][::-1] if backward else found[:limit]
    return Response(candles_json(instrument.symbol, timeframe, shown, next_cursor), media_type="application/json")


@router.get(
    "/{symbol:path}",
    access=signed_in(Permission.MARKET_READ),
    errors=[UnknownInstrument],
    summary="Read an instrument",
)
async def read_instrument(symbol: Symbol, session: StatementSessionDep) -> InstrumentSchema:
    """An instrument and the terms on which it is traded."""
    return InstrumentSchema.of(await service.find_instrument(session, symbol))


def _cursor_behind(candles: Sequence[Candle], timeframe: Timeframe, *, backward: bool) -> str:
    """Where the next page begins, after the last of these candles as they were read."""
    last = candles[-1].timestamp
    return encode_cursor(
        _BACKWARD if backward else _FORWARD, (last if backward else last + timeframe.duration).isoformat()
    )


def _continued(cursor: str, start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
    """The range that is left of one from a cursor on. Raises InvalidCursor."""
    direction, text = decode_cursor(cursor, str, str)
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or direction != (_BACKWARD if start is None else _FORWARD):
        raise InvalidCursor("this cursor is not one of ours, or of another range; start again without it")
    return (start, moment) if start is None else (moment, end)
