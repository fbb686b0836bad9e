"""The tables of market data: `instruments`, `candles` and the record of what was imported into them.

PostgreSQL counts NaN as larger than every number and lets NUMERIC(28,8) hold it, so each column here is bounded
from above too, or is at most a column that is: a NaN then fails a CHECK.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.infra.database.tables import Base, EnumText, Fraction, Price, Quantity, not_blank, one_of
from topcoin.market.domain import (
    LEVERAGE_MAX,
    TIMESTAMP_END,
    TIMESTAMP_MIN,
    WEEK_ORIGIN,
    InstrumentType,
    Timeframe,
)

_NUMBER_END: Final = "1e20"
"""The first number that NUMERIC(28,8) cannot hold."""


def _check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name=name)


def _positive(*columns: str) -> list[CheckConstraint]:
    return [_check(f"{column}_positive", f"{column} > 0 AND {column} < {_NUMBER_END}") for column in columns]


def _percentage(column: str, *, lowest: int = 0) -> CheckConstraint:
    return _check(f"{column}_bounded", f"{column} BETWEEN {lowest} AND 100")


def _aligned() -> CheckConstraint:
    """The CHECK that a candle starts where its timeframe does, counted from a Monday in UTC."""
    steps = " ".join(
        f"WHEN '{timeframe.value}' THEN interval '{int(timeframe.duration.total_seconds()) // 60} minutes'"
        for timeframe in Timeframe
    )
    origin = f"timestamptz '{WEEK_ORIGIN.isoformat(sep=' ')}'"
    return _check("timestamp_aligned", f'"timestamp" = date_bin(CASE timeframe {steps} END, "timestamp", {origin})')


class Instrument(Base):
    """Something with a market price that can be traded, and the terms on which it is."""

    __tablename__ = "instruments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    symbol: Mapped[str]
    """How the trade calls it, in capitals: `BTC/USD`, `SPX`."""
    name: Mapped[str]
    instrument_type: Mapped[InstrumentType] = mapped_column(EnumText(InstrumentType))
    base_currency: Mapped[str]
    """What one unit is of: `BTC` in BTC/USD; for an index or a stock, its own code."""
    quote_currency: Mapped[str]
    """What prices are in: `USD` in BTC/USD."""

    min_size: Mapped[Quantity]
    """The smallest order, in lots."""
    max_size: Mapped[Quantity]
    """The largest order, in lots."""
    size_step: Mapped[Quantity]
    """Sizes are whole multiples of this, in lots."""
    tick_size: Mapped[Price]
    """Prices are whole multiples of this, in the quote currency."""
    contract_size: Mapped[Quantity]
    """Units of the base in one lot."""

    spread: Mapped[Price]
    """Ask less bid, in the quote currency, where a feed gives one price only."""
    commission_pct: Mapped[Fraction]
    """Per cent of an order's value, charged on each fill: 0.1 is 0.1%."""
    max_leverage: Mapped[Decimal]
    """Position value over margin, at most: 30 is 30:1."""
    maintenance_margin_pct: Mapped[Fraction]
    """Per cent of a position's value that its equity must keep; at most the initial margin, 100 / max_leverage."""
    trading_calendar: Mapped[str]
    """When it trades: `24/7`, `forex`, or the code of an exchange such as `XNYS`."""
    financing_long_pct: Mapped[Fraction]
    """Per cent a year of a long position's value, charged for holding it overnight; negative pays the holder."""
    financing_short_pct: Mapped[Fraction]
    """The same for a short position."""

    is_active: Mapped[bool]
    """Whether it is kept up and shown."""
    is_tradeable: Mapped[bool]
    """Whether new orders are taken."""
    created_at: Mapped[datetime]

    __table_args__: Any = (
        UniqueConstraint("symbol"),
        one_of("instrument_type", InstrumentType),
        _check("symbol_form", "symbol ~ '^[A-Z0-9][A-Z0-9./_-]{0,31}$'"),
        not_blank("name"),
        _check("base_currency_form", "base_currency ~ '^[A-Z0-9]{2,12}$'"),
        _check("quote_currency_form", "quote_currency ~ '^[A-Z0-9]{2,12}$'"),
        *_positive("size_step", "tick_size", "contract_size", "min_size"),
        _check("max_size_bounded", f"max_size >= min_size AND max_size < {_NUMBER_END}"),
        _check("min_size_stepped", "mod(min_size, nullif(size_step, 0)) = 0"),
        _check("max_size_stepped", "mod(max_size, nullif(size_step, 0)) = 0"),
        _check("spread_bounded", f"spread >= 0 AND spread < {_NUMBER_END}"),
        _percentage("commission_pct"),
        _check("max_leverage_bounded", f"max_leverage BETWEEN 1 AND {LEVERAGE_MAX}"),
        _check(
            "maintenance_margin_pct_bounded",
            "maintenance_margin_pct > 0 AND maintenance_margin_pct * max_leverage <= 100",
        ),
        not_blank("trading_calendar"),
        _percentage("financing_long_pct", lowest=-100),
        _percentage("financing_short_pct", lowest=-100),
        _check("tradeable_only_while_active", "is_active OR NOT is_tradeable"),
        {"info": {"placement": "reference", "grants": ("INSERT", "UPDATE")}},
    )


