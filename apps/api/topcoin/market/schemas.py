"""Documents of instruments and candles. Prices are the market's; what is traded at them is simulated."""

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from topcoin.http.schemas import Exact, Instant, Natural, Schema
from topcoin.market.domain import Candle, InstrumentSummary, InstrumentTerms, InstrumentType, Timeframe


class InstrumentSchema(Schema):
    """Something that can be traded, and the terms on which it is."""

    id: UUID
    symbol: str
    name: str
    instrument_type: InstrumentType
    base_currency: str = Field(description="What one unit is of.")
    quote_currency: str = Field(description="What prices are in.")
    min_size: Exact = Field(description="The smallest order, in lots.")
    max_size: Exact = Field(description="The largest order, in lots.")
    size_step: Exact = Field(description="Sizes are whole multiples of this, in lots.")
    tick_size: Exact = Field(description="Prices are whole multiples of this.")
    contract_size: Exact = Field(description="Units of the base in one lot.")
    spread: Exact = Field(description="Ask less bid, where a feed gives one price only.")
    commission_pct: Exact = Field(description="Per cent of an order's value, charged on each fill.")
    max_leverage: Exact
    maintenance_margin_pct: Exact = Field(description="Per cent of a position's value that its equity must keep.")
    trading_calendar: str = Field(description="`24/7`, `forex`, or the code of an exchange such as `XNYS`.")
    financing_long_pct: Exact = Field(description="Per cent a year of a long position's value, charged overnight.")
    financing_short_pct: Exact = Field(description="The same for a short position.")
    is_tradeable: bool = Field(description="Whether new orders are taken.")

    @classmethod
    def of(cls, instrument: InstrumentSummary) -> "InstrumentSchema":
        """The document of an instrument."""
        return cls(
            id=instrument.id,
            symbol=instrument.symbol,
            name=instrument.name,
            instrument_type=instrument.instrument_type,
            base_currency=instrument.base_currency,
            quote_currency=instrument.quote_currency,
            is_tradeable=instrument.is_tradeable,
            **{term.name: getattr(instrument.terms, term.name) for term in fields(InstrumentTerms)},
        )


class CandleSchema(Schema):
    """What the price did from `timestamp` on."""

    timestamp: Instant
    open: Exact
    high: Exact
    low: Exact
    close: Exact
    volume: Exact | None = Field(description="Units of the base traded; null where the source did not say.")
    trade_count: Natural | None = Field(description="Trades; null where the source did not say.")


class CandlesSchema(Schema):
    """Some candles of one instrument, the oldest first."""

    symbol: str
    timeframe: Timeframe
    items: list[CandleSchema]
    next_cursor: str | None = Field(description="For the next page: of older ones where no `start` was given.")


def candles_json(symbol: str, timeframe: Timeframe, candles: Sequence[Candle], next_cursor: str | None) -> bytes:
    """A CandlesSchema as JSON, written directly: candles come by the thousand, and checking each would take long.

    What is written are figures, times and null alone, so that nothing needs to be escaped.
    """
    items = ",".join(
        f'{{"timestamp":"{candle.timestamp.astimezone(UTC).isoformat()[:-6]}Z",'
        f'"open":"{candle.open:f}","high":"{candle.high:f}","low":"{candle.low:f}","close":"{candle.close:f}",'
        f'"volume":{_figure(candle.volume)},'
        f'"trade_count":{"null" if candle.trade_count is None else candle.trade_count}}}'
        for candle in candles
    )
    head = f'{{"symbol":{json.dumps(symbol)},"timeframe":"{timeframe}","items":['
    return f'{head}{items}],"next_cursor":{json.dumps(next_cursor)}}}'.encode()


def _figure(figure: Decimal | None) -> str:
    return "null" if figure is None else f'"{figure:f}"'
