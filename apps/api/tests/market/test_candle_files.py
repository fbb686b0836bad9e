import codecs
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from topcoin.market.candle_files import CandleFile, formats, read_candle_file, reader
from topcoin.market.domain import Timeframe
from topcoin.market.errors import (
    BAD_ROWS_SHOWN_MAX,
    BadCandles,
    CandleFileColumns,
    CandleFileEmpty,
    CandleFileEncoding,
    CandleFileError,
    CandleFileNotParquet,
    CandleFileTooLarge,
    CandleFileUnreadable,
)

HEADER = "timestamp,open,high,low,close,volume,trade_count\n"


def written(folder: Path, content: str | bytes, name: str = "candles.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, content: str | bytes, timeframe: Timeframe = Timeframe.D1) -> CandleFile:
    return read_candle_file(written(folder, content), timeframe)


def problems(folder: Path, content: str | bytes, timeframe: Timeframe = Timeframe.D1) -> list[tuple[int, str]]:
    with pytest.raises(BadCandles) as refused:
        read(folder, content, timeframe)
    assert refused.value.problem_count == len(refused.value.problems)
    return [(bad.number, bad.problem) for bad in refused.value.problems]


def test_figures_are_read_exactly_as_they_are_written(tmp_path: Path) -> None:
    """MKT-5: twenty digits before the point and eight behind it survive, which no float could carry."""
    file = read(
        tmp_path, HEADER + "2024-01-01,0.1,98765432109876543210.12345678,0.00000001,0.3,7,9223372036854775807\n"
    )
    assert file.candles.rows() == [
        (
            datetime(2024, 1, 1, tzinfo=UTC),
            Decimal("0.1"),
            Decimal("98765432109876543210.12345678"),
            Decimal("0.00000001"),
            Decimal("0.3"),
            Decimal(7),
            2**63 - 1,
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31",
        "20240131",
        "2024-01-31T00:00",
        "2024-01-31 00:00:00",
        "2024-01-31T00:00:00Z",
        "2024-01-31T00:00:00.000Z",
        "2024-01-31T02:00:00+02:00",
        "2024-01-30T19:00:00.000000-05:00",
        "1706659200",
        "1706659200.0",
        "1706659200000",
        '"2024-01-31"',
        "  2024-01-31  ",
    ],
)
def test_a_time_is_the_same_moment_however_it_is_written(tmp_path: Path, text: str) -> None:
    file = read(tmp_path, HEADER + f"{text},1,1,1,1,,\n")
    assert file.candles["timestamp"].to_list() == [datetime(2024, 1, 31, tzinfo=UTC)]


def test_times_before_1970_are_read_in_every_form(tmp_path: Path) -> None:
    rows = ("1929-10-28,1,1,1,1,,", "-1267833600,1,1,1,1,,", "-1267747200000,1,1,1,1,,")
    file = read(tmp_path, HEADER + "\n".join(rows))
    first = datetime(1929, 10, 28, tzinfo=UTC)
    assert file.candles["timestamp"].to_list() == [first + timedelta(days=day) for day in range(3)]


@pytest.mark.parametrize("text", ["1.50", "+1.5", "1.5e0", "15E-1", "01.5", "1.500000000000", " 1.5 ", '"1.5"'])
def test_a_number_is_the_same_however_it_is_written(tmp_path: Path, text: str) -> None:
    file = read(tmp_path, HEADER + f"2024-01-01,{text},2,.5,1.,1,1\n")
    assert file.candles["open"].to_list() == [Decimal("1.5")]


def test_header_names_have_any_capitals_and_order_and_others_are_passed_over(tmp_path: Path) -> None:
    file = read(tmp_path, "Close,DATE,Adj Close,Open,Low,High\n4,2024-01-01,x,3,2,5\n")
    assert file.candles.rows() == [(datetime(2024, 1, 1, tzinfo=UTC), 3, 5, 2, 4, None, None)]
    assert file.notes == ("ignored columns: Adj Close",)


@pytest.mark.parametrize(
    "content",
    [
        HEADER.replace(",", ";") + "2024-01-01;1;2;1;2;3;4\n",
        HEADER.replace(",", "\t") + "2024-01-01\t1\t2\t1\t2\t3\t4",
        codecs.BOM_UTF8.decode() + HEADER + "2024-01-01,1,2,1,2,3,4\n",
        (HEADER + "2024-01-01,1,2,1,2,3,4\n").replace("\n", "\r\n"),
        (HEADER + "2024-01-01,1,2,1,2,3,4\n").replace("\n", "\r"),
        "\n\n" + HEADER + " \n2024-01-01,1,2,1,2,3,4\n\n",
    ],
    ids=["semicolon", "tab", "byte order mark", "CRLF", "CR", "blank lines"],
)
def test_the_dialects_of_csv_read_the_same(tmp_path: Path, content: str) -> None:
    file = read(tmp_path, content)
    assert file.candles.rows() == [(datetime(2024, 1, 1, tzinfo=UTC), 1, 2, 1, 2, 3, 4)]


def test_candles_come_out_in_the_order_of_time(tmp_path: Path) -> None:
    file = read(tmp_path, HEADER + "2024-01-03,1,1,1,1,,\n2024-01-01,2,2,2,2,,\n")
    assert file.candles["open"].to_list() == [2, 1]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2024-01-01,1x,2,1,2,,", 'open "1x" is not a number'),
        ("2024-01-01,1,2,1,0x1,,", 'close "0x1" is not a number'),
        ("2024-01-01,1,2,1,\N{ARABIC-INDIC DIGIT TWO},,", 'close "\N{ARABIC-INDIC DIGIT TWO}" is not a number'),
        ("2024-01-01,1,inf,1,2,,", 'high "inf" is not a finite number'),
        ("2024-01-01,1,2,1,NaN,,", 'close "NaN" is not a finite number'),
        ("2024-01-01,1,2,1,2,-Infinity,", 'volume "-Infinity" is not a finite number'),
        ("2024-01-01,1,2,0,2,,", 'low "0" must be above zero'),
        ("2024-01-01,1,2,-1,2,,", 'low "-1" must be above zero'),
        ("2024-01-01,1,2,1,2,-3,", 'volume "-3" must not be below zero'),
        ("2024-01-01,1,2,1,2,,-3", 'trade_count "-3" must not be below zero'),
        ("2024-01-01,1,2,1,2,,1.5", 'trade_count "1.5" is not a whole number of 63 bits'),
        ("2024-01-01,1,2,1,2,,9223372036854775808", "is not a whole number of 63 bits"),
        ("2024-01-01,1,2,1,3,,", 'close "3" is above the high (high "2")'),
        ("2024-01-01,3,2,1,2,,", 'open "3" is above the high (high "2")'),
        ("2024-01-01,1,3,2,2,,", 'open "1" is below the low (low "2")'),
        ("2024-01-01,2,3,2,1,,", 'close "1" is below the low (low "2")'),
        ("2024-01-01,1.123456789,2,1,2,,", 'open "1.123456789" has more than 8 decimal places'),
        ("2024-01-01,1,2,1,2,1e-9,", 'volume "1e-9" has more than 8 decimal places'),
        ("2024-01-01,1,2,1,2,100000000000000000000,", "has more than 20 digits before the point"),
        ("2024-01-01,1,2,1,2,1e999,", "has more than 20 digits before the point"),
        ("2024-01-01,,2,1,2,,", "open is missing"),
        (",1,2,1,2,,", "timestamp is missing"),
        ("2024-02-30,1,2,1,2,,", "is neither an ISO 8601 time"),
        ("31.01.2024,1,2,1,2,,", "is neither an ISO 8601 time"),
        ("2024-01-01T00:00:60,1,2,1,2,,", "is neither an ISO 8601 time"),
        ("2024-01-01T00:00:00.5,1,2,1,2,,", "has a part of a second"),
        ("2024-01-01T00:00:00.0000001Z,1,2,1,2,,", "has a part of a second"),
        ("2024-01-01T00:01,1,2,1,2,,", "is not where a candle of 1d starts in UTC"),
        ("2024-01-01T00:00+01:00,1,2,1,2,,", "is not where a candle of 1d starts in UTC"),
        ("1899-12-31,1,2,1,2,,", "is outside the years 1900 to 2200"),
        ("2201-01-01,1,2,1,2,,", "is outside the years 1900 to 2200"),
        ("1706659200000000,1,2,1,2,,", "is out"),
        ("99999999999999999999999,1,2,1,2,,", "is out of range; Unix times are seconds or milliseconds"),
        ("2024-01-01,1,2,1", "has 4 fields, but the header has 7"),
        ("2024-01-01,1,2,1,2,,,", "has 8 fields, but the header has 7"),
        ('2024-01-01,1,2,1,2,,"', "has a quotation mark that does not enclose a whole field"),
        ('2024-01-01,1"1",2,1,2,,', "has a quotation mark that does not enclose a whole field"),
        ('"2024-01-01","1,5",2,1,2,,', 'open "1,5" is not a number'),
    ],
)
def test_what_is_wrong_with_a_row_is_said_with_its_line(tmp_path: Path, row: str, problem: str) -> None:
    sound = "2024-03-04,1,2,1,2,3,4\n"
    found = problems(tmp_path, HEADER + sound + "\n" + row + "\n" + sound.replace("04,", "05,"))
    assert [number for number, _ in found] == [4]
    assert problem in found[0][1]


