"""`topcoin candles`: import prices from files, aggregate them, look at them."""

import getpass
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topcoin.entrypoints.cli.perform import perform
from topcoin.market.domain import Candle, Timeframe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from topcoin.market.service import MergeResult

app = typer.Typer(help="Import prices from files, aggregate them, look at them.", no_args_is_help=True)

Symbol = Annotated[str, typer.Option(help="The instrument, such as BTC/USD or SPX.")]
TimeframeName = Annotated[str, typer.Option(help=f"One of {', '.join(Timeframe)}.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print for programs.")]


@app.command(name="import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: timestamp, open, high, low, close, volume…")],
    *,
    symbol: Symbol,
    timeframe: TimeframeName,
    as_json: AsJson = False,
) -> None:
    """Import a file of candles: all of it, or nothing if a row is wrong."""
    from topcoin.market import service  # noqa: PLC0415 - polars is slow to import
    from topcoin.market.candle_files import read_candle_file  # noqa: PLC0415 - likewise

    candles = read_candle_file(file, Timeframe.named(timeframe))

    async def work(session: "AsyncSession") -> "tuple[str, MergeResult]":
        instrument = await service.find_instrument(session, symbol)
        result = await service.import_candles(
            session, instrument.id, candles, imported_by=_operator(), at=datetime.now(UTC)
        )
        return instrument.symbol, result

    found, result = perform(work)
    if as_json:
        summary = _merge_fields(found, result) | {
            "timeframe": candles.timeframe,
            "file": candles.name,
            "sha256": candles.sha256,
            "first_timestamp": _iso(candles.candles["timestamp"][0]),
            "last_timestamp": _iso(candles.candles["timestamp"][-1]),
            "notes": candles.notes,
        }
        typer.echo(json.dumps(summary))
        return
    for note in candles.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{found} {candles.timeframe}, {result.offered} candles of {candles.name}: {_merge_words(result)}")


@app.command()
def aggregate(
    *,
    symbol: Symbol,
    source: Annotated[str, typer.Option("--from", help="The timeframe to add up.")],
    target: Annotated[str, typer.Option("--to", help="The larger timeframe to build.")],
    as_json: AsJson = False,
) -> None:
    """Build candles of a larger timeframe from a smaller one's."""
    smaller, larger = Timeframe.named(source), Timeframe.named(target)
    smaller.require_aggregates_into(larger)

    async def work(session: "AsyncSession") -> "tuple[str, MergeResult]":
        from topcoin.market import service  # noqa: PLC0415 - polars is slow to import

        instrument = await service.find_instrument(session, symbol)
        return instrument.symbol, await service.aggregate_candles(session, instrument.id, smaller, larger)

    found, result = perform(work)
    if as_json:
        typer.echo(json.dumps(_merge_fields(found, result) | {"from": smaller, "to": larger}))
    else:
        typer.echo(f"{found} {larger}, {result.offered} candles from those of {smaller}: {_merge_words(result)}")


@app.command(name="list")
def list_candles(
    *,
    symbol: Symbol,
    timeframe: TimeframeName,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 20,
    start: Annotated[datetime | None, typer.Option(help="From this time on, in UTC.")] = None,
    end: Annotated[datetime | None, typer.Option(help="Before this time, in UTC.")] = None,
    oldest_first: Annotated[bool, typer.Option(help="Begin with the oldest instead of the newest.")] = False,
    as_json: AsJson = False,
) -> None:
    """List candles, the newest first."""
    wanted = Timeframe.named(timeframe)

    async def work(session: "AsyncSession") -> "Sequence[Candle]":
        from topcoin.market import service  # noqa: PLC0415 - polars is slow to import

        instrument = await service.find_instrument(session, symbol)
        return await service.read_candles(
            session,
            instrument.id,
            wanted,
            start=start and start.replace(tzinfo=UTC),
            end=end and end.replace(tzinfo=UTC),
            limit=limit,
            newest_first=not oldest_first,
        )

    found = perform(work)
    if as_json:
        typer.echo(json.dumps([_for_programs(candle) for candle in found]))
        return
    typer.echo(_line("timestamp", "open", "high", "low", "close", "volume", "trades"))
    for candle in found:
        prices = map(_plain, (candle.open, candle.high, candle.low, candle.close, candle.volume))
        trades = "-" if candle.trade_count is None else str(candle.trade_count)
        typer.echo(_line(_iso(candle.timestamp), *prices, trades))


def _operator() -> str:
    """Who types the command, as the operating system knows them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


def _merge_fields(symbol: str, result: "MergeResult") -> dict[str, Any]:
    return {
        "symbol": symbol,
        "candles": result.offered,
        "inserted": result.inserted,
        "replaced": result.replaced,
        "unchanged": result.unchanged,
    }


def _merge_words(result: "MergeResult") -> str:
    return f"{result.inserted} inserted, {result.replaced} replaced, {result.unchanged} unchanged"


def _for_programs(candle: Candle) -> dict[str, Any]:
    """Field by field, with decimals as strings."""
    return {
        "timestamp": _iso(candle.timestamp),
        "open": _exact(candle.open),
        "high": _exact(candle.high),
        "low": _exact(candle.low),
        "close": _exact(candle.close),
        "volume": None if candle.volume is None else _exact(candle.volume),
        "trade_count": candle.trade_count,
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _exact(figure: Decimal) -> str:
    """All eight places, never with an exponent."""
    return format(figure, "f")


def _plain(figure: Decimal | None) -> str:
    """A figure without the zeros that say nothing."""
    return "-" if figure is None else format(figure.normalize(), "f")


def _line(timestamp: str, *figures: str) -> str:
    return f"{timestamp:<20}" + "".join(f" {figure:>14}" for figure in figures)
