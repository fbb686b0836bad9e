"""Laws of candles, against references in plain Python."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.kernel.ids import new_id
from topcoin.market import service
from topcoin.market.candle_files import CandleFile
from topcoin.market.candle_files.columns import NUMBER, Column, Problems
from topcoin.market.candle_files.values import BadValue, read_number, read_timestamp
from topcoin.market.domain import Candle, InstrumentType, NewInstrument, Timeframe, usual_terms

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
ON_ONE_SESSION = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

prices = st.decimals(min_value="0.00000001", max_value="1e11", places=8)
volumes = st.none() | st.decimals(min_value=0, max_value="1e11", places=8)
counts = st.none() | st.integers(min_value=0, max_value=10**9)


@st.composite
def minute_candles(draw: st.DrawFn) -> list[Candle]:
    """Candles of one minute within a few weeks, crowded enough to share buckets, with gaps."""
    starts = st.sampled_from([0, 3, 58, 61, 239, 240, 1439, 1440, 7 * 1440 - 2, 7 * 1440, 15 * 1440 + 600])
    minutes = draw(st.lists(st.builds(int.__add__, starts, st.integers(0, 20)), min_size=1, max_size=25, unique=True))
    candles: list[Candle] = []
    for minute in sorted(minutes):
        low, opened, closed, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
        if draw(st.booleans()):
            opened, closed = closed, opened
        volume, count = draw(volumes), draw(counts)
        candles.append(Candle(MONDAY + timedelta(minutes=minute), opened, high, low, closed, volume, count))
    return candles


def total(volumes_: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of what is known, or None if nothing is."""
    known = [volume for volume in volumes_ if volume is not None]
    return sum(known, Decimal(0)) if known else None


def total_count(counts_: Iterable[int | None]) -> int | None:
    """The same for trades."""
    known = [count for count in counts_ if count is not None]
    return sum(known) if known else None


def aggregated(candles: Sequence[Candle], target: Timeframe) -> list[Candle]:
    """What aggregation means, one bucket at a time."""
    buckets: dict[datetime, list[Candle]] = {}
    for candle in candles:
        whole = int((candle.timestamp - MONDAY) / target.duration)
        buckets.setdefault(MONDAY + whole * target.duration, []).append(candle)
    return [
        Candle(
            start,
            parts[0].open,
            max(part.high for part in parts),
            min(part.low for part in parts),
            parts[-1].close,
            total(part.volume for part in parts),
            total_count(part.trade_count for part in parts),
        )
        for start, parts in sorted(buckets.items())
    ]


async def stored(session: AsyncSession, candles: Sequence[Candle]) -> UUID:
    """A new instrument with these candles of one minute."""
    symbol = f"T{new_id().hex[-12:].upper()}"
    new = NewInstrument(symbol, symbol, InstrumentType.CRYPTO, "TEST", "USD", usual_terms(InstrumentType.CRYPTO))
    instrument = await service.create_instrument(session, new, at=MONDAY)
    frame = pl.DataFrame(
        {
            "timestamp": pl.Series([candle.timestamp for candle in candles], dtype=pl.Datetime("us", "UTC")),
            **{
                name: pl.Series([getattr(candle, name) for candle in candles], dtype=NUMBER)
                for name in ("open", "high", "low", "close", "volume")
            },
            "trade_count": pl.Series([candle.trade_count for candle in candles], dtype=pl.Int64),
        }
    )
    file = CandleFile("generated.csv", "0" * 64, Timeframe.M1, frame, ())
    await service.import_candles(session, instrument.id, file, imported_by="laws", at=MONDAY)
    assert await service.read_candles(session, instrument.id, Timeframe.M1) == list(candles)
    return instrument.id


@ON_ONE_SESSION
@given(candles=minute_candles(), target=st.sampled_from(list(Timeframe)[1:]))
async def test_aggregation_is_what_plain_python_says(
    session: AsyncSession, candles: list[Candle], target: Timeframe
) -> None:
    instrument_id = await stored(session, candles)
    await service.aggregate_candles(session, instrument_id, Timeframe.M1, target)
    assert await service.read_candles(session, instrument_id, target) == aggregated(candles, target)


@ON_ONE_SESSION
@given(candles=minute_candles(), ladder=st.sets(st.sampled_from(list(Timeframe)[1:]), min_size=2))
async def test_aggregation_by_steps_is_aggregation_at_once(
    session: AsyncSession, candles: list[Candle], ladder: set[Timeframe]
) -> None:
    """MKT-6: 1m to 5m to 1h is 1m to 1h, for any ladder; no volume is lost or made on the way."""
    instrument_id = await stored(session, candles)
    source = Timeframe.M1
    for target in sorted(ladder, key=lambda timeframe: timeframe.duration):
        await service.aggregate_candles(session, instrument_id, source, target)
        source = target
    by_steps = await service.read_candles(session, instrument_id, source)
    at_once = await service.aggregate_candles(session, instrument_id, Timeframe.M1, source)
    assert (at_once.inserted, at_once.replaced, at_once.unchanged) == (0, 0, len(by_steps))
    assert total(candle.volume for candle in by_steps) == total(candle.volume for candle in candles)
    assert total_count(candle.trade_count for candle in by_steps) == total_count(c.trade_count for c in candles)


number_texts = (
    st.from_regex(r"[+-]?[0-9]{0,22}(\.[0-9]{0,10})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
    | st.decimals(allow_nan=True, allow_infinity=True).map(str)
    | st.text(max_size=8)
)
time_texts = (
    st.datetimes().map(datetime.isoformat)
    | st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0).isoformat(" "))
    | st.dates().map(str)
    | st.integers(-(10**14), 10**14).map(str)
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.0{1,3})?)?Z?", fullmatch=True)
    | st.text(max_size=8)
)


def as_column(texts: list[str]) -> Column:
    return Column("cell", pl.Series("cell", texts, dtype=pl.String))


def by_reference(texts: list[str], read: Callable[[str], object]) -> list[object]:
    """Each text as the reference reads it, None where it refuses."""
    found: list[object] = []
    for text in texts:
        try:
            found.append(read(text))
        except BadValue:
            found.append(None)
    return found


@given(st.lists(number_texts, min_size=1, max_size=20))
def test_a_column_of_numbers_reads_as_its_cells_do(texts: list[str]) -> None:
    """The vectorised reading and the reference accept the same texts, with the same values."""
    problems = Problems(pl.Series(range(len(texts))))
    expected = by_reference(texts, read_number)
    assert as_column(texts).numbers(problems).to_list() == expected
    assert problems.count == expected.count(None)


@given(st.lists(time_texts, min_size=1, max_size=20))
def test_a_column_of_times_reads_as_its_cells_do(texts: list[str]) -> None:
    problems = Problems(pl.Series(range(len(texts))))
    expected = by_reference(texts, read_timestamp)
    assert as_column(texts).moments(problems).to_list() == expected
    assert problems.count == expected.count(None)


@given(st.decimals(min_value=0, max_value=Decimal(10) ** 20 - 1, places=8))
def test_every_number_that_fits_is_read_exactly(number: Decimal) -> None:
    for text in (str(number), format(number, "f"), format(number, "E")):
        assert read_number(text) == number