def test_a_week_that_starts_on_another_day_is_misaligned(tmp_path: Path) -> None:
    assert problems(tmp_path, HEADER + "2024-01-02,1,2,1,2,,\n", Timeframe.W1) == [
        (2, 'timestamp "2024-01-02" is not where a candle of 1w starts (Monday 00:00 UTC)')
    ]


def test_a_repeated_time_names_the_line_it_repeats(tmp_path: Path) -> None:
    rows = "2024-01-02,1,2,1,2,,\n2024-01-01,1,2,1,2,,\n2024-01-02T00:00Z,1,2,1,2,,\n1704153600,1,2,1,2,,\n"
    assert problems(tmp_path, HEADER + rows) == [
        (4, 'timestamp "2024-01-02T00:00Z" repeats line 2'),
        (5, 'timestamp "1704153600" repeats line 2'),
    ]


def test_all_problems_are_counted_and_the_first_are_kept_in_order(tmp_path: Path) -> None:
    count = 3 * BAD_ROWS_SHOWN_MAX
    with pytest.raises(BadCandles) as refused:
        read(tmp_path, HEADER + "x,1,2,1,9,,\n" * count + "short\n")
    assert refused.value.problem_count == 2 * count + 1
    assert [bad.number for bad in refused.value.problems] == [2 + row // 2 for row in range(BAD_ROWS_SHOWN_MAX)]
    assert "candles.csv has 601 problems; nothing was imported" in refused.value.detail
    assert "and 581 more" in refused.value.detail


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", CandleFileEmpty),
        (b" \n\n", CandleFileEmpty),
        (HEADER, CandleFileEmpty),
        (b"timestamp,open\xff", CandleFileEncoding),
        (HEADER.encode("utf-16"), CandleFileEncoding),
        (HEADER.encode("utf-16-le"), CandleFileEncoding),
        (b"timestamp,open,high,close\n2024-01-01,1,1,1\n", CandleFileColumns),
        (b"2024-01-01,1,1,1,1\n", CandleFileColumns),
        (b"timestamp,open,high,low,close,Close\n2024-01-01,1,1,1,1,1\n", CandleFileColumns),
        (b"PAR1 and then nothing of the kind", CandleFileNotParquet),
    ],
)
def test_a_file_that_holds_no_candles_says_why(tmp_path: Path, content: bytes, error: type[CandleFileError]) -> None:
    with pytest.raises(error):
        read(tmp_path, content)


