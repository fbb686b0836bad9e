"""Instruments and candles: create and find the ones, import, aggregate and read the others."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.errors import NumericValueOutOfRange
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.kernel.ids import new_id
from topcoin.market import models, repository
from topcoin.market.candle_files import CandleFile
from topcoin.market.domain import (
    TIMESTAMP_END,
    TIMESTAMP_MIN,
    Candle,
    InstrumentSummary,
    InstrumentTerms,
    NewInstrument,
    Timeframe,
)
from topcoin.market.errors import AggregateOutOfRange, InstrumentExists, InvalidRange, UnknownInstrument

READ_LIMIT_MAX: Final = 10_000
"""How many candles one read returns at most."""


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What an import or an aggregation did to the candles of one instrument and timeframe."""

    offered: int
    inserted: int
    replaced: int
    """Those that were there with other figures."""

    @property
    def unchanged(self) -> int:
        """Those that were there already, figure for figure."""
        return self.offered - self.inserted - self.replaced


# -- Instruments ------------------------------------------------------------------------------------------------------


async def create_instrument(session: AsyncSession, instrument: NewInstrument, *, at: datetime) -> InstrumentSummary:
    """Add an instrument, active and tradeable. Raises InstrumentExists if its symbol is taken."""
    row = models.Instrument(
        id=new_id(),
        symbol=instrument.symbol,
        name=instrument.name.strip(),
        instrument_type=instrument.instrument_type,
        base_currency=instrument.base_currency,
        quote_currency=instrument.quote_currency,
        is_active=True,
        is_tradeable=True,
        created_at=at,
        **asdict(instrument.terms),
    )
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        if "uq_instruments_symbol" in str(error.orig):
            raise InstrumentExists(instrument.symbol) from None
        raise
    return _summary(row)


async def find_instrument(session: AsyncSession, symbol: str) -> InstrumentSummary:
    """The instrument with a symbol, in whatever capitals it is typed. Raises UnknownInstrument."""
    row = await repository.instrument_by_symbol(session, symbol.strip().upper())
    if row is None:
        raise UnknownInstrument(symbol)
    return _summary(row)


async def list_instruments(session: AsyncSession) -> Sequence[InstrumentSummary]:
    """All instruments by symbol."""
    return [_summary(row) for row in await repository.all_instruments(session)]


def _summary(row: models.Instrument) -> InstrumentSummary:
    return InstrumentSummary(
        id=row.id,
        symbol=row.symbol,
        name=row.name,
        instrument_type=row.instrument_type,
        base_currency=row.base_currency,
        quote_currency=row.quote_currency,
        terms=InstrumentTerms(**{name: getattr(row, name) for name in InstrumentTerms.__dataclass_fields__}),
        is_active=row.is_active,
        is_tradeable=row.is_tradeable,
    )


# -- Candles ----------------------------------------------------------------------------------------------------------


async def import_candles(
    session: AsyncSession, instrument_id: UUID, file: CandleFile, *, imported_by: str, at: datetime
) -> MergeResult:
    """Take over a file's candles: new ones are inserted, different ones replaced, and `candle_imports` says so.

    A file whose candles are all there already changes nothing and leaves no record (MKT-4).
    """
    written = await repository.write_candles(session, instrument_id, file.timeframe, file.candles)
    result = MergeResult(*written)
    if result.inserted or result.replaced:
        session.add(
            models.CandleImport(
                instrument_id=instrument_id,
                id=new_id(),
                timeframe=file.timeframe,
                file_name=file.name,
                file_sha256=file.sha256,
                row_count=file.candles.height,
                first_timestamp=file.candles["timestamp"][0],
                last_timestamp=file.candles["timestamp"][-1],
                inserted_count=result.inserted,
                replaced_count=result.replaced,
                imported_at=at,
                imported_by=imported_by,
            )
        )
        await session.flush()
    return result


async def aggregate_candles(
    session: AsyncSession,
    instrument_id: UUID,
    source: Timeframe,
    target: Timeframe,
    start: datetime | None = None,
    end: datetime | None = None,
) -> MergeResult:
    """Build candles of a larger timeframe from a smaller one's: first open, highest high, lowest low, last close.

    Volumes and trade counts are the sums of those that are known. A bucket without source candles gets none, and one
    with some is made of those (MKT-6). `start` and `end` widen to whole target candles, so that none is made of a part
    of what there is. Raises TimeframesIncompatible and AggregateOutOfRange.
    """
    source.require_aggregates_into(target)
    _require_aware(start, end)
    first = target.start_of(max(start or TIMESTAMP_MIN, TIMESTAMP_MIN))
    end = min(end or TIMESTAMP_END, TIMESTAMP_END)
    last = target.start_of(end)
    if last < end:
        last += target.duration
    try:
        written = await repository.merge_aggregates(session, instrument_id, source, target, start=first, end=last)
    except DataError as error:
        if isinstance(error.orig, NumericValueOutOfRange):
            raise AggregateOutOfRange from None
        raise
    return MergeResult(*written)


async def read_candles(
    session: AsyncSession,
    instrument_id: UUID,
    timeframe: Timeframe,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int = 1000,
    newest_first: bool = False,
) -> Sequence[Candle]:
    """Candles with start <= timestamp < end, at most `limit` of them.

    The next page begins at the last candle seen: oldest first with `start` one duration after it, newest first with
    `end` at it.
    """
    _require_aware(start, end)
    if not 1 <= limit <= READ_LIMIT_MAX:
        raise InvalidRange(f"limit must be between 1 and {READ_LIMIT_MAX}, not {limit}")
    return await repository.candles_between(
        session, instrument_id, timeframe, start=start, end=end, limit=limit, newest_first=newest_first
    )


def _require_aware(*moments: datetime | None) -> None:
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise InvalidRange("start and end need an offset from UTC, such as 2024-01-31T00:00:00Z")
