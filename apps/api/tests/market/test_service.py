import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd  # pyright: ignore[reportMissingTypeStubs] - it comes without
import pytest
from arch.data import sp500
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.infra.database.connect import SessionFactory
from topcoin.infra.database.unit_of_work import transaction
from topcoin.market import models, repository, service
from topcoin.market.candle_files import CandleFile, read_candle_file
from topcoin.market.domain import Candle, InstrumentType, NewInstrument, Timeframe, usual_terms
from topcoin.market.errors import (
    AggregateOutOfRange,
    BadCandles,
    InstrumentExists,
    InvalidRange,
    TimeframesIncompatible,
    UnknownInstrument,
)

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
HEADER = "timestamp,open,high,low,close,volume,trade_count\n"
THREE_DAYS = HEADER + "2024-01-01,1,2,1,2,10,1\n2024-01-02,2,3,2,3,,\n2024-01-03,3,4,3,4,30,3\n"

SPX = NewInstrument("SPX", "S&P 500", InstrumentType.INDEX, "SPX", "USD", usual_terms(InstrumentType.INDEX))


@pytest.fixture
async def spx(session: AsyncSession) -> UUID:
    return (await service.create_instrument(session, SPX, at=NOW)).id


def a_file(folder: Path, content: str, timeframe: Timeframe = Timeframe.D1) -> CandleFile:
    path = folder / "candles.csv"
    path.write_text(content)
    return read_candle_file(path, timeframe)


async def do_import(session: AsyncSession, instrument_id: UUID, file: CandleFile) -> service.MergeResult:
    return await service.import_candles(session, instrument_id, file, imported_by="cli:tester", at=NOW)


async def records(session: AsyncSession) -> Sequence[models.CandleImport]:
    return (await session.scalars(select(models.CandleImport).order_by(models.CandleImport.id))).all()


async def test_an_instrument_is_found_in_whatever_capitals(session: AsyncSession, spx: UUID) -> None:
    found = await service.find_instrument(session, " spx ")
    assert found.id == spx
    assert found.terms == SPX.terms
    assert found.is_tradeable
    assert await service.list_instruments(session) == [found]


async def test_an_unknown_symbol_is_answered_with_what_to_do(session: AsyncSession) -> None:
    with pytest.raises(UnknownInstrument, match=r"'NOPE'; `topcoin instruments list`"):
        await service.find_instrument(session, "NOPE")


async def test_a_symbol_is_given_once_and_the_transaction_goes_on(session: AsyncSession, spx: UUID) -> None:
    with pytest.raises(InstrumentExists):
        await service.create_instrument(session, SPX, at=NOW)
    assert (await service.find_instrument(session, "SPX")).id == spx


async def test_an_import_keeps_every_figure_and_says_what_it_did(
    session: AsyncSession, spx: UUID, tmp_path: Path
) -> None:
    file = a_file(tmp_path, HEADER + "2024-01-01,0.1,98765432109876543210.12345678,0.00000001,0.3,7,9\n")
    assert await do_import(session, spx, file) == service.MergeResult(offered=1, inserted=1, replaced=0)
    high = Decimal("98765432109876543210.12345678")
    assert await service.read_candles(session, spx, Timeframe.D1) == [
        Candle(MONDAY, Decimal("0.1"), high, Decimal("0.00000001"), Decimal("0.3"), Decimal(7), 9)
    ]
    [record] = await records(session)
    assert (record.file_name, record.file_sha256, record.imported_by) == ("candles.csv", file.sha256, "cli:tester")
    assert (record.row_count, record.inserted_count, record.replaced_count) == (1, 1, 0)
    assert (record.first_timestamp, record.last_timestamp, record.imported_at) == (MONDAY, MONDAY, NOW)


async def test_importing_the_same_candles_again_changes_nothing(
    session: AsyncSession, spx: UUID, tmp_path: Path
) -> None:
    """MKT-4: no row is even touched: those of the second import are physically those of the first."""
    file = a_file(tmp_path, THREE_DAYS)
    await do_import(session, spx, file)
    places = text('SELECT ctid::text, xmin::text, xmax::text FROM candles ORDER BY "timestamp"')
    before = (await session.execute(places)).all()
    again = await do_import(session, spx, file)
    assert (again.inserted, again.replaced, again.unchanged) == (0, 0, 3)
    assert (await session.execute(places)).all() == before
    assert len(await records(session)) == 1


async def test_a_correction_replaces_what_differs_and_is_recorded(
    session: AsyncSession, spx: UUID, tmp_path: Path
) -> None:
    """A volume that becomes known is a difference too."""
    await do_import(session, spx, a_file(tmp_path, THREE_DAYS))
    corrected = (
        THREE_DAYS.replace("3,4,3,4,30,3", "3,5,3,4,30,3").replace("2,3,,", "2,3,20,") + "2024-01-04,4,4,4,4,,\n"
    )
    result = await do_import(session, spx, a_file(tmp_path, corrected))
    assert (result.inserted, result.replaced, result.unchanged) == (1, 2, 1)
    candles = await service.read_candles(session, spx, Timeframe.D1)
    assert [candle.high for candle in candles] == [2, 3, 5, 4]
    assert [candle.volume for candle in candles] == [10, 20, 30, None]
    first, second = await records(session)
    assert first.file_sha256 != second.file_sha256
    assert (second.inserted_count, second.replaced_count) == (1, 2)