class Candle(Base):
    """One candle. Fixed-width columns come first, so that no row is padded: about 110 bytes each."""

    __tablename__ = "candles"

    instrument_id: Mapped[UUID] = mapped_column(ForeignKey("instruments.id"))
    timestamp: Mapped[datetime]
    """Where the candle starts, in UTC; weeks on Monday 00:00."""
    trade_count: Mapped[int | None]
    """Trades; NULL where the source did not say."""
    timeframe: Mapped[Timeframe] = mapped_column(EnumText(Timeframe))
    open: Mapped[Price]
    high: Mapped[Price]
    low: Mapped[Price]
    close: Mapped[Price]
    volume: Mapped[Quantity | None]
    """Units of the base traded; NULL where the source did not say."""

    __table_args__: Any = (
        # MKT-3
        PrimaryKeyConstraint("instrument_id", "timeframe", "timestamp"),
        one_of("timeframe", Timeframe),
        _check(
            "timestamp_in_range",
            f""""timestamp" >= timestamptz '{TIMESTAMP_MIN}' AND "timestamp" < timestamptz '{TIMESTAMP_END}'""",
        ),
        # MKT-2
        _aligned(),
        # MKT-1
        _check("low_positive", "low > 0"),
        _check("low_is_lowest", "low <= open AND low <= close"),
        _check("high_is_highest", "high >= open AND high >= close"),
        _check("high_bounded", f"high < {_NUMBER_END}"),
        _check("volume_bounded", f"volume >= 0 AND volume < {_NUMBER_END}"),
        _check("trade_count_not_negative", "trade_count >= 0"),
        {
            "info": {
                "placement": "instrument",
                "grants": ("INSERT", "UPDATE (open, high, low, close, volume, trade_count)"),
            }
        },
    )


class CandleImport(Base):
    """The record of one import of candles: what came from which file, and what it changed. Written once.

    An import that changes nothing leaves no record, so that importing a file again is the same as importing it once.
    """

    __tablename__ = "candle_imports"

    instrument_id: Mapped[UUID] = mapped_column(ForeignKey("instruments.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    timeframe: Mapped[Timeframe] = mapped_column(EnumText(Timeframe))
    file_name: Mapped[str]
    file_sha256: Mapped[str]
    """Of the file's bytes, in lower-case hexadecimal."""
    row_count: Mapped[int]
    """Candles in the file."""
    first_timestamp: Mapped[datetime]
    last_timestamp: Mapped[datetime]
    inserted_count: Mapped[int]
    """Candles that were not there before."""
    replaced_count: Mapped[int]
    """Candles that were there with other figures, which the file's have replaced."""
    imported_at: Mapped[datetime]
    imported_by: Mapped[str]
    """Who ran the import, as the entry point knows them."""

    __table_args__: Any = (
        one_of("timeframe", Timeframe),
        not_blank("file_name"),
        _check("file_sha256_form", "file_sha256 ~ '^[0-9a-f]{64}$'"),
        _check("first_before_last", "first_timestamp <= last_timestamp"),
        _check("inserted_count_not_negative", "inserted_count >= 0"),
        _check("replaced_count_not_negative", "replaced_count >= 0"),
        _check("changes_counted", "inserted_count + replaced_count BETWEEN 1 AND row_count"),
        not_blank("imported_by"),
        {"info": {"placement": "instrument", "grants": ("INSERT",)}},
    )