def test_errors_have_codes_of_their_own() -> None:
    kinds = CandleFileError.__subclasses__()
    assert len({kind.code for kind in kinds} | {CandleFileError.code}) == len(kinds) + 1


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(CandleFileColumns, match=r"lacks low, close; .* it reads: Date, Open, High"):
        read(tmp_path, "Date,Open,High\n2024-01-01,1,1\n")


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path, name: str) -> None:
    with pytest.raises(CandleFileUnreadable, match="cannot be read"):
        read_candle_file(tmp_path / name, Timeframe.D1)


def test_text_under_the_name_of_parquet_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "2024-01-01,1,2,1,2,,\n", "candles.parquet")
    with pytest.raises(CandleFileNotParquet, match="is not a sound Parquet file"):
        read_candle_file(path, Timeframe.D1)


def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = HEADER + "2024-01-01,1,2,1,2,,\n2024-01-02,1,2,1,2,,\n"
    monkeypatch.setattr(formats, "ROWS_MAX", 1)
    with pytest.raises(CandleFileTooLarge, match="has 2 rows; one import takes 1"):
        read(tmp_path, content)
    monkeypatch.setattr(reader, "BYTES_MAX", len(content) - 1)
    with pytest.raises(CandleFileTooLarge, match="has more than 0 MiB"):
        read(tmp_path, content)


