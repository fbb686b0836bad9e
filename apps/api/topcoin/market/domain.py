"""What an instrument is and what a candle is: kinds, timeframes, and the bounds their figures stay within. Pure."""

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from topcoin.kernel.money import exact_amount
from topcoin.market.errors import InvalidInstrument, TimeframesIncompatible, UnknownTimeframe

WEEK_ORIGIN = datetime(2000, 1, 3, tzinfo=UTC)
"""A Monday, 00:00 UTC. Every timeframe divides a week, so that all buckets of all timeframes are counted from here."""

TIMESTAMP_MIN = datetime(1900, 1, 1, tzinfo=UTC)
TIMESTAMP_END = datetime(2201, 1, 1, tzinfo=UTC)
"""Candles start at or after the first and before the second; other years are slips of a decimal or of a unit."""

LEVERAGE_MAX = 1000

_ALL_OF_IT: Final = 100
_EXACT: Final = Context(prec=60)
_SYMBOL: Final = re.compile(r"[A-Z0-9][A-Z0-9./_-]{0,31}")
_CURRENCY: Final = re.compile(r"[A-Z0-9]{2,12}")


class InstrumentType(StrEnum):
    """The asset class, which decides an instrument's usual terms."""

    FOREX = "forex"
    CRYPTO = "crypto"
    STOCK = "stock"
    INDEX = "index"
    COMMODITY = "commodity"


