"""A whole file of candles: read, checked against every rule a candle has, sorted; or refused with all that is wrong."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import polars as pl

from topcoin.market.candle_files.columns import NUMBER, Column
from topcoin.market.candle_files.formats import OPTIONAL_COLUMNS, REQUIRED_COLUMNS, TextTable, read_table
from topcoin.market.domain import TIMESTAMP_END, TIMESTAMP_MIN, WEEK_ORIGIN, Timeframe
from topcoin.market.errors import BadCandles, CandleFileTooLarge, CandleFileUnreadable

BYTES_MAX: Final = 256 * 1024 * 1024
"""About four million candles as CSV; the file is held in memory, several times over, while it is checked."""

_PRICES: Final = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class CandleFile:
    """The candles of one file, every one sound, in the order of time."""

    name: str
    sha256: str
    timeframe: Timeframe
    candles: pl.DataFrame
    """Columns `timestamp` (UTC), `open`, `high`, `low`, `close`, `volume` (exact decimals), `trade_count`."""
    notes: tuple[str, ...]
    """What was passed over, in words."""


def read_candle_file(path: Path, timeframe: Timeframe) -> CandleFile:
    """Read a CSV or Parquet file of candles, exactly.

    Raises a CandleFileError that says what is wrong; BadCandles names every bad row by its number.
    """
    content = _read_bytes(path)
    table = read_table(content, path.name)
    candles = _check(table, timeframe)
    if table.problems.count:
        raise BadCandles(
            file_name=path.name,
            rows_are=table.rows_are,
            problems=table.problems.first(),
            problem_count=table.problems.count,
        )
    notes = (f"ignored columns: {', '.join(table.ignored)}",) if table.ignored else ()
    return CandleFile(path.name, hashlib.sha256(content).hexdigest(), timeframe, candles.sort("timestamp"), notes)


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CandleFileUnreadable(f"{path} cannot be read: {reason}; check the path and its permissions") from None
    if len(content) > BYTES_MAX:
        raise CandleFileTooLarge(f"{path.name} has more than {BYTES_MAX // 1024**2} MiB; split it and import the parts")
    return content


def _check(table: TextTable, timeframe: Timeframe) -> pl.DataFrame:
    """Read all columns and note every broken rule (MKT-1 to MKT-3); the candles are sound if no problem was noted."""
    columns, problems = table.columns, table.problems
    for name in REQUIRED_COLUMNS:
        problems.add_cells(columns[name].texts.is_null(), columns[name], "is missing")
    timestamps = columns["timestamp"].moments(problems)
    _check_timestamps(timestamps, columns["timestamp"], timeframe, table)

    prices = {name: columns[name].numbers(problems) for name in _PRICES}
    for name, price in prices.items():
        problems.add_cells(price <= 0, columns[name], "must be above zero")
    for name in ("open", "close"):
        problems.add_cells(prices[name] > prices["high"], columns[name], "is above the high", beside=columns["high"])
        problems.add_cells(prices[name] < prices["low"], columns[name], "is below the low", beside=columns["low"])

    absent = pl.Series([None] * len(timestamps), dtype=NUMBER)
    amounts = {
        name: columns[name].numbers(problems) if name in columns else absent.alias(name) for name in OPTIONAL_COLUMNS
    }
    for name in columns.keys() & amounts.keys():
        problems.add_cells(amounts[name] < 0, columns[name], "must not be below zero")
    trades = amounts["trade_count"].cast(pl.Int64, strict=False)
    if "trade_count" in columns:
        whole = (trades.cast(NUMBER) == amounts["trade_count"]).fill_null(value=False)
        wrong = amounts["trade_count"].is_not_null() & ~whole
        problems.add_cells(wrong, columns["trade_count"], "is not a whole number of 63 bits")
    return pl.DataFrame([timestamps, *prices.values(), amounts["volume"], trades])


def _check_timestamps(timestamps: pl.Series, column: Column, timeframe: Timeframe, table: TextTable) -> None:
    """Note times that are out of range, at which no candle starts, or that an earlier row has already."""
    problems = table.problems
    in_range = timestamps.is_between(TIMESTAMP_MIN, TIMESTAMP_END, closed="left")
    problems.add_cells(
        ~in_range, column, f"is outside the years {TIMESTAMP_MIN.year} to {TIMESTAMP_END.year - 1}, in UTC"
    )
    offset = timestamps.dt.epoch("us") - int(WEEK_ORIGIN.timestamp()) * 1_000_000
    misaligned = in_range & (offset % (timeframe.duration // timedelta(microseconds=1)) != 0)
    where = " (Monday 00:00 UTC)" if timeframe is Timeframe.W1 else " in UTC"
    problems.add_cells(misaligned, column, f"is not where a candle of {timeframe} starts{where}")
    if timestamps.n_unique() < len(timestamps):
        rows = pl.DataFrame({"timestamp": timestamps, "row": table.row_numbers})
        first = rows.select(pl.col("row").first().over("timestamp")).to_series()
        repeated = timestamps.is_not_null() & (first != table.row_numbers)
        problems.add_where(repeated, lambda index: f"{column.quote(index)} repeats {table.rows_are} {first[index]}")
