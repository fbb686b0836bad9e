"""What the tables refuse by themselves, whoever writes to them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.kernel.ids import new_id
from topcoin.market import models, service
from topcoin.market.domain import InstrumentType, NewInstrument, Timeframe, usual_terms

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
NAN = Decimal("NaN")
TOO_LARGE = Decimal(10) ** 20

INSTRUMENT: dict[str, Any] = {
    "symbol": "TEST/USD",
    "name": "A test",
    "instrument_type": InstrumentType.CRYPTO,
    "base_currency": "TEST",
    "quote_currency": "USD",
    "min_size": Decimal("0.1"),
    "max_size": Decimal(10),
    "size_step": Decimal("0.1"),
    "tick_size": Decimal("0.01"),
    "contract_size": Decimal(1),
    "spread": Decimal(1),
    "commission_pct": Decimal("0.1"),
    "max_leverage": Decimal(10),
    "maintenance_margin_pct": Decimal(10),
    "trading_calendar": "24/7",
    "financing_long_pct": Decimal(5),
    "financing_short_pct": Decimal(-5),
    "is_active": True,
    "is_tradeable": True,
    "created_at": MONDAY,
}
CANDLE: dict[str, Any] = {
    "timeframe": Timeframe.D1,
    "timestamp": MONDAY,
    "open": Decimal(2),
    "high": Decimal(3),
    "low": Decimal(1),
    "close": Decimal(2),
    "volume": Decimal(0),
    "trade_count": 0,
}
IMPORT: dict[str, Any] = {
    "timeframe": Timeframe.D1,
    "file_name": "candles.csv",
    "file_sha256": "0" * 64,
    "row_count": 3,
    "first_timestamp": MONDAY,
    "last_timestamp": MONDAY,
    "inserted_count": 2,
    "replaced_count": 1,
    "imported_at": MONDAY,
    "imported_by": "cli:tester",
}


async def add(session: AsyncSession, table: type[models.Base], row: dict[str, Any]) -> None:
    async with session.begin_nested():
        await session.execute(insert(table).values(row))


async def an_instrument(session: AsyncSession) -> UUID:
    new = NewInstrument("OTHER/USD", "Other", InstrumentType.CRYPTO, "OTHER", "USD", usual_terms(InstrumentType.CRYPTO))
    return (await service.create_instrument(session, new, at=MONDAY)).id


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"symbol": "test/usd"}, "symbol_form"),
        ({"symbol": ""}, "symbol_form"),
        ({"name": " "}, "name_not_blank"),
        ({"base_currency": "t"}, "base_currency_form"),
        ({"quote_currency": "usd"}, "quote_currency_form"),
        ({"min_size": Decimal(0)}, "min_size_positive"),
        ({"min_size": Decimal("0.15")}, "min_size_stepped"),
        ({"max_size": Decimal("0.05")}, "max_size_bounded"),
        ({"max_size": NAN}, "max_size_bounded"),
        ({"max_size": Decimal("0.15")}, "max_size_stepped"),
        ({"size_step": Decimal(0)}, "size_step_positive"),
        ({"tick_size": Decimal(0)}, "tick_size_positive"),
        ({"tick_size": NAN}, "tick_size_positive"),
        ({"contract_size": Decimal(-1)}, "contract_size_positive"),
        ({"contract_size": NAN}, "contract_size_positive"),
        ({"spread": Decimal(-1)}, "spread_bounded"),
        ({"spread": NAN}, "spread_bounded"),
        ({"commission_pct": Decimal("-0.1")}, "commission_pct_bounded"),
        ({"commission_pct": NAN}, "commission_pct_bounded"),
        ({"max_leverage": Decimal("0.9")}, "max_leverage_bounded"),
        ({"max_leverage": Decimal(1001), "maintenance_margin_pct": Decimal("0.01")}, "max_leverage_bounded"),
        ({"maintenance_margin_pct": Decimal("10.01")}, "maintenance_margin_pct_bounded"),
        ({"maintenance_margin_pct": Decimal(0)}, "maintenance_margin_pct_bounded"),
        ({"trading_calendar": ""}, "trading_calendar_not_blank"),
        ({"financing_long_pct": Decimal(101)}, "financing_long_pct_bounded"),
        ({"financing_short_pct": Decimal(-101)}, "financing_short_pct_bounded"),
        ({"is_active": False}, "tradeable_only_while_active"),
    ],
)
async def test_instruments_refuse(session: AsyncSession, changes: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=f"ck_instruments_{constraint}"):
        await add(session, models.Instrument, INSTRUMENT | changes | {"id": new_id()})
    await add(session, models.Instrument, INSTRUMENT | {"id": new_id()})


async def test_a_symbol_belongs_to_one_instrument(session: AsyncSession) -> None:
    await add(session, models.Instrument, INSTRUMENT | {"id": new_id()})
    with pytest.raises(IntegrityError, match="uq_instruments_symbol"):
        await add(session, models.Instrument, INSTRUMENT | {"id": new_id()})


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"low": Decimal(0)}, "low_positive"),
        ({"low": Decimal("2.1")}, "low_is_lowest"),
        ({"open": Decimal("0.9")}, "low_is_lowest"),
        ({"close": Decimal("0.9")}, "low_is_lowest"),
        ({"high": Decimal("1.9")}, "high_is_highest"),
        ({"open": Decimal("3.1")}, "high_is_highest"),
        ({"close": Decimal("3.1")}, "high_is_highest"),
        ({"high": NAN}, "high_bounded"),
        ({"close": NAN}, "high_is_highest"),
        ({"low": NAN}, "low_is_lowest"),
        ({"volume": Decimal("-0.1")}, "volume_bounded"),
        ({"volume": NAN}, "volume_bounded"),
        ({"trade_count": -1}, "trade_count_not_negative"),
        ({"timestamp": datetime(1899, 12, 31, tzinfo=UTC)}, "timestamp_in_range"),
        ({"timestamp": datetime(2201, 1, 1, tzinfo=UTC)}, "timestamp_in_range"),
    ],
)
async def test_candles_refuse(session: AsyncSession, changes: dict[str, Any], constraint: str) -> None:
    """MKT-1."""
    key = {"instrument_id": await an_instrument(session)}
    with pytest.raises(IntegrityError, match=f"ck_candles_{constraint}"):
        await add(session, models.Candle, CANDLE | key | changes)
    await add(session, models.Candle, CANDLE | key)


@pytest.mark.parametrize("timeframe", Timeframe)
@pytest.mark.parametrize("weeks", [-3000, 0, 100])
async def test_a_candle_starts_where_its_timeframe_does(
    session: AsyncSession, timeframe: Timeframe, weeks: int
) -> None:
    """MKT-2: the table agrees with `Timeframe.start_of`: on the boundary and only there, before the origin too."""
    key = {"instrument_id": await an_instrument(session), "timeframe": timeframe}
    start = timeframe.start_of(MONDAY + timedelta(weeks=weeks, days=2, hours=7, minutes=3))
    await add(session, models.Candle, CANDLE | key | {"timestamp": start})
    for astray in (timedelta(seconds=1), timedelta(microseconds=-1), timeframe.duration / 2):
        with pytest.raises(IntegrityError, match="ck_candles_timestamp_aligned"):
            await add(session, models.Candle, CANDLE | key | {"timestamp": start + astray})


async def test_there_is_one_candle_for_one_moment(session: AsyncSession) -> None:
    """MKT-3."""
    key = {"instrument_id": await an_instrument(session)}
    await add(session, models.Candle, CANDLE | key)
    with pytest.raises(IntegrityError, match="pk_candles"):
        await add(session, models.Candle, CANDLE | key | {"close": Decimal(1)})
    await add(session, models.Candle, CANDLE | key | {"timeframe": Timeframe.W1})


async def test_candles_need_their_instrument(session: AsyncSession) -> None:
    with pytest.raises(IntegrityError, match="fk_candles_instrument_id_instruments"):
        await add(session, models.Candle, CANDLE | {"instrument_id": new_id()})


@pytest.mark.parametrize("column", ["open", "high", "volume"])
async def test_figures_that_do_not_fit_are_refused(session: AsyncSession, column: str) -> None:
    key = {"instrument_id": await an_instrument(session)}
    with pytest.raises(DBAPIError, match="numeric field overflow"):
        await add(session, models.Candle, CANDLE | key | {column: TOO_LARGE})


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"file_name": ""}, "file_name_not_blank"),
        ({"file_sha256": "A" * 64}, "file_sha256_form"),
        ({"file_sha256": "0" * 63}, "file_sha256_form"),
        ({"first_timestamp": MONDAY + timedelta(days=1)}, "first_before_last"),
        ({"inserted_count": -1, "replaced_count": 3}, "inserted_count_not_negative"),
        ({"replaced_count": -1, "inserted_count": 3}, "replaced_count_not_negative"),
        ({"inserted_count": 0, "replaced_count": 0}, "changes_counted"),
        ({"inserted_count": 3}, "changes_counted"),
        ({"imported_by": " "}, "imported_by_not_blank"),
    ],
)
async def test_records_of_imports_refuse(session: AsyncSession, changes: dict[str, Any], constraint: str) -> None:
    key = {"instrument_id": await an_instrument(session)}
    with pytest.raises(IntegrityError, match=f"ck_candle_imports_{constraint}"):
        await add(session, models.CandleImport, IMPORT | key | changes | {"id": new_id()})
    await add(session, models.CandleImport, IMPORT | key | {"id": new_id()})