class Timeframe(StrEnum):
    """How long one candle lasts; from the shortest to the longest."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"

    @classmethod
    def named(cls, text: str) -> "Timeframe":
        """The timeframe that a text such as `15m` names, or raise UnknownTimeframe."""
        try:
            return cls(text)
        except ValueError:
            raise UnknownTimeframe(text, ", ".join(cls)) from None

    @property
    def duration(self) -> timedelta:
        """The length of one candle."""
        return _DURATIONS[self]

    def start_of(self, moment: datetime) -> datetime:
        """The start of the candle that holds a moment: in UTC, weeks from Monday 00:00 (MKT-2)."""
        return moment - (moment - WEEK_ORIGIN) % self.duration

    def require_aggregates_into(self, target: "Timeframe") -> None:
        """Raise TimeframesIncompatible unless candles of this timeframe fill larger ones without being cut."""
        if target.duration <= self.duration or target.duration % self.duration:
            raise TimeframesIncompatible(self, target)


_DURATIONS = {
    Timeframe.M1: timedelta(minutes=1),
    Timeframe.M5: timedelta(minutes=5),
    Timeframe.M15: timedelta(minutes=15),
    Timeframe.H1: timedelta(hours=1),
    Timeframe.H4: timedelta(hours=4),
    Timeframe.D1: timedelta(days=1),
    Timeframe.W1: timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Candle:
    """What the price did from `timestamp` on, for one timeframe.

    Prices are in the instrument's quote currency; `volume` is in units of the base, `trade_count` is a number of
    trades, and each is None where the source did not say.
    """

    timestamp: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None
    trade_count: int | None


@dataclass(frozen=True, slots=True)
class InstrumentTerms:
    """How an instrument is traded. Units are those of the columns of `instruments`.

    Raises InvalidInstrument for figures that contradict one another, as the table's CHECKs would.
    """

    min_size: Decimal
    max_size: Decimal
    size_step: Decimal
    tick_size: Decimal
    contract_size: Decimal
    spread: Decimal
    commission_pct: Decimal
    max_leverage: Decimal
    maintenance_margin_pct: Decimal
    trading_calendar: str
    financing_long_pct: Decimal
    financing_short_pct: Decimal

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "trading_calendar":
                object.__setattr__(self, field.name, exact_amount(getattr(self, field.name)))
        for name in ("min_size", "size_step", "tick_size", "contract_size"):
            _require(getattr(self, name) > 0, f"{name} must be above zero")
        _require(self.max_size >= self.min_size, "max_size must not be below min_size")
        for name in ("min_size", "max_size"):
            _require(_is_multiple(getattr(self, name), self.size_step), f"{name} must be a multiple of size_step")
        _require(self.spread >= 0, "spread must not be below zero")
        _require(0 <= self.commission_pct <= _ALL_OF_IT, "commission_pct must be between 0 and 100")
        _require(1 <= self.max_leverage <= LEVERAGE_MAX, f"max_leverage must be between 1 and {LEVERAGE_MAX}")
        _require(
            self.maintenance_margin_pct > 0 and self.maintenance_margin_pct * self.max_leverage <= _ALL_OF_IT,
            "maintenance_margin_pct must be above zero and at most the initial margin, 100 / max_leverage",
        )
        _require(bool(self.trading_calendar.strip()), "trading_calendar must not be blank; for example 24/7 or XNYS")
        for name in ("financing_long_pct", "financing_short_pct"):
            _require(abs(getattr(self, name)) <= _ALL_OF_IT, f"{name} must be between -100 and 100")


def usual_terms(kind: InstrumentType) -> InstrumentTerms:
    """Terms that are common for an asset class; a starting point that the operator adjusts.

    Leverage follows the caps that European and British regulators set for retail customers.
    """
    return _USUAL_TERMS[kind]


def _terms(**figures: str) -> InstrumentTerms:
    calendar = figures.pop("trading_calendar")
    return InstrumentTerms(trading_calendar=calendar, **{name: Decimal(figure) for name, figure in figures.items()})


def _is_multiple(value: Decimal, step: Decimal) -> bool:
    return _EXACT.remainder(value, step) == 0


def _require(condition: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not condition:
        raise InvalidInstrument(otherwise)


@dataclass(frozen=True, slots=True)
class NewInstrument:
    """What an instrument is called and how it is traded, before it has an id.

    Raises InvalidInstrument for a symbol, a name or a currency that none can have.
    """

    symbol: str
    name: str
    instrument_type: InstrumentType
    base_currency: str
    quote_currency: str
    terms: InstrumentTerms

    def __post_init__(self) -> None:
        _require(
            bool(_SYMBOL.fullmatch(self.symbol)),
            f"{self.symbol!r} is no symbol; use capitals, digits and . / _ -, at most 32, such as BTC/USD",
        )
        _require(bool(self.name.strip()), "the name must not be blank")
        for code in (self.base_currency, self.quote_currency):
            _require(bool(_CURRENCY.fullmatch(code)), f"{code!r} is no currency code; use 2 to 12 capitals or digits")


@dataclass(frozen=True, slots=True)
class InstrumentSummary:
    """An instrument as other packages see it."""

    id: UUID
    symbol: str
    name: str
    instrument_type: InstrumentType
    base_currency: str
    quote_currency: str
    terms: InstrumentTerms
    is_active: bool
    is_tradeable: bool


_USUAL_TERMS: Final = {
    InstrumentType.FOREX: _terms(
        min_size="0.01",
        max_size="100",
        size_step="0.01",
        tick_size="0.00001",
        contract_size="100000",
        spread="0.0001",
        commission_pct="0",
        max_leverage="30",
        maintenance_margin_pct="1.65",
        trading_calendar="forex",
        financing_long_pct="2.5",
        financing_short_pct="2.5",
    ),
    InstrumentType.CRYPTO: _terms(
        min_size="0.001",
        max_size="100",
        size_step="0.001",
        tick_size="0.01",
        contract_size="1",
        spread="1",
        commission_pct="0.1",
        max_leverage="2",
        maintenance_margin_pct="25",
        trading_calendar="24/7",
        financing_long_pct="10",
        financing_short_pct="10",
    ),
    InstrumentType.STOCK: _terms(
        min_size="1",
        max_size="10000",
        size_step="1",
        tick_size="0.01",
        contract_size="1",
        spread="0.02",
        commission_pct="0.05",
        max_leverage="5",
        maintenance_margin_pct="10",
        trading_calendar="XNYS",
        financing_long_pct="6",
        financing_short_pct="6",
    ),
    InstrumentType.INDEX: _terms(
        min_size="0.1",
        max_size="100",
        size_step="0.1",
        tick_size="0.01",
        contract_size="1",
        spread="0.5",
        commission_pct="0",
        max_leverage="20",
        maintenance_margin_pct="2.5",
        trading_calendar="XNYS",
        financing_long_pct="6",
        financing_short_pct="6",
    ),
    InstrumentType.COMMODITY: _terms(
        min_size="0.01",
        max_size="50",
        size_step="0.01",
        tick_size="0.01",
        contract_size="100",
        spread="0.3",
        commission_pct="0",
        max_leverage="10",
        maintenance_margin_pct="5",
        trading_calendar="forex",
        financing_long_pct="6",
        financing_short_pct="6",
    ),
}
