"""Whole columns of text, turned into numbers and times by vectorised reads, exactly.

A cell of the plainest shape is read by polars; any other by the functions of `values`, one at a time. Nothing passes
through a float.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import polars as pl

from topcoin.kernel.money import AMOUNT_PLACES
from topcoin.market.candle_files.values import UNIX_SECONDS_END, BadValue, read_number, read_timestamp
from topcoin.market.errors import BAD_ROWS_SHOWN_MAX, BadRow

NUMBER: Final = pl.Decimal(38, AMOUNT_PLACES)
MOMENT: Final = pl.Datetime("us", "UTC")

_PLAIN_NUMBER: Final = r"^\d{1,20}(\.\d{1,8})?$"
_PLAIN_DATE: Final = r"^\d{4}-\d{2}-\d{2}$"
_PLAIN_TIME: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:[0-5]\d(\.0+)?)?(Z|[+-]00:?00)?$"
_PLAIN_UNIX_TIME: Final = r"^[1-9](\d{8,12})$"
_WITH_SECONDS: Final = r"^.{16}:"
_TEXT_SHOWN_MAX: Final = 40


class Problems:
    """What was found wrong, by row: everything is counted, and enough is kept to list the first rows."""

    def __init__(self, row_numbers: pl.Series) -> None:
        self._row_numbers = row_numbers
        self._kept: list[BadRow] = []
        self.count = 0

    def keep_rows(self, kept: pl.Series) -> None:
        """From here on, indexes count only the rows where `kept` is true."""
        self._row_numbers = self._row_numbers.filter(kept)

    def add(self, index: int, problem: str) -> None:
        """Note one problem of the row at an index; what else is found of its kind comes after it."""
        self.count += 1
        self._kept.append(BadRow(self._row_numbers[index], problem))

    def add_where(self, wrong: pl.Series, describe: Callable[[int], str]) -> None:
        """Note a problem for every row where `wrong` is true; `describe` is given the row's index."""
        indexes = wrong.fill_null(value=False).arg_true()
        self.count += len(indexes)
        for index in indexes.head(BAD_ROWS_SHOWN_MAX).to_list():
            self._kept.append(BadRow(self._row_numbers[index], describe(index)))

    def add_cells(self, wrong: pl.Series, column: "Column", what: str, *, beside: "Column | None" = None) -> None:
        """Note a problem of one column for every row where `wrong` is true, with another column's cell if it helps."""
        self.add_where(
            wrong, lambda index: f"{column.quote(index)} {what}" + (f" ({beside.quote(index)})" if beside else "")
        )

    def first(self) -> tuple[BadRow, ...]:
        """The first problems of the file, in the order of its rows."""
        return tuple(sorted(self._kept, key=lambda bad: bad.number)[:BAD_ROWS_SHOWN_MAX])


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the file has it: text, null where the cell is empty."""

    name: str
    texts: pl.Series

    def quote(self, index: int) -> str:
        """The column's name and a cell's text, cut to a readable length."""
        text: str | None = self.texts[index]
        if text is None:
            return self.name
        return f'{self.name} "{text[:_TEXT_SHOWN_MAX]}{"…" if len(text) > _TEXT_SHOWN_MAX else ""}"'

    def numbers(self, problems: Problems) -> pl.Series:
        """Every cell as an exact number; null where there is none, and where a problem was noted."""
        text = pl.col(self.name)
        plain = pl.when(text.str.contains(_PLAIN_NUMBER)).then(text).cast(NUMBER, strict=False)
        return self._read(plain, read_number, problems)

    def moments(self, problems: Problems) -> pl.Series:
        """Every cell as a moment in UTC; null where there is none, and where a problem was noted."""
        text = pl.col(self.name)
        seconds = pl.when(text.str.contains(_WITH_SECONDS)).then(text.str.slice(16, 3)).otherwise(pl.lit(":00"))
        ticks = text.cast(pl.Int64, strict=False)
        plain = (
            pl.when(text.str.contains(_PLAIN_DATE))
            .then(_moment(text + "T00:00:00"))
            .when(text.str.contains(_PLAIN_TIME))
            .then(_moment(text.str.slice(0, 10) + "T" + text.str.slice(11, 5) + seconds))
            .when(text.str.contains(_PLAIN_UNIX_TIME))
            .then((ticks * pl.when(ticks < UNIX_SECONDS_END).then(1_000_000).otherwise(1_000)).cast(pl.Datetime("us")))
        )
        return self._read(plain.dt.replace_time_zone("UTC"), read_timestamp, problems)

    def _read(self, plain: pl.Expr, read: Callable[[str], Decimal | datetime], problems: Problems) -> pl.Series:
        """The values of `plain`; where it has none, what `read` makes of the text, its refusals noted."""
        values = self.texts.to_frame(self.name).select(plain.alias(self.name)).to_series()
        odd = (self.texts.is_not_null() & values.is_null()).arg_true().to_list()
        if not odd:
            return values
        filled: list[Decimal | datetime | None] = values.to_list()
        for index in odd:
            try:
                filled[index] = read(self.texts[index])
            except BadValue as bad:
                problems.add(index, f"{self.quote(index)} {bad}")
        return pl.Series(self.name, filled, dtype=values.dtype)


def _moment(text: pl.Expr) -> pl.Expr:
    """A time of the shape 2020-01-31T23:59:59, or null where there is no such day or hour."""
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
