"""The queries of market data."""

from datetime import datetime
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

import polars as pl
import psycopg
from psycopg.errors import UniqueViolation
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.market import models
from topcoin.market.domain import WEEK_ORIGIN, Candle, Timeframe


class Written(NamedTuple):
    """What a merge into `candles` did."""

    offered: int
    inserted: int
    replaced: int


# -- Instruments ------------------------------------------------------------------------------------------------------


async def instrument_by_symbol(session: AsyncSession, symbol: str) -> models.Instrument | None:
    """The instrument with this symbol, as it is spelt in the table."""
    return await session.scalar(select(models.Instrument).where(models.Instrument.symbol == symbol))


async def all_instruments(session: AsyncSession) -> list[models.Instrument]:
    """All instruments by symbol."""
    return list(await session.scalars(select(models.Instrument).order_by(models.Instrument.symbol)))


# -- Reading candles --------------------------------------------------------------------------------------------------

_CANDLE: Final = (
    models.Candle.timestamp,
    models.Candle.open,
    models.Candle.high,
    models.Candle.low,
    models.Candle.close,
    models.Candle.volume,
    models.Candle.trade_count,
)


async def candles_between(
    session: AsyncSession,
    instrument_id: UUID,
    timeframe: Timeframe,
    *,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    newest_first: bool,
) -> list[Candle]:
    """Candles with start <= timestamp < end, along the primary key."""
    key = models.Candle.timestamp
    query = select(*_CANDLE).where(models.Candle.instrument_id == instrument_id, models.Candle.timeframe == timeframe)
    if start is not None:
        query = query.where(key >= start)
    if end is not None:
        query = query.where(key < end)
    rows = await session.execute(query.order_by(key.desc() if newest_first else key).limit(limit))
    return [Candle(*row) for row in rows]


# -- Writing candles --------------------------------------------------------------------------------------------------

_MERGE: Final = """
WITH offered AS ({offered}),
changed AS (
    SELECT offered.*
    FROM offered
    LEFT JOIN candles AS present
        ON present.instrument_id = CAST(:instrument_id AS uuid)
        AND present.timeframe = :timeframe
        AND present."timestamp" = offered."timestamp"
    WHERE present.instrument_id IS NULL
        OR (present.open, present.high, present.low, present.close, present.volume, present.trade_count)
            IS DISTINCT FROM
            (offered.open, offered.high, offered.low, offered.close, offered.volume, offered.trade_count)
),
written AS (
    INSERT INTO candles ({columns})
    SELECT
        CAST(:instrument_id AS uuid), CAST(:timeframe AS text), "timestamp",
        open, high, low, close, volume, trade_count
    FROM changed
    ORDER BY "timestamp"
    ON CONFLICT (instrument_id, timeframe, "timestamp") DO UPDATE SET
        open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        volume = excluded.volume, trade_count = excluded.trade_count
    RETURNING xmax = 0 AS is_new
)
SELECT
    (SELECT count(*) FROM offered) AS offered,
    count(*) FILTER (WHERE is_new) AS inserted,
    count(*) FILTER (WHERE NOT is_new) AS replaced
FROM written
"""
"""Writes only what differs, so that offering the same candles again touches no row. ON CONFLICT settles the race with
another writer that came between, and the order of time keeps two of them from waiting for each other in a circle.
A row that an UPDATE has just replaced carries our transaction in its `xmax`; a new one carries none."""

_COLUMNS: Final = 'instrument_id, timeframe, "timestamp", open, high, low, close, volume, trade_count'
_COPY: Final = f"COPY candles ({_COLUMNS}) FROM STDIN (FORMAT csv)"
_TIMESTAMP_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"

_FROM_ARRAYS: Final = """
SELECT * FROM unnest(
    CAST(:timestamp AS timestamptz[]), CAST(:open AS numeric(28, 8)[]), CAST(:high AS numeric(28, 8)[]),
    CAST(:low AS numeric(28, 8)[]), CAST(:close AS numeric(28, 8)[]), CAST(:volume AS numeric(28, 8)[]),
    CAST(:trade_count AS bigint[])
) AS given ("timestamp", open, high, low, close, volume, trade_count)
"""
"""The rows travel as seven array literals: as quick as a temporary table, which the role may not make."""

_MERGED_AT_ONCE: Final = 100_000
"""How many candles one statement merges, which bounds the memory that both sides need."""

