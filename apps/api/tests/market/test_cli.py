"""The commands as a user types them, on a database of their own."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from topcoin.entrypoints.cli import candles, instruments
from topcoin.infra import settings as infra_settings
from topcoin.infra.settings import Settings
from topcoin.kernel.errors import TopCoinError
from topcoin.market.errors import (
    BadCandles,
    InstrumentExists,
    InvalidInstrument,
    TimeframesIncompatible,
    UnknownInstrument,
    UnknownTimeframe,
)

SPX = ("create", "--symbol", "SPX", "--name", "S&P 500", "--type", "index", "--base", "SPX")
CSV = "timestamp,open,high,low,close\n2024-01-01,1,2,0.00000001,2\n2024-01-02,2,3,2,3\n"


@pytest.fixture(autouse=True)
def _on_this_database(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infra_settings, "current_settings", lambda: database)


def said(app: typer.Typer, *arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_from_a_file_to_weeks(tmp_path: Path) -> None:
    file = tmp_path / "spx.csv"
    file.write_text(CSV)
    created = json.loads(said(instruments.app, *SPX, "--spread", "0.4", "--json"))
    assert (created["symbol"], created["quote_currency"], created["spread"]) == ("SPX", "USD", "0.40000000")

    options = ("--symbol", "spx", "--timeframe", "1d")
    imported = json.loads(said(candles.app, "import", str(file), *options, "--json"))
    assert (imported["symbol"], imported["inserted"], imported["unchanged"]) == ("SPX", 2, 0)
    assert (imported["first_timestamp"], imported["last_timestamp"]) == ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
    assert "0 inserted, 0 replaced, 2 unchanged" in said(candles.app, "import", str(file), *options)

    built = json.loads(said(candles.app, "aggregate", "--symbol", "SPX", "--from", "1d", "--to", "1w", "--json"))
    assert (built["from"], built["to"], built["candles"], built["inserted"]) == ("1d", "1w", 1, 1)
    weeks = json.loads(said(candles.app, "list", "--symbol", "SPX", "--timeframe", "1w", "--json"))
    assert weeks == [
        {
            "timestamp": "2024-01-01T00:00:00Z",
            "open": "1.00000000",
            "high": "3.00000000",
            "low": "0.00000001",
            "close": "3.00000000",
            "volume": None,
            "trade_count": None,
        }
    ]
    assert "2024-01-02T00:00:00Z" in said(candles.app, "list", *options, "--limit", "1")
    assert "2024-01-01T00:00:00Z" in said(candles.app, "list", *options, "--limit", "1", "--oldest-first")
    assert "S&P 500" in said(instruments.app, "list")
    assert Decimal(json.loads(said(instruments.app, "list", "--json"))[0]["max_leverage"]) == 20


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("import", "FILE", "--symbol", "NOPE", "--timeframe", "1d"), UnknownInstrument),
        (("import", "FILE", "--symbol", "SPX", "--timeframe", "2d"), UnknownTimeframe),
        (("import", "FILE", "--symbol", "SPX", "--timeframe", "1w"), BadCandles),
        (("aggregate", "--symbol", "NOPE", "--from", "1d", "--to", "1w"), UnknownInstrument),
        (("aggregate", "--symbol", "SPX", "--from", "1w", "--to", "1d"), TimeframesIncompatible),
        (("list", "--symbol", "NOPE", "--timeframe", "1d"), UnknownInstrument),
    ],
)
def test_what_cannot_be_done_with_candles(
    tmp_path: Path, arguments: tuple[str, ...], error: type[TopCoinError]
) -> None:
    file = tmp_path / "spx.csv"
    file.write_text(CSV)
    with pytest.raises(error):
        said(candles.app, *(str(file) if argument == "FILE" else argument for argument in arguments))


def test_an_instrument_is_created_once_and_with_sound_terms() -> None:
    with pytest.raises(InvalidInstrument):
        said(instruments.app, *SPX, "--max-leverage", "200")
    said(instruments.app, *SPX)
    with pytest.raises(InstrumentExists):
        said(instruments.app, *SPX)
