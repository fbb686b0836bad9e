"""`topcoin instruments`: what can be traded, and on which terms."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topcoin.entrypoints.cli.perform import perform
from topcoin.kernel.money import exact_amount
from topcoin.market.domain import InstrumentSummary, InstrumentType, NewInstrument, usual_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

app = typer.Typer(help="What can be traded, and on which terms.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print for programs.")]
Figure = Annotated[Decimal | None, typer.Option(parser=exact_amount, metavar="NUMBER")]


@app.command()
def create(
    *,
    symbol: Annotated[str, typer.Option(help="How the trade calls it, such as BTC/USD or SPX.")],
    name: Annotated[str, typer.Option(help="Its name in words.")],
    kind: Annotated[InstrumentType, typer.Option("--type", help="Its asset class, which decides the usual terms.")],
    base: Annotated[str, typer.Option(help="What one unit is of, such as BTC; for an index, its own code.")],
    quote: Annotated[str, typer.Option(help="The currency of its prices.")] = "USD",
    tick_size: Figure = None,
    min_size: Figure = None,
    max_size: Figure = None,
    size_step: Figure = None,
    contract_size: Figure = None,
    spread: Figure = None,
    commission_pct: Figure = None,
    max_leverage: Figure = None,
    maintenance_margin_pct: Figure = None,
    calendar: Annotated[str | None, typer.Option(help="24/7, forex, or an exchange's code such as XNYS.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add an instrument. Terms that are not given are the usual ones of its type."""
    given = {
        "tick_size": tick_size,
        "min_size": min_size,
        "max_size": max_size,
        "size_step": size_step,
        "contract_size": contract_size,
        "spread": spread,
        "commission_pct": commission_pct,
        "max_leverage": max_leverage,
        "maintenance_margin_pct": maintenance_margin_pct,
        "trading_calendar": calendar,
    }
    changes: dict[str, Any] = {term: figure for term, figure in given.items() if figure is not None}
    terms = replace(usual_terms(kind), **changes)
    instrument = NewInstrument(symbol.strip().upper(), name, kind, base.upper(), quote.upper(), terms)

    async def work(session: "AsyncSession") -> InstrumentSummary:
        from topcoin.market import service  # noqa: PLC0415 - polars is slow to import

        return await service.create_instrument(session, instrument, at=datetime.now(UTC))

    created = perform(work)
    if as_json:
        typer.echo(json.dumps(_for_programs(created)))
    else:
        typer.echo(f"created {created.symbol}, {created.name} ({created.instrument_type})")


@app.command(name="list")
def list_all(*, as_json: AsJson = False) -> None:
    """List all instruments by symbol."""

    async def work(session: "AsyncSession") -> "Sequence[InstrumentSummary]":
        from topcoin.market import service  # noqa: PLC0415 - polars is slow to import

        return await service.list_instruments(session)

    found = perform(work)
    if as_json:
        typer.echo(json.dumps([_for_programs(instrument) for instrument in found]))
        return
    for instrument in found:
        state = "tradeable" if instrument.is_tradeable else "not tradeable"
        typer.echo(f"{instrument.symbol:<12} {instrument.instrument_type:<10} {state:<14} {instrument.name}")


def _for_programs(instrument: InstrumentSummary) -> dict[str, Any]:
    """Field by field, with decimals as strings that have no exponent."""
    fields = asdict(instrument)
    terms = {name: term if isinstance(term, str) else format(term, "f") for name, term in fields.pop("terms").items()}
    return {**fields, "id": str(instrument.id), **terms}
