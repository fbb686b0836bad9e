"""What can go wrong with instruments, candles and files of candles. Each message says what to do."""

from dataclasses import dataclass
from typing import ClassVar, Final

from topcoin.kernel.errors import Conflict, Invalid, NotFound, RuleBroken

BAD_ROWS_SHOWN_MAX: Final = 100
"""How many bad rows a refusal lists; it counts all of them."""


class UnknownInstrument(NotFound):
    """No instrument has this symbol."""

    code = "unknown_instrument"

    def __init__(self, symbol: str) -> None:
        super().__init__(
            f"no instrument is called {symbol!r}; `topcoin instruments list` shows those there are, "
            "`topcoin instruments create` adds one"
        )
        self.symbol = symbol


class InstrumentExists(Conflict):
    """Another instrument has this symbol already."""

    code = "instrument_exists"

    def __init__(self, symbol: str) -> None:
        super().__init__(f"an instrument called {symbol!r} exists already; choose another symbol")
        self.symbol = symbol


class InvalidInstrument(Invalid):
    """A name, a code or a term that no instrument can have."""

    code = "invalid_instrument"


class UnknownTimeframe(Invalid):
    """A text that names no timeframe."""

    code = "unknown_timeframe"

    def __init__(self, text: str, known: str) -> None:
        super().__init__(f"{text!r} is not a timeframe; use one of {known}")


class TimeframesIncompatible(Invalid):
    """The target of an aggregation is not larger than its source, or is not a multiple of it."""

    code = "timeframes_incompatible"

    def __init__(self, source: str, target: str) -> None:
        super().__init__(
            f"candles of {source} do not add up to candles of {target}; choose a target that is a larger multiple"
        )


class AggregateOutOfRange(RuleBroken):
    """Volumes or trade counts that are too large to be added up in one candle."""

    code = "aggregate_out_of_range"

    def __init__(self) -> None:
        super().__init__("the volumes or trade counts are too large to add up; check the source candles' units")


class InvalidRange(Invalid):
    """A range of time, or a number of rows, that cannot be read."""

    code = "invalid_candle_range"


class CandleFileError(Invalid):
    """A file that cannot be imported; nothing of it has been."""

    code = "candle_file"


class CandleFileUnreadable(CandleFileError):
    """The file is not there, is not a file, or may not be read."""

    code = "candle_file_unreadable"


class CandleFileTooLarge(CandleFileError):
    """More bytes or rows than one import takes."""

    code = "candle_file_too_large"


class CandleFileEmpty(CandleFileError):
    """The file holds no candle."""

    code = "candle_file_empty"


class CandleFileEncoding(CandleFileError):
    """A CSV file whose bytes are not UTF-8 text."""

    code = "candle_file_encoding"


class CandleFileNotParquet(CandleFileError):
    """A file that says it is Parquet and cannot be read as such."""

    code = "candle_file_not_parquet"


class CandleFileColumns(CandleFileError):
    """Columns that are missing, named twice, or of a type that holds no figures."""

    code = "candle_file_columns"


@dataclass(frozen=True, slots=True)
class BadRow:
    """What is wrong with one row: a line of a CSV file (its header is line 1), or a row of a Parquet file, from 1."""

    number: int
    problem: str


class BadCandles(CandleFileError):
    """Rows that are no candles. All are counted, the first `BAD_ROWS_SHOWN_MAX` problems are kept."""

    code = "bad_candles"
    shown_in_detail: ClassVar[int] = 20

    def __init__(self, *, file_name: str, rows_are: str, problems: tuple[BadRow, ...], problem_count: int) -> None:
        shown = [f"  {rows_are} {bad.number}: {bad.problem}" for bad in problems[: self.shown_in_detail]]
        rest = problem_count - len(shown)
        if rest:
            shown.append(f"  and {rest} more")
        count = "1 problem" if problem_count == 1 else f"{problem_count} problems"
        super().__init__(f"{file_name} has {count}; nothing was imported, mend the file first:\n" + "\n".join(shown))
        self.rows_are = rows_are
        self.problems = problems
        self.problem_count = problem_count