async def test_a_merge_of_several_parts_counts_them_all(
    session: AsyncSession, spx: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "_MERGED_AT_ONCE", 2)
    await do_import(session, spx, a_file(tmp_path, THREE_DAYS))
    longer = THREE_DAYS.replace("1,2,1,2,10", "1,2,1,2,11") + "2024-01-05,1,1,1,1,,\n2024-01-06,1,1,1,1,,\n"
    result = await do_import(session, spx, a_file(tmp_path, longer))
    assert (result.offered, result.inserted, result.replaced, result.unchanged) == (5, 2, 1, 2)


async def test_two_imports_at_once_both_succeed(sessions: SessionFactory, tmp_path: Path) -> None:
    """The later one waits for the earlier one's commit and finds its candles there."""
    file = a_file(tmp_path, THREE_DAYS)
    async with transaction(sessions) as session:
        instrument_id = (await service.create_instrument(session, SPX, at=NOW)).id
    async with transaction(sessions) as first:
        assert (await do_import(first, instrument_id, file)).inserted == 3

        async def overtaken() -> service.MergeResult:
            async with transaction(sessions) as second:
                return await do_import(second, instrument_id, file)

        waiting = asyncio.create_task(overtaken())
        while not await first.scalar(
            text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))")
        ):
            assert not waiting.done()
        await first.commit()
    assert (await waiting).unchanged == 3


async def test_an_import_leaves_other_timeframes_and_instruments_alone(
    session: AsyncSession, spx: UUID, tmp_path: Path
) -> None:
    other = NewInstrument("NDX", "Nasdaq 100", InstrumentType.INDEX, "NDX", "USD", usual_terms(InstrumentType.INDEX))
    ndx = (await service.create_instrument(session, other, at=NOW)).id
    await do_import(session, spx, a_file(tmp_path, THREE_DAYS))
    hourly = a_file(tmp_path, THREE_DAYS, Timeframe.H1)
    assert (await do_import(session, ndx, hourly)).inserted == 3
    assert await service.read_candles(session, ndx, Timeframe.D1) == []
    assert await service.read_candles(session, spx, Timeframe.H1) == []


async def test_nothing_is_imported_from_a_file_with_a_bad_row(session: AsyncSession, spx: UUID, tmp_path: Path) -> None:
    """MKT-4."""
    with pytest.raises(BadCandles):
        await do_import(session, spx, a_file(tmp_path, THREE_DAYS + "2024-01-04,9,1,1,1,,\n"))
    assert await session.scalar(select(func.count()).select_from(models.Candle)) == 0


async def test_gaps_stay_gaps_and_a_bucket_is_made_of_what_there_is(
    session: AsyncSession, spx: UUID, tmp_path: Path
) -> None:
    minutes = (
        HEADER
        + "2024-01-01T00:01,5,6,4,5,1.5,2\n2024-01-01T00:03,7,9,3,8,,\n"
        + "2024-01-01T00:10,8,8,8,8,,\n2024-01-01T00:14,1,2,1,2,,4\n"
    )
    await do_import(session, spx, a_file(tmp_path, minutes, Timeframe.M1))
    result = await service.aggregate_candles(session, spx, Timeframe.M1, Timeframe.M5)
    assert (result.offered, result.inserted) == (2, 2)
    assert await service.read_candles(session, spx, Timeframe.M5) == [
        Candle(MONDAY, Decimal(5), Decimal(9), Decimal(3), Decimal(8), Decimal("1.5"), 2),
        Candle(MONDAY + timedelta(minutes=10), Decimal(8), Decimal(8), Decimal(1), Decimal(2), None, 4),
    ]


async def test_aggregating_again_changes_nothing_and_follows_a_correction(
    session: AsyncSession, spx: UUID, tmp_path: Path
) -> None:
    await do_import(session, spx, a_file(tmp_path, THREE_DAYS))
    await service.aggregate_candles(session, spx, Timeframe.D1, Timeframe.W1)
    again = await service.aggregate_candles(session, spx, Timeframe.D1, Timeframe.W1)
    assert (again.inserted, again.replaced, again.unchanged) == (0, 0, 1)
    await do_import(session, spx, a_file(tmp_path, THREE_DAYS.replace("3,4,3,4", "3,7,3,4")))
    assert (await service.aggregate_candles(session, spx, Timeframe.D1, Timeframe.W1)).replaced == 1
    [week] = await service.read_candles(session, spx, Timeframe.W1)
    assert (week.timestamp, week.open, week.high, week.low, week.close) == (MONDAY, 1, 7, 1, 4)


