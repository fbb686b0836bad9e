"""CSV and Parquet as tables of text, so that one set of rules reads both.

In CSV each row keeps the number of its line, which blank lines and rows with too few fields do not shift. In Parquet a
float has no exact decimal: it is rounded to eight places, which is the nearest figure that a candle can hold.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from topcoin.kernel.money import AMOUNT_PLACES
from topcoin.market.candle_files.columns import Column, Problems
from topcoin.market.errors import (
    CandleFileColumns,
    CandleFileEmpty,
    CandleFileEncoding,
    CandleFileNotParquet,
    CandleFileTooLarge,
)

ROWS_MAX: Final = 5_000_000
REQUIRED_COLUMNS: Final = ("timestamp", "open", "high", "low", "close")
OPTIONAL_COLUMNS: Final = ("volume", "trade_count")

_TIMESTAMP_ALIAS: Final = "date"
_PARQUET_MAGIC: Final = b"PAR1"
_SEPARATORS: Final = (",", ";", "\t")
_FLOAT_STEPS_EXCEED: Final = float(2**26)
"""From here on neighbouring floats are more than 1e-8 apart, so that none needs rounding to eight places."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """The columns of interest, all of one length, and how the file numbers their rows."""

    columns: dict[str, Column]
    row_numbers: pl.Series
    rows_are: str
    """`line` or `row`: what the numbers count."""
    problems: Problems
    """Rows that could not even be taken apart, which `columns` leaves out."""
    ignored: tuple[str, ...]
    """Names of columns that no candle has."""


def read_table(content: bytes, file_name: str) -> TextTable:
    """Take a file apart: Parquet by its first bytes or its name's end, or else CSV."""
    if not content.strip():
        raise CandleFileEmpty(f"{file_name} is empty; export the candles again")
    if content.startswith(_PARQUET_MAGIC) or Path(file_name).suffix.lower() == ".parquet":
        return _read_parquet(content, file_name)
    return _read_csv(content, file_name)