def test_the_hash_is_of_the_bytes_of_the_file(tmp_path: Path) -> None:
    file = read(tmp_path, "timestamp,open,high,low,close\n2024-01-01,1,1,1,1\n")
    assert file.sha256 == "06f36d8252782f4acab8969da0a9d34e2421008b313dc6a0049e0eb82b4af338"


# -- Parquet ----------------------------------------------------------------------------------------------------------


def parquet(folder: Path, **columns: list[Any] | pl.Series) -> Path:
    sound: dict[str, list[Any] | pl.Series] = {"timestamp": [date(2024, 1, 1)]}
    prices = {name: pl.Series([Decimal("1.5")]) for name in ("open", "high", "low", "close")}
    path = folder / "candles.parquet"
    pl.DataFrame(sound | prices | columns).write_parquet(path)
    return path


@pytest.mark.parametrize(
    "timestamp",
    [
        pl.Series([date(2024, 1, 1)]),
        pl.Series([datetime(2024, 1, 1)], dtype=pl.Datetime("ns")),  # noqa: DTZ001 - naive on purpose
        pl.Series([datetime(2024, 1, 1)], dtype=pl.Datetime("ms")).dt.replace_time_zone("UTC"),  # noqa: DTZ001 - likewise
        pl.Series([datetime(2023, 12, 31, 19)]).dt.replace_time_zone("America/New_York"),  # noqa: DTZ001 - likewise
        pl.Series([1704067200]),
        pl.Series([1704067200000]),
        pl.Series([1704067200.0]),
        pl.Series(["2024-01-01"]),
    ],
    ids=lambda series: str(series.dtype),
)
def test_every_parquet_type_of_time_is_read(tmp_path: Path, timestamp: pl.Series) -> None:
    file = read_candle_file(parquet(tmp_path, timestamp=timestamp), Timeframe.D1)
    assert file.candles["timestamp"].to_list() == [datetime(2024, 1, 1, tzinfo=UTC)]


def test_parquet_decimals_are_exact_and_floats_round_to_eight_places(tmp_path: Path) -> None:
    columns = {
        "open": pl.Series([0.1 + 0.2]),
        "high": pl.Series([Decimal("98765432109876543210.12345678")]),
        "low": pl.Series([1e-8]),
        "close": pl.Series([123456789.12345678]),
        "volume": pl.Series([0.123456789]),
        "trade_count": pl.Series([12.0]),
    }
    file = read_candle_file(parquet(tmp_path, **columns), Timeframe.D1)
    assert file.candles.rows()[0][1:] == (
        Decimal("0.3"),
        Decimal("98765432109876543210.12345678"),
        Decimal("0.00000001"),
        Decimal("123456789.12345678"),
        Decimal("0.12345679"),
        12,
    )


def test_bad_parquet_rows_are_counted_from_one(tmp_path: Path) -> None:
    columns = {
        "timestamp": [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)],
        "open": [1.0, float("nan"), None],
        **{name: [1.0, 1.0, 1.0] for name in ("high", "low", "close")},
        "volume": [1, 2, -3],
    }
    with pytest.raises(BadCandles) as refused:
        read_candle_file(parquet(tmp_path, **columns), Timeframe.D1)
    assert refused.value.rows_are == "row"
    assert [(bad.number, bad.problem) for bad in refused.value.problems] == [
        (2, 'open "NaN" is not a finite number'),
        (3, "open is missing"),
        (3, 'volume "-3" must not be below zero'),
    ]


def test_a_nanosecond_past_the_start_is_misaligned(tmp_path: Path) -> None:
    late = pl.Series([1704067200000000001]).cast(pl.Datetime("ns"))
    with pytest.raises(BadCandles, match="has a part of a second"):
        read_candle_file(parquet(tmp_path, timestamp=late), Timeframe.D1)


def test_a_parquet_column_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CandleFileColumns, match="has open of type Boolean"):
        read_candle_file(parquet(tmp_path, open=[True]), Timeframe.D1)


def test_a_parquet_file_without_rows_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "candles.parquet"
    pl.DataFrame(schema=dict.fromkeys(HEADER.strip().split(","), pl.Float64)).write_parquet(path)
    with pytest.raises(CandleFileEmpty):
        read_candle_file(path, Timeframe.D1)


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CandleFileNotParquet):
        read_candle_file(path, Timeframe.D1)