async def test_a_range_widens_to_whole_buckets(session: AsyncSession, spx: UUID, tmp_path: Path) -> None:
    """A bucket that the range only touches is made of all its candles; others are left out."""
    days = "".join(f"2024-01-{day:02},{day},{day},{day},{day},1,1\n" for day in range(1, 29))
    await do_import(session, spx, a_file(tmp_path, HEADER + days))
    start, end = datetime(2024, 1, 10, 5, tzinfo=UTC), datetime(2024, 1, 15, 1, tzinfo=UTC)
    result = await service.aggregate_candles(session, spx, Timeframe.D1, Timeframe.W1, start, end)
    assert result.inserted == 2
    weeks = await service.read_candles(session, spx, Timeframe.W1)
    assert [(week.timestamp.day, week.open, week.close, week.volume) for week in weeks] == [
        (8, 8, 14, 7),
        (15, 15, 21, 7),
    ]


async def test_a_target_that_is_not_larger_is_refused(session: AsyncSession, spx: UUID) -> None:
    with pytest.raises(TimeframesIncompatible):
        await service.aggregate_candles(session, spx, Timeframe.H1, Timeframe.H1)


async def test_volumes_that_cannot_be_added_up_are_refused(session: AsyncSession, spx: UUID, tmp_path: Path) -> None:
    huge = "9" * 20
    await do_import(
        session, spx, a_file(tmp_path, HEADER + f"2024-01-01,1,1,1,1,{huge},\n2024-01-02,1,1,1,1,{huge},\n")
    )
    with pytest.raises(AggregateOutOfRange):
        async with session.begin_nested():
            await service.aggregate_candles(session, spx, Timeframe.D1, Timeframe.W1)


async def test_pages_follow_one_another_in_both_directions(session: AsyncSession, spx: UUID, tmp_path: Path) -> None:
    days = "".join(f"2024-01-{day:02},{day},{day},{day},{day},,\n" for day in range(1, 11))
    await do_import(session, spx, a_file(tmp_path, HEADER + days))

    async def read(
        start: datetime | None = None, end: datetime | None = None, *, newest_first: bool = False
    ) -> list[int]:
        found = await service.read_candles(
            session, spx, Timeframe.D1, start=start, end=end, limit=4, newest_first=newest_first
        )
        return [candle.timestamp.day for candle in found]

    assert await read() == [1, 2, 3, 4]
    assert await read(MONDAY + timedelta(days=4)) == [5, 6, 7, 8]
    assert await read(MONDAY + timedelta(days=8)) == [9, 10]
    assert await read(newest_first=True) == [10, 9, 8, 7]
    assert await read(end=MONDAY + timedelta(days=6), newest_first=True) == [6, 5, 4, 3]
    assert await read(MONDAY + timedelta(days=1), MONDAY + timedelta(days=3)) == [2, 3]


@pytest.mark.parametrize("limit", [0, -1, service.READ_LIMIT_MAX + 1])
async def test_a_read_has_a_sensible_limit(session: AsyncSession, spx: UUID, limit: int) -> None:
    with pytest.raises(InvalidRange, match="limit must be between 1 and"):
        await service.read_candles(session, spx, Timeframe.D1, limit=limit)


async def test_a_range_needs_an_offset_from_utc(session: AsyncSession, spx: UUID) -> None:
    with pytest.raises(InvalidRange, match="need an offset"):
        await service.read_candles(session, spx, Timeframe.D1, start=MONDAY.replace(tzinfo=None))


def as_candles(frame: pd.DataFrame) -> list[Candle]:
    """The rows of a pandas table of prices, by the decimals that it prints."""
    starts = [datetime.fromisoformat(str(day)).replace(tzinfo=UTC) for day in frame.index]
    columns = [frame[name].map(str).map(Decimal) for name in ("Open", "High", "Low", "Close", "Volume")]
    return [
        Candle(start, opened, high, low, close, volume, None)
        for start, opened, high, low, close, volume in zip(starts, *columns, strict=True)
    ]


async def test_twenty_years_of_the_s_and_p_500(session: AsyncSession, spx: UUID, tmp_path: Path) -> None:
    """Real prices come back to the digit, and their weeks are those that pandas makes of them."""
    original: pd.DataFrame = sp500.load()
    file = a_file(tmp_path, original.to_csv())
    assert file.notes == ("ignored columns: Adj Close",)
    assert (await do_import(session, spx, file)).inserted == len(original) == 5031
    assert await service.read_candles(session, spx, Timeframe.D1, limit=10_000) == as_candles(original)

    await service.aggregate_candles(session, spx, Timeframe.D1, Timeframe.W1)
    rules = {"Open": "first", "High": "max", "Low": "min", "Close": "last", "Volume": "sum"}
    expected: Any = original.resample("W-MON", label="left", closed="left").agg(rules).dropna()
    assert await service.read_candles(session, spx, Timeframe.W1, limit=10_000) == as_candles(expected)