def _choose_columns(header: Sequence[str], file_name: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Where each known column is, whatever its capitals, and the names of all others."""
    names = [name.strip().lower() for name in header]
    if _TIMESTAMP_ALIAS in names and REQUIRED_COLUMNS[0] not in names:
        names = [REQUIRED_COLUMNS[0] if name == _TIMESTAMP_ALIAS else name for name in names]
    known = [name for name in names if name in REQUIRED_COLUMNS + OPTIONAL_COLUMNS]
    twice = sorted(name for name, count in Counter(known).items() if count > 1)
    if twice:
        raise CandleFileColumns(f"{file_name} names {', '.join(twice)} more than once; keep one column of each name")
    missing = [name for name in REQUIRED_COLUMNS if name not in known]
    if missing:
        raise CandleFileColumns(
            f"{file_name} lacks {', '.join(missing)}; its first line must name timestamp (or date), open, high, low, "
            f"close, and may name volume and trade_count; it reads: {', '.join(header)[:200]}"
        )
    ignored = tuple(header[index].strip() for index, name in enumerate(names) if name not in known)
    return {name: names.index(name) for name in REQUIRED_COLUMNS + OPTIONAL_COLUMNS if name in known}, ignored


def _check_row_count(count: int, file_name: str) -> None:
    if not count:
        raise CandleFileEmpty(f"{file_name} has column names but no candles; export the candles again")
    if count > ROWS_MAX:
        raise CandleFileTooLarge(f"{file_name} has {count} rows; one import takes {ROWS_MAX}, so split the file")


# -- CSV --------------------------------------------------------------------------------------------------------------


def _decode(content: bytes, file_name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CandleFileEncoding(f"{file_name} is not UTF-8 text (line {line}); save it as UTF-8") from None
    if "\0" in text:
        raise CandleFileEncoding(f"{file_name} holds NUL characters, as UTF-16 and binary files do; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_csv(content: bytes, file_name: str) -> TextTable:
    texts = pl.Series("text", _decode(content, file_name).split("\n"), dtype=pl.String)
    lines = texts.to_frame().with_row_index("line", offset=1).filter(pl.col("text").str.strip_chars() != "")
    first: str = lines["text"][0]
    separator = max(_SEPARATORS, key=first.count)
    header = next(csv.reader([first], delimiter=separator))
    places, ignored = _choose_columns(header, file_name)
    lines = lines.slice(1)
    _check_row_count(lines.height, file_name)

    problems = Problems(lines["line"])
    whole = _check_fields(lines["text"], separator, len(header), problems)
    problems.keep_rows(whole)
    lines = lines.filter(whole)
    fields = pl.DataFrame(schema=dict.fromkeys(header, pl.String))
    if lines.height:
        fields = pl.read_csv(
            io.BytesIO("\n".join(lines["text"].to_list()).encode()),
            has_header=False,
            separator=separator,
            infer_schema=False,
        )
    assert fields.height == lines.height  # noqa: S101 - a row that polars dropped would shift all line numbers
    columns = {name: _column(name, fields.to_series(index)) for name, index in places.items()}
    return TextTable(columns, lines["line"], "line", problems, ignored)


def _check_fields(texts: pl.Series, separator: str, expected: int, problems: Problems) -> pl.Series:
    """Which lines have as many fields as the header, with quotation marks, if any, around whole fields."""
    well_quoted = pl.repeat(value=True, n=len(texts), dtype=pl.Boolean, eager=True)
    bare = texts
    if texts.str.contains('"', literal=True).any():
        field = rf'("([^"]|"")*"|[^"{separator}]*)'
        well_quoted = texts.str.contains(rf"^{field}({separator}{field})*$")
        bare = texts.str.replace_all(r'"([^"]|"")*"', "")
        problems.add_where(~well_quoted, lambda _: "has a quotation mark that does not enclose a whole field")
    found = bare.str.count_matches(separator, literal=True) + 1
    problems.add_where(
        well_quoted & (found != expected), lambda index: f"has {found[index]} fields, but the header has {expected}"
    )
    return well_quoted & (found == expected)


# -- Parquet ----------------------------------------------------------------------------------------------------------


def _read_parquet(content: bytes, file_name: str) -> TextTable:
    try:
        header = list(pl.read_parquet_schema(io.BytesIO(content)))
        places, ignored = _choose_columns(header, file_name)
        names = {name: header[index] for name, index in places.items()}
        height = pl.scan_parquet(io.BytesIO(content)).select(pl.len()).collect().item()
        _check_row_count(height, file_name)
        frame = pl.read_parquet(io.BytesIO(content), columns=list(names.values()))
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise CandleFileNotParquet(f"{file_name} is not a sound Parquet file ({reason}); export it again") from None
    row_numbers = pl.Series("row", range(1, frame.height + 1), dtype=pl.UInt32)
    columns = {name: _column(name, _as_text(frame[original], file_name)) for name, original in names.items()}
    return TextTable(columns, row_numbers, "row", Problems(row_numbers), ignored)


def _as_text(values: pl.Series, file_name: str) -> pl.Series:
    """The values of a Parquet column as a CSV file would have them."""
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        utc = values if kind.time_zone is None else values.dt.convert_time_zone("UTC")
        return utc.dt.to_string("%Y-%m-%dT%H:%M:%S%.f")
    if kind.is_float():
        floats = values.cast(pl.Float64).to_frame("x")
        small = pl.col("x").abs() < _FLOAT_STEPS_EXCEED
        return floats.select(
            pl.when(small).then(pl.col("x").round(AMOUNT_PLACES)).otherwise("x").cast(pl.String)
        ).to_series()
    if kind.is_integer() or kind.is_decimal() or isinstance(kind, pl.String | pl.Date | pl.Categorical):
        return values.cast(pl.String)
    raise CandleFileColumns(f"{file_name} has {values.name} of type {kind}; make it a number, a time or text")


def _column(name: str, texts: pl.Series) -> Column:
    """A column of trimmed text, null where there is none."""
    trimmed = texts.str.strip_chars().to_frame("text")
    blank = pl.col("text") == ""
    return Column(name, trimmed.select(pl.when(~blank).then("text").alias(name)).to_series())