_AGGREGATED: Final = """
SELECT
    bucket AS "timestamp",
    opens[1] AS open,
    high,
    low,
    closes[cardinality(closes)] AS close,
    volume,
    trade_count::bigint AS trade_count
FROM (
    SELECT
        date_bin(CAST(:step AS interval), "timestamp", CAST(:origin AS timestamptz)) AS bucket,
        array_agg(open ORDER BY "timestamp") AS opens,
        max(high) AS high,
        min(low) AS low,
        array_agg(close ORDER BY "timestamp") AS closes,
        sum(volume)::numeric(28, 8) AS volume,
        sum(trade_count) AS trade_count
    FROM candles
    WHERE instrument_id = CAST(:instrument_id AS uuid) AND timeframe = :source
        AND "timestamp" >= :start AND "timestamp" < :end
    GROUP BY bucket
) AS buckets
"""


async def write_candles(
    session: AsyncSession, instrument_id: UUID, timeframe: Timeframe, candles: pl.DataFrame
) -> Written:
    """Insert or replace candles: columns timestamp (ascending), open, high, low, close, volume, trade_count.

    Where none are yet, they go straight into the table by COPY; otherwise by a merge.
    """
    if await _is_empty(session, instrument_id, timeframe, candles["timestamp"][0], candles["timestamp"][-1]):
        try:
            async with session.begin_nested():
                await _copy(session, instrument_id, timeframe, candles)
        except DBAPIError as error:
            # Another writer may have come between; the merge settles that.
            if not isinstance(error.orig, UniqueViolation):
                raise
        else:
            return Written(candles.height, candles.height, 0)
    parts = [
        await _merge(
            session, _FROM_ARRAYS, instrument_id=instrument_id, timeframe=timeframe.value, **_as_array_literals(part)
        )
        for part in candles.iter_slices(_MERGED_AT_ONCE)
    ]
    return Written(*map(sum, zip(*parts, strict=True)))


async def _is_empty(
    session: AsyncSession, instrument_id: UUID, timeframe: Timeframe, first: datetime, last: datetime
) -> bool:
    present = select(models.Candle.timestamp).where(
        models.Candle.instrument_id == instrument_id,
        models.Candle.timeframe == timeframe,
        models.Candle.timestamp.between(first, last),
    )
    return await session.scalar(present.limit(1)) is None


async def _copy(session: AsyncSession, instrument_id: UUID, timeframe: Timeframe, candles: pl.DataFrame) -> None:
    """COPY on the session's own connection, so that it is part of the session's transaction."""
    key = (pl.lit(str(instrument_id)).alias("instrument_id"), pl.lit(timeframe.value).alias("timeframe"))
    rows = candles.select(*key, pl.all()).write_csv(include_header=False, datetime_format=_TIMESTAMP_FORMAT)
    raw = await (await session.connection()).get_raw_connection()
    connection = cast("psycopg.AsyncConnection[Any]", raw.driver_connection)
    try:
        async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            await copy.write(rows)
    except psycopg.Error as error:
        # What SQLAlchemy would have made of it, had it run the statement.
        raise DBAPIError(_COPY, None, error) from error


def _as_array_literals(candles: pl.DataFrame) -> dict[str, str]:
    """Each column as PostgreSQL writes an array; numbers and times need no quotation marks in one."""
    texts = candles.with_columns(pl.col("timestamp").dt.to_string(_TIMESTAMP_FORMAT)).cast(pl.String)
    joined = texts.fill_null("NULL").select(pl.all().str.join(","))
    return {name: f"{{{literal}}}" for name, literal in joined.row(0, named=True).items()}


async def merge_aggregates(
    session: AsyncSession,
    instrument_id: UUID,
    source: Timeframe,
    target: Timeframe,
    *,
    start: datetime,
    end: datetime,
) -> Written:
    """Merge what the source's candles with start <= timestamp < end add up to."""
    return await _merge(
        session,
        _AGGREGATED,
        instrument_id=instrument_id,
        timeframe=target.value,
        source=source.value,
        step=target.duration,
        origin=WEEK_ORIGIN,
        start=start,
        end=end,
    )


async def _merge(session: AsyncSession, offered: str, **parameters: object) -> Written:
    result = await session.execute(text(_MERGE.format(offered=offered, columns=_COLUMNS)), parameters)
    offered_count, inserted, replaced = result.one()
    return Written(offered_count, inserted, replaced)
